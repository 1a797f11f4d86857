"""All keys of one gateway: made, read, and one put in another's place."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from joserfc.util import urlsafe_b64decode

from gateway.keys.files import KeyFileError, as_json, destroy_private, read_private, replace_private, write_private
from gateway.keys.jwk import ed25519, new_key, public_key, read_key, write_key
from gateway.keys.masters import Master, Masters
from gateway.keys.succession import Succession

_SIGNING = {"token": "ES256", "seal": "EdDSA", "log": "EdDSA"}
RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class Retired:
    """A key that another took the place of. `succession`: the statement that says so, signed by the log's key."""

    kind: str
    kid: str
    retired_at: str
    succession: str


@dataclass(frozen=True)
class Keys:
    """Everything secret that one gateway holds. Nothing of it shows in a repr.

    `pseudonyms`: the pseudonym keys, the one in use first; people first met under an earlier one are known by it.
    """

    master: Masters = field(repr=False)
    pseudonyms: tuple[bytes, ...] = field(repr=False)
    token: dict[str, Any] = field(repr=False)
    seal: dict[str, Any] = field(repr=False)
    log: dict[str, Any] = field(repr=False)
    retired: tuple[Retired, ...] = ()

    @staticmethod
    def create(directory: Path) -> Keys:
        """Makes the files; those that are there already stay as they are (an interrupted first run goes on)."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (directory / "master.key").exists():
            Master.new(directory / "master.key").write_new()
        if not (directory / "pseudonym.key").exists():
            write_private(directory / "pseudonym.key", secrets.token_bytes(32))
        for name, algorithm in _SIGNING.items():
            if not (directory / f"{name}.jwk").exists():
                write_key(directory / f"{name}.jwk", new_key(algorithm))
        return Keys.load(directory)

    @staticmethod
    def load(directory: Path) -> Keys:
        """Reads the files, or KeyFileError that names the one that is missing or wrong."""
        retired = _retired(directory / RETIRED)
        pseudonyms = [_secret(directory / "pseudonym.key")]
        masters = [Master.read(directory / "master.key")]
        for file in _earlier(directory, "pseudonym", secret_kid(pseudonyms[0]), retired):
            pseudonyms.append(_secret(file))
        for file in _earlier(directory, "master", masters[0].kid, retired):
            masters.append(Master.read(file))
        token, seal, log = (read_key(directory / f"{name}.jwk") for name in ("token", "seal", "log"))
        return Keys(Masters(masters), tuple(pseudonyms), token, seal, log, retired)

    # -- what they are called ---------------------------------------------------------------------------------

    @property
    def kids(self) -> dict[str, str]:
        """Kind -> the id of the key in use."""
        signing = {"log": self.log["kid"], "seal": self.seal["kid"], "token": self.token["kid"]}
        return {**signing, "pseudonym": secret_kid(self.pseudonyms[0]), "master": self.master.kid}

    def public(self, kind: str) -> dict[str, Any] | None:
        """The public JWK of the key in use; None of a secret one."""
        held: Mapping[str, dict[str, Any]] = {"log": self.log, "seal": self.seal, "token": self.token}
        return public_key(held[kind]) if kind in held else None

    @property
    def succession_of_log(self) -> list[str]:
        """The statements by which one key of the log's took another's place, the first one first."""
        return [one.succession for one in self.retired if one.kind == "log"]

    def path_from(self, kind: str, kid: str) -> list[Retired] | None:
        """The steps from an earlier key to the one in use; None where there is no such way."""
        steps: list[Retired] = []
        known = {one.kid: one for one in self.retired if one.kind == kind}
        while kid != self.kids[kind]:
            step = known.pop(kid, None)
            if step is None:
                return None
            steps.append(step)
            kid = _next_of(step.succession)
        return steps

    # -- what they are for ------------------------------------------------------------------------------------

    def derive(self, use: str) -> bytes:
        """A 32-byte key for one use (`pseudonym/log`, `digest/request`, …), HKDF-SHA-256 (RFC 5869)."""
        return _derived(self.pseudonyms[0], use)

    def derive_all(self, use: str) -> tuple[bytes, ...]:
        """The keys for one use under every pseudonym key, the one in use first."""
        return tuple(_derived(key, use) for key in self.pseudonyms)

    def sealing_key(self) -> Ed25519PrivateKey:
        """The Ed25519 key that signs answers."""
        return ed25519(self.seal)

    def log_key(self) -> Ed25519PrivateKey:
        """The Ed25519 key that signs checkpoints."""
        return ed25519(self.log)

    def public_jwks(self) -> list[dict[str, Any]]:
        """The public keys that tokens and answers are signed with (RFC 7517)."""
        return [public_key(self.token), public_key(self.seal)]


def rotate(directory: Path, kind: str, time: str) -> Succession:
    """Puts a fresh key in the place of the one in use, and keeps of that what is still needed. KeyFileError.

    `time`: RFC 3339. The private half of a signing key is destroyed; an earlier pseudonym or master key is kept.
    What is written first is the statement about the new key, so that a crash leaves the old key in use.
    """
    keys = Keys.load(directory)
    previous = keys.kids[kind]
    folder = directory / RETIRED
    if kind in _SIGNING:
        fresh = new_key(_SIGNING[kind])
        step = Succession(kind, fresh["kid"], previous, public_key(fresh), time)
        content, file = as_json(fresh), directory / f"{kind}.jwk"
    elif kind == "pseudonym":
        secret = secrets.token_bytes(32)
        step = Succession(kind, secret_kid(secret), previous, None, time)
        content, file = secret, directory / "pseudonym.key"
    else:
        master = Master.new(directory / "master.key").at(keys.master.oldest)
        step = Succession(kind, master.kid, previous, None, time)
        content, file = master.content, directory / "master.key"
    note = {"kind": kind, "kid": previous, "retired_at": time, "succession": step.signed(keys.log)}
    if kind not in _SIGNING:
        replace_private(folder / f"{kind}-{previous}.key", read_private(file))
    replace_private(folder / f"{kind}-{previous}.json", as_json(note))
    replace_private(file, content)
    return step


def discard_masters(directory: Path) -> list[str]:
    """Destroys the master keys that are not in use any more; their ids."""
    keys = Keys.load(directory)
    for kid in keys.master.kids[1:]:
        destroy_private(directory / RETIRED / f"master-{kid}.key")
    return list(keys.master.kids[1:])


def secret_kid(secret: bytes) -> str:
    """What a secret key is called: says which it is, and nothing of what it holds."""
    return hmac.digest(secret, b"linkage/v1/key-id", "sha256").hex()[:16]


def _derived(secret: bytes, use: str) -> bytes:
    return HKDF(SHA256(), 32, None, f"linkage/v1/{use}".encode()).derive(secret)


def _secret(path: Path) -> bytes:
    secret = read_private(path)
    if len(secret) != hashlib.sha256().digest_size:
        raise KeyFileError(f"{path} is not 32 bytes")
    return secret


def _retired(folder: Path) -> tuple[Retired, ...]:
    found = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        try:
            body = orjson.loads(read_private(path))
            found.append(Retired(body["kind"], body["kid"], body["retired_at"], body["succession"]))
            _next_of(body["succession"])
        except (ValueError, KeyError, TypeError, IndexError):
            raise KeyFileError(f"{path} does not say which key took this one's place") from None
    return tuple(sorted(found, key=lambda one: (one.retired_at, one.kind)))


def _earlier(directory: Path, kind: str, kid: str, retired: tuple[Retired, ...]) -> list[Path]:
    """The files of the keys before this one that are still there, the latest first."""
    before = {_next_of(one.succession): one.kid for one in retired if one.kind == kind}
    found = []
    while (kid := before.pop(kid, "")) != "":
        found.append(directory / RETIRED / f"{kind}-{kid}.key")
    return [file for file in found if file.exists()]


def _next_of(succession: str) -> str:
    """The new key's id in a statement that we wrote ourselves."""
    return str(orjson.loads(urlsafe_b64decode(succession.split(".")[1].encode()))["kid"])
