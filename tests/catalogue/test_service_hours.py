"""Service hours are Asia/Bangkok's; who asks outside of them, or in an outage, is told when the source serves again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue import read_folder, require_open, services_of, with_hours
from gateway.errors import OutsideServiceHours
from gateway.model import Outage, Service
from gateway.model.identifiers import BANGKOK

ROOT = Path(__file__).resolve().parents[2]
HOURS: dict[str, Any] = {
    "weekly": {"fri": ["08:30-12:00", "13:00-16:30"], "sat": ["22:00-24:00"], "sun": ["00:00-02:00"]},
    "closed": ["2026-11-27"],
}


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-20T08:29:59", False),
        ("2026-11-20T08:30:00", True),
        ("2026-11-20T11:59:59", True),
        ("2026-11-20T12:00:00", False),
        ("2026-11-20T13:00:00", True),
        ("2026-11-20T16:30:00", False),
        ("2026-11-21T23:59:59", True),
        ("2026-11-22T01:59:59", True),
        ("2026-11-22T02:00:00", False),
        ("2026-11-23T10:00:00", False),
        ("2026-11-27T10:00:00", False),
    ],
)
def test_hours(moment: str, is_open: bool) -> None:
    local = at(moment)
    for told in (local, local.astimezone(UTC)):
        assert (closed(replace(service(), hours=HOURS), told) is None) is is_open
    assert closed(service(), local) is None


@cache
def service() -> Service:
    return services_of(read_folder(ROOT / "connectors/dopa", ROOT / "schemas").as_json())[0]


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment).replace(tzinfo=BANGKOK)


def closed(which: Service, moment: datetime) -> OutsideServiceHours | None:
    try:
        require_open(which, moment)
    except OutsideServiceHours as error:
        return error
    return None


def outage(starts: str, ends: str) -> Outage:
    return Outage(at(starts), at(ends), "Moving house", "ย้ายสำนักงาน")


@pytest.mark.parametrize(
    ("moment", "outages", "again"),
    [
        ("2026-11-20T08:29:59.5", (), "2026-11-20T08:30"),
        ("2026-11-20T12:00", (), "2026-11-20T13:00"),
        ("2026-11-22T02:00", (), "2026-11-28T22:00"),  # the Friday between is a holiday
        ("2026-11-20T09:00", (outage("2026-11-20T08:00", "2026-11-20T10:00"),), "2026-11-20T10:00"),
        ("2026-11-20T09:00", (outage("2026-11-20T08:00", "2026-11-20T12:30"),), "2026-11-20T13:00"),
        (
            "2026-11-20T09:00",
            (outage("2026-11-20T08:00", "2026-11-20T10:00"), outage("2026-11-20T09:30", "2026-11-20T11:00")),
            "2026-11-20T11:00",
        ),
    ],
)
def test_the_wait_until_it_serves_again(moment: str, outages: tuple[Outage, ...], again: str) -> None:
    error = closed(replace(service(), hours=HOURS, outages=outages), at(moment))
    assert error is not None
    assert error.service_hours is not None
    assert error.service_hours["serves_again"] == f"{again}+07:00"
    wait = at(again) - at(moment)
    assert error.retry_after is not None
    assert wait <= timedelta(seconds=error.retry_after) < wait + timedelta(seconds=1)
    assert closed(replace(service(), hours=HOURS, outages=outages), at(again)) is None


def test_the_hours_and_the_outage_are_told_in_both_languages() -> None:
    error = closed(
        replace(service(), hours=HOURS, outages=(outage("2026-11-20T08:00", "2026-11-20T10:00"),)),
        at("2026-11-20T09:00"),
    )
    assert error is not None
    assert error.service_hours is not None
    assert error.fault == "outage"
    assert error.service_hours["outage"]["title_th"] == "ย้ายสำนักงาน"
    assert error.service_hours["hours"]["weekly"]["fri"] == ["08:30-12:00", "13:00-16:30"]
    assert "Moving house" in error.detail_en
    assert "fri 08:30-12:00, 13:00-16:30" in error.detail_en
    assert "ศุกร์ 08:30-12:00, 13:00-16:30" in error.detail_th
    assert "2026-11-20T10:00+07:00" in error.detail_th


def test_an_outage_closes_what_is_always_open_and_no_longer_than_it_says() -> None:
    always = replace(service(), outages=(outage("2026-11-20T08:00", "2026-11-20T10:00"),))
    assert closed(always, at("2026-11-20T07:59:59")) is None
    error = closed(always, at("2026-11-20T08:00"))
    assert error is not None
    assert error.retry_after == 7200
    assert "hours" not in (error.service_hours or {})
    assert closed(always, at("2026-11-20T10:00")) is None


def test_no_wait_is_made_up_where_no_end_is_in_sight() -> None:
    days = [str((datetime(2026, 11, 20) + timedelta(days=n)).date()) for n in range(0, 1000)]
    error = closed(replace(service(), hours={**HOURS, "closed": days}), at("2026-11-20T09:00"))
    assert error is not None
    assert error.retry_after is None


def test_a_source_that_says_it_is_closed_has_its_hours_told_too() -> None:
    told = with_hours(OutsideServiceHours("outside_hours"), replace(service(), hours=HOURS))
    assert told.retry_after
    assert "fri" in told.detail_en
    assert with_hours(OutsideServiceHours("outside_hours", retry_after=17), service()).retry_after == 17
