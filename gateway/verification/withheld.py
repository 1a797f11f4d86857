"""Exchanges that were withheld from the person they are about: each says by which law and until when, counts nobody,
and is told once, by an entry that counts it: in its time, or sooner where two people's act stands before it.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.exchangelog.entry import OpenedEntry
from gateway.verification.findings import Report

SLACK = timedelta(days=1)
"""So long after its time an exchange may still be untold, in the log's own time: no gateway ran."""


@dataclass(frozen=True, slots=True)
class _Held:
    index: int
    entry: str
    time: str
    person: str
    until: str


class WithheldExchanges:
    """Follows them through the log."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._held: dict[str, _Held] = {}
        self._told: set[str] = set()
        self._approved: set[str] = set()

    def decided(self, opened: OpenedEntry, exchange: str) -> None:
        """A decision that permits."""
        counts = b'"counter"' in opened.contents["subject"]
        if counts and b'"withheld"' not in opened.contents["legal"]:
            return
        withheld = opened.group("legal").get("withheld")
        if counts or withheld is None:
            if counts != (withheld is None):
                what = (
                    "it counts nobody, and names no authority to withhold it" if not counts else "withheld, and counted"
                )
                self._report.fault(f"entry {opened.index}", what)
            return
        authority, until = withheld.get("authority"), str(withheld.get("until"))
        if not isinstance(authority, dict) or not authority.get("en") or not authority.get("th") or not _moment(until):
            self._report.fault(f"entry {opened.index}", "withheld without a legal authority, or without an end")
        self._report.count("withheld")
        time, person = str(opened.group("public")["time"]), str(opened.group("subject").get("pseudonym"))
        self._held[exchange] = _Held(opened.index, opened.entry.hex(), time, person, until)

    def act(self, legal: dict[str, Any]) -> None:
        """An act of governance."""
        if legal.get("act") == "opening.approve":
            self._approved.add(str(legal.get("id")))

    def told(self, opened: OpenedEntry, exchange: str, *, forgotten: bool, present: str | None) -> None:
        """`present`: the name that the log moved the person of the decision to, as far as it did."""
        held, place = self._held.pop(exchange, None), f"entry {opened.index}"
        if held is None:
            if exchange in self._told:
                self._report.fault(place, f"{exchange} is told twice")
            elif not forgotten:
                self._report.fault(place, f"{exchange} is told, and was not withheld")
            self._told.add(exchange)
            return
        self._told.add(exchange)
        self._report.count("told")
        subject = opened.group("subject")
        if subject.get("decided") != {"index": held.index, "entry": held.entry, "time": held.time}:
            self._report.fault(place, f"{exchange} is told of as another entry than the one that decided it")
        if str(opened.group("public")["time"]) < held.until and exchange not in self._approved:
            self._report.fault(place, f"{exchange} is told before its time, and nobody approved it")
        if subject.get("pseudonym") != (present or held.person):
            # By which later name a person was met who was never counted before, no entry says.
            if present is not None:
                self._report.fault(place, f"{exchange} is told to another person than it is about")
            self._report.count("told under a later name")

    def person(self, exchange: str) -> str | None:
        """Whom an exchange that is not told yet is about."""
        held = self._held.get(exchange)
        return held.person if held is not None else None

    def end(self, latest: str, waiting: Set[str]) -> None:
        """After the last entry, whose time is `latest`. `waiting`: what the database will have told."""
        for exchange, held in self._held.items():
            if exchange not in waiting:
                self._report.fault(f"entry {held.index}", f"{exchange} is withheld, and nothing will tell it")
            until, now = _moment(held.until), _moment(latest)
            if until is not None and now is not None and now > until + SLACK:
                self._report.fault(f"entry {held.index}", f"{exchange} was to be told at {held.until}, and was not")
        self._report.count("withheld still", len(self._held))


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
