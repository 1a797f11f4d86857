"""What depends on how a gateway is set up: how long a body may take, whose word on addresses and certificates counts,
no sandbox."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

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


# -- tokens bound to a certificate (RFC 8705), which a proxy in front vouches for (RFC 9440) ---------------------


def certificate(name: str) -> bytes:
    """A certificate (DER). The gateway takes the proxy's word for who it is; only its hash counts."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    moment = datetime.now(UTC)
    built = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), moment, moment)
    return built.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def as_header(der: bytes) -> str:
    return f":{b64encode(der).decode()}:"


def from_address(address: str) -> httpx.Client:
    """Connections from another loopback address than the declared proxy's."""
    return httpx.Client(transport=httpx.HTTPTransport(local_address=address), trust_env=False, timeout=20)


def bound_token(
    gateway: RunningGateway, *lines: str, name: str = "city-a-welfare", source: str = "127.0.0.1"
) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion(read_key(gateway.keys / f"{name}.jwk"), name, gateway.url),
    }
    with from_address(source) as client:
        return client.post(f"{gateway.url}/oauth/token", data=form, headers=[("client-cert", line) for line in lines])


def with_certificate(gateway: RunningGateway, token: str, *lines: str, source: str = "127.0.0.1") -> httpx.Response:
    headers = [("authorization", f"Bearer {token}"), *(("client-cert", line) for line in lines)]
    with from_address(source) as client:
        return client.get(f"{gateway.url}/v1/services", headers=headers)


def confirmed(token: str) -> Any:
    return json.loads(urlsafe_b64decode(token.split(".")[1] + "==")).get("cnf")


def test_a_token_is_bound_to_the_certificate_of_its_request(production: RunningGateway) -> None:
    der, other = certificate("city-a"), certificate("city-b")
    response = bound_token(production, as_header(der))
    assert (response.status_code, response.json()["token_type"]) == (200, "Bearer")
    token = response.json()["access_token"]
    thumbprint = urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode()
    assert confirmed(token) == {"x5t#S256": thumbprint}
    assert with_certificate(production, token, as_header(der)).status_code == 200
    refused(with_certificate(production, token, as_header(other)), 401, "invalid_token")
    refused(with_certificate(production, token), 401, "invalid_token")


def test_a_certificate_counts_only_from_the_declared_proxy(production: RunningGateway) -> None:
    """Anyone else may write the header too: it is as if it were not there."""
    der = certificate("city-a")
    token = bound_token(production, as_header(der)).json()["access_token"]
    refused(with_certificate(production, token, as_header(der), source="127.0.0.2"), 401, "invalid_token")
    unbound = bound_token(production, as_header(der), source="127.0.0.2").json()["access_token"]
    assert confirmed(unbound) is None
    assert with_certificate(production, unbound, as_header(der), source="127.0.0.2").status_code == 200


def test_without_a_declared_proxy_no_certificate_counts(world: Any) -> None:
    response = bound_token(world[0], as_header(certificate("x")))
    assert response.status_code == 200
    assert confirmed(response.json()["access_token"]) is None
    assert with_certificate(world[0], response.json()["access_token"], "not one").status_code == 200


@pytest.mark.parametrize(
    "lines", [["x"], [""], ["::"], [":!:"], [as_header(b"a"), as_header(b"b")], [":YQ==:, :YQ==:"]]
)
def test_what_the_proxy_sends_has_to_be_one_certificate(production: RunningGateway, lines: list[str]) -> None:
    """Two lines are the caller's own and the proxy's: it does not take the caller's away, and nothing is certain."""
    response = bound_token(production, *lines)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    token = bound_token(production).json()["access_token"]
    refused(with_certificate(production, token, *lines), 400, "malformed_request")


def test_a_client_that_demands_its_certificate(production: RunningGateway) -> None:
    name = "city-a-certified"
    with production.as_("admin") as admin:
        form = {"id": name, "agency": "city-a", "title": {"th": "x", "en": "x"}, "keys": [production.person(name)]}
        admin.act("client.add", {**form, "token_binding": "mtls"})
    header = as_header(certificate("city-a"))
    refusal = bound_token(production, name=name)
    assert (refusal.status_code, refusal.json()["error"]) == (400, "invalid_request")
    token = bound_token(production, header, name=name).json()["access_token"]
    assert with_certificate(production, token, header).status_code == 200
    refused(with_certificate(production, token), 401, "invalid_token")
