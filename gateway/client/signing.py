"""What a client or an operator signs with its own keys: the assertion it shows for a token, proofs, its acts."""

from __future__ import annotations

import hashlib
import secrets
import time
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import SecurityWarning

from gateway.keys import algorithm_of, import_key
from gateway.model import now, timestamp

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_SECONDS = 120
"""How long an assertion holds: the gateway takes at most 300 s; clocks may differ by some."""

# RFC 9864 renames the algorithm; the gateway's contract keeps the name that other clients' libraries know.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", category=SecurityWarning)


def sign(key: Mapping[str, Any], typ: str, payload: Mapping[str, Any], **header: Any) -> str:
    """`payload` as a compact JWS (RFC 7515) by a private JWK: ES256 or EdDSA, as the key's type says.

    `header`: how the key is named, its `kid` unless something else is given.
    """
    jwk = dict(key)
    algorithm = algorithm_of(jwk)
    header = {"alg": algorithm, "typ": typ, **(header or {"kid": jwk["kid"]})}
    return jws.serialize_compact(header, orjson.dumps(payload), import_key(jwk), algorithms=[algorithm])


def assertion(key: Mapping[str, Any], client_id: str, issuer: str) -> str:
    """A client assertion for the token endpoint (RFC 7523 section 3, `private_key_jwt`), good for one use."""
    issued = int(time.time())
    return sign(
        key,
        "JWT",
        {
            "iss": client_id,
            "sub": client_id,
            "aud": issuer,
            "iat": issued,
            "exp": issued + ASSERTION_SECONDS,
            "jti": secrets.token_urlsafe(24),
        },
    )


def dpop_proof(key: Mapping[str, Any], method: str, url: str, token: str | None, nonce: str) -> str:
    """A DPoP proof (RFC 9449 section 4.2) for one request, with `token` where it is one with a token."""
    claims: dict[str, Any] = {"jti": secrets.token_urlsafe(16), "htm": method, "htu": url, "iat": int(time.time())}
    if token is not None:
        claims["ath"] = urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    if nonce:
        claims["nonce"] = nonce
    public = {name: key[name] for name in ("kty", "crv", "x", "y") if name in key}
    return sign(key, "dpop+jwt", claims, jwk=public)


def signed_act(key: Mapping[str, Any], operator: str, issuer: str, name: str, body: Mapping[str, Any]) -> str:
    """An act of governance (`agency.add`, …) signed by its operator: good at one gateway, once, for five minutes."""
    return sign(
        key,
        "linkage-act+jwt",
        {
            "act": name,
            "body": dict(body),
            "operator": operator,
            "time": timestamp(now()),
            "nonce": secrets.token_urlsafe(24),
            "audience": issuer,
        },
    )
