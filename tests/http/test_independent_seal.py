"""A released answer's seal holds for a verifier that we did not write (RFC 9421, RFC 9530)."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import HTTPMessageVerifier, InvalidSignature, algorithms
from http_message_signatures.resolvers import HTTPSignatureKeyResolver

from connectors import population
from gateway.keys import import_key
from tests.harness import OLD_AGE, PERSON, RunningGateway, token_of
from tests.http.wire import get

COVERED = ("@status", "content-type", "content-digest", '"@method";req', '"@path";req')


class Published(HTTPSignatureKeyResolver):
    """The keys of /.well-known/jwks.json."""

    def __init__(self, gateway: RunningGateway) -> None:
        self.keys = {key["kid"]: key for key in get(gateway, "/.well-known/jwks.json").json()["keys"]}

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey:
        public = import_key(self.keys[key_id]).public_key
        assert isinstance(public, Ed25519PublicKey)
        return public


@pytest.fixture(scope="module")
def answer(world: Any) -> httpx.Response:
    question = {"service": PERSON, "citizen_id": population.story("elder"), "purpose": OLD_AGE}
    headers = {"authorization": f"Bearer {token_of(world[0], 'city-a-welfare')}"}
    response = httpx.post(f"{world[0].url}/v1/exchanges", json=question, headers=headers, trust_env=False)
    assert response.status_code == 200
    return response


def verify(gateway: RunningGateway, response: httpx.Response) -> list[Any]:
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Published(gateway))
    return verifier.verify(response, require_components=COVERED, body=response.content)


def test_the_seal_holds(running_gateway: RunningGateway, answer: httpx.Response) -> None:
    (result,) = verify(running_gateway, answer)
    assert result.label == "linkage"
    assert result.parameters["alg"] == "ed25519"
    digest = b64encode(hashlib.sha256(answer.content).digest()).decode()
    assert answer.headers["content-digest"] == f"sha-256=:{digest}:"
    assert answer.json()["receipt"]["entry"]


def changed(answer: httpx.Response, **change: Any) -> httpx.Response:
    """The same answer with something else in it, or to another request."""
    request = httpx.Request(
        change.get("method", "POST"), str(answer.request.url.copy_with(path=change.get("path", "/v1/exchanges")))
    )
    headers = [(k, v) for k, v in answer.headers.items() if k != "content-encoding"]
    headers = [(k, change.get("headers", {}).get(k, v)) for k, v in headers]
    return httpx.Response(
        change.get("status", 200), headers=headers, content=change.get("content", answer.content), request=request
    )


def test_the_unchanged_copy_holds(running_gateway: RunningGateway, answer: httpx.Response) -> None:
    assert verify(running_gateway, changed(answer))


@pytest.mark.parametrize(
    "change",
    [
        {"method": "GET"},
        {"path": "/v1/exchanges/ex_1"},
        {"status": 201},
        {"headers": {"content-type": "text/plain"}},
        {"content": b"{}"},
    ],
    ids=str,
)
def test_it_holds_for_nothing_else(
    running_gateway: RunningGateway, answer: httpx.Response, change: dict[str, Any]
) -> None:
    with pytest.raises(InvalidSignature):
        verify(running_gateway, changed(answer, **change))


def test_another_body_with_its_own_digest(running_gateway: RunningGateway, answer: httpx.Response) -> None:
    content = answer.content.replace(b'"life_status"', b'"live_status"')
    assert content != answer.content
    digest = f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode()}:"
    with pytest.raises(InvalidSignature):
        verify(running_gateway, changed(answer, content=content, headers={"content-digest": digest}))
