"""TLS toward a database server: demanded beyond loopback, its certificate held against the name, ours shown.

Servers that speak the first words of PostgreSQL's and MySQL's protocols and then TLS: what they hear is what counts.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.conformance.certificates import Authority, authority
from tests.connectors.test_mysql import case_at

SECRET = "made-up-secret"
CA = {"ca": {"file": "dol/ca.pem"}}
OURS = {**CA, "certificate": {"file": "dol/client.pem"}, "key": {"file": "dol/client.key"}}
_TLS, _SECURE, _PLUGIN = 1 << 11, 1 << 15, 1 << 19


def mysql_greets(pipe: socket.socket, heard: list[bytes], *, tls: bool) -> None:
    """The server's greeting, and the client's wish for TLS: 36 bytes that hold neither name nor password."""
    flags = 0x0200 | _SECURE | _PLUGIN | (_TLS if tls else 0)
    greeting = b"\x0a8.0.0\x00" + struct.pack("<I", 1) + b"12345678\x00" + struct.pack("<H", flags & 0xFFFF)
    greeting += b"\x2d\x02\x00" + struct.pack("<H", flags >> 16) + b"\x15" + b"\x00" * 10 + b"123456789012\x00"
    greeting += b"mysql_native_password\x00"
    pipe.sendall(len(greeting).to_bytes(3, "little") + b"\x00" + greeting)
    if tls:
        heard.append(pipe.recv(36, socket.MSG_WAITALL))


def postgres_greets(pipe: socket.socket, heard: list[bytes], *, tls: bool) -> None:
    """The client's SSLRequest (8 bytes), and yes or no."""
    heard.append(pipe.recv(8, socket.MSG_WAITALL))
    pipe.sendall(b"S" if tls else b"N")


GREETS = {"mysql": mysql_greets, "postgresql": postgres_greets}


@contextmanager
def pretending(scheme: str, tls: ssl.SSLContext | None) -> Iterator[tuple[int, list[bytes], list[Any]]]:
    """Its port, what a client said, and the certificates that clients showed."""
    heard: list[bytes] = []
    shown: list[Any] = []
    listening = socket.create_server(("127.0.0.2", 0))
    listening.settimeout(20)

    def serve() -> None:
        with contextlib.suppress(OSError):  # ssl.SSLError is one
            pipe, _ = listening.accept()
            with pipe:
                pipe.settimeout(5)
                GREETS[scheme](pipe, heard, tls=tls is not None)
                if tls:
                    pipe = tls.wrap_socket(pipe, server_side=True)
                    shown.append(pipe.getpeercert())
                heard.append(pipe.recv(4096))
                pipe.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1], heard, shown
    finally:
        thread.join()
        listening.close()


@pytest.fixture
def fault_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """What comes of asking `db.example`, which is 127.0.0.2; trusting `ours` alone."""
    for module in ("sql_mysql", "sql_database"):
        monkeypatch.setattr(f"connectors.{module}.allowed_address", lambda host, port, allowed: "127.0.0.2")

    async def asked(scheme: str, port: int, ours: Authority, **settings: Any) -> str:
        pair = ours.client("the linkage gateway")
        held = {"file:dol/ca.pem": ours.pem, "file:dol/client.pem": pair[0], "file:dol/client.key": pair[1]}
        case = case_at(f"{scheme}://db.example:{port}/land", lambda name: held.get(name, SECRET), **settings)
        async with case.opened() as connector:
            return str(getattr(await case.failure(connector, case.right, 8), "fault", ""))

    return asked


@pytest.mark.parametrize("scheme", GREETS)
async def test_a_server_that_offers_no_tls_is_told_nothing(scheme: str, fault_at: Any) -> None:
    with pretending(scheme, None) as (port, heard, _):
        assert await fault_at(scheme, port, authority(), tls=CA) == "certificate"
    assert sum(map(len, heard)) in (0, 8)


@pytest.mark.parametrize("scheme", GREETS)
@pytest.mark.parametrize("wrong", ["unknown authority", "another host", "expired"])
async def test_a_certificate_that_does_not_fit_is_not_believed(scheme: str, wrong: str, fault_at: Any) -> None:
    ours = authority()
    issuer = authority() if wrong == "unknown authority" else ours
    host = "other.example" if wrong == "another host" else "db.example"
    with pretending(scheme, issuer.server(host, expired=wrong == "expired")) as (port, heard, _):
        assert await fault_at(scheme, port, ours, tls=CA) == "certificate"
    # libpq looks at the name when the handshake is over; what it says then is that it goes.
    assert all(SECRET.encode() not in said for said in heard)
    assert len(heard[0]) in (8, 36)
    assert not any(heard[1:])


@pytest.mark.parametrize("scheme", GREETS)
async def test_our_certificate_is_shown_to_a_server_that_demands_it(scheme: str, fault_at: Any) -> None:
    ours = authority()
    context = ours.server("db.example")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=ours.pem)
    with pretending(scheme, context) as (port, _, shown):
        await fault_at(scheme, port, ours, tls=OURS)
    ((certificate),) = shown
    assert ("commonName", "the linkage gateway") in [part for (part,) in certificate["subject"]]


async def test_a_reason_for_plaintext_is_needed_and_enough(fault_at: Any) -> None:
    with pretending("mysql", None) as (port, heard, _):
        await fault_at("mysql", port, authority(), tls={"plaintext": "a closed network of the ministry"})
    assert any(SECRET.encode() in said for said in heard), "the user's name; the password is scrambled"
