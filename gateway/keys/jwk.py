"""Signing keys as JWKs (RFC 7517): Ed25519 and P-256 and no others."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import ECKey, Key, OKPKey

from gateway.keys.files import KeyFileError, as_json, read_private, write_private

# RFC 9864 renames EdDSA to Ed25519; the JWT libraries that clients use still say EdDSA, and so do we.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", module="joserfc")

ALGORITHMS = ("EdDSA", "ES256")
"""The JWS algorithms that clients and operators may use: Ed25519 and P-256."""


def new_key(algorithm: str, kid: str | None = None) -> dict[str, Any]:
    """A fresh private JWK for `EdDSA` (Ed25519) or `ES256` (P-256), its `kid` the thumbprint unless given."""
    key: Key = OKPKey.generate_key("Ed25519") if algorithm == "EdDSA" else ECKey.generate_key("P-256")
    body = dict(key.as_dict(private=True))
    body["kid"] = kid or key.thumbprint()
    body["alg"] = algorithm
    return body


def import_key(jwk: dict[str, Any]) -> Key:
    """`jwk` as a joserfc key; ValueError where it is neither Ed25519 nor P-256."""
    pair = (jwk.get("kty"), jwk.get("crv"))
    if pair == ("OKP", "Ed25519"):
        return OKPKey.import_key(jwk)
    if pair == ("EC", "P-256"):
        return ECKey.import_key(jwk)
    raise ValueError("the key is neither Ed25519 (EdDSA) nor P-256 (ES256)")


def algorithm_of(jwk: dict[str, Any]) -> str:
    """The one JWS algorithm this key is used with."""
    return "EdDSA" if jwk.get("kty") == "OKP" else "ES256"


def public_key(jwk: dict[str, Any]) -> dict[str, Any]:
    """The public half of a JWK, with `kid`, `alg` and `use`."""
    body = dict(import_key(jwk).as_dict(private=False))
    return {**body, "kid": jwk["kid"], "alg": algorithm_of(jwk), "use": "sig"}


def ed25519(jwk: dict[str, Any]) -> Ed25519PrivateKey:
    """The private key of an Ed25519 JWK; KeyFileError where it is another kind."""
    private = import_key(jwk).private_key
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError("the sealing and log keys must be Ed25519")
    return private


def write_key(path: Path, jwk: dict[str, Any]) -> None:
    """Writes a private JWK to a new file of mode 0600."""
    write_private(path, as_json(jwk))


def read_key(path: Path) -> dict[str, Any]:
    """The private JWK in a file, or KeyFileError."""
    try:
        jwk = orjson.loads(read_private(path))
        if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or "d" not in jwk:
            raise KeyFileError(f"{path} is not a private JWK with a kid", f"ไฟล์ {path} ไม่ใช่กุญแจส่วนตัว JWK ที่มี kid")
        import_key(jwk)
    except ValueError:
        thai = f"ไฟล์ {path} ไม่ใช่กุญแจส่วนตัว JWK แบบ Ed25519 หรือ P-256"
        raise KeyFileError(f"{path} is not an Ed25519 or P-256 private JWK", thai) from None
    return jwk
