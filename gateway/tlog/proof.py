"""C2SP tlog-proof: that an entry is in a log, in one text that needs nothing else but the log's verifier key."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.tlog.checkpoint import Checkpoint, open_checkpoint, parse_decimal, parse_hash
from gateway.tlog.merkle import check_inclusion, leaf_hash
from gateway.tlog.note import NoteError, VerifierKey

HEADER = "c2sp.org/tlog-proof@v1"
_LONGEST = 63


@dataclass(frozen=True, slots=True)
class Proof:
    """An entry's index, the hashes from its sibling to the root's child, and the checkpoint as it was signed."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str

    def __str__(self) -> str:
        lines = [HEADER, f"index {self.index}", *(base64.b64encode(step).decode() for step in self.hashes), ""]
        return "\n".join(lines) + "\n" + self.checkpoint


def parse_proof(text: str) -> Proof:
    """A proof, or NoteError. Extra data is passed over: nothing authenticates it."""
    head, separator, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or lines[0] != HEADER or len(lines) < 2:
        raise NoteError("not a tlog-proof")
    if lines[1].startswith("extra "):
        del lines[1]
    if len(lines) < 2 or not lines[1].startswith("index ") or len(lines) - 2 > _LONGEST:
        raise NoteError("not a tlog-proof")
    index = parse_decimal(lines[1].removeprefix("index "))
    return Proof(index, tuple(parse_hash(line) for line in lines[2:]), checkpoint)


def check_proof(
    proof: Proof, entry: bytes, key: VerifierKey, witnesses: Iterable[VerifierKey] = (), *, wanted: int = 0
) -> tuple[Checkpoint, dict[VerifierKey, int]]:
    """That `entry` is in the log of `key`: NoteError, BadSignature or ProofError where it is not shown.

    Returns the checkpoint, and the witnesses that cosigned it with their times.
    """
    checkpoint, cosigned = open_checkpoint(proof.checkpoint, key, witnesses, wanted=wanted)
    check_inclusion(leaf_hash(entry), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return checkpoint, cosigned
