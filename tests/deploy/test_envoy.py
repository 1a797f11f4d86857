"""deploy/envoy.yaml in a real Envoy on loopback: what it takes away from a request, and what it sets (RFC 9440).

Runs where LINKAGE_ENVOY names the program; `make check-deploy` does that.
"""

from __future__ import annotations

import base64
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.harness import ROOT, RunningGateway, end, free_port

ENVOY = os.environ.get("LINKAGE_ENVOY", "")
pytestmark = pytest.mark.skipif(not ENVOY, reason="LINKAGE_ENVOY names no Envoy: `make check-deploy` fetches one")


@dataclass(frozen=True)
class Authority:
    """Signs certificates for one folder."""

    folder: Path
    name: str
    key: EllipticCurvePrivateKey
    certificate: x509.Certificate

    @staticmethod
    def new(folder: Path, name: str) -> Authority:
        key = generate_private_key(SECP256R1())
        made = _signed(name, key, name, key, ca=True)
        (folder / f"{name}.crt").write_bytes(made.public_bytes(Encoding.PEM))
        return Authority(folder, name, key, made)

    def issue(self, name: str) -> x509.Certificate:
        """A certificate with its key, as `name`.crt and `name`.key."""
        key = generate_private_key(SECP256R1())
        made = _signed(name, key, self.name, self.key, ca=False)
        (self.folder / f"{name}.crt").write_bytes(made.public_bytes(Encoding.PEM))
        (self.folder / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return made


def _signed(
    name: str, key: EllipticCurvePrivateKey, issuer: str, issuer_key: EllipticCurvePrivateKey, *, ca: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(issuer_key, SHA256())
    )


class Upstream(BaseHTTPRequestHandler):
    """In the gateway's place: answers with what it was sent."""

    seen: list[list[tuple[str, str]]] = []  # noqa: RUF012

    def do_GET(self) -> None:
        if self.path.startswith("/seen"):
            self.seen.append([(name.lower(), value) for name, value in self.headers.items()])
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@dataclass(frozen=True)
class Proxy:
    """A running Envoy: its ports, and where the certificates lie."""

    port: int
    inside: int
    folder: Path

    def get(self, path: str, client: str = "", headers: Any = ()) -> httpx.Response:
        """A request, with `client`'s certificate where one is named."""
        context = ssl.create_default_context(cafile=self.folder / "servers.crt")
        if client:
            context.load_cert_chain(self.folder / f"{client}.crt", self.folder / f"{client}.key")
        return httpx.get(
            f"https://127.0.0.1:{self.port}{path}", headers=headers, verify=context, trust_env=False, timeout=10
        )


def running_envoy(folder: Path, upstream: int) -> Iterator[Proxy]:
    """deploy/envoy.yaml with only its addresses and files moved to this machine."""
    config = yaml.safe_load((ROOT / "deploy" / "envoy.yaml").read_text())
    ports = [free_port(), free_port()]
    for listener, port in zip(config["static_resources"]["listeners"], ports, strict=True):
        listener["address"]["socket_address"] = {"address": "127.0.0.1", "port_value": port}
    (cluster,) = config["static_resources"]["clusters"]
    endpoint = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]
    assert endpoint == {"address": "gateway", "port_value": 8440}
    endpoint |= {"address": "localhost", "port_value": upstream}
    text = yaml.safe_dump(config)
    for there, here in (
        ("/etc/envoy/tls/tls.crt", "server.crt"),
        ("/etc/envoy/tls/tls.key", "server.key"),
        ("/etc/envoy/client-ca/ca.crt", "clients.crt"),
    ):
        assert there in text
        text = text.replace(there, str(folder / here))
    (folder / "envoy.yaml").write_text(text)
    command = [
        ENVOY,
        "-c",
        str(folder / "envoy.yaml"),
        "--base-id",
        str(ports[0]),
        "-l",
        "warning",
        "--concurrency",
        "1",
    ]
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                if httpx.get(f"http://127.0.0.1:{ports[1]}/readyz", trust_env=False, timeout=2).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "envoy.log").read_text()[-2000:])
            time.sleep(0.1)
        yield Proxy(ports[0], ports[1], folder)
    finally:
        end(process)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates: the server's, two clients' of the known authority, one of a stranger's."""
    made = tmp_path_factory.mktemp("envoy")
    Authority.new(made, "servers").issue("server")
    known, stranger = Authority.new(made, "clients"), Authority.new(made, "strangers")
    known.issue("city-a")
    known.issue("city-b")
    stranger.issue("impostor")
    return made


