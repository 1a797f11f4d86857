"""What waits for one operator, or has to be known: the sheet that lies on the desk in the morning.

Made of the registers alone. Of an agency's operator it names what concerns that agency, as source or as consumer; of
the others, everything; and to an administrator what waits for administrators.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from gateway.model import Caller
from gateway.registers import Record, Registers
from gateway.reports.titles import Json

_SAYS = {
    "agreement_ends": ("ends soon, or has ended: propose the next version", "ใกล้สิ้นสุดหรือสิ้นสุดแล้ว ให้เสนอฉบับต่ออายุ"),
    "agreement_renewal_waits": ("ends soon; the next version waits", "ใกล้สิ้นสุด ฉบับต่ออายุรออนุมัติ"),
    "agreement_proposed": ("waits for an owner of the source", "รอเจ้าของข้อมูลพิจารณา"),
    "connector_registered": ("waits for another owner of the agency", "รอเจ้าของข้อมูลอีกคนอนุมัติ"),
    "policies_proposed": ("wait for another administrator", "รอผู้ดูแลระบบอีกคนอนุมัติ"),
    "operator_unconfirmed": ("whom one person enrolled: another confirms", "ลงทะเบียนโดยบุคคลเดียว รอผู้อื่นยืนยัน"),
    "right_requested": ("a person's request is to be answered", "คำขอใช้สิทธิรอคำตอบ"),
    "notice_to_source": (
        "the source is to correct, erase or stop, and to answer",
        "เจ้าของข้อมูลต้องดำเนินการและตอบ",
    ),
}
"""What each kind of notice asks for."""


def notices(registers: Registers, caller: Caller, today: date) -> list[Json]:
    """One line a matter: `kind`, `register` and `id` of the record, `since`, `due` where there is a day, and texts."""
    found = [
        *_endings(registers, caller, today),
        *_proposals(registers, caller),
        *_rights(registers, caller),
    ]
    return sorted(found, key=lambda line: (line["due"] or "9", line["since"], line["id"]))


def _concerned(registers: Registers, caller: Caller, source: str, consumer: Record) -> bool:
    """Whether the caller acts for the source or the consumer, or for no single agency."""
    if not caller.agency or caller.agency in (source, consumer.get("agency")):
        return True
    own = registers.agencies.get(caller.agency)
    return own is not None and consumer.get("group") in own.groups


def _line(kind: str, record: Record, since: str, due: str | None, **more: Any) -> Json:
    en, th = _SAYS[kind]
    head = {"kind": kind, "register": record["kind"], "id": record["id"], "since": since, "due": due}
    return {**head, "about": {"en": en, "th": th}, **more}


def _endings(registers: Registers, caller: Caller, today: date) -> Iterator[Json]:
    """Every agreement whose end has been reminded of, until it is renewed, or has been over for a month."""
    latest: dict[str, Record] = {}
    for reminder in registers.records["reminder"].values():
        agreement = registers.record("agreement", reminder["agreement"])
        current = agreement is not None and agreement["period"]["to"] == reminder["ends"]
        if current and reminder["days"] < latest.get(reminder["agreement"], {}).get("days", 1000):
            latest[reminder["agreement"]] = reminder
    for name, reminder in latest.items():
        record = registers.records["agreement"][name]
        over = date.fromisoformat(reminder["ends"]) + timedelta(days=30) < today
        if over or record["status"] not in ("active", "suspended"):
            continue
        if _concerned(registers, caller, record["source"], record["consumer"]):
            left = (date.fromisoformat(reminder["ends"]) - today).days
            kind = "agreement_renewal_waits" if record["pending"] else "agreement_ends"
            yield _line(kind, record, reminder["at"], reminder["ends"], days_left=left, contacts=record["contacts"])


def _proposals(registers: Registers, caller: Caller) -> Iterator[Json]:
    for record in registers.records["agreement"].values():
        pending = record["pending"]
        if pending and _concerned(registers, caller, record["source"], record["consumer"]):
            more = {"version": pending["version"], "proposed_by": pending["proposed_by"]}
            yield _line("agreement_proposed", record, pending["proposed_at"], None, **more)
    for record in registers.records["connector"].values():
        pending = record["pending"]
        if pending and caller.agency in ("", record["id"]):
            more = {"digest": pending["digest"], "proposed_by": pending["registered_by"]}
            yield _line("connector_registered", record, pending["registered_at"], None, **more)
    for record in registers.records["operator"].values():
        if record.get("unconfirmed") and record["status"] == "active" and caller.agency in ("", record["agency"]):
            yield _line("operator_unconfirmed", record, record["added_at"], None, proposed_by=record["added_by"])
    rules = registers.record("policies", "active") or {}
    if rules.get("pending") and not caller.agency:
        pending = rules["pending"]
        more = {"digest": pending["digest"], "proposed_by": pending["proposed_by"]}
        yield _line("policies_proposed", rules, pending["proposed_at"], None, **more)


def _rights(registers: Registers, caller: Caller) -> Iterator[Json]:
    for record in registers.records["rights"].values():
        more = {"right": record["right"], "service": record["service"], "exchange": record.get("exchange")}
        if record["status"] == "open" and caller.agency in ("", record["agency"]):
            yield _line("right_requested", record, record["added_at"], record["due"], **more)
        notice = record.get("notice")
        if notice and notice["status"] in ("open", "acknowledged") and caller.agency in ("", record["source"]):
            more = {**more, "status": notice["status"], "text": record["about"]}
            yield _line("notice_to_source", record, notice["sent_at"], record["due"], **more)
