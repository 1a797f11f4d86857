"""What was seen of a log before it was lost: the newest checkpoint that each witness cosigned, and files of others.

A witness answers `GET /<SHA-256 of the origin>/checkpoint` with what it cosigned last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import httpx

from gateway.exchangelog.witnesses import Witness
from gateway.tlog.checkpoint import Checkpoint, open_checkpoint
from gateway.tlog.note import NoteError, VerifierKey
from gateway.verification.keys import signer_of

_SECONDS = 10.0
_LARGEST = 64 * 1024


class WitnessSilent(Exception):
    """A witness cannot be asked, or answers with something else than a checkpoint. Names the witness."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A checkpoint that the log's key signed. `by`: who showed it; `note`: with its cosignatures."""

    by: str
    checkpoint: Checkpoint
    note: str


def ask_witness(witness: Witness, keys: Sequence[VerifierKey]) -> Seen | None:
    """What a witness cosigned last of the log, signed by one of these keys; None where it was nothing yet.

    WitnessSilent.
    """
    digest, name = hashlib.sha256(keys[0].name.encode()).hexdigest(), witness.key.name
    try:
        with httpx.Client(timeout=_SECONDS, trust_env=False, follow_redirects=False) as client:
            response = client.get(f"{witness.url}/{digest}/checkpoint")
    except httpx.HTTPError as error:
        raise WitnessSilent(f"{name} does not answer: {type(error).__name__}") from None
    if response.status_code == 404:
        return None
    if response.status_code != 200 or len(response.content) > _LARGEST:
        raise WitnessSilent(f"{name} answers with {response.status_code}")
    try:
        checkpoint, _ = open_checkpoint(response.text, signer_of(response.text, keys), [witness.key], wanted=1)
    except NoteError as error:
        raise WitnessSilent(f"{name} shows something else than what it cosigned of this log: {error}") from None
    return Seen(name, checkpoint, response.text)


def read_seen(by: str, text: str, keys: Sequence[VerifierKey]) -> Seen:
    """A checkpoint from a file. NoteError where it is not one that one of the log's keys signed."""
    return Seen(by, open_checkpoint(text, signer_of(text, keys))[0], text)


def largest(seen: Iterable[Seen]) -> Seen | None:
    """The one of the largest log; None of none."""
    return max(seen, key=lambda one: one.checkpoint.size, default=None)