@pytest.fixture(scope="module")
def proxy(folder: Path) -> Iterator[Proxy]:
    """Before a server that notes what reaches it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield from running_envoy(folder, server.server_address[1])
    server.shutdown()


def reached(proxy: Proxy, client: str = "", headers: Any = ()) -> dict[str, list[str]]:
    """The headers that a request arrives with."""
    before = len(Upstream.seen)
    assert proxy.get("/seen", client, headers).status_code == 200
    (arrived,) = Upstream.seen[before:]
    found: dict[str, list[str]] = {}
    for name, value in arrived:
        found.setdefault(name, []).append(value)
    return found


def der(folder: Path, name: str) -> bytes:
    return x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes()).public_bytes(Encoding.DER)


def test_a_verified_certificate_arrives_as_rfc_9440_has_it(proxy: Proxy) -> None:
    for client in ("city-a", "city-b"):
        (value,) = reached(proxy, client)["client-cert"]
        assert value == f":{base64.b64encode(der(proxy.folder, client)).decode()}:"


FORGED = [
    [("Client-Cert", ":Zm9yZ2Vk:")],
    [("client-cert", ":Zm9yZ2Vk:"), ("CLIENT-CERT", ":Zm9yZ2Vk:")],
    [("Client-Cert", ":Zm9yZ2Vk:"), ("Client-Cert-Chain", ":Zm9yZ2Vk:"), ("X-Forwarded-Client-Cert", "Hash=1")],
    [("Client-Cert", "")],
]


@pytest.mark.parametrize("headers", FORGED)
def test_one_that_a_caller_writes_itself_does_not(proxy: Proxy, headers: list[tuple[str, str]]) -> None:
    arrived = reached(proxy, headers=headers)
    assert not {"client-cert", "client-cert-chain", "x-forwarded-client-cert"} & arrived.keys()
    arrived = reached(proxy, "city-a", headers)
    assert arrived["client-cert"] == [f":{base64.b64encode(der(proxy.folder, 'city-a')).decode()}:"]
    assert not {"client-cert-chain", "x-forwarded-client-cert"} & arrived.keys()


def test_names_that_come_close_are_refused(proxy: Proxy) -> None:
    assert proxy.get("/seen", headers=[("client_cert", ":Zm9yZ2Vk:")]).status_code == 400


def test_a_stranger_s_certificate_ends_the_handshake(proxy: Proxy) -> None:
    before = len(Upstream.seen)
    with pytest.raises(httpx.TransportError):
        proxy.get("/seen", "impostor")
    assert len(Upstream.seen) == before


def test_the_caller_s_address_stands_last(proxy: Proxy) -> None:
    arrived = reached(proxy, headers=[("X-Forwarded-For", "203.0.113.7")])
    said, added = ",".join(arrived["x-forwarded-for"]).replace(" ", "").split(",")
    assert said == "203.0.113.7"  # which the gateway does not look at: only the proxy's own word counts
    assert ip_address(added)
    assert added != said


def test_what_is_for_inside_stays_inside(proxy: Proxy) -> None:
    assert proxy.get("/metrics").status_code == 404
    for path, status in (("/metrics", 200), ("/healthz", 200), ("/readyz", 200), ("/seen", 404), ("/v1/services", 404)):
        response = httpx.get(f"http://127.0.0.1:{proxy.inside}{path}", trust_env=False)
        assert response.status_code == status, path


def test_the_gateway_behind_it(folder: Path, tmp_path: Path) -> None:
    """The real gateway takes the proxy's word, and nobody else's."""
    gateway = RunningGateway(tmp_path / "gateway", LINKAGE_TRUSTED_PROXIES="127.0.0.1")
    gateway.initialise()
    gateway.start()
    try:
        (folder / "second").mkdir()
        for file in folder.glob("*.*"):
            (folder / "second" / file.name).write_bytes(file.read_bytes())
        for proxy in running_envoy(folder / "second", gateway.port):
            assert proxy.get("/readyz", "city-a").json()["status"] == "ready"
            assert proxy.get("/v1/services", "city-a").status_code == 401
            assert proxy.get("/log/vkey", "city-a").status_code == 200
            # Sent to the gateway itself, from a proxy's address, a header of another form is an error.
            bad = httpx.get(f"{gateway.url}/v1/services", headers={"client-cert": "x"}, trust_env=False)
            assert bad.status_code == 400
    finally:
        gateway.stop()
