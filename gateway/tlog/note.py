"""C2SP signed notes with Ed25519, and the timestamped cosignatures that witnesses give.

A note is a text that ends in a newline, an empty line, and signature lines `— name base64(id || signature)`.
A verifier key (vkey) is written `name+id+base64(type || public key)`. `id` is the first four bytes of
SHA-256(name || newline || type || public key); type 0x01 is a plain Ed25519 signature over the text, 0x04 a
cosignature/v1 (c2sp.org/signed-note, c2sp.org/tlog-cosignature).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = 0x01
COSIGNATURE = 0x04
LARGEST_NOTE = 64 * 1024
_DASH = "— "
_TIMESTAMP = struct.Struct(">Q")


class NoteError(Exception):
    """A note or a key is not of the form that the specification gives it."""


class BadSignature(NoteError):
    """A known key's signature does not verify, or no known key signed."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: the key's name, its id (4 bytes), and what follows."""

    name: str
    key_id: bytes
    value: bytes

    @property
    def line(self) -> str:
        """As it stands in a note, with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note; nothing of it is verified yet."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return self.text + "\n" + "".join(signature.line for signature in self.signatures)


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name. `kind`: ED25519 or COSIGNATURE."""

    name: str
    kind: int
    public: bytes

    @property
    def key_id(self) -> bytes:
        """The four bytes that name it in a signature line."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(bytes([self.kind]) + self.public).decode()}"

    def signed(self, signature: Signature) -> bool:
        """Whether a signature line is in this key's name; whether it verifies is another question."""
        return signature.name == self.name and signature.key_id == self.key_id

    def verify(self, text: str, signature: Signature) -> int:
        """The cosignature's time in seconds since the epoch (0 for a plain one). BadSignature if it does not verify."""
        value, message, time = signature.value, text.encode(), 0
        if self.kind == COSIGNATURE:
            if len(value) != _TIMESTAMP.size + 64:
                raise BadSignature(f"the cosignature of {self.name} is of another length")
            (time,) = _TIMESTAMP.unpack_from(value)
            value, message = value[_TIMESTAMP.size :], _cosigned(text, time)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(value, message)
        except InvalidSignature:
            raise BadSignature(f"the signature of {self.name} does not verify") from None
        return time


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its name. `kind`: ED25519 or COSIGNATURE."""

    name: str
    key: Ed25519PrivateKey = field(repr=False)
    kind: int = ED25519

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(_checked_name(self.name), self.kind, self.key.public_key().public_bytes_raw())

    def sign(self, text: str, time: int = 0) -> Signature:
        """Signs a note's text; a cosignature says at what `time` (seconds since the epoch)."""
        if self.kind == COSIGNATURE:
            value = _TIMESTAMP.pack(time) + self.key.sign(_cosigned(text, time))
        else:
            value = self.key.sign(text.encode())
        return Signature(self.name, self.verifier.key_id, value)


def parse_key(text: str) -> VerifierKey:
    """A vkey, or NoteError."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise NoteError("a verifier key reads name+id+key")
    name, key_id, material = parts
    raw = _decoded(material)
    if len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE):
        raise NoteError("the verifier key is neither Ed25519 nor an Ed25519 cosigner's")
    key = VerifierKey(_checked_name(name), raw[0], raw[1:])
    if key.key_id.hex() != key_id:
        raise NoteError("the verifier key's id is not that of its name and key")
    return key


def parse_note(text: str) -> Note:
    """A note with at least one signature line, or NoteError."""
    if len(text.encode()) > LARGEST_NOTE or any(character < " " and character != "\n" for character in text):
        raise NoteError("not a signed note")
    body, separator, lines = text.rpartition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise NoteError("not a signed note")
    return Note(body + "\n", parse_signatures(lines))


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """Signature lines, each with its newline; NoteError where one is not, or there is none."""
    if not lines.endswith("\n"):
        raise NoteError("signature lines end in a newline")
    signatures: list[Signature] = []
    for line in lines[:-1].split("\n"):
        name, space, value = line.removeprefix(_DASH).partition(" ")
        raw = _decoded(value)
        if not line.startswith(_DASH) or not space or len(raw) < 5:
            raise NoteError("not a signature line")
        signatures.append(Signature(_checked_name(name), raw[:4], raw[4:]))
    return tuple(signatures)


def verify_note(note: Note, keys: Iterable[VerifierKey]) -> dict[VerifierKey, int]:
    """Which of `keys` signed, with the cosignatures' times.

    BadSignature where a known key's line does not verify, or where none of them signed at all.
    """
    signed: dict[VerifierKey, int] = {}
    for key in keys:
        for signature in note.signatures:
            if key.signed(signature):
                signed[key] = key.verify(note.text, signature)
    if not signed:
        raise BadSignature("no known key has signed it")
    return signed


def _cosigned(text: str, time: int) -> bytes:
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _checked_name(name: str) -> str:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise NoteError("a key's name is not empty and has neither spaces nor a plus")
    return name


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("not base64") from None
