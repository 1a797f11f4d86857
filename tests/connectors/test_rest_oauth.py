"""OAuth 2 client credentials toward a source: one token for many questions, renewed in time, never shown."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from local_sources import ask, http_answer, opened, read_request, services_at, serving

from connectors.population import story
from gateway.catalogue import check_kind
from gateway.errors import GatewayError, MalformedRequest
from gateway.keys import new_key
from gateway.model.service import Service
from gateway.plugin import AgencyMisbehaved, AgencyTimeout, AgencyUnavailable

ELDER = story("elder")
LEAST = b'{"personalID":9111111111114,"firstName":"a","lastName":"b","statusOfPersonCode":0}'
ID, PASSWORD = {"env": "SOURCE_DOPA__CLIENT_ID"}, {"env": "SOURCE_DOPA__CLIENT_SECRET"}


class AuthorisationServer:
    """A token endpoint, and a source that takes the newest token only."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, dict[str, list[str]]]] = []
        self.issued = 0
        self.questions = 0
        self.answer: Callable[[int], bytes] = lambda n: token(f"made-up-token-{n}")
        self.delay = 0.0

    async def tokens(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, body = await read_request(reader)
            self.asked.append((head, parse_qs(body.decode())))
            await asyncio.sleep(self.delay)
            self.issued += 1
            writer.write(self.answer(self.issued))

    async def source(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await read_request(reader)
            self.questions += 1
            good = f"Authorization: Bearer made-up-token-{self.issued}\r\n".encode() in head
            writer.write(http_answer(LEAST) if good else http_answer(b"{}", status=401))


def token(value: str, **more: Any) -> bytes:
    body = {"access_token": value, "token_type": "Bearer", "expires_in": 600, **more}
    return http_answer(json.dumps(body).encode())


@asynccontextmanager
async def setting(**auth: Any) -> AsyncIterator[tuple[AuthorisationServer, Service]]:
    server = AuthorisationServer()
    async with serving(server.tokens) as token_port, serving(server.source) as port:
        service = services_at("dopa", f"http://127.0.0.1:{port}")["dopa.person.v1"]
        proof = {
            "scheme": "oauth2",
            "token_endpoint": f"http://127.0.0.1:{token_port}/token",
            "client_id": ID,
            "client_secret": PASSWORD,
            **auth,
        }
        proof = {name: value for name, value in proof.items() if value is not None}
        settings = {**service.connector["settings"], "auth": proof}
        service = replace(service, connector={**service.connector, "settings": settings})
        check_kind(service)
        yield server, service


def secret(reference: str) -> str:
    return {"env:SOURCE_DOPA__CLIENT_ID": "gate:way", "env:SOURCE_DOPA__CLIENT_SECRET": "p@ss"}[reference]


async def failing(service: Service, seconds: float = 5.0, **more: Any) -> tuple[type[GatewayError], str]:
    async with opened(service, secret=secret, **more) as connector:
        with pytest.raises(GatewayError) as caught:
            await connector.fetch(ask(service, ELDER, seconds=seconds))
    assert "made-up-token" not in repr(caught.value) + str(caught.value)
    return type(caught.value), getattr(caught.value, "fault", "")


async def test_one_token_for_many_questions() -> None:
    async with setting(scope="read") as (server, service), opened(service, secret=secret) as connector:
        server.delay = 0.05
        await asyncio.gather(*(connector.fetch(ask(service, ELDER)) for _ in range(20)))
        assert (await connector.fetch(ask(service, ELDER))).echo == ELDER
        assert (server.issued, server.questions) == (1, 21)
        ((head, form),) = server.asked
        assert b"Authorization: Basic Z2F0ZSUzQXdheTpwJTQwc3M=\r\n" in head
        assert form == {"grant_type": ["client_credentials"], "scope": ["read"]}


async def test_the_secret_in_the_form() -> None:
    async with setting(client_auth="post") as (server, service), opened(service, secret=secret) as connector:
        await connector.fetch(ask(service, ELDER))
        ((head, form),) = server.asked
        assert b"Authorization" not in head
        assert form == {"grant_type": ["client_credentials"], "client_id": ["gate:way"], "client_secret": ["p@ss"]}


KEY_FILE = {"file": "dopa/token-key"}
PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
RSA, EC, ED = (
    rsa.generate_private_key(65537, 2048),
    ec.generate_private_key(ec.SECP256R1()),
    ed25519.Ed25519PrivateKey.generate(),
)


def signing(key: Any, algorithm: str, **more: Any) -> dict[str, Any]:
    """`auth` settings for private_key_jwt, without a client secret."""
    return {
        "client_secret": None, "client_auth": "private_key_jwt", "private_key": KEY_FILE, "algorithm": algorithm, **more
    }  # fmt: skip


def with_key(text: str) -> Callable[[str], str]:
    return lambda reference: text if reference == "file:dopa/token-key" else secret(reference)


def pem_of(key: Any) -> str:
    return str(key.private_bytes(*PEM).decode())


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256"), (ED, "EdDSA")], ids=lambda each: str(each)[:5]
)
async def test_an_assertion_signed_by_us_in_place_of_a_secret(key: Any, algorithm: str) -> None:
    """RFC 7523 section 3, verified by libraries that did not sign it."""
    async with setting(**signing(key, algorithm, kid="gateway-2026")) as (server, service):
        async with opened(service, secret=with_key(pem_of(key))) as connector:
            await connector.fetch(ask(service, ELDER))
            server.issued += 1  # the source now takes another
            await connector.fetch(ask(service, ELDER))
        (head, form), (_, again) = server.asked
        assert b"Authorization" not in head
        assert form["grant_type"] == ["client_credentials"]
        assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
        assert "client_secret" not in form
        endpoint = service.connector["settings"]["auth"]["token_endpoint"]
        seen = set()
        for each in (form, again):
            (assertion,) = each["client_assertion"]
            header, claims = verified(assertion, key, algorithm)
            assert (header["alg"], header["kid"]) == (algorithm, "gateway-2026")
            assert (claims["iss"], claims["sub"], claims["aud"]) == ("gate:way", "gate:way", endpoint)
            assert claims["iat"] <= time.time() < claims["exp"] <= claims["iat"] + 300
            seen.add(claims["jti"])
        assert len(seen) == 2, "an assertion is good once"


def verified(assertion: str, key: Any, algorithm: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, by `cryptography` alone."""
    head, body, signature = (base64.urlsafe_b64decode(part + "==") for part in assertion.split("."))
    signed = assertion.rpartition(".")[0].encode()
    public, sha = key.public_key(), hashes.SHA256()
    if algorithm == "EdDSA":
        public.verify(signature, signed)
    elif algorithm == "ES256":
        halves = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
        public.verify(encode_dss_signature(*halves), signed, ec.ECDSA(sha))
    else:
        way = padding.PKCS1v15() if algorithm == "RS256" else padding.PSS(padding.MGF1(sha), 32)
        public.verify(signature, signed, way, sha)
    return json.loads(head), json.loads(body)


async def test_a_key_as_jwk_names_itself_and_the_audience_may_be_another() -> None:
    jwk = new_key("ES256", "own-kid")
    async with setting(**signing(EC, "ES256", audience="https://tokens.example")) as (server, service):
        async with opened(service, secret=with_key(json.dumps(jwk))) as connector:
            await connector.fetch(ask(service, ELDER))
        ((_, form),) = server.asked
        (assertion,) = form["client_assertion"]
        head, body, _ = (json.loads(base64.urlsafe_b64decode(part + "==")) if i < 2 else "" for i, part in
                         enumerate(assertion.split(".")))  # fmt: skip
        assert (head["kid"], body["aud"]) == ("own-kid", "https://tokens.example")


@pytest.mark.parametrize(
    ("text", "algorithm"),
    [
        ("no key at all", "RS256"),
        (pem_of(EC), "RS256"),
        (pem_of(RSA), "ES256"),
        (pem_of(rsa.generate_private_key(65537, 1024)), "RS256"),
        (
            EC.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode(),
            "ES256",
        ),
        ("{}", "EdDSA"),
    ],
)
async def test_a_key_that_cannot_sign_is_our_own_fault(text: str, algorithm: str) -> None:
    async with setting(**signing(EC, algorithm)) as (server, service):
        async with opened(service, secret=with_key(text)) as connector:
            with pytest.raises(AgencyUnavailable) as caught:
                await connector.fetch(ask(service, ELDER))
        assert caught.value.fault == "secret_unusable"
        assert server.asked == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_auth": "private_key_jwt"},
        {"client_auth": "private_key_jwt", "private_key": KEY_FILE, "algorithm": "HS256", "client_secret": None},
        {"client_auth": "private_key_jwt", "private_key": KEY_FILE, "algorithm": "none", "client_secret": None},
        {"client_auth": "private_key_jwt", "private_key": KEY_FILE, "algorithm": "ES256"},
        {"private_key": KEY_FILE},
        {"client_secret": None},
        {"client_auth": "private_key_jwt", "private_key": "made up", "algorithm": "ES256", "client_secret": None},
    ],
)
async def test_ways_that_do_not_go_together(wrong: dict[str, Any]) -> None:
    with pytest.raises(MalformedRequest):
        async with setting(**wrong):
            pass


async def test_a_connector_that_was_closed_asks_for_no_token_any_more() -> None:
    async with setting() as (server, service), opened(service, secret=secret) as connector:
        await connector.close()
        with pytest.raises(AgencyUnavailable) as caught:
            await connector.fetch(ask(service, ELDER))
        assert (caught.value.fault, server.asked) == ("disconnected", [])


async def test_a_token_is_renewed_before_it_expires() -> None:
    async with setting() as (server, service), opened(service, secret=secret) as connector:
        server.answer = lambda n: token(f"made-up-token-{n}", expires_in="1")
        await connector.fetch(ask(service, ELDER))
        await asyncio.sleep(0.6)
        await connector.fetch(ask(service, ELDER))
        assert (server.issued, server.questions) == (2, 2)


async def test_a_refused_token_is_renewed_once() -> None:
    async with setting() as (server, service), opened(service, secret=secret) as connector:
        await connector.fetch(ask(service, ELDER))
        server.issued += 1  # the source now takes another
        await connector.fetch(ask(service, ELDER))
        assert (server.issued, server.questions) == (3, 3)
        server.answer = lambda n: token("made-up-token-never-good")
        server.issued += 1
        with pytest.raises(AgencyMisbehaved) as caught:
            await connector.fetch(ask(service, ELDER))
        assert caught.value.fault == "credentials"
        assert server.questions == 5, "once more, not for ever"


async def test_who_goes_away_takes_no_one_along() -> None:
    async with setting() as (server, service), opened(service, secret=secret) as connector:
        server.delay = 0.2
        first = asyncio.create_task(connector.fetch(ask(service, ELDER)))
        others = [asyncio.create_task(connector.fetch(ask(service, ELDER))) for _ in range(3)]
        await asyncio.sleep(0.05)
        first.cancel()
        assert [record.echo for record in await asyncio.gather(*others)] == [ELDER] * 3
        assert first.cancelled() or isinstance((await asyncio.gather(first, return_exceptions=True))[0], BaseException)
        assert server.issued == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (http_answer(b"{}", status=500), AgencyMisbehaved),
        (http_answer(b'{"error":"invalid_client"}', status=401), AgencyMisbehaved),
        (http_answer(b"{}", status=503), AgencyUnavailable),
        (http_answer(b"", status=302, more="Location: http://127.0.0.1:1/\r\n"), AgencyMisbehaved),
        (http_answer(b"<html>", content_type="text/html"), AgencyMisbehaved),
        (http_answer(b"[]"), AgencyMisbehaved),
        (token(""), AgencyMisbehaved),
        (token("two\r\nX-Lines: here"), AgencyMisbehaved),
        (token("x", token_type="mac"), AgencyMisbehaved),
        (token("x", expires_in=-1), AgencyMisbehaved),
        (token("x", expires_in=[]), AgencyMisbehaved),
        (http_answer(b'{"access_token":"x","access_token":"y","token_type":"Bearer"}'), AgencyMisbehaved),
    ],
)
async def test_a_token_endpoint_gone_bad(answer: bytes, kind: type[GatewayError]) -> None:
    async with setting() as (server, service):
        server.answer = lambda n: answer
        assert await failing(service) == (kind, "token")
        assert server.questions == 0


async def test_a_token_endpoint_that_never_answers_keeps_to_the_deadline() -> None:
    async with setting() as (server, service):
        server.delay = 60
        assert await failing(service, seconds=0.2) == (AgencyTimeout, "late")


async def test_the_token_endpoints_address_is_checked_too() -> None:
    async with setting() as (server, service):
        settings = service.connector["settings"]
        port = settings["auth"]["token_endpoint"].split(":")[-1]
        settings["auth"]["token_endpoint"] = f"http://127.0.0.2:{port}"
        refused = await failing(service, address_allowed=lambda address: address == "127.0.0.1")
        assert refused == (AgencyUnavailable, "address_not_allowed")
        assert server.asked == []
        settings["auth"]["token_endpoint"] = "http://tokens.example/token"
        with pytest.raises(MalformedRequest):
            check_kind(service)
        settings["auth"]["token_endpoint"] = "https://tokens.example/token"
        settings["auth"]["client_secret"] = {"env": "SOURCE_NHSO__CLIENT_SECRET"}
        with pytest.raises(MalformedRequest):
            check_kind(service)
