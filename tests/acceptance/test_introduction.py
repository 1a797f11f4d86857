"""`Linkage-Exchange`: what a source is told of a question, so that it can keep its own count; verified without us."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from typing import Any

import httpx
import pytest
from ecdsa import BadSignatureError, Ed25519, VerifyingKey

from connectors import population
from gateway.client import Answer
from tests.acceptance.trail import ask, on_record
from tests.harness import OLD_AGE, PERSON

ELDER = population.story("elder")


def decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def verified(introduction: str, jwks: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, as a source would check them: by the gateway's published keys, with a pure Python library."""
    head, claims, signature = introduction.split(".")
    header = json.loads(decoded(head))
    assert header["alg"] == "EdDSA"
    (jwk,) = (each for each in jwks["keys"] if each["kid"] == header["kid"])
    assert (jwk["kty"], jwk["crv"]) == ("OKP", "Ed25519")
    key = VerifyingKey.from_string(decoded(jwk["x"]), curve=Ed25519)
    key.verify(decoded(signature), f"{head}.{claims}".encode())
    return header, json.loads(decoded(claims))


@pytest.fixture(scope="module")
def introductions(world: Any) -> tuple[list[str], list[str], dict[str, Any]]:
    """(the exchanges' ids, what the source was shown, the gateway's keys)."""
    gateway, agencies = world

    def shown() -> list[str]:
        told = httpx.get(f"{agencies['dopa'].url}/_sandbox/exchanges", trust_env=False).json()
        return list(told["exchanges"])

    before = shown()
    answers = [ask(gateway, service=PERSON, citizen_id=ELDER, purpose=OLD_AGE) for _ in range(3)]
    assert all(isinstance(answer, Answer) for answer in answers)
    jwks = httpx.get(f"{gateway.url}/.well-known/jwks.json", trust_env=False).json()
    return [answer.exchange_id for answer in answers if isinstance(answer, Answer)], shown()[len(before) :], jwks


def test_the_source_is_told_which_exchange_for_whom_and_for_what(world: Any, introductions: Any) -> None:
    exchanges, shown, jwks = introductions
    assert len(shown) == 3
    for exchange_id, introduction in zip(exchanges, shown, strict=True):
        header, claims = verified(introduction, jwks)
        assert header["typ"] == "linkage-exchange+jwt"
        assert abs(claims.pop("iat") - time.time()) < 60
        assert claims == {
            "iss": world[0].url,
            "aud": "dopa",
            "exchange": exchange_id,
            "service": PERSON,
            "consumer": "city-a",
            "purpose": OLD_AGE,
        }
        decided, released = on_record(world[0], exchange_id, "released")
        assert decided["public"]["exchange"] == released["public"]["exchange"] == exchange_id


def test_it_holds_no_identifier(introductions: Any) -> None:
    _, shown, _ = introductions
    for introduction in shown:
        readable = b"".join(decoded(part) for part in introduction.split(".")[:2]).decode()
        assert ELDER not in readable + introduction


def test_another_claim_is_not_what_was_signed(introductions: Any) -> None:
    _, shown, jwks = introductions
    head, _, signature = shown[0].split(".")
    forged = json.dumps({"exchange": "ex_other", "consumer": "city-b"}).encode().hex()
    with pytest.raises(BadSignatureError):
        verified(f"{head}.{forged}.{signature}", jwks)
