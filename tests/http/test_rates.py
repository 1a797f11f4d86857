"""Limits a client: counted by each gateway for itself, by all together where a Redis is there, and by each again
where it goes away.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from gateway import rates
from gateway.errors import TooManyRequests
from gateway.rates import Rates
from tests.harness import free_port, token_of
from tests.http.wire import bare, get, post, refused


def taken(counted: Rates, client: str, times: int) -> int:
    """How many of so many calls were let through."""
    passed, waits = 0, None
    for _ in range(times):
        try:
            counted.take(client)
            passed += 1
        except TooManyRequests as refusal:
            waits = refusal.retry_after
    assert waits is None or 1 <= waits <= 3601
    return passed


def test_none_is_set_unless_one_is() -> None:
    assert taken(Rates(), "a", 1000) == 1000


def test_each_client_has_its_own() -> None:
    counted = Rates("7/hour")
    assert taken(counted, "a", 20) == 7
    assert taken(counted, "b", 20) == 7
    assert taken(counted, "a", 20) == 0


def test_the_next_window_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    counted, moment = Rates("3/minute"), 1_800_000_000.0
    monkeypatch.setattr(rates.time, "time", lambda: moment)
    assert taken(counted, "a", 5) == 3
    moment += 59
    assert taken(counted, "a", 5) == 0
    moment += 1
    assert taken(counted, "a", 5) == 3


def test_of_many_clients_the_old_ones_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    counted, moment = Rates("3/minute"), 1_800_000_000.0
    monkeypatch.setattr(rates.time, "time", lambda: moment)
    monkeypatch.setattr(rates, "_MOST_KNOWN", 10)
    for number in range(10):
        counted.take(f"c{number}")
    moment += 60
    counted.take("new")
    assert len(counted._counts) == 1


# -- with a storage that several share ----------------------------------------------------------------------------


class Redis:
    """A server of the test's own."""

    def __init__(self, folder: Path) -> None:
        binary = shutil.which("redis-server") or shutil.which("valkey-server")
        if binary is None:
            pytest.skip("no redis-server and no valkey-server here")
        self.port, self._folder, self._binary = free_port(), folder, binary
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)],
            stdout=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)
            self._process = None


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    server.start()
    yield server
    server.stop()


@asynccontextmanager
async def synchronised(*counted: Rates) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in counted]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to it"
        await asyncio.sleep(0.02)


def settled(counted: Rates, client: str) -> bool:
    """Whether the storage has been told of all that was counted."""
    return counted._counts[client].since == 0 and not counted._away


async def test_two_gateways_share_one_limit(redis: Redis) -> None:
    one, two = (Rates("10/hour", redis.url) for _ in range(2))
    async with synchronised(one, two):
        assert taken(one, "a", 6) == 6
        await until(lambda: settled(one, "a"))
        assert taken(two, "a", 1) == 1
        await until(lambda: settled(two, "a"))
        assert taken(two, "a", 20) == 3
        await until(lambda: settled(two, "a"))
        one.take("a")  # what it does not know of yet it lets through: a tenth of a second's calls at most
        await until(lambda: settled(one, "a"))
        assert taken(one, "a", 5) == 0
        assert taken(one, "b", 5) == 5


async def test_while_the_storage_is_away_each_counts_for_itself(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither open nor closed: the limit holds at each gateway."""
    monkeypatch.setattr(rates, "AWAY_SECONDS", 0.2)
    one = Rates("10/hour", redis.url)
    async with synchronised(one):
        assert taken(one, "a", 4) == 4
        await until(lambda: settled(one, "a"))
        redis.stop()
        assert taken(one, "a", 3) == 3
        await until(lambda: one._away)
        assert taken(one, "a", 20) == 3
        assert taken(one, "b", 20) == 10
        redis.start()
        await until(lambda: settled(one, "a") and settled(one, "b"))
        assert taken(one, "b", 5) == 0


async def test_a_storage_that_never_answers_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "AWAY_SECONDS", 0.2)
    server = await asyncio.start_server(lambda *_: asyncio.sleep(60), "127.0.0.1", 0)
    one = Rates("10/hour", f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with synchronised(one):
        assert taken(one, "a", 4) == 4
        await until(lambda: one._away)
        assert taken(one, "a", 20) == 6
    server.close()


# -- on the wire --------------------------------------------------------------------------------------------------


def test_who_calls_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    with bare(tmp_path, LINKAGE_RATE_LIMIT="6/hour") as gateway:
        token = token_of(gateway, "city-a-welfare")

        def calls() -> Iterator[httpx.Response]:
            for _ in range(2):
                yield get(gateway, "/v1/services", token)
                yield post(gateway, "/v1/exchanges", b"{}", token)

        served = [response.status_code for _ in range(2) for response in calls()][:6]
        assert served == [200, 400, 200, 400, 200, 400]
        for late in calls():
            refused(late, 429, "too_many_requests")
            assert 1 <= int(late.headers["retry-after"]) <= 3601
        assert get(gateway, "/readyz").status_code == 200
        with gateway.as_("auditor") as auditor:  # nobody else's calls count
            assert auditor.entries()["entries"]
