"""The bench measures what it says: a load that counts every answer, and a source that answers only its key."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from bench import load
from bench.gateways import DIRECT, PEOPLE, Source, posts, source
from bench.load import measure
from tests.bench.servers import answering
from tests.harness import SANDBOX_KEYS

KEY = {"X-API-Key": SANDBOX_KEYS["SOURCE_DOPA__API_KEY"]}


@pytest.fixture(scope="module")
def asked() -> Iterator[Source]:
    with source() as running:
        yield running


def test_the_source_answers_the_record_that_was_asked_for(asked: Source) -> None:
    for person in PEOPLE[:3]:
        answer = httpx.post(f"{asked.url}/api/person", headers=KEY, json={"personalID": person}, trust_env=False)
        assert answer.json()["personalID"] == int(person)
    refused = httpx.post(f"{asked.url}/api/person", headers={"X-API-Key": "x"}, content=DIRECT[0], trust_env=False)
    assert refused.status_code == 401


def test_each_request_is_sent_once_where_it_may_be_sent_only_once(asked: Source) -> None:
    figures = measure(asked.port, posts("/api/person", KEY, DIRECT), 8, 30, once=True)
    assert (figures.requests, figures.errors) == (len(DIRECT), 0)
    assert 0 < figures.p50 <= figures.p99 <= figures.p999


def test_an_answer_that_is_not_200_is_an_error(asked: Source) -> None:
    figures = measure(asked.port, posts("/api/person", {"X-API-Key": "wrong"}, DIRECT[:20]), 2, 30, once=True)
    assert (figures.requests, dict(figures.wrong)) == (20, {"401": 20})


def test_a_delay_bounds_what_the_source_allows(asked: Source) -> None:
    asked.delay(0.05)
    try:
        figures = measure(asked.port, posts("/api/person", KEY, DIRECT[:40]), 4, 30, once=True)
    finally:
        asked.delay(0)
    assert figures.errors == 0
    assert figures.p50 >= 0.05
    assert figures.per_second <= 4 / 0.05


@pytest.mark.parametrize(
    "parts",
    [
        (b"HTTP/1.1 200 OK\r\nContent-Le", b"ngth: 4\r\n\r\n{}", b"{}"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", b"0\r\n\r\n"),
    ],
)
def test_an_answer_in_pieces_is_one_answer(parts: tuple[bytes, ...]) -> None:
    with answering(*parts) as port:
        figures = measure(port, posts("/", {}, [json.dumps({}).encode()] * 6), 2, 30, once=True)
    assert (figures.requests, figures.errors) == (6, 0)


def test_a_connection_that_is_closed_on_us_is_an_error() -> None:
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"") as port:
        figures = measure(port, posts("/", {}, [b"{}"] * 6), 2, 30, once=True)
    assert (figures.requests, dict(figures.wrong)) == (0, {"closed": 2})


def test_what_is_never_answered_ends_and_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "LONGEST_WAIT", 0.2)
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n") as port:
        figures = load.measure(port, posts("/", {}, [b"{}"]), 2, 0.1)
    assert (figures.requests, dict(figures.wrong)) == (0, {"unanswered": 2})
