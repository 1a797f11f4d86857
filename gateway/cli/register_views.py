"""How the registers' records are shown: which columns, and under which Thai and English headings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from gateway.cli.output import Screen, brief

Json = Mapping[str, Any]
Column = tuple[str, str, Callable[[Json], Any]]


def _of(name: str) -> Callable[[Json], Any]:
    return lambda record: record.get(name)


def _joined(name: str, key: str) -> Callable[[Json], Any]:
    def cell(record: Json) -> str:
        items = record.get(name)
        return ", ".join(brief(item.get(key)) if isinstance(item, dict) else brief(item) for item in items or [])

    return cell


def _consumer(record: Json) -> str:
    party = record.get("consumer")
    if not isinstance(party, dict):
        return brief(party)
    return brief(party.get("agency") or f"group {party.get('group')}")


def _period(record: Json) -> str:
    period = record.get("period")
    return f"{period.get('from')} – {period.get('to')}" if isinstance(period, dict) else brief(period)


def _latest(record: Json) -> Json:
    pending = record.get("pending")
    return record if record.get("digest") or not isinstance(pending, dict) else pending


def _status(record: Json) -> str:
    pending = record.get("pending")
    waiting = f"v{pending['version']} proposed" if isinstance(pending, dict) and "version" in pending else ""
    waiting = waiting or ("registration waits" if isinstance(pending, dict) else "")
    status = brief(record.get("status"))
    return f"{status} ({waiting})" if waiting and status not in ("proposed", "registered") else status


_ID: Column = ("รหัส", "id", _of("id"))
_TITLE: Column = ("ชื่อ", "title", _of("title"))
_STATUS: Column = ("สถานะ", "status", _status)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "agency": (_ID, _TITLE, ("ติดต่อ", "contact", _of("contact")), _STATUS),
    "group": (_ID, _TITLE, ("สมาชิก", "members", lambda record: len(record.get("members") or [])), _STATUS),
    "client": (
        _ID,
        ("หน่วยงาน", "agency", _of("agency")),
        _TITLE,
        ("กุญแจ", "keys", _joined("keys", "kid")),
        ("ขอบเขต", "scopes", _of("scopes")),
        ("เครือข่าย", "networks", _of("networks")),
        _STATUS,
    ),
    "officer": (("ระบบ", "client", _of("client")), ("รหัสเจ้าหน้าที่", "code", _of("code")), _STATUS),
    "operator": (
        _ID,
        ("ชื่อ", "name", _of("name")),
        ("บทบาท", "role", _of("role")),
        ("หน่วยงาน", "agency", _of("agency")),
        ("กุญแจ", "keys", _joined("keys", "kid")),
        _STATUS,
    ),
    "purpose": (
        ("รหัส", "code", lambda record: record.get("code") or record.get("id")),
        _TITLE,
        ("ฐานอำนาจตามกฎหมาย", "authority", _of("authority")),
        _STATUS,
    ),
    "connector": (
        ("หน่วยงาน", "agency", lambda record: record.get("agency") or record.get("id")),
        ("บริการข้อมูล", "services", lambda record: ", ".join(services_of(record))),
        ("ค่าแฮช", "digest", lambda record: brief(_latest(record).get("digest"))[:16]),
        ("ผู้ลงทะเบียน", "registered by", lambda record: _latest(record).get("registered_by")),
        ("ผู้อนุมัติ", "approved by", _of("approved_by")),
        _STATUS,
    ),
    "agreement": (
        _ID,
        _TITLE,
        ("หน่วยงานผู้ใช้ข้อมูล", "consumer", _consumer),
        ("บริการข้อมูล", "service", _of("service")),
        ("ระยะเวลา", "period", _period),
        ("ฉบับ", "version", _of("version")),
        _STATUS,
    ),
}


def services_of(record: Json) -> list[str]:
    """The ids of the services that a connector's record, or a registration, names; of what waits if none holds."""
    registration = record.get("registration")
    if isinstance(registration, dict):
        return services_of(registration)
    services = record.get("services")
    if isinstance(services, dict):
        return sorted(services)
    if isinstance(services, list):
        return [brief(item.get("id")) if isinstance(item, dict) else brief(item) for item in services]
    pending = record.get("pending")
    return services_of(pending) if isinstance(pending, dict) else []


def show_list(screen: Screen, kind: str, records: Iterable[Json]) -> None:
    """A register as a table, or as {"records": [...]}."""
    records = list(records)
    columns = COLUMNS[kind]

    def render() -> None:
        if not records:
            screen.say("ไม่มีรายการ", "nothing registered")
            return
        rows = [[cell(record) for _, _, cell in columns] for record in records]
        screen.table([(thai, english) for thai, english, _ in columns], rows)

    screen.show({"records": records}, render)


def show_record(screen: Screen, kind: str, record: Json) -> None:
    """One record, a line a field: those of the register's table first. A connector's schemas are left to `--json`."""
    titles = {english: (thai, english) for thai, english, _ in COLUMNS[kind]}
    shown = {name: record[name] for name in (*titles, *record) if name in record}
    if kind == "connector":
        shown = {**shown, "registration": _outline(record), "pending": _outline(record.get("pending") or {})}
    screen.show(dict(record), lambda: screen.fields(shown, titles))


def _outline(record: Json) -> dict[str, Any] | None:
    """What is registered, in brief: digest, and each service with its endpoint."""
    registration = record.get("registration")
    if not isinstance(registration, dict):
        return None
    services = (item for item in registration.get("services") or [] if isinstance(item, dict))
    endpoints = {str(item.get("id")): (item.get("connector") or {}).get("endpoint") for item in services}
    return {"digest": record.get("digest"), "registered_by": record.get("registered_by"), "services": endpoints}
