"""`linkage proof verify`: one exchange's proof document, offline, with nothing but the log's verifier key.

1 each entry is what its groups commit to: those that are shown are hashed, of the others the commitment counts
2 each tlog-proof leads from the entry to a checkpoint that the log signed, and enough witnesses cosigned
3 the entries shown are of the exchange that the document names, in order, decided first and ended at most once
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import orjson

from gateway.exchangelog.entry import GROUPS, commitment, entry_bytes
from gateway.exchangelog.published import FORMAT
from gateway.tlog.merkle import ProofError
from gateway.tlog.note import NoteError, VerifierKey
from gateway.tlog.proof import check_proof, parse_proof
from gateway.verification.findings import Report
from gateway.verification.keys import followed, signer_of

_HEX = re.compile("[0-9a-f]{64}", re.ASCII)


class NotADocument(Exception):
    """The file is not a proof document."""


def read_document(text: bytes) -> dict[str, Any]:
    """A proof document's JSON, with the form that everything else relies on. NotADocument otherwise."""
    try:
        document = orjson.loads(text)
        good = (
            document["format"] == FORMAT
            and isinstance(document["exchange_id"], str)
            and isinstance(document["entries"], list)
            and len(document["entries"]) > 0
            and all(is_entry(entry) for entry in document["entries"])
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        good = False
    if not good:
        raise NotADocument("not a proof document of this format")
    return dict(document)


def verify_document(
    document: dict[str, Any], key: VerifierKey, witnesses: Sequence[VerifierKey] = (), *, wanted: int = 0
) -> Report:
    """Checks a document that `read_document` gave. `key` must come from elsewhere than the document."""
    report = Report()
    keys = followed(document.get("keys"), key)
    kinds: list[str] = []
    last = -1
    for shown in document["entries"]:
        place = f"entry {shown['index']}"
        report.count("entries")
        if shown["index"] <= last:
            report.fault(place, "the entries are not in the log's order")
        last = shown["index"]
        check_entry(shown, keys, witnesses, wanted, report)
        if shown["groups"] is None:
            report.notes.append(f"{place}: its contents are forgotten; only its place in the log is shown")
            continue
        public = group_of(shown, "public")
        if public.get("exchange") != document["exchange_id"]:
            report.fault(place, "it is of another exchange than the document names")
        kinds.append(str(public.get("kind")))
    if kinds and not _is_course(kinds):
        report.fault(
            document["exchange_id"][:64], "the entries are not one exchange's course: " + ", ".join(kinds)[:200]
        )
    return report


def check_entry(
    shown: dict[str, Any],
    keys: Sequence[VerifierKey],
    witnesses: Sequence[VerifierKey],
    wanted: int,
    report: Report,
) -> None:
    """One entry as a document shows it: that its groups are its own, and that it is in the log."""
    place, entry = f"entry {shown['index']}", bytes.fromhex(shown["entry"])
    if shown["groups"] is not None:
        made = entry_bytes(tuple(_commitment(shown["groups"][name]) for name in GROUPS))
        if made != entry:
            report.fault(place, "the groups are not what the entry commits to")
    try:
        proof = parse_proof(shown["proof"])
        key = signer_of(proof.checkpoint, keys)
        checkpoint, cosigned = check_proof(proof, entry, key, witnesses, wanted=wanted)
    except (NoteError, ProofError) as error:
        report.fault(place, str(error))
        return
    if proof.index != shown["index"]:
        report.fault(place, f"the proof is of entry {proof.index}")
    names = ", ".join(sorted(witness.name for witness in cosigned)) or "none"
    report.notes.append(f"{place}: in the checkpoint of {checkpoint.size}; witnesses: {names}")


def _is_course(kinds: list[str]) -> bool:
    if kinds == ["exchange.refused"]:
        return True
    ends = ("exchange.released", "exchange.failed", "exchange.withheld", "exchange.interrupted")
    return kinds[0] == "exchange.decided" and len(kinds) <= 2 and all(kind in ends for kind in kinds[1:])


def _commitment(group: dict[str, str]) -> bytes:
    if "commitment" in group:
        return bytes.fromhex(group["commitment"])
    return commitment(bytes.fromhex(group["salt"]), group["content"].encode())


def group_of(shown: dict[str, Any], name: str) -> dict[str, Any]:
    """A group as a document shows it; empty where it is not shown."""
    try:
        value = orjson.loads(shown["groups"][name].get("content", "{}"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def is_entry(entry: dict[str, Any]) -> bool:
    """Whether this has the form of an entry in a document; KeyError or TypeError where it has not even that."""
    groups = entry["groups"]
    return (
        type(entry["index"]) is int
        and entry["index"] >= 0
        and _is_hash(entry["entry"])
        and isinstance(entry["proof"], str)
        and (groups is None or (groups.keys() == set(GROUPS) and all(_is_group(group) for group in groups.values())))
    )


def _is_group(group: dict[str, Any]) -> bool:
    if group.keys() == {"commitment"}:
        return _is_hash(group["commitment"])
    return group.keys() == {"salt", "content"} and _is_hash(group["salt"]) and isinstance(group["content"], str)


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HEX.fullmatch(value) is not None
