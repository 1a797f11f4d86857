"""C2SP tlog-checkpoint: a signed note that says how large a log is and what its root is."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.tlog.note import COSIGNATURE, ED25519, BadSignature, Note, NoteError, VerifierKey, parse_note, verify_note

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's name, its number of entries, and the Merkle root over them (32 bytes). Not verified by itself."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The note's text."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def parse_decimal(text: str) -> int:
    """A size or an index: ASCII digits without leading zeroes; NoteError otherwise."""
    if _DECIMAL.fullmatch(text) is None:
        raise NoteError("not a decimal number")
    return int(text)


def parse_hash(text: str) -> bytes:
    """32 bytes in base64, or NoteError."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("not base64") from None
    if len(value) != 32:
        raise NoteError("not a hash of 32 bytes")
    return value


def read_checkpoint(note: Note) -> Checkpoint:
    """The checkpoint in a note's text, or NoteError. Extension lines are kept in the note, and not looked at."""
    lines = note.text.split("\n")
    if len(lines) < 4 or any(not line for line in lines[:-1]):
        raise NoteError("a checkpoint has three lines that are not empty")
    return Checkpoint(lines[0], parse_decimal(lines[1]), parse_hash(lines[2]))


def open_checkpoint(
    text: str, key: VerifierKey, witnesses: Iterable[VerifierKey] = (), *, wanted: int = 0
) -> tuple[Checkpoint, dict[VerifierKey, int]]:
    """A checkpoint that the log's `key` signed and at least `wanted` of `witnesses` cosigned.

    Returns it with the witnesses that did and their times (seconds since the epoch). The origin must be the
    key's name. NoteError or BadSignature otherwise.
    """
    note = parse_note(text)
    checkpoint = read_checkpoint(note)
    if key.kind != ED25519 or checkpoint.origin != key.name:
        raise BadSignature("the checkpoint is another log's than this verifier key's")
    verify_note(note, [key])
    known = [witness for witness in witnesses if witness.kind == COSIGNATURE]
    if any(witness.signed(signature) for witness in known for signature in note.signatures):
        cosigned = verify_note(note, known)
    else:
        cosigned = {}
    if len(cosigned) < wanted:
        raise BadSignature(f"{len(cosigned)} of the {wanted} wanted witnesses have cosigned")
    return checkpoint, cosigned
