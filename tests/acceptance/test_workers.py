"""Two workers on one port and one PostgreSQL: one log, one quota, one revocation, one memory of what was used; and
what happens when one of them is killed, or all are told to stop while they have work.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from connectors import population
from gateway import cli
from gateway.catalogue import digest_of
from gateway.client import Answer, Problem
from gateway.store.migrate import standing, upgrade
from tests.acceptance.trail import OUTCOMES, ask, entries_since, the_log_holds, wait_for, workers
from tests.databases import fresh
from tests.harness import (
    OLD_AGE,
    PERSON,
    ROOT,
    RunningGateway,
    agree,
    agreement,
    registration_of,
    running,
    term,
    title,
    token_of,
)
from tests.identity.assertions import claims_of, key_of, request, signed
from tests.identity.prover import Prover
from tests.store.next_version import next_version

QUESTION = {"service": PERSON, "citizen_id": population.story("elder"), "purpose": OLD_AGE}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """(a gateway of two workers, its agencies, its database's URL)"""
    folder: Path = tmp_path_factory.mktemp("workers")
    with (
        fresh("postgresql", folder) as url,
        running(folder, LINKAGE_DATABASE_URL=url, LINKAGE_WORKERS=2, LINKAGE_GATEWAY_NAME="town") as (
            gateway,
            agencies,
        ),
    ):
        yield gateway, agencies, url


def each_on_its_own_connection(call: Any, times: int = 24, at_once: int = 8) -> list[Any]:
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda _: call(), range(times)))


@contextmanager
def load(gateway: RunningGateway, at_once: int = 6) -> Iterator[list[Any]]:
    """Questions without end, each on a connection of its own; what came of them: responses, or what broke."""
    token, stop, came = token_of(gateway, "city-a-welfare"), threading.Event(), []

    def go() -> None:
        headers = {"authorization": f"Bearer {token}"}
        while not stop.is_set():
            with httpx.Client(trust_env=False, timeout=30) as wire:
                for _ in range(3):
                    try:
                        came.append(wire.post(f"{gateway.url}/v1/exchanges", json=QUESTION, headers=headers))
                    except httpx.TransportError as broken:
                        came.append(broken)
                        stop.wait(0.02)
                        break

    threads = [threading.Thread(target=go) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(came) >= 10)
        yield came
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def every_decision_has_one_end(gateway: RunningGateway) -> dict[str, str]:
    """Each exchange's end by its id, after checking that the log has no gap and each exchange one end."""
    entries = entries_since(gateway, 0)
    assert [entry["index"] for entry in entries] == list(range(len(entries)))
    ends: dict[str, list[str]] = {}
    for entry in entries:
        kind, exchange = entry["public"]["kind"], entry["public"]["exchange"]
        if kind == "exchange.decided":
            assert exchange not in ends
            ends[exchange] = []
        elif kind.removeprefix("exchange.") in OUTCOMES:
            ends[exchange].append(kind.removeprefix("exchange."))
    assert {len(kinds) for kinds in ends.values()} == {1}
    return {exchange: kinds[0] for exchange, kinds in ends.items()}


def test_both_serve_from_one_port_and_write_one_log(fleet: Any) -> None:
    gateway, _, _ = fleet
    answers = each_on_its_own_connection(lambda: ask(gateway, **QUESTION), 32)
    assert all(isinstance(answer, Answer) for answer in answers)
    entries = entries_since(gateway, 0)
    released = {entry["public"]["gateway"] for entry in entries if entry["public"]["kind"] == "exchange.released"}
    assert released == {"town-1", "town-2"}
    assert [entry["index"] for entry in entries] == list(range(len(entries)))


def test_what_one_worker_registers_the_other_knows(fleet: Any) -> None:
    """Act upon act, each on a connection of its own, and so at either worker."""
    gateway, _, _ = fleet
    for number in range(8):
        name = f"new-town-{'abcdefgh'[number]}"
        with gateway.as_("admin") as admin:
            admin.act("agency.add", {"id": name, "title": title(name)})
        with gateway.as_("admin") as admin:
            form = {"id": f"{name}-c", "agency": name, "title": title(name), "keys": [gateway.person(f"{name}-c")]}
            admin.act("client.add", form)
        with gateway.as_(f"{name}-c") as client:
            assert client.services()


