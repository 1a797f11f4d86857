"""Acts that open an exchange, withheld from the person it is about, before its time: one proposes, another approves.

Administrators and the gateway's own DPO may (PDPA s.30, s.42): an agency's would be told what it has not to know. That
the exchange is withheld at all the store looks at, with the act's own entry.
"""

from __future__ import annotations

from gateway.errors import Conflict
from gateway.registers import opening_forms
from gateway.registers.acting import Act, Book, as_form, existing, new_record, refuse, require_someone_else
from gateway.registers.snapshot import Record


def propose_opening(act: Act, book: Book) -> Record:
    form = as_form(act, opening_forms.ProposeOpening)
    _require_admin_or_dpo(act)
    record = book.registers.record("opening", form.exchange)
    if record is not None and record["status"] == "approved":
        raise Conflict("this exchange is opened already", "เปิดเผยรายการนี้ต่อเจ้าของข้อมูลแล้ว")
    return new_record(act, "opening", form.exchange, status="proposed")


def approve_opening(act: Act, book: Book) -> Record:
    form = as_form(act, opening_forms.ApproveOpening)
    _require_admin_or_dpo(act)
    record = existing(book, "opening", form.exchange)
    if record["status"] != "proposed":
        raise Conflict("this exchange is opened already", "เปิดเผยรายการนี้ต่อเจ้าของข้อมูลแล้ว")
    remedy = ("ask another administrator or the gateway's DPO", "ให้ผู้ดูแลระบบอีกคนหรือเจ้าหน้าที่คุ้มครองข้อมูลส่วนบุคคลเป็นผู้อนุมัติ")
    require_someone_else(act, book, record["added_by"], remedy)
    more = {"status": "approved", "approved_by": act.operator.id, "approved_at": act.time}
    return {**record, **more, "version": record["version"] + 1}


def _require_admin_or_dpo(act: Act) -> None:
    if act.operator.role == "admin" or (act.operator.role == "dpo" and not act.operator.agency):
        return
    raise refuse(
        "role_not_allowed",
        "this act is an administrator's, or the gateway's own DPO's",
        "รายการนี้ทำได้เฉพาะผู้ดูแลระบบ หรือเจ้าหน้าที่คุ้มครองข้อมูลส่วนบุคคลของเกตเวย์",
        "ask an operator of role admin, or the gateway's DPO",
        "ติดต่อผู้ดูแลระบบหรือเจ้าหน้าที่คุ้มครองข้อมูลส่วนบุคคลของเกตเวย์",
    )
