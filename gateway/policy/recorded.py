"""The facts of a judgement as the exchange log keeps them, so that other rules can be tried on them later.

Kept is what the judge reads of each candidate term and no more: the fields asked for, the one term, statuses,
days; nothing of the citizen. The greater part is the same from one question to the next and changes only with
the registers, so it is kept once, under the SHA-256 of its canonical JSON, and each entry names it by that:

    {"now": time, "candidates": [{"on": the digest in hex, "quota_used": n, "officer_quota_used": n,
                                  "comparisons_used": n, "consent_named": bool, "consent": {…} or null}]}
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from gateway.errors import MalformedRequest
from gateway.model import Facts, FieldInfo, timestamp
from gateway.policy.factsjson import facts_from_json, member_as_json
from gateway.store import KeepFacts

REMEMBERED = 2048
"""Candidates whose digests are remembered."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`facts`: what an entry holds. `standing`: what it names by digest and the database may lack yet."""

    facts: dict[str, Any]
    standing: tuple[KeepFacts, ...]


@dataclass(frozen=True, slots=True)
class _Standing:
    facts: Facts
    change: KeepFacts
    digest: str


class Recorder:
    """Facts in, what the log keeps of them out. Belongs to one event loop."""

    def __init__(self) -> None:
        self._known: dict[Any, _Standing] = {}
        self._written: set[bytes] = set()

    def snapshot(self, candidates: Sequence[Facts], moment: datetime) -> Snapshot:
        """What is kept of one question's facts, judged at `moment`: JSON, in canonical form (RFC 8785) once dumped with
        sorted keys.
        """
        standing = [self._standing(facts) for facts in candidates]
        kept = {
            "now": timestamp(moment),
            "candidates": [
                {
                    "on": one.digest,
                    "quota_used": facts.quota_used,
                    "officer_quota_used": facts.officer_quota_used,
                    "consent_named": facts.consent_named,
                    "consent": member_as_json(facts.consent) if facts.consent is not None else None,
                    **({} if facts.comparisons_used is None else {"comparisons_used": facts.comparisons_used}),
                }
                for one, facts in zip(standing, candidates, strict=True)
            ],
        }
        return Snapshot(kept, tuple(one.change for one in standing if one.change.digest not in self._written))

    def written(self, snapshot: Snapshot) -> None:
        """The database has what the snapshot names: later ones need not bring it again."""
        self._written.update(change.digest for change in snapshot.standing)

    def _standing(self, facts: Facts) -> _Standing:
        # By identity: the registers' members are frozen, and new objects where anything of them changed. The facts
        # kept beside hold them alive, so that no other object takes one's place.
        key = (
            id(facts.client),
            id(facts.consumer),
            id(facts.source),
            id(facts.service),
            id(facts.purpose),
            id(facts.officer),
            id(facts.agreement),
            id(facts.term),
            facts.connector_status,
            facts.officer_named,
            facts.fields,
        )
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
                self._written.clear()
            lasting = replace(facts, consent=None)
            body = _bytes_of(lasting)
            digest = hashlib.sha256(body).digest()
            known = self._known[key] = _Standing(lasting, KeepFacts(digest, body), digest.hex())
        return known


def _bytes_of(facts: Facts) -> bytes:
    """Of the service's fields those asked for, of the agreement's terms the one judged: the judge reads no others."""
    named = {name: info for name, info in facts.service.fields.items() if name in facts.fields}
    kept: dict[str, Any] = {
        "client": member_as_json(facts.client),
        "consumer": member_as_json(facts.consumer),
        "source": member_as_json(facts.source),
        "service": {**member_as_json(replace(facts.service, fields={})), "fields": _classified(named)},
        "connector_status": facts.connector_status,
        "purpose": member_as_json(facts.purpose) if facts.purpose else None,
        "fields": facts.fields,
        "officer_named": facts.officer_named,
        "officer": member_as_json(facts.officer) if facts.officer else None,
        "agreement": None,
        "term": facts.term.id if facts.term else None,
    }
    if facts.agreement is not None:
        terms = [member_as_json(facts.term)] if facts.term else []
        kept["agreement"] = {**member_as_json(replace(facts.agreement, terms=())), "terms": terms}
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)


def _classified(fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
    return {name: member_as_json(info) for name, info in fields.items()}


def named_in(kept: Mapping[str, Any] | None) -> Iterator[str]:
    """The digests, in hex, that an entry's facts name."""
    for candidate in (kept or {}).get("candidates", ()):
        yield candidate["on"]


def filled_in(kept: Mapping[str, Any] | None, bodies: Mapping[str, Any]) -> dict[str, Any] | None:
    """An entry's facts with what they name by digest in its place; None where `bodies` lacks some of it."""
    if kept is None or not all(digest in bodies for digest in named_in(kept)):
        return None
    candidates = [{**candidate, "on": bodies[candidate["on"]]} for candidate in kept["candidates"]]
    return {**kept, "candidates": candidates}


def recorded_facts(kept: Mapping[str, Any]) -> list[Facts]:
    """The candidates of a recorded question, filled in, to be judged again. MalformedRequest where they are not."""
    match kept:
        case {"now": str(now), "candidates": list(candidates)} if candidates:
            pass
        case _:
            raise MalformedRequest("not facts as the log keeps them", "ไม่ใช่ข้อเท็จจริงในรูปที่บันทึกไว้")
    found = []
    for candidate in candidates:
        match candidate:
            case {"on": dict(), **rest}:
                found.append(facts_from_json(candidate["on"] | rest | {"now": now}))
            case _:
                raise MalformedRequest("not facts as the log keeps them", "ไม่ใช่ข้อเท็จจริงในรูปที่บันทึกไว้")
    return found
