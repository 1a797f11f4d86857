"""What a breach notice needs within 72 hours (PDPA s.37(4)): who, what, how many, from when to when."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.model import Service
from gateway.registers import Registers
from gateway.reports.titles import Json, fields_titled, service_titled, titled


def breach(
    exchanges: Iterable[Mapping[str, Any]], registers: Registers, services: Mapping[str, Service]
) -> dict[str, Any]:
    """Of these exchanges: the persons whose data left (by pseudonym), the fields, sources and officers."""
    found = list(exchanges)
    released = [one for one in found if one["outcome"] == "released"]
    subjects: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    people: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in released:
        subjects[one["subject"]].append(one)
        for name in one["released"]:
            people[one["service"], name].add(one["subject"])
    return {
        "exchanges": len(found),
        "outcomes": dict(Counter(one["outcome"] for one in found)),
        "first": min((one["decided_at"] for one in found), default=None),
        "last": max((one["decided_at"] for one in found), default=None),
        "subject_count": len(subjects),
        "subjects": [
            {
                "subject": subject,
                "exchanges": len(theirs),
                "fields": sorted({f"{one['service']}:{name}" for one in theirs for name in one["released"]}),
            }
            for subject, theirs in sorted(subjects.items())
        ],
        "fields": [
            {"service": service, **fields_titled(services, service, [name])[0], "subjects": len(persons)}
            for (service, name), persons in sorted(people.items())
        ],
        "services": [service_titled(services, name) for name in sorted({one["service"] for one in released})],
        "sources": [titled(registers, "agency", name) for name in sorted({str(one["source"]) for one in released})],
        "officers": _officers(found),
    }


def _officers(exchanges: Iterable[Mapping[str, Any]]) -> list[Json]:
    """By staff code; None: the system asked for itself."""
    counted = Counter((one["client"], one["officer"]) for one in exchanges)
    return [
        {"client": client, "officer": officer, "exchanges": number}
        for (client, officer), number in sorted(counted.items(), key=lambda pair: (pair[0][0], pair[0][1] or ""))
    ]
