"""Mutual TLS toward a source: a server that demands our certificate gets it, and only the one that it was told of."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from local_sources import ask, http_answer, opened, read_request, services_at, serving
from sandboxes import ROOT

from connectors.population import story
from connectors.rest import SETTINGS_SCHEMA as REST
from connectors.soap import SETTINGS_SCHEMA as SOAP
from connectors.sql import SETTINGS_SCHEMA as SQL
from gateway.catalogue import check_kind, read_folder, services_of
from gateway.catalogue.form import Form
from gateway.conformance.certificates import Authority, authority
from gateway.errors import GatewayError
from gateway.model.service import Service
from gateway.plugin import AgencyUnavailable, CitizenNotFound

ELDER = story("elder")
LEAST = b'{"personalID":9111111111114,"firstName":"a","lastName":"b","statusOfPersonCode":0}'
FAULT = (
    b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>x</faultcode>'
    b"<faultstring>x</faultstring><detail><errorCode>VEH-404</errorCode></detail></s:Fault></s:Body></s:Envelope>"
)
OURS = {"certificate": {"file": "dopa/client.pem"}, "key": {"file": "dopa/client.key"}, "ca": {"file": "dopa/ca.pem"}}


class Demanding:
    """A source's TLS server that takes clients of one authority only, and remembers who came."""

    def __init__(self, source: Authority, clients: Authority) -> None:
        self.context = source.server("127.0.0.1")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(cadata=clients.pem)
        self.came: list[str] = []

    async def handler(self, reader: Any, writer: Any) -> None:
        while True:
            head, _ = await read_request(reader)
            subject = writer.get_extra_info("peercert")["subject"]
            self.came.append(dict(part[0] for part in subject)["commonName"])
            soap = b"text/xml" in head
            writer.write(http_answer(FAULT, status=500, content_type="text/xml") if soap else http_answer(LEAST))
            await writer.drain()


def with_tls(service: Service, tls: dict[str, Any]) -> Service:
    settings = {**service.connector["settings"], "tls": tls}
    return replace(service, connector={**service.connector, "settings": settings})


def secrets(source: Authority, pair: tuple[str, str]) -> Callable[[str], str]:
    held = {"dopa/ca.pem": source.pem, "dopa/client.pem": pair[0], "dopa/client.key": pair[1]}
    return lambda name: held.get(name.removeprefix("file:"), "made-up")


async def outcome(service: Service, secret: Callable[[str], str]) -> str:
    async with opened(service, secret=secret) as connector:
        try:
            await connector.fetch(ask(service, ELDER, fields={"first_name", "life_status"}))
        except CitizenNotFound:
            return "not found"
        except GatewayError as error:
            quoted = "PRIVATE" in repr(error) + str(error)
            return "quoted" if quoted else str(getattr(error, "fault", error.code))
    return "record"


async def test_the_certificate_is_shown_by_rest_and_soap() -> None:
    source, clients = authority(), authority()
    server = Demanding(source, clients)
    pair = clients.client("the linkage gateway")
    async with serving(server.handler, ssl=server.context) as port:
        rest = with_tls(services_at("dopa", f"https://127.0.0.1:{port}")["dopa.person.v1"], OURS)
        check_kind(rest)
        assert await outcome(rest, secrets(source, pair)) == "record"
        folder = read_folder(ROOT / "connectors/dlt", ROOT / "schemas").with_endpoint(None, f"https://127.0.0.1:{port}")
        soap, *_ = services_of(folder.as_json())
        assert await outcome(with_tls(soap, OURS), secrets(source, pair)) == "fault"
    assert server.came == ["the linkage gateway"] * 2


async def test_without_it_or_with_anothers_nothing_is_asked() -> None:
    source, clients = authority(), authority()
    server = Demanding(source, clients)
    async with serving(server.handler, ssl=server.context) as port:
        service = services_at("dopa", f"https://127.0.0.1:{port}")["dopa.person.v1"]
        stranger = secrets(source, authority().client("a stranger"))
        for told in (OURS, {"ca": OURS["ca"]}):
            assert await outcome(with_tls(service, told), stranger) in ("certificate", "disconnected")
    assert server.came == []


def encrypted(pair: tuple[str, str]) -> tuple[str, str]:
    key = serialization.load_pem_private_key(pair[1].encode(), None)
    hidden = serialization.BestAvailableEncryption(b"made up")
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)
    return pair[0], pem.decode()


async def test_what_is_no_pair_is_our_own_fault_and_is_not_quoted() -> None:
    source, clients = authority(), authority()
    good, other = clients.client("one"), clients.client("another")
    service = with_tls(services_at("dopa", "https://127.0.0.1:9")["dopa.person.v1"], OURS)
    for pair in ((good[0], other[1]), ("no certificate", good[1]), (good[0], ""), encrypted(good)):
        assert await outcome(service, secrets(source, pair)) == "secret_unusable"
    async with opened(service, secret=secrets(source, (good[0], "x"))) as connector:
        with pytest.raises(AgencyUnavailable):
            await connector.fetch(ask(service, ELDER))


async def test_a_renewed_certificate_is_shown_without_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.http_source.RENEWED_SECONDS", 0.0)
    source, clients = authority(), authority()
    server, names = Demanding(source, clients), ["first", "second"]
    async with serving(server.handler, ssl=server.context) as port:
        service = with_tls(services_at("dopa", f"https://127.0.0.1:{port}")["dopa.person.v1"], OURS)
        pairs = [clients.client(name) for name in names]
        held = {"dopa/ca.pem": source.pem}

        def secret(name: str) -> str:
            return held.get(name.removeprefix("file:"), "made-up")

        async with opened(service, secret=secret) as connector:
            for pair in pairs:
                held["dopa/client.pem"], held["dopa/client.key"] = pair
                await connector.fetch(ask(service, ELDER))
    assert server.came == names


def test_certificate_and_key_go_together_and_are_references() -> None:
    reference = {"file": "dopa/x.pem"}
    for schema in (REST, SOAP, SQL):
        tls = Form({**schema["properties"]["tls"], "$defs": schema["$defs"]})
        assert tls.fits({"certificate": reference, "key": reference})
        assert not tls.fits({"certificate": reference})
        assert not tls.fits({"key": reference})
        assert not tls.fits({"certificate": reference, "key": "-----BEGIN PRIVATE KEY-----"})
