"""The seal: what holds is taken, and whatever was changed on its way is thrown away."""

from __future__ import annotations

import hashlib
import time
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateway.client import UntrustedAnswer
from gateway.keys import new_key, public_key
from tests.client.stand import QUESTION, URL, Stand


def _with_header(name: str, change: Callable[[str], str]) -> Callable[[httpx.Response], httpx.Response]:
    def changed(response: httpx.Response) -> httpx.Response:
        response.headers[name] = change(response.headers[name])
        return response

    return changed


def _with_body(response: httpx.Response) -> httpx.Response:
    content = response.content.replace(b"alive", b"dead!")
    return httpx.Response(200, headers=response.headers, content=content)


def _with_body_and_digest(response: httpx.Response) -> httpx.Response:
    changed = _with_body(response)
    digest = b64encode(hashlib.sha256(changed.content).digest()).decode()
    changed.headers["content-digest"] = f"sha-256=:{digest}:"
    return changed


def _without(name: str) -> Callable[[httpx.Response], httpx.Response]:
    def changed(response: httpx.Response) -> httpx.Response:
        del response.headers[name]
        return response

    return changed


def _twice(response: httpx.Response) -> httpx.Response:
    value = response.headers["signature-input"]
    headers = [*response.headers.multi_items(), ("signature-input", value)]
    return httpx.Response(200, headers=headers, content=response.content)


@pytest.mark.parametrize(
    "change",
    [
        _with_body,
        _with_body_and_digest,
        _without("signature"),
        _without("signature-input"),
        _without("content-digest"),
        _twice,
        lambda response: httpx.Response(201, headers=response.headers, content=response.content),
        _with_header("content-type", lambda value: "text/html"),
        _with_header("signature", lambda value: value.replace("=:", "=:AAAA", 1)),
        _with_header("signature", lambda value: "linkage=:not base64:"),
        _with_header("signature-input", lambda value: value.replace('"content-digest" ', "")),
        _with_header("signature-input", lambda value: value.replace('"@path";req', '"@path"')),
        _with_header("signature-input", lambda value: value.replace("linkage", "other")),
        _with_header("signature-input", lambda value: value.replace("ed25519", "hmac-sha256")),
        _with_header("signature-input", lambda value: value.replace('keyid="seal-1"', 'keyid="seal-2"')),
        _with_header("signature-input", lambda value: value + ';keyid="seal-1"'),
        _with_header("signature-input", lambda value: value.split(";created")[0]),
        _with_header("content-digest", lambda value: value.replace("sha-256", "sha-512")),
    ],
)
def test_a_changed_answer_is_thrown_away(client: Any, stand: Stand, change: Any) -> None:
    stand.change = change
    with pytest.raises(UntrustedAnswer):
        client().exchange(**QUESTION)


def test_an_answer_sealed_by_another_key_of_the_same_name_is_thrown_away(client: Any, stand: Stand) -> None:
    gateway = client(gateway_keys={"keys": [public_key(new_key("EdDSA", "seal-1"))]})
    with pytest.raises(UntrustedAnswer):
        gateway.exchange(**QUESTION)
    assert stand.jwks_fetched == 0


def test_pinned_keys_are_used_and_none_fetched(client: Any, stand: Stand) -> None:
    gateway = client(gateway_keys={"keys": [public_key(stand.seal_key)]})
    assert gateway.exchange(**QUESTION).sealed_by == "seal-1"
    assert stand.jwks_fetched == 0


def test_an_old_answer_is_thrown_away(client: Any, stand: Stand) -> None:
    stand.created = int(time.time()) - 301
    with pytest.raises(UntrustedAnswer, match="just now"):
        client().exchange(**QUESTION)


def test_another_paths_answer_is_thrown_away(client: Any, stand: Stand) -> None:
    stand.answer = lambda request: stand.sealed(
        httpx.Request("POST", f"{URL}/v1/elsewhere", content=request.content, headers=request.headers)
    )
    with pytest.raises(UntrustedAnswer):
        client().exchange(**QUESTION)


def test_the_fresh_answer_to_another_question_of_ones_own_is_thrown_away(client: Any, stand: Stand) -> None:
    kept: list[httpx.Response] = []

    def earlier(request: httpx.Request) -> httpx.Response:
        kept.append(stand.sealed(request))
        return httpx.Response(200, headers=kept[0].headers, content=kept[0].content)

    stand.answer = earlier
    gateway = client()
    assert gateway.exchange(**QUESTION)
    assert gateway.exchange(**QUESTION)  # the same question: the same content
    with pytest.raises(UntrustedAnswer):
        gateway.exchange(**{**QUESTION, "citizen_id": "9100000000029"})


def test_a_seal_that_does_not_cover_the_question_is_thrown_away(client: Any, stand: Stand) -> None:
    def uncovered(request: httpx.Request) -> httpx.Response:
        headers = {name: value for name, value in request.headers.items() if name != "content-digest"}
        return stand.sealed(httpx.Request(request.method, request.url, content=request.content, headers=headers))

    stand.answer = uncovered
    with pytest.raises(UntrustedAnswer, match="cover"):
        client().exchange(**QUESTION)


def test_another_services_answer_is_thrown_away(client: Any, stand: Stand) -> None:
    stand.answer = lambda request: stand.sealed(request, service="dopa.house.v1")
    with pytest.raises(UntrustedAnswer, match="another service"):
        client().exchange(**QUESTION)


def test_keys_are_fetched_once_and_again_when_the_gateway_has_a_new_one(client: Any, stand: Stand) -> None:
    gateway = client()
    gateway.exchange(**QUESTION)
    gateway.exchange(**QUESTION)
    assert stand.jwks_fetched == 1
    stand.seal_key = new_key("EdDSA", "seal-2")
    assert gateway.exchange(**QUESTION).sealed_by == "seal-2"
    assert stand.jwks_fetched == 2


def test_other_signatures_beside_the_gateways_do_not_disturb(client: Any, stand: Stand) -> None:
    def beside(response: httpx.Response) -> httpx.Response:
        response.headers["signature"] = f"proxy=:AAAA:, {response.headers['signature']}"
        response.headers["signature-input"] = f'proxy=("@status");tag="a,b";x, {response.headers["signature-input"]}'
        return response

    stand.change = beside
    assert client().exchange(**QUESTION).sealed_by == "seal-1"
