"""Two workers on a PostgreSQL of their own, under load: a worker killed, the server killed, frozen, cut off, slow,
read-only, and its tables added to.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store.migrate import standing, upgrade
from tests.acceptance.trail import wait_for, workers
from tests.chaos.between import NAME, Line, Postgres, database
from tests.chaos.world import WHOLE, World
from tests.harness import running
from tests.store.next_version import next_version

pytestmark = pytest.mark.timeout(300)
whole = pytest.mark.skipif(not WHOLE, reason="make chaos does it")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Postgres, Line]]:
    """(the gateway, its database's server, the line between them)"""
    with database() as (server, line, url):
        upgrade(url)
        settings: dict[str, Any] = {"LINKAGE_DATABASE_URL": url, "LINKAGE_WORKERS": 2, "LINKAGE_GATEWAY_NAME": "town"}
        with running(tmp_path_factory.mktemp("fleet"), **settings) as (gateway, agencies):
            yield World(gateway, agencies, url), server, line


@whole
def test_a_worker_is_killed(fleet: Any) -> None:
    world, _, _ = fleet
    for _ in range(3):
        world.agencies["dopa"].fault("late", seconds=0.2, times=30)
        with world.load():
            victim = workers(world.gateway)[0]
            os.kill(victim, signal.SIGKILL)
            wait_for(lambda gone=victim: len(workers(world.gateway)) == 2 and gone not in workers(world.gateway))
            world.recovers("a worker was killed")
        world.agencies["dopa"].fault("none")
        world.holds(closed=True)


def test_the_server_is_killed_in_mid_batch(fleet: Any) -> None:
    world, server, _ = fleet
    for _ in range(3 if WHOLE else 1):
        with world.load():
            begun = time.monotonic()
            server.kill()
            wait_for(lambda since=begun: world.told_since(since)["log_unavailable"] > 5)
            assert not world.ready()
            server.start()
            world.recovers("PostgreSQL was killed, and started again")
        world.holds()


@whole
def test_the_line_to_the_server_is_cut(fleet: Any) -> None:
    world, _, line = fleet
    with world.load():
        line.cut()
        begun = time.monotonic()
        wait_for(lambda: world.told_since(begun)["log_unavailable"] > 20)
        assert world.told_since(begun).keys() <= {"log_unavailable"}
        line.join()
        world.recovers("PostgreSQL could not be reached")
    world.holds()


@whole
@pytest.mark.parametrize("how", ["deaf", "frozen"])
def test_the_server_takes_everything_and_says_nothing(fleet: Any, how: str) -> None:
    """As behind a network that swallows packets, or on a machine whose disk hangs."""
    world, server, line = fleet

    def hang(wanted: bool) -> None:
        if how == "frozen":
            server.freeze(wanted)
        else:
            line.deaf = wanted

    with world.load():
        hang(True)
        begun = time.monotonic()
        try:
            wait_for(lambda: world.told_since(begun)["log_unavailable"] > 5, 40)
            print(f"\n  {how}: the first is told after {time.monotonic() - begun:.1f} s")
            assert not world.ready()
        finally:
            hang(False)
        world.recovers(f"PostgreSQL was {how}")
    world.holds()


@whole
def test_the_server_is_slow(fleet: Any) -> None:
    world, _, line = fleet
    with world.load():
        line.delay = 0.05
        try:
            begun = time.monotonic()
            wait_for(lambda: sum(world.told_since(begun).values()) > 20)
        finally:
            line.delay = 0.0
        slowest = max(told.seconds for told in world.told if told.at >= begun)
        print(f"\n  what goes to the server takes 0.05 s longer: the slowest answer {slowest:.1f} s")
        assert world.told_since(begun)["ok"]
        world.recovers("PostgreSQL was slow")
    world.holds()


@whole
def test_the_server_is_read_only(fleet: Any) -> None:
    """As a standby is."""
    world, server, _ = fleet
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{NAME}'"
    with world.load():
        server.admin(f"ALTER DATABASE {NAME} SET default_transaction_read_only = on")
        server.admin(end)
        time.sleep(0.5)
        begun = time.monotonic()
        wait_for(lambda: world.told_since(begun)["log_unavailable"] > 20)
        assert world.told_since(begun).keys() <= {"log_unavailable"}
        assert not world.ready()
        server.admin(f"ALTER DATABASE {NAME} RESET default_transaction_read_only")
        world.recovers("PostgreSQL was read-only")
    world.holds()


@whole
def test_a_migration_while_serving(fleet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world, _, _ = fleet
    monkeypatch.setattr("gateway.store.migrate._HERE", next_version(tmp_path))
    with world.load():
        begun = time.monotonic()
        thread = threading.Thread(target=upgrade, args=(world.url,))
        thread.start()
        thread.join(60)
        assert standing(world.url) == "current"
        print(f"\n  the migration took {time.monotonic() - begun:.2f} s")
        assert world.told_since(begun).keys() <= {"ok", "denied"}
        world.recovers("the tables were added to")
    world.holds()


@whole
def test_at_last_every_exchange_has_its_end(fleet: Any) -> None:
    world, _, _ = fleet
    with world.load(2):
        world.recovers("after all of this")
    world.holds(closed=True)
    assert all(len(ends) == 1 for ends in world.ends.values())
