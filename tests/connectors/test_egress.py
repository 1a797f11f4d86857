"""Where a connector may connect: checked at the socket, whatever the endpoint's host is written as. And TLS."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from local_sources import always, ask, http_answer, opened, services_at, serving

from connectors.egress import plain_address
from connectors.population import story
from gateway.errors import SourceFault
from gateway.plugin import AgencyMisbehaved

ELDER = story("elder")
BODY = b'{"personalID":9111111111114,"firstName":"a","lastName":"b","statusOfPersonCode":0}'


async def asked(endpoint: str, **more: Any) -> tuple[str, int]:
    """(the fault or "", how often the server was reached)."""
    reached = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached += 1
        await always(http_answer(BODY))(reader, writer)

    async with serving(handler) as port:
        service = services_at("dopa", "https://set-below.example")["dopa.person.v1"]
        service.connector["endpoint"] = endpoint.format(port=port)  # type: ignore[index]
        async with opened(service, **more) as connector:
            try:
                await connector.fetch(ask(service, ELDER))
            except SourceFault as fault:
                return fault.fault, reached
    return "", reached


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_an_allowed_address(host: str) -> None:
    assert await asked(f"http://{host}:{{port}}") == ("", 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"])
async def test_an_address_that_is_not_allowed(host: str) -> None:
    """Names and literals alike: no socket is made."""
    assert await asked(f"http://{host}:{{port}}", address_allowed=lambda address: False) == ("address_not_allowed", 0)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1"])
async def test_other_spellings_of_loopback(host: str) -> None:
    fault, reached = await asked(f"http://{host}:{{port}}", address_allowed=lambda address: False)
    assert fault
    assert reached == 0


async def test_an_ipv4_address_in_ipv6_clothes_is_judged_as_ipv4() -> None:
    seen: list[str] = []

    def remember(address: str) -> bool:
        seen.append(address)
        return False

    await asked("http://[::ffff:127.0.0.1]:{port}", address_allowed=remember)
    assert seen == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("address", "plain"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("64:ff9b::a00:1", "10.0.0.1"),
        ("2002:a00:1::", "10.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_plain_addresses(address: str, plain: str) -> None:
    assert plain_address(address) == plain


async def test_a_proxy_named_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert await asked("http://127.0.0.1:{port}") == ("", 1)


async def test_a_redirect_elsewhere_is_not_followed() -> None:
    reached = 0

    async def inner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal reached
        reached += 1
        await always(http_answer(BODY))(reader, writer)

    async with serving(inner) as inner_port:
        for status in (301, 302, 303, 307, 308):
            away = http_answer(b"", status=status, more=f"Location: http://127.0.0.1:{inner_port}/api/person\r\n")
            async with serving(always(away)) as port:
                service = services_at("dopa", f"http://127.0.0.1:{port}")["dopa.person.v1"]
                async with opened(service) as connector:
                    with pytest.raises(AgencyMisbehaved) as caught:
                        await connector.fetch(ask(service, ELDER))
                assert caught.value.fault == "redirect"
    assert reached == 0


def certificate(folder: Path, name: str, *, ends: datetime) -> tuple[Path, Path]:
    """A self-signed certificate for `name` and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "made up")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=30))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


@pytest.mark.parametrize(
    ("name", "days", "trusted", "fault"),
    [
        ("localhost", 10, True, ""),
        ("localhost", 10, False, "certificate"),
        ("localhost", -1, True, "certificate"),
        ("other.example", 10, True, "certificate"),
    ],
)
async def test_tls_is_verified_with_the_agencys_own_authority(
    tmp_path: Path, name: str, days: int, trusted: bool, fault: str
) -> None:
    file, key = certificate(tmp_path, name, ends=datetime.now(UTC) + timedelta(days=days))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    async with serving(always(http_answer(BODY)), ssl=context) as port:
        service = services_at("dopa", f"https://localhost:{port}")["dopa.person.v1"]
        if trusted:
            service.connector["settings"]["tls"] = {"ca": {"file": "dopa/ca.pem"}}
        secret = {"file:dopa/ca.pem": file.read_text(), "env:SOURCE_DOPA__API_KEY": "k"}.__getitem__
        async with opened(service, secret=secret) as connector:
            if not fault:
                assert (await connector.fetch(ask(service, ELDER))).echo == ELDER
                return
            with pytest.raises(AgencyMisbehaved) as caught:
                await connector.fetch(ask(service, ELDER))
    assert caught.value.fault == fault


async def test_plain_http_where_tls_is_wanted() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(http_answer(BODY))

    async with serving(plain) as port:
        service = services_at("dopa", f"https://127.0.0.1:{port}")["dopa.person.v1"]
        async with opened(service) as connector:
            with pytest.raises(AgencyMisbehaved) as caught:
                await connector.fetch(ask(service, ELDER))
    assert caught.value.fault == "certificate"
