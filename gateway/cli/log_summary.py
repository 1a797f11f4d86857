"""`linkage log summary`: a time of the log in numbers, each with its basis."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.connection import Remote, remote
from gateway.cli.log_criteria import check_years

Day = str | None
Least = int | None
_WHO = (("หน่วยงาน", "consumer"), ("ระบบ", "client"), ("เจ้าหน้าที่", "officer"))
_OUTSTANDING: dict[str, tuple[tuple[str, str], ...]] = {
    "many_people": (("จำนวนบุคคล", "people"), ("มัธยฐานของเพื่อนร่วมงาน", "peers_median"), ("เพื่อนร่วมงาน", "peers")),
    "same_person": (("ครั้ง", "exchanges"), ("รหัสแฝง", "subject")),
    "out_of_hours": (("ครั้ง", "exchanges"), ("จากทั้งหมด", "of")),
    "refusals": (("ครั้ง", "exchanges"), ("ตั้งแต่", "from"), ("ถึง", "to"), ("ถูกปฏิเสธทั้งหมด", "of")),
}
_GROUPS = {
    "by_consumer": ("หน่วยงานผู้ใช้ข้อมูล", "id"),
    "by_source": ("หน่วยงานเจ้าของข้อมูล", "id"),
    "by_service": ("บริการข้อมูล", "id"),
    "by_purpose": ("วัตถุประสงค์", "id"),
    "by_day": ("วัน", "day"),
}


@remote
def summary(
    remote: Remote,
    first: Annotated[Day, typer.Option("--from", help="The first day, YYYY-MM-DD (Bangkok).")] = None,
    last: Annotated[Day, typer.Option("--to", help="The last day, included; today.")] = None,
    consumer: Annotated[Day, typer.Option(help="หน่วยงานผู้ใช้ข้อมูล")] = None,
    source: Annotated[Day, typer.Option(help="หน่วยงานเจ้าของข้อมูล")] = None,
    service: Annotated[Day, typer.Option(help="บริการข้อมูล")] = None,
    people_factor: Annotated[float | None, typer.Option(min=1, help="So many times the peers' median.")] = None,
    people_least: Annotated[Least, typer.Option(min=1, help="And so many people at least.")] = None,
    same_person: Annotated[Least, typer.Option(min=2, help="The same person so often.")] = None,
    hours_from: Annotated[Least, typer.Option(min=0, max=24, help="Working hours begin (Bangkok).")] = None,
    hours_to: Annotated[Least, typer.Option(min=0, max=24, help="Working hours end.")] = None,
    out_of_hours_least: Annotated[Least, typer.Option(min=1, help="So often out of hours.")] = None,
    refusals: Annotated[Least, typer.Option(min=2, help="So many refusals …")] = None,
    refusals_minutes: Annotated[Least, typer.Option(min=1, max=1440, help="… within so many minutes.")] = None,
) -> None:
    """สรุปบันทึกเป็นตัวเลข พร้อมวิธีคำนวณ / Counts, times, and officers whose numbers stand out, with how each is computed."""
    check_years(first, last)
    asked = {
        "from": first,
        "to": last,
        "consumer": consumer,
        "source": source,
        "service": service,
        "people_factor": people_factor,
        "people_least": people_least,
        "same_person": same_person,
        "hours_from": hours_from,
        "hours_to": hours_to,
        "out_of_hours_least": out_of_hours_least,
        "refusals": refusals,
        "refusals_minutes": refusals_minutes,
    }
    body = remote.gateway.summary(**{name: str(value) for name, value in asked.items() if value is not None})
    remote.screen.show(body, lambda: _show(remote, body))


def _show(remote: Remote, body: dict[str, Any]) -> None:
    screen = remote.screen
    screen.line(f"{body['from']} – {body['to']}: {body['exchanges']}")
    for name, (thai, key) in _GROUPS.items():
        rows = [[one[key], one["exchanges"], one["outcomes"]] for one in body[name]]
        if rows:
            screen.line("")
            screen.table([(thai, name.removeprefix("by_")), ("รายการ", "exchanges"), ("ผล", "outcomes")], rows)
    if body["by_reason"]:
        screen.line("")
        screen.table([("เหตุ", "reason"), ("รายการ", "exchanges")], ([*one.values()] for one in body["by_reason"]))
    if body["times"]:
        screen.line("")
        columns = [("บริการข้อมูล", "service"), ("รายการ", "exchanges"), *((n, "ms") for n in ("p50", "p95", "p99"))]
        screen.table(columns, ([*one.values()] for one in body["times"]))
        _basis(remote, body, "times")
    for name, more in _OUTSTANDING.items():
        screen.line("")
        _basis(remote, body, name)
        if body[name]:
            screen.table([*_WHO, *more], ([one[key] for _, key in (*_WHO, *more)] for one in body[name]))
        else:
            screen.say("ไม่มี", "none")


def _basis(remote: Remote, body: dict[str, Any], name: str) -> None:
    basis = body["basis"][name]
    remote.screen.line(f"· {basis['th']} / {basis['en']}")
