"""The gateway's secrets and keys: files of their own, outside the database and its backups.

    master.key       32 random bytes: wraps the log's monthly keys
    pseudonym.key    32 random bytes: every pseudonym and keyed digest derives from it, a key for each use
    token.jwk        ES256: signs access tokens (RFC 9068)
    seal.jwk         Ed25519: signs answers (RFC 9421), receipts, and what sources are told of an exchange
    log.jwk          Ed25519: signs the log's checkpoints (C2SP signed-note)

Also what clients and operators need of keys: making one, reading one, its public half and its RFC 7638
thumbprint.
"""

from __future__ import annotations

import hmac
import os
import secrets
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc.jwk import ECKey, Key, OKPKey

# RFC 9864 renames EdDSA to Ed25519; the JWT libraries that clients use still say EdDSA, and so do we.
warnings.filterwarnings("ignore", message="EdDSA is deprecated", module="joserfc")

ALGORITHMS = ("EdDSA", "ES256")
"""The JWS algorithms that clients and operators may use: Ed25519 and P-256."""


class KeyFileError(Exception):
    """A key file is missing, unreadable or not what it should be. Names the file, never its content."""


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


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner may read; refuses to overwrite (FileExistsError)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_key(path: Path, jwk: dict[str, Any]) -> None:
    """Writes a private JWK to a new file of mode 0600."""
    write_private(path, orjson.dumps(jwk, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")


def read_key(path: Path) -> dict[str, Any]:
    """The private JWK in a file, or KeyFileError."""
    try:
        jwk = orjson.loads(path.read_bytes())
        if not isinstance(jwk, dict) or not isinstance(jwk.get("kid"), str) or "d" not in jwk:
            raise KeyFileError(f"{path} is not a private JWK with a kid")
        import_key(jwk)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise KeyFileError(f"{path} is not an Ed25519 or P-256 private JWK") from None
    return jwk


class KeyedDigest:
    """HMAC-SHA-256 under one key (RFC 2104), the key's part done once.

    Not `hmac.digest`: that lets go of the interpreter's lock each time, and on the path of every exchange the
    waiting for it again costs forty times the digest.
    """

    def __init__(self, key: bytes) -> None:
        self._keyed = hmac.new(key, digestmod="sha256")

    def of(self, data: bytes) -> bytes:
        """The 32-byte digest of `data`."""
        digest = self._keyed.copy()
        digest.update(data)
        return digest.digest()


@dataclass(frozen=True)
class Keys:
    """Everything secret that one gateway holds. Nothing of it shows in a repr."""

    master: bytes = field(repr=False)
    pseudonym: bytes = field(repr=False)
    token: dict[str, Any] = field(repr=False)
    seal: dict[str, Any] = field(repr=False)
    log: dict[str, Any] = field(repr=False)

    @staticmethod
    def create(directory: Path) -> Keys:
        """Makes the files; those that are there already stay as they are (an interrupted first run goes on)."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in ("master.key", "pseudonym.key"):
            if not (directory / name).exists():
                write_private(directory / name, secrets.token_bytes(32))
        for name, algorithm in (("token.jwk", "ES256"), ("seal.jwk", "EdDSA"), ("log.jwk", "EdDSA")):
            if not (directory / name).exists():
                write_key(directory / name, new_key(algorithm))
        return Keys.load(directory)

    @staticmethod
    def load(directory: Path) -> Keys:
        """Reads the files, or KeyFileError that names the one that is missing or wrong."""
        raw = {}
        for name in ("master.key", "pseudonym.key"):
            try:
                raw[name] = (directory / name).read_bytes()
            except OSError as error:
                raise KeyFileError(f"{directory / name} cannot be read: {error.strerror}") from None
            if len(raw[name]) != 32:
                raise KeyFileError(f"{directory / name} is not 32 bytes")
        token, seal, log = (read_key(directory / f"{name}.jwk") for name in ("token", "seal", "log"))
        return Keys(raw["master.key"], raw["pseudonym.key"], token, seal, log)

    def derive(self, use: str) -> bytes:
        """A 32-byte key for one use (`pseudonym/log`, `digest/request`, …), HKDF-SHA-256 (RFC 5869)."""
        return HKDF(SHA256(), 32, None, f"linkage/v1/{use}".encode()).derive(self.pseudonym)

    def sealing_key(self) -> Ed25519PrivateKey:
        """The Ed25519 key that signs answers."""
        return ed25519(self.seal)

    def log_key(self) -> Ed25519PrivateKey:
        """The Ed25519 key that signs checkpoints."""
        return ed25519(self.log)

    def public_jwks(self) -> dict[str, Any]:
        """The JWK set served at /.well-known/jwks.json (RFC 7517)."""
        return {"keys": [public_key(self.token), public_key(self.seal)]}


def ed25519(jwk: dict[str, Any]) -> Ed25519PrivateKey:
    """The private key of an Ed25519 JWK; KeyFileError where it is another kind."""
    private = import_key(jwk).private_key
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError("the sealing and log keys must be Ed25519")
    return private
