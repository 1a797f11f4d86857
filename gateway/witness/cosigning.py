"""What a witness does with `add-checkpoint` (C2SP tlog-witness), step by step.

1 read       the old size, the consistency proof, the checkpoint                      400
2 know       a log of this origin                                                     404
3 verify     the log's signature                                                      403
4 compare    the old size: not above the checkpoint's, and the one we cosigned last   400, 409
5 prove      that what we cosigned is the beginning of it                             422
6 keep       it as the newest, on disk, and only then answer with our cosignature     200
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from gateway.tlog.checkpoint import Checkpoint, parse_decimal, parse_hash, read_checkpoint
from gateway.tlog.merkle import EMPTY_ROOT, ProofError, check_consistency
from gateway.tlog.note import BadSignature, Note, NoteError, Signer, parse_note, verify_note
from gateway.witness.state import Latest, Turn, WitnessState

_MOST_STEPS = 63


class Refused(Exception):
    """A request is answered with `status`. `size`: what a conflict tells, the size that we cosigned last."""

    def __init__(self, status: int, why: str, size: int | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.why = why
        self.size = size


@dataclass(frozen=True, slots=True)
class Request:
    """A request to cosign: the size before, what proves that it is the beginning, the checkpoint as signed."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint


def read_request(body: bytes) -> Request:
    """Step 1: Refused with 400 where the body is not of the form."""
    try:
        head, separator, note_text = body.decode().partition("\n\n")
        lines = head.split("\n")
        if not separator or not lines[0].startswith("old ") or len(lines) - 1 > _MOST_STEPS:
            raise NoteError("not a request to cosign")
        old = parse_decimal(lines[0].removeprefix("old "))
        proof = tuple(parse_hash(line) for line in lines[1:])
        note = parse_note(note_text)
        return Request(old, proof, note, read_checkpoint(note))
    except (NoteError, UnicodeDecodeError):
        raise Refused(400, "malformed request") from None


def cosign(state: WitnessState, signer: Signer, body: bytes, *, clock: Callable[[], float] = time.time) -> str:
    """Our signature line for the checkpoint in `body`, on disk before this returns. Refused otherwise."""
    request = read_request(body)  # 1
    with state.turn(request.checkpoint.origin) as turn:
        signed = _verified(request, turn)  # 2, 3
        latest = turn.latest()
        _compare(request, latest)  # 4
        _prove(request, latest)  # 5
        signature = signer.sign(request.note.text, int(clock()))
        note = Note(request.note.text, (*signed.signatures, signature))
        turn.put(Latest(request.checkpoint.size, request.checkpoint.root, str(note)))  # 6
    return signature.line


def _verified(request: Request, turn: Turn) -> Note:
    """The note with the log's own signatures only."""
    keys = turn.keys()
    if not keys:
        raise Refused(404, "unknown log")
    try:
        known = verify_note(request.note, keys)
    except BadSignature:
        raise Refused(403, "no valid signature of the log") from None
    own = tuple(line for line in request.note.signatures if any(key.signed(line) for key in known))
    return Note(request.note.text, own)


def _compare(request: Request, latest: Latest | None) -> None:
    if request.old > request.checkpoint.size:
        raise Refused(400, "the old size is above the checkpoint's")
    size = latest.size if latest is not None else 0
    if request.old != size:
        raise Refused(409, "another size was cosigned last", size)


def _prove(request: Request, latest: Latest | None) -> None:
    checkpoint = request.checkpoint
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise Refused(422, "the empty log has another root")
    if request.old == 0:
        if request.proof:
            raise Refused(422, "nothing is to be proved from size 0")
        return
    if latest is None:
        raise Refused(409, "nothing was cosigned yet", 0)
    try:
        check_consistency(request.old, checkpoint.size, latest.root, checkpoint.root, request.proof)
    except ProofError:
        raise Refused(422, "the checkpoint is not consistent with the one cosigned last") from None
