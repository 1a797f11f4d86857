"""What every act of governance stands on: the act, the registers it is judged by, who may, in which state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.errors import Conflict, Denied, NotFound, Reason
from gateway.model import Operator, Service
from gateway.registers.snapshot import Record, Registers
from gateway.values import Form


@dataclass(frozen=True, slots=True)
class Act:
    """One act: its name, its checked body, who does it, when (RFC 3339)."""

    name: str
    form: Form
    operator: Operator
    time: str


@dataclass(frozen=True, slots=True)
class Book:
    """What an act is judged on: the registers, and the services offered or (for a registration) proposed.

    `retention_months`: how long the log's contents are kept at least.
    """

    registers: Registers
    services: Mapping[str, Service]
    proposed: tuple[Service, ...] = ()
    proposed_digest: str = ""
    retention_months: int = 0


F = TypeVar("F", bound=Form)


def as_form(act: Act, kind: type[F]) -> F:
    """The act's body as the form that its name stands for."""
    if not isinstance(act.form, kind):
        raise TypeError(f"{act.name} takes a {kind.__name__}")
    return act.form


# -- who may --------------------------------------------------------------------------------------------------


def refuse(code: str, en: str, th: str, remedy_en: str, remedy_th: str) -> Denied:
    return Denied((Reason(code, "governance", "governance", en, th, remedy_en, remedy_th),))


def require_admin(act: Act) -> None:
    if act.operator.role != "admin":
        raise refuse(
            "role_not_allowed",
            "this act is an administrator's",
            "รายการนี้ทำได้เฉพาะผู้ดูแลระบบ",
            "ask an operator of role admin",
            "ติดต่อผู้ดูแลระบบ",
        )


def require_owner(act: Act, agency: str, *, or_admin: bool = False) -> None:
    operator = act.operator
    if operator.role == "owner" and operator.agency == agency:
        return
    if or_admin and operator.role == "admin":
        return
    raise refuse(
        "role_not_allowed",
        "this act is an owner's of the agency concerned",
        "รายการนี้ทำได้เฉพาะเจ้าของข้อมูลของหน่วยงานที่เกี่ยวข้อง",
        "ask an owner of that agency",
        "ติดต่อเจ้าของข้อมูลของหน่วยงานนั้น",
    )


def require_someone_else(
    act: Act,
    book: Book,
    first: str,
    remedy: tuple[str, str] = ("ask another owner of the source", "ให้เจ้าของข้อมูลอีกคนของหน่วยงานเป็นผู้อนุมัติ"),
) -> None:
    """That who does this act and who did the `first` one are two people, as far as the registers can tell."""
    if act.operator.id == first:
        raise refuse("two_people", "who proposes does not approve", "ผู้เสนอจะเป็นผู้อนุมัติเองไม่ได้", *remedy)
    if stands_for(book, act.operator.id) == stands_for(book, first):
        raise refuse(
            "two_people",
            "one of the two was enrolled by the other, or both by the same person, and no one else has confirmed it",
            "ผู้เสนอและผู้อนุมัติลงทะเบียนโดยบุคคลเดียวกัน และยังไม่มีผู้อื่นยืนยัน",
            "have the operator confirmed by someone else (operator confirm), or ask another",
            "ให้ผู้อื่นยืนยันผู้ปฏิบัติงาน (operator confirm) หรือให้ผู้อื่นอนุมัติ",
        )


def stands_for(book: Book, name: str) -> str:
    """The person whom an operator counts as where an act takes two.

    An operator whom one person alone enrolled may be that person again, with another key: it counts as whoever enrolled
    it, until someone else has confirmed that it is another (`operator.confirm`).
    """
    seen = {name}
    while (record := book.registers.record("operator", name)) is not None and record.get("unconfirmed"):
        name = record["added_by"]
        if name in seen:
            break
        seen.add(name)
    return name


# -- in which state -------------------------------------------------------------------------------------------


def existing(book: Book, kind: str, name: str) -> Record:
    record = book.registers.record(kind, name)
    if record is None:
        raise NotFound(f"there is no {kind} of this id", f"ไม่พบ {kind} ตามรหัสนี้")
    return record


def require_fresh(book: Book, kind: str, name: str) -> None:
    if book.registers.record(kind, name) is not None:
        raise Conflict(f"there is a {kind} of this id already", f"มี {kind} รหัสนี้อยู่แล้ว")


def require_status(record: Record, statuses: tuple[str, ...]) -> None:
    if record["status"] not in statuses:
        raise Conflict(
            f"it is {record['status']}; this act needs it to be {' or '.join(statuses)}",
            "สถานะปัจจุบันไม่รองรับรายการนี้",
        )


def new_record(act: Act, kind: str, name: str, **more: Any) -> Record:
    body = act.form.model_dump(mode="json", by_alias=True)
    return {
        **body,
        "kind": kind,
        "id": name,
        "status": "active",
        "version": 1,
        "added_by": act.operator.id,
        "added_at": act.time,
        **more,
    }


def changed_record(act: Act, record: Record, **more: Any) -> Record:
    return {
        **record,
        "version": record["version"] + 1,
        "changed_by": act.operator.id,
        "changed_at": act.time,
        **more,
    }


def switched(act: Act, record: Record, to: str) -> Record:
    """suspended <-> active, with the reason."""
    require_status(record, ("active",) if to == "suspended" else ("suspended",))
    return changed_record(act, record, status=to, reason=getattr(act.form, "reason", None))


def target(act: Act) -> str:
    """`suspended` for a suspend, `active` for a resume."""
    return "suspended" if act.name.endswith(".suspend") else "active"
