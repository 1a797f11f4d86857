"""A released answer's seal holds for a verifier that we did not write (RFC 9421, RFC 9530)."""

from __future__ import annotations

import hashlib
import json
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
from tests.http.wire import get, refused

ELDER = population.story("elder")
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
    question = {"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE}
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


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    name = {"sha256": "sha-256", "sha512": "sha-512"}[algorithm]
    return f"{name}=:{b64encode(hashlib.new(algorithm, content).digest()).decode()}:"


def asked(gateway: RunningGateway, digest: str | None, content: bytes = b"") -> httpx.Response:
    body = content or json.dumps({"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE}).encode()
    headers = {
        "authorization": f"Bearer {token_of(gateway, 'city-a-welfare')}",
        "content-type": "application/json",
        **({"content-digest": digest or digest_of(body)}),
    }
    return httpx.post(f"{gateway.url}/v1/exchanges", content=body, headers=headers, trust_env=False)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_requests_own_digest_is_under_the_seal(running_gateway: RunningGateway, algorithm: str) -> None:
    body = json.dumps({"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE}).encode()
    response = asked(running_gateway, digest_of(body, algorithm), body)
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Published(running_gateway))
    covered = (*COVERED, '"content-digest";req')
    assert verifier.verify(response, require_components=covered, body=response.content)
    other = httpx.Request("POST", response.request.url, headers={"content-digest": digest_of(b"another question")})
    passed_off = httpx.Response(200, headers=response.headers, content=response.content, request=other)
    with pytest.raises(InvalidSignature):
        verifier.verify(passed_off, require_components=covered, body=response.content)


@pytest.mark.parametrize(
    "digest",
    [
        digest_of(b"another body"),
        digest_of(b"another body", "sha512"),
        "sha-256=:AAAA:",
        "sha-256=AAAA",
        "sha-256",
        "md5=:AAAAAAAAAAAAAAAAAAAAAA==:",
        "sha-256=:!:",
        ",",
        "x" * 4000,
    ],
)
def test_a_digest_that_is_not_the_bodys_is_refused(running_gateway: RunningGateway, digest: str) -> None:
    refused(asked(running_gateway, digest), 400, "malformed_request")


def test_of_several_digests_each_must_be_right(running_gateway: RunningGateway) -> None:
    body = json.dumps({"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE}).encode()
    good = f"{digest_of(body)}, {digest_of(body, 'sha512')}, unknown=:AAAA:"
    assert asked(running_gateway, good, body).status_code == 200
    bad = f"{digest_of(body)}, {digest_of(b'', 'sha512')}"
    refused(asked(running_gateway, bad, body), 400, "malformed_request")


def test_another_body_with_its_own_digest(running_gateway: RunningGateway, answer: httpx.Response) -> None:
    content = answer.content.replace(b'"life_status"', b'"live_status"')
    assert content != answer.content
    digest = f"sha-256=:{b64encode(hashlib.sha256(content).digest()).decode()}:"
    with pytest.raises(InvalidSignature):
        verify(running_gateway, changed(answer, content=content, headers={"content-digest": digest}))
