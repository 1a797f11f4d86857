"""The facts of a judgement as the exchange log keeps them, so that other rules can be tried on them later.

Kept is what the judge reads of each candidate term and no more: the fields asked for, the one term, statuses,
days; nothing of the citizen. The greater part is the same from one question to the next and changes only with
the registers, so it is written once and kept as bytes: a few microseconds an exchange.

    {"now": time, "candidates": [{"on": {…}, "quota_used": n, "officer_quota_used": n,
                                  "consent_named": bool, "consent": {…} or null, "comparisons_used"?: n}]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from gateway.errors import MalformedRequest
from gateway.model import Facts, FieldInfo, timestamp
from gateway.policy.factsjson import facts_from_json, member_as_json

REMEMBERED = 2048
"""Candidates kept as bytes, a KiB or two each."""


class Recorder:
    """Facts in, what the log keeps of them out. Belongs to one event loop."""

    def __init__(self) -> None:
        self._kept: dict[Any, tuple[Facts, orjson.Fragment]] = {}

    def snapshot(self, candidates: Sequence[Facts]) -> dict[str, Any]:
        """What is kept of one question's facts: JSON, in canonical form (RFC 8785) once dumped with sorted keys."""
        return {
            "now": timestamp(candidates[0].now),
            "candidates": [
                {
                    "on": self._on(facts),
                    "quota_used": facts.quota_used,
                    "officer_quota_used": facts.officer_quota_used,
                    "consent_named": facts.consent_named,
                    "consent": member_as_json(facts.consent) if facts.consent is not None else None,
                    **({} if facts.comparisons_used is None else {"comparisons_used": facts.comparisons_used}),
                }
                for facts in candidates
            ],
        }

    def _on(self, facts: Facts) -> orjson.Fragment:
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
        known = self._kept.get(key)
        if known is None:
            if len(self._kept) >= REMEMBERED:
                self._kept.clear()
            stable = replace(facts, consent=None)
            known = self._kept[key] = (stable, orjson.Fragment(_bytes_of(stable)))
        return known[1]


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


def recorded_facts(kept: Mapping[str, Any]) -> list[Facts]:
    """The candidates of a recorded question, to be judged again. MalformedRequest where `kept` is not of this form."""
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
