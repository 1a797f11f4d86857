"""What depends on how a gateway is set up: how long a body may take, whose word on addresses counts, no sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.client.signing import ASSERTION_TYPE, assertion
from gateway.keys import read_key
from tests.harness import OLD_AGE, PERSON, RunningGateway, token_of
from tests.http.wire import bare, get, made_up, post, raw, refused

INSIDE, OUTSIDE = "203.0.113.7", "198.51.100.9"


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Not a sandbox; behind a proxy on loopback; impatient."""
    with bare(
        tmp_path_factory.mktemp("production"),
        LINKAGE_SANDBOX="false",
        LINKAGE_BODY_TIMEOUT="1",
        LINKAGE_TRUSTED_PROXIES="127.0.0.1, 192.0.2.0/24",
    ) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def token(production: RunningGateway) -> str:
    return token_of(production, "city-a-welfare")


def test_made_up_people_are_for_the_sandbox_only(production: RunningGateway, token: str) -> None:
    question = {"service": PERSON, "purpose": OLD_AGE, "citizen_id": made_up(1)}
    response = post(production, "/v1/exchanges", json.dumps(question).encode(), token)
    assert "sandbox" in refused(response, 400, "invalid_citizen_id")["detail"]
    assert made_up(1) not in response.text
    # 1234567890121 is the worked example of the numbering rule, no one's number.
    response = post(
        production, "/v1/exchanges", json.dumps({**question, "citizen_id": "1234567890121"}).encode(), token
    )
    refused(response, 404, "unknown_service")


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/exchanges", "application/json"), ("/oauth/token", "application/x-www-form-urlencoded")]
)
def test_a_body_that_does_not_arrive(production: RunningGateway, token: str, path: str, kind: str) -> None:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", f"Content-Type: {kind}"]
    head = "".join(f"{line}\r\n" for line in lines)
    for rest in ("Content-Length: 400\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"):
        answer = raw(production, (head + rest).encode()).decode()
        status, _, body = answer.partition("\r\n")[0], *answer.partition("\r\n\r\n")[1:]
        if path == "/oauth/token":
            assert " 400 " in status
            assert json.loads(body)["error"] == "invalid_request"
        else:
            assert " 408 " in status
            assert json.loads(body)["code"] == "request_timeout"


def request_token(gateway: RunningGateway, forwarded: list[str]) -> httpx.Response:
    """For the client that may call from 203.0.113.0/24 only."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(read_key(gateway.keys / "city-a-inside.jwk"), "city-a-inside", gateway.url),
    }
    headers = [("x-forwarded-for", line) for line in forwarded]
    return httpx.post(f"{gateway.url}/oauth/token", data=form, headers=headers, trust_env=False)


def granted(gateway: RunningGateway, forwarded: list[str]) -> bool:
    response = request_token(gateway, forwarded)
    assert response.status_code in (200, 401)
    return response.status_code == 200


@pytest.mark.parametrize(
    ("forwarded", "believed"),
    [
        ([], False),
        ([INSIDE], True),
        ([OUTSIDE], False),
        ([f"{OUTSIDE}, {INSIDE}"], True),
        ([f"{INSIDE}, {OUTSIDE}"], False),
        ([INSIDE, OUTSIDE], False),
        ([OUTSIDE, INSIDE], True),
        ([f"{INSIDE}, 192.0.2.8"], True),
        ([f"{OUTSIDE},192.0.2.8", "127.0.0.1"], False),
        ([f"{INSIDE}, unknown"], False),
        ([f"{INSIDE}:4711"], False),
        ([f"::ffff:{INSIDE}"], True),
        (["192.0.2.8"], False),
        ([", ,"], False),
    ],
    ids=str,
)
def test_the_last_address_that_a_declared_proxy_saw_counts(
    production: RunningGateway, forwarded: list[str], believed: bool
) -> None:
    assert granted(production, forwarded) is believed


def test_a_token_is_no_good_from_another_network(production: RunningGateway) -> None:
    response = request_token(production, [INSIDE])
    token = response.json()["access_token"]
    assert get(production, "/v1/services", token, x_forwarded_for=INSIDE).status_code == 200
    refused(get(production, "/v1/services", token, x_forwarded_for=OUTSIDE), 401, "invalid_token")
    refused(get(production, "/v1/services", token), 401, "invalid_token")


def test_without_a_declared_proxy_nobodys_word_counts(world: Any) -> None:
    gateway: RunningGateway = world[0]
    key = gateway.person("city-a-inside")
    with gateway.as_("admin") as admin:
        form = {"id": "city-a-inside", "agency": "city-a", "title": {"th": "x", "en": "x"}, "keys": [key]}
        admin.act("client.add", {**form, "networks": ["203.0.113.0/24"]})
    assert not granted(gateway, [INSIDE])
    assert not granted(gateway, [])
