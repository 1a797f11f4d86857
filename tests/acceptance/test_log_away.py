"""No record, no exchange: the database locked, full, gone; the gateway killed, stopped, started twice."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from connectors import population
from gateway.client import Answer, Problem, Unreachable
from tests.acceptance.trail import OUTCOMES, ask, entries_since, on_record, post
from tests.harness import OLD_AGE, PERSON, ROOT, Agency, RunningGateway, free_port, running, token_of

ELDER = population.story("elder")
QUESTION = {"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A gateway of this module's own, that it may lock, kill and restart."""
    with running(tmp_path_factory.mktemp("alone")) as (gateway, agencies):
        yield gateway, agencies["dopa"]


def database(gateway: RunningGateway) -> sqlite3.Connection:
    return sqlite3.connect(gateway.state / "gateway" / "linkage.db", isolation_level=None, timeout=5)


def ready(gateway: RunningGateway) -> int:
    return httpx.get(f"{gateway.url}/readyz", trust_env=False, timeout=20).status_code


def asking(pool: ThreadPoolExecutor, gateway: RunningGateway, dopa: Agency) -> Future[Answer | Problem]:
    """An exchange that has reached the source."""
    before = dopa.asked()
    future = pool.submit(ask, gateway, **QUESTION)
    while dopa.asked() == before and not future.done():
        time.sleep(0.005)
    assert not future.done()
    return future


def unavailable(response: httpx.Response) -> None:
    assert (response.status_code, response.json()["code"]) == (503, "log_unavailable")
    assert response.headers["retry-after"] == "1"
    assert "data" not in response.json()


def test_a_locked_database_stops_every_exchange_before_the_source_is_asked(alone: Any) -> None:
    gateway, dopa = alone
    token, other = token_of(gateway, "city-a-welfare"), database(gateway)
    assert post(gateway, token, QUESTION).status_code == 200
    asked = dopa.asked()
    other.execute("BEGIN EXCLUSIVE")
    with ThreadPoolExecutor(5) as pool:
        responses = list(pool.map(lambda _: post(gateway, token, QUESTION), range(5)))
        not_ready = ready(gateway)
    for response in responses:
        unavailable(response)
    assert not_ready == 503
    assert httpx.get(f"{gateway.url}/healthz", trust_env=False).status_code == 200
    assert dopa.asked() == asked
    other.execute("ROLLBACK")
    other.close()
    assert ready(gateway) == 200
    assert post(gateway, token, QUESTION).status_code == 200
    found = entries_since(gateway, 0)
    told = {response.json()["exchange_id"] for response in responses}
    assert not [entry for entry in found if entry["public"]["exchange"] in told]


def test_a_database_locked_while_the_source_is_asked_releases_nothing(alone: Any) -> None:
    """The outcome cannot be written, so there is none: the exchange is open until someone closes it."""
    gateway, dopa = alone
    token, other = token_of(gateway, "city-a-welfare"), database(gateway)
    dopa.fault("late", seconds=0.5, times=1)
    before = dopa.asked()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(post, gateway, token, QUESTION)
        while dopa.asked() == before:
            time.sleep(0.005)
        other.execute("BEGIN EXCLUSIVE")
        response = future.result()
    other.execute("ROLLBACK")
    other.close()
    unavailable(response)
    exchange = response.json()["exchange_id"]
    with gateway.as_("auditor") as auditor:
        assert auditor.audited(exchange)["outcome"] == "decided"
    gateway.stop()
    gateway.start()
    on_record(gateway, exchange, "interrupted")


def test_a_full_disk_stops_every_exchange_and_is_over_when_there_is_room(alone: Any) -> None:
    """No file of the process may grow: that is what a full disk is to it."""
    gateway, dopa = alone
    token = token_of(gateway, "city-a-welfare")
    assert gateway.process is not None
    pid = gateway.process.pid
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    asked = dopa.asked()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, limits[1]))
    try:
        responses = [post(gateway, token, QUESTION) for _ in range(4)]
        time.sleep(2)  # whatever goes on in the background meets it too, and cannot even say so
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    for response in responses:
        unavailable(response)
    assert dopa.asked() == asked
    assert ready(gateway) == 200
    answer = ask(gateway, **QUESTION)
    assert isinstance(answer, Answer)
    on_record(gateway, answer.exchange_id, "released")
    assert dopa.asked() == asked + 1


