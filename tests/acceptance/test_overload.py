"""More than the gateway takes on: exchanges beyond the limit are told so, and who only waits takes no place."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from connectors.population import story
from tests.harness import OLD_AGE, PERSON, running, token_of

LIMIT = 2


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A gateway that takes on two exchanges at once."""
    with running(tmp_path_factory.mktemp("small"), LINKAGE_MAX_IN_FLIGHT=LIMIT) as pair:
        yield pair


def ask(url: str, token: str) -> httpx.Response:
    question = {"service": PERSON, "citizen_id": story("adult"), "purpose": OLD_AGE}
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.post(f"{url}/v1/exchanges", json=question, headers=headers, trust_env=False, timeout=30)


def test_beyond_the_limit_an_exchange_is_told_so_at_once_and_leaves_no_entry(small: Any) -> None:
    gateway, agencies = small
    token = token_of(gateway, "city-a-welfare")
    agencies["dopa"].fault("late", seconds=1.5, times=LIMIT)
    with ThreadPoolExecutor(LIMIT + 4) as pool:
        answers = list(pool.map(lambda _: ask(gateway.url, token), range(LIMIT + 4)))
    agencies["dopa"].fault("none")
    refused = [answer for answer in answers if answer.status_code == 503]
    assert len(answers) - len(refused) == LIMIT
    for answer in refused:
        assert answer.json()["code"] == "overloaded"
        assert answer.headers["retry-after"]
    assert ask(gateway.url, token).status_code == 200
    with gateway.as_("auditor") as auditor:
        found = auditor.search(client="city-a-welfare")["exchanges"]
    assert len(found) == LIMIT + 1


def test_who_is_slow_to_send_takes_no_place(small: Any) -> None:
    gateway, _ = small
    token = token_of(gateway, "city-a-welfare")
    waiting = []
    head = "POST /v1/exchanges HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{"
    try:
        for _ in range(LIMIT * 5):
            one = socket.create_connection(("127.0.0.1", gateway.port))
            one.sendall(head.encode())
            waiting.append(one)
        assert ask(gateway.url, token).status_code == 200
    finally:
        for one in waiting:
            one.close()
    assert json.loads(httpx.get(f"{gateway.url}/readyz", trust_env=False).content)["status"] == "ready"
