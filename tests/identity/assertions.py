"""Client assertions as good and as bad as they come, and what the token endpoint makes of them."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from base64 import urlsafe_b64encode
from typing import Any

import httpx
import orjson
from joserfc import jws

from gateway.client.signing import ASSERTION_TYPE
from gateway.keys import algorithm_of, import_key, read_key
from tests.harness import RunningGateway

FORM = "application/x-www-form-urlencoded"


def claims_of(gateway: RunningGateway, name: str, **change: Any) -> dict[str, Any]:
    """Good claims with some changed, or (None) left out."""
    now = int(time.time())
    good = {"iss": name, "sub": name, "aud": gateway.url, "iat": now, "exp": now + 120, "jti": secrets.token_hex(16)}
    return {key: value for key, value in {**good, **change}.items() if value is not None}


def key_of(gateway: RunningGateway, name: str) -> dict[str, Any]:
    return read_key(gateway.keys / f"{name}.jwk")


def signed(key: dict[str, Any], claims: Any, **header: Any) -> str:
    """A compact JWS by `key`; header members changed or added."""
    head = {"alg": algorithm_of(key), "kid": key["kid"], "typ": "JWT", **header}
    return jws.serialize_compact(head, orjson.dumps(claims), import_key(key), algorithms=["EdDSA", "ES256"])


def part(value: Any) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def by_secret(secret: bytes, header: dict[str, Any], claims: Any) -> str:
    """HS256, by hand: a library would refuse a public key as a secret."""
    base = f"{part(header)}.{part(claims)}"
    return f"{base}.{part(hmac.digest(secret, base.encode(), hashlib.sha256))}"


def unsigned(header: dict[str, Any], claims: Any) -> str:
    return f"{part(header)}.{part(claims)}."


def request(gateway: RunningGateway, assertion: str | None, **change: str | None) -> httpx.Response:
    """A token request; parameters changed, added or (None) left out."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
        **change,
    }
    return httpx.post(
        f"{gateway.url}/oauth/token", data={k: v for k, v in form.items() if v is not None}, trust_env=False
    )


def oauth_error(response: httpx.Response, error: str) -> None:
    """RFC 6749 section 5.2: the form of an error, and characters that may stand in it."""
    assert response.status_code == (401 if error == "invalid_client" else 400), response.text
    assert response.headers["content-type"] == "application/json"
    assert (response.headers["cache-control"], response.headers["pragma"]) == ("no-store", "no-cache")
    body = response.json()
    assert body.keys() <= {"error", "error_description"}
    assert body["error"] == error
    allowed = {chr(n) for n in range(0x20, 0x7F)} - {'"', "\\"}
    assert set(body.get("error_description", "")) <= allowed


def token(gateway: RunningGateway, name: str, key: dict[str, Any] | None = None, **change: str | None) -> str:
    """A good access token."""
    response = request(gateway, signed(key or key_of(gateway, name), claims_of(gateway, name)), **change)
    assert response.status_code == 200, response.text
    return str(response.json()["access_token"])