def test_a_gateway_killed_while_the_source_is_asked_shows_the_exchange_as_interrupted(alone: Any) -> None:
    gateway, dopa = alone
    before = ask(gateway, **QUESTION)
    assert isinstance(before, Answer)
    dopa.fault("late", seconds=1.5, times=1)
    with ThreadPoolExecutor(1) as pool:
        future = asking(pool, gateway, dopa)
        gateway.kill()
        with pytest.raises(Unreachable):
            future.result()
    held = database(gateway).execute("SELECT exchange FROM open_exchanges").fetchall()
    assert len(held) == 1
    gateway.start()
    decided, _ = on_record(gateway, held[0][0], "interrupted")
    after = ask(gateway, **QUESTION)
    assert isinstance(after, Answer)
    first, second = (on_record(gateway, each.exchange_id, "released") for each in (before, after))
    counters = [entries[0]["subject"]["counter"] for entries in (first, [decided], second)]
    assert counters == list(range(counters[0], counters[0] + 3))
    assert [decided["subject"]["previous"], second[0]["subject"]["previous"]] == [first[0]["entry"], decided["entry"]]
    assert first[1]["entry"] == before.receipt["entry"]
    everything = entries_since(gateway, 0)
    assert [entry["index"] for entry in everything] == list(range(len(everything)))
    assert database(gateway).execute("SELECT COUNT(*) FROM open_exchanges").fetchone() == (0,)


def test_an_open_exchange_of_another_gateway_is_closed_when_it_is_overdue_and_not_before(alone: Any) -> None:
    gateway, dopa = alone
    dopa.fault("late", seconds=1.5, times=1)
    with ThreadPoolExecutor(1) as pool:
        future = asking(pool, gateway, dopa)
        gateway.kill()
        with pytest.raises(Unreachable):
            future.result()
    connection = database(gateway)
    ((exchange, overdue),) = connection.execute("SELECT exchange, overdue_at FROM open_exchanges").fetchall()
    assert overdue > time.time() + 5
    connection.execute("UPDATE open_exchanges SET overdue_at = ?", (int(time.time()) + 120,))  # starting may take long
    gateway.extra["LINKAGE_GATEWAY_NAME"] = "gateway-2"
    try:
        gateway.start()
        with gateway.as_("auditor") as auditor:
            assert auditor.audited(exchange)["outcome"] == "decided"
        gateway.stop()
        connection.execute("UPDATE open_exchanges SET overdue_at = ?", (int(time.time()) - 1,))
        gateway.start()
        _, interrupted = on_record(gateway, exchange, "interrupted")
        assert interrupted["public"]["gateway"] == "gateway-2"
    finally:
        gateway.stop()
        del gateway.extra["LINKAGE_GATEWAY_NAME"]
        gateway.start()


def test_a_second_gateway_on_the_same_file_is_refused_and_the_first_goes_on(alone: Any) -> None:
    gateway, _ = alone
    code = "from gateway.app import serve; from gateway.settings import Settings; serve(Settings())"
    environment = {**gateway.environment, "LINKAGE_PORT": str(free_port())}
    second = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert second.returncode != 0
    assert "is in use by another gateway process" in second.stderr
    assert isinstance(ask(gateway, **QUESTION), Answer)


def test_a_gateway_told_to_stop_finishes_what_is_under_way_and_refuses_what_is_new(alone: Any) -> None:
    gateway, dopa = alone
    token, process, before = token_of(gateway, "city-a-welfare"), gateway.process, dopa.asked()
    assert process is not None
    dopa.fault("late", seconds=2.5, times=1)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(post, gateway, token, QUESTION)
        while dopa.asked() == before:
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        while (stopping := httpx.get(f"{gateway.url}/readyz", trust_env=False)).status_code == 200:
            time.sleep(0.01)
        assert stopping.json()["parts"]["process"] == "stopping"
        late = post(gateway, token, QUESTION)
        response = future.result()
        assert process.wait(timeout=25) == 0
    assert (late.status_code, late.json()["code"]) == (503, "overloaded")
    assert int(late.headers["retry-after"]) > 0
    assert late.headers["connection"] == "close"
    gateway.start()
    assert response.status_code == 200
    answer = response.json()
    on_record(gateway, answer["exchange_id"], "released")
    kinds = [entry["public"]["kind"] for entry in entries_since(gateway, answer["receipt"]["index"])]
    assert kinds[:3] == ["exchange.released", "gateway.stopped", "gateway.started"]


def test_after_all_this_every_decided_exchange_has_one_outcome(alone: Any) -> None:
    gateway, _ = alone
    ask(gateway, **QUESTION)
    ends: dict[str, list[str]] = {}
    for entry in entries_since(gateway, 0):
        kind, exchange = entry["public"]["kind"], entry["public"]["exchange"]
        if kind == "exchange.decided":
            assert exchange not in ends
            ends[exchange] = []
        elif kind.removeprefix("exchange.") in OUTCOMES:
            ends[exchange].append(kind)
    assert ends
    assert all(len(kinds) == 1 for kinds in ends.values())
    connection = database(gateway)
    assert connection.execute("SELECT COUNT(*) FROM open_exchanges").fetchone() == (0,)
    (size,), (count,) = (
        connection.execute(query).fetchone() for query in ("SELECT size FROM head", "SELECT COUNT(*) FROM log_entries")
    )
    assert size == count
