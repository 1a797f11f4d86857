"""Service hours and announced outages: when a source serves, and when it will again. Hours are Asia/Bangkok's.

{"weekly": {"mon": ["08:30-12:00", "13:00-16:30"], …}, "closed": ["2026-12-31", …]}
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from gateway.catalogue.problems import Finding
from gateway.errors import OutsideServiceHours
from gateway.model.identifiers import BANGKOK
from gateway.model.service import Outage, Service

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_THAI: Final = dict(zip(_DAYS, ("จันทร์", "อังคาร", "พุธ", "พฤหัสบดี", "ศุกร์", "เสาร์", "อาทิตย์"), strict=True))
_LOOK_AHEAD: Final = 800
"""Days, and steps from outage to outage: more than a registration can close in a row."""
_ASK_AGAIN: Final = 300
"""Seconds, where the source says itself that it is closed, and not for how long."""


def require_open(service: Service, moment: datetime) -> None:
    """Raises OutsideServiceHours where the source does not serve at `moment` (aware), with the hours and the wait."""
    if service.hours is None and not service.outages:
        return
    outage = _outage(service, moment)
    if outage is None and _in_hours(service.hours, moment):
        return
    again = _serves_again(service, moment)
    wait = None if again is None else max(1, math.ceil((again - moment).total_seconds()))
    raise _told(OutsideServiceHours("outage" if outage else "service_hours", retry_after=wait), service, outage, again)


def with_hours(closed: OutsideServiceHours, service: Service) -> OutsideServiceHours:
    """What the source said itself, with its registered hours and a wait, if it named none."""
    error = OutsideServiceHours(closed.fault, retry_after=closed.retry_after or _ASK_AGAIN)
    return _told(error, service, None, None)


def _outage(service: Service, moment: datetime) -> Outage | None:
    return next((each for each in service.outages if each.starts <= moment < each.ends), None)


def _in_hours(hours: Mapping[str, Any] | None, moment: datetime) -> bool:
    if hours is None:
        return True
    local = moment.astimezone(BANGKOK)
    minute = local.hour * 60 + local.minute
    return any(start <= minute < end for start, end in _spans(hours, local.date()))


def _serves_again(service: Service, moment: datetime) -> datetime | None:
    """The first moment from `moment` on at which the source serves; None if none is in sight."""
    for _ in range(_LOOK_AHEAD):
        outage = _outage(service, moment)
        if outage is not None:
            moment = outage.ends
        elif _in_hours(service.hours, moment):
            return moment
        else:
            begins = _next_span(service.hours or {"weekly": {}}, moment)
            if begins is None:
                return None
            moment = begins
    return None


def _next_span(hours: Mapping[str, Any], moment: datetime) -> datetime | None:
    local = moment.astimezone(BANGKOK)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    for _ in range(_LOOK_AHEAD):
        for start, _end in _spans(hours, midnight.date()):
            begins = midnight + timedelta(minutes=start)
            if begins > local:
                return begins
        midnight += timedelta(days=1)  # Bangkok's days all have 24 hours
    return None


def _spans(hours: Mapping[str, Any], day: date) -> list[tuple[int, int]]:
    """The day's spans in minutes."""
    if day.isoformat() in hours.get("closed", ()):
        return []
    return [_span(text) for text in hours["weekly"].get(_DAYS[day.weekday()], ())]


def _told(
    error: OutsideServiceHours, service: Service, outage: Outage | None, again: datetime | None
) -> OutsideServiceHours:
    """`error` saying, in both languages and for programs, when the source serves."""
    body: dict[str, Any] = {}
    en: list[str] = []
    th: list[str] = []
    if outage is not None:
        body["outage"] = _outage_told(outage)
        en.append(f"announced outage: {outage.title_en}, until {_local(outage.ends)}")
        th.append(f"แจ้งหยุดให้บริการ: {outage.title_th} ถึง {_local(outage.ends)}")
    if service.hours is not None:
        weekly = {day: spans for day in _DAYS if (spans := service.hours["weekly"].get(day))}
        body["hours"] = {"weekly": weekly, "closed": list(service.hours.get("closed", ())), "zone": "Asia/Bangkok"}
        en.append("it serves " + "; ".join(f"{day} {', '.join(spans)}" for day, spans in weekly.items()))
        th.append("เวลาให้บริการ " + "; ".join(f"{_THAI[day]} {', '.join(spans)}" for day, spans in weekly.items()))
    if again is not None:
        body["serves_again"] = _local(again)
        en.append(f"it serves again from {_local(again)}")
        th.append(f"ให้บริการอีกครั้งตั้งแต่ {_local(again)}")
    error.detail_en, error.detail_th = "; ".join(en), "; ".join(th)
    error.service_hours = body or None
    return error


def outages_told(service: Service) -> list[dict[str, str]]:
    """What is announced, as everyone may know it."""
    return [_outage_told(outage) for outage in service.outages]


def _outage_told(outage: Outage) -> dict[str, str]:
    return {
        "from": _local(outage.starts),
        "to": _local(outage.ends),
        "title": outage.title_en,
        "title_th": outage.title_th,
    }


def _local(moment: datetime) -> str:
    return moment.astimezone(BANGKOK).isoformat(timespec="minutes")


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
