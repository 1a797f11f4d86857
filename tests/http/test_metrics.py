"""/metrics tells rate, errors, durations, breakers, the log's lag, and names nobody; /readyz says what is lacking."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from connectors import population
from gateway import errors
from gateway.client import Answer, Problem
from tests.acceptance.needles import Needles, value_forms, written_forms
from tests.acceptance.trail import ask, post
from tests.harness import HOUSE, OLD_AGE, PERSON, RunningGateway, token_of

ELDER = population.story("elder")
QUESTION = {"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE}
LABELS = {"service", "code", "outcome", "kind", "witness", "le", "days"}
WORD = re.compile(r"[A-Za-z_]{1,60}(_[0-9]{3})?")


def families(gateway: RunningGateway) -> dict[str, Metric]:
    text = httpx.get(f"{gateway.url}/metrics", trust_env=False).text
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(gateway: RunningGateway, sample: str, **labels: str) -> float:
    found = [
        each.value
        for family in families(gateway).values()
        for each in family.samples
        if each.name == sample and labels.items() <= each.labels.items()
    ]
    return sum(found)


@pytest.fixture
def dopa(world: Any) -> Iterator[Any]:
    _, agencies = world
    yield agencies["dopa"]
    agencies["dopa"].fault("none")


def test_each_exchange_is_counted_once_by_service_and_outcome(running_gateway: RunningGateway, dopa: Any) -> None:
    gateway = running_gateway
    token = token_of(gateway, "city-a-welfare")

    def counts() -> list[float]:
        return [
            value(gateway, "linkage_exchanges_total", service=PERSON, code="ok"),
            value(gateway, "linkage_exchanges_total", service=PERSON, code="denied"),
            value(gateway, "linkage_exchanges_total", service=PERSON, code="agency_misbehaved"),
            value(gateway, "linkage_exchanges_total", service="", code="unknown_service"),
            value(gateway, "linkage_exchanges_total", service="", code="invalid_token"),
            value(gateway, "linkage_exchange_seconds_count", service=PERSON, outcome="released"),
            value(gateway, "linkage_exchange_seconds_count", service=PERSON, outcome="refused"),
            value(gateway, "linkage_exchange_seconds_count", service=PERSON, outcome="source"),
            value(gateway, "linkage_exchange_seconds_count", service="", outcome="turned_away"),
        ]

    before = counts()
    assert isinstance(ask(gateway, **QUESTION), Answer)
    assert isinstance(ask(gateway, **QUESTION, fields=["father_name"]), Problem)
    dopa.fault("error_500", times=1)
    assert isinstance(ask(gateway, **QUESTION), Problem)
    post(gateway, token, {**QUESTION, "service": "dopa.unknown.v1"})
    post(gateway, "x.y.z", QUESTION)
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [1, 1, 1, 1, 1, 1, 1, 1, 2]


def test_the_log_and_its_queue_are_measured(running_gateway: RunningGateway) -> None:
    gateway = running_gateway
    before = value(gateway, "linkage_log_size")
    assert isinstance(ask(gateway, **QUESTION), Answer)
    assert value(gateway, "linkage_log_size") == before + 2
    for lag in ("linkage_log_unsigned_entries", "linkage_log_unprojected_entries", "linkage_appends_waiting"):
        deadline = time.monotonic() + 15
        while value(gateway, lag) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert value(gateway, lag) == 0, lag
    assert value(gateway, "linkage_database_up") == 1
    assert value(gateway, "linkage_log_damaged") == 0


def test_a_breaker_that_opens_is_seen(running_gateway: RunningGateway, dopa: Any) -> None:
    gateway = running_gateway
    assert value(gateway, "linkage_breaker_open", service=HOUSE) == 0
    dopa.fault("unavailable")
    house = {**QUESTION, "service": HOUSE}
    for _ in range(8):
        assert isinstance(ask(gateway, **house), Problem)
    assert value(gateway, "linkage_breaker_open", service=HOUSE) == 1
    dopa.fault("none")
    deadline = time.monotonic() + 20
    while isinstance(ask(gateway, **house), Problem) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert value(gateway, "linkage_breaker_open", service=HOUSE) == 0


def test_no_label_names_anyone_whatever_a_caller_sends(running_gateway: RunningGateway) -> None:
    gateway = running_gateway
    token = token_of(gateway, "city-a-welfare")
    for service in (f"dopa.{ELDER}.v1", ELDER, f"{PERSON}\n{ELDER}", f'x"}} {ELDER}'):
        post(gateway, token, {**QUESTION, "service": service})
        post(gateway, ELDER, {**QUESTION, "purpose": ELDER})
        httpx.get(f"{gateway.url}/v1/services/{ELDER}", trust_env=False)
    needles = Needles()
    needles.add("the citizen", written_forms(ELDER))
    for sentinel in population.sentinels(population.population()[ELDER]):
        needles.add("a value", value_forms(sentinel))
    with gateway.as_("city-a-welfare") as client:
        services = {service["id"] for service in client.services()} | {""}
    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")} | {"ok"}
    for family in families(gateway).values():
        for sample in family.samples:
            assert sample.labels.keys() <= LABELS, family.name
            assert needles.in_bytes(json.dumps(sample.labels).encode()) == []
            assert sample.labels.get("service", "") in services
            assert sample.labels.get("code", "ok") in codes
            assert all(WORD.fullmatch(sample.labels.get(name, "x")) for name in ("outcome", "kind"))


def test_the_process_s_own_log_is_json_with_the_exchange_s_id(running_gateway: RunningGateway, dopa: Any) -> None:
    gateway = running_gateway
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as raw:  # what uvicorn has a word to say of
        raw.sendall(f"GET /{ELDER} no-http\r\n\r\n".encode())
        raw.recv(4096)
    dopa.fault("error_500", times=1)
    problem = ask(gateway, **QUESTION)
    assert isinstance(problem, Problem)
    lines = [json.loads(line) for line in (gateway.output / f"stderr.{gateway.starts}").read_text().splitlines()]
    (line,) = [line for line in lines if line.get("exchange") == problem.exchange_id]
    assert (line["event"], line["service"], line["level"]) == ("agency_misbehaved", PERSON, "warning")
    assert ELDER not in json.dumps(lines)


def test_readyz_says_which_part_is_not_ready(running_gateway: RunningGateway) -> None:
    gateway = running_gateway
    ready = httpx.get(f"{gateway.url}/readyz", trust_env=False)
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["parts"] == dict.fromkeys(("database", "registers", "keys", "log", "process"), "ok")
    held = sqlite3.connect(gateway.state / "gateway" / "linkage.db", isolation_level=None)
    held.execute("BEGIN IMMEDIATE")
    try:
        away = httpx.get(f"{gateway.url}/readyz", trust_env=False, timeout=20)
        alive = httpx.get(f"{gateway.url}/healthz", trust_env=False)
    finally:
        held.execute("ROLLBACK")
        held.close()
    assert (away.status_code, away.json()["status"]) == (503, "not_ready")
    assert away.json()["parts"]["database"] == "unavailable"
    assert away.json()["parts"]["registers"] == "ok"
    assert alive.json() == {"status": "ok"}