def test_a_version_approved_at_one_worker_is_taken_up_by_both_and_drops_no_exchange(fleet: Any) -> None:
    gateway, agencies, _ = fleet

    def deadline() -> float:
        with gateway.as_("city-a-welfare") as client:
            return float(client.service(PERSON)["deadline_seconds"])

    registration = registration_of("dopa", agencies["dopa"].url)
    for service in registration["services"]:
        service["deadline_seconds"] = 7
    assert set(each_on_its_own_connection(deadline)) == {5.0}
    with load(gateway) as came:
        with gateway.as_("admin") as admin:
            admin.act("connector.register", {"registration": registration})
        with gateway.as_("dopa-owner-1") as owner:
            owner.act("connector.approve", {"agency": "dopa", "digest": digest_of(registration)})
        wait_for(lambda: set(each_on_its_own_connection(deadline)) == {7.0})
        seen = len(came)
        wait_for(lambda: len(came) >= seen + 12)
    assert {getattr(one, "status_code", one) for one in came} == {200}


def test_a_quota_is_exact_under_concurrency(fleet: Any) -> None:
    gateway, _, _ = fleet
    with gateway.as_("admin") as admin:
        admin.act("purpose.add", {"code": "shared.quota", "title": title("q"), "authority": title("a"), "replaces": []})
    agree(gateway, agreement("shared-quota", PERSON, [term("shared.quota", ["life_status"], quota_per_day=7)]))
    results = each_on_its_own_connection(lambda: ask(gateway, **{**QUESTION, "purpose": "shared.quota"}))
    assert Counter(type(result) for result in results) == {Answer: 7, Problem: 17}
    assert {result.status for result in results if isinstance(result, Problem)} == {429}


def test_a_revoked_key_is_refused_by_every_worker(fleet: Any) -> None:
    gateway, _, _ = fleet
    name = "city-a-lost"
    lost, spare = gateway.person(name), gateway.person(f"{name}-spare")
    with gateway.as_("admin") as admin:
        admin.act("client.add", {"id": name, "agency": "city-a", "title": title(name), "keys": [lost, spare]})
        access = token_of(gateway, name)
        headers = {"authorization": f"Bearer {access}"}

        def asks() -> int:
            return httpx.post(
                f"{gateway.url}/v1/exchanges", json=QUESTION, headers=headers, trust_env=False, timeout=30
            ).status_code

        assert set(each_on_its_own_connection(asks, 16)) == {200}
        admin.act("client.key.revoke", {"id": name, "kid": lost["kid"]})
    assert set(each_on_its_own_connection(asks, 16)) == {401}  # at once: a decision on old registers is not recorded


def test_an_assertion_is_used_once_at_all_workers_and_after_a_restart(fleet: Any) -> None:
    gateway, _, _ = fleet
    assertion = signed(key_of(gateway, "city-a-welfare"), claims_of(gateway, "city-a-welfare"))
    codes = each_on_its_own_connection(lambda: request(gateway, assertion).status_code, 16)
    assert Counter(codes) == {200: 1, 401: 15}
    prover = Prover(gateway).bind()
    prover.call()
    proof = prover.proof("GET", f"{gateway.url}/v1/services")

    def replayed() -> int:
        headers = {"authorization": f"DPoP {prover.token}", "dpop": proof}
        return httpx.get(f"{gateway.url}/v1/services", headers=headers, trust_env=False, timeout=30).status_code

    assert Counter(each_on_its_own_connection(replayed, 16)) == {200: 1, 401: 15}
    gateway.stop()
    gateway.start()
    assert request(gateway, assertion).status_code == 401
    assert replayed() == 401  # its nonce is still good, and the token: the proof is known
    assert prover.call().status_code == 200


def test_with_sqlite_there_is_one_worker(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["serve", "--workers", "2", "--state-dir", str(tmp_path)]) == 2
    assert "several workers need PostgreSQL" in capsys.readouterr().err


