"""Acts about the log itself: months whose contents are forgotten. One administrator proposes, another approves."""

from __future__ import annotations

from gateway.errors import Conflict
from gateway.registers import log_forms
from gateway.registers.acting import Act, Book, as_form, existing, require_admin, require_someone_else
from gateway.registers.snapshot import Record

CONTENTS = "contents"
"""The id of the one record of its register: up to which month the log's contents are forgotten."""


def propose_forgetting(act: Act, book: Book) -> Record:
    """Months up to one that is past the retention: nothing younger can be forgotten, by however many people."""
    form = as_form(act, log_forms.ProposeForgetting)
    require_admin(act)
    record = book.registers.record("log", CONTENTS) or _never(act)
    _require_past_retention(form.month, act.time, book.retention_months)
    if record["forgotten"] is not None and form.month <= record["forgotten"]:
        raise Conflict("this month is forgotten already", "เดือนนี้ถูกลบกุญแจไปแล้ว")
    pending = {
        "through": form.month,
        "reason": form.reason,
        "proposed_by": act.operator.id,
        "proposed_at": act.time,
    }
    return {**record, "pending": pending}


def approve_forgetting(act: Act, book: Book) -> Record:
    """Exactly the month that was proposed, and the retention is looked at again."""
    form = as_form(act, log_forms.ApproveForgetting)
    require_admin(act)
    record = existing(book, "log", CONTENTS)
    pending = record["pending"]
    if pending is None or pending["through"] != form.month:
        raise Conflict("nobody has proposed to forget up to this month", "ไม่มีผู้เสนอให้ลบกุญแจถึงเดือนนี้")
    require_someone_else(act, book, pending["proposed_by"], ("ask another administrator", "ให้ผู้ดูแลระบบอีกคนเป็นผู้อนุมัติ"))
    _require_past_retention(form.month, act.time, book.retention_months)
    return {
        **record,
        "version": record["version"] + 1,
        "forgotten": form.month,
        "reason": pending["reason"],
        "retention_months": book.retention_months,
        "proposed_by": pending["proposed_by"],
        "proposed_at": pending["proposed_at"],
        "approved_by": act.operator.id,
        "approved_at": act.time,
        "pending": None,
    }


def _never(act: Act) -> Record:
    return {
        "kind": "log",
        "id": CONTENTS,
        "status": "active",
        "version": 0,
        "forgotten": None,
        "pending": None,
        "added_by": act.operator.id,
        "added_at": act.time,
    }


def _require_past_retention(month: str, time: str, retention: int) -> None:
    age = _number(time[:7]) - _number(month)
    if age <= retention:
        raise Conflict(
            f"the log's contents are kept for {retention} months after the month that they are of",
            f"ต้องเก็บเนื้อหาบันทึกไว้ {retention} เดือนนับจากเดือนของรายการ",
        )


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:7])
