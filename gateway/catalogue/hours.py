"""Service hours: when a source serves, Asia/Bangkok.

{"weekly": {"mon": ["08:30-12:00", "13:00-16:30"], …}, "closed": ["2026-12-31", …]}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final

from gateway.catalogue.problems import Finding
from gateway.model.identifiers import BANGKOK
from gateway.model.service import Service

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def open_now(service: Service, moment: datetime) -> bool:
    """Whether the source serves at `moment` (aware). A service without hours always does."""
    hours = service.hours
    if hours is None:
        return True
    local = moment.astimezone(BANGKOK)
    if local.date().isoformat() in hours.get("closed", ()):
        return False
    minute = local.hour * 60 + local.minute
    return any(start <= minute < end for start, end in map(_span, hours["weekly"].get(_DAYS[local.weekday()], ())))


def hours_findings(hours: Mapping[str, Any]) -> Iterator[Finding]:
    """What the form of service hours cannot say: spans that end before they start or overlap, days that are none."""
    for day, spans in hours["weekly"].items():
        previous = -1
        for i, span in enumerate(spans):
            start, end = _span(span)
            if start >= end:
                yield Finding(
                    ("weekly", day, i),
                    "the span ends before it starts: write a night as two spans",
                    "เวลาสิ้นสุดมาก่อนเวลาเริ่ม หากข้ามคืนให้เขียนเป็นสองช่วง",
                )
            if start < previous:
                yield Finding(("weekly", day, i), "spans overlap or are out of order", "ช่วงเวลาซ้อนกันหรือไม่เรียงลำดับ")
            previous = end
    for i, day in enumerate(hours.get("closed", ())):
        try:
            date.fromisoformat(day)
        except ValueError:
            yield Finding(("closed", i), "there is no such day", "ไม่มีวันที่นี้")


def _span(text: str) -> tuple[int, int]:
    """Minutes of the day: from, and up to but not including."""
    start, end = text.split("-")
    return _minute(start), _minute(end)


def _minute(text: str) -> int:
    hour, minute = text.split(":")
    return int(hour) * 60 + int(minute)