def test_a_worker_that_is_killed_is_replaced_and_what_it_had_is_closed(fleet: Any) -> None:
    gateway, agencies, url = fleet
    agencies["dopa"].fault("late", seconds=0.3, times=400)
    with load(gateway) as came:
        ends: set[str] = set()
        while "interrupted" not in ends:  # by chance all that is under way may be another worker's
            before = workers(gateway)
            os.kill(before[0], signal.SIGKILL)
            wait_for(lambda: len(workers(gateway)) == 2 and before[0] not in workers(gateway))  # noqa: B023
            seen = len(came)
            wait_for(lambda: len(came) > seen + 10)  # noqa: B023
            ends = _outcomes(gateway, "interrupted")
    agencies["dopa"].fault("none")
    answered = [each.json()["exchange_id"] for each in came if isinstance(each, httpx.Response)]
    assert {each.status_code for each in came if isinstance(each, httpx.Response)} == {200}
    assert not all(isinstance(each, httpx.Response) for each in came)
    wait_for(lambda: "decided" not in _outcomes(gateway))
    of = every_decision_has_one_end(gateway)
    assert {of[exchange] for exchange in answered} == {"released"}
    the_log_holds(gateway, url)


def test_a_second_gateway_of_a_name_that_lives_is_refused(fleet: Any) -> None:
    gateway, _, url = fleet
    second = RunningGateway(gateway.state, LINKAGE_DATABASE_URL=url, LINKAGE_GATEWAY_NAME="town-2")
    second.extra["LINKAGE_ISSUER"] = gateway.url
    second.starts = 50
    try:
        with pytest.raises(RuntimeError, match="a gateway named town-2 lives already"):
            second.start()
    finally:
        second.stop()
    assert isinstance(ask(gateway, **QUESTION), Answer)


def test_a_migration_while_serving(fleet: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newer version does not start before it; the older one serves through it, and starts again on the outcome."""
    gateway, _, url = fleet
    newer = next_version(tmp_path)
    code = f"""
from pathlib import Path
from gateway.store import migrate
migrate._HERE = Path({str(newer)!r})
from gateway.app import serve
from gateway.settings import Settings
serve(Settings(gateway_name="newer", workers=1))
"""
    too_early = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=gateway.environment, capture_output=True, text=True, check=False
    )
    assert too_early.returncode != 0
    assert "the database lacks migrations: run `linkage db upgrade` first" in too_early.stderr
    with load(gateway, 4) as came:
        with monkeypatch.context() as patched:
            patched.setattr("gateway.store.migrate._HERE", newer)
            upgrade(url)
        seen = len(came)
        wait_for(lambda: len(came) > seen + 10)
    assert {each.status_code for each in came} == {200}
    assert standing(url) == "ahead"
    gateway.stop()
    gateway.start()
    assert isinstance(ask(gateway, **QUESTION), Answer)


def _outcomes(gateway: RunningGateway, wanted: Literal["decided", "interrupted"] = "decided") -> set[str]:
    with gateway.as_("auditor") as auditor:
        return {found["outcome"] for found in auditor.search(outcome=wanted)["exchanges"]}


def test_told_to_stop_they_finish_what_they_have_and_refuse_what_is_new(fleet: Any) -> None:
    gateway, agencies, url = fleet
    assert gateway.process is not None
    process = gateway.process
    agencies["dopa"].fault("late", seconds=0.8, times=12)
    with load(gateway, 12) as came:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=25) == 0
    agencies["dopa"].fault("none")
    gateway.start()
    responses = [each for each in came if isinstance(each, httpx.Response)]
    assert {each.status_code for each in responses} <= {200, 503}
    for refused in (each for each in responses if each.status_code == 503):
        assert refused.json()["code"] == "overloaded"
        assert int(refused.headers["retry-after"]) > 0
    assert 200 in {each.status_code for each in responses}
    ends = every_decision_has_one_end(gateway)
    for answered in (each for each in responses if each.status_code == 200):
        assert ends[answered.json()["exchange_id"]] == "released"
    the_log_holds(gateway, url)
