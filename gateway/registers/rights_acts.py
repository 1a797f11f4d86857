"""Acts on the register of rights requests: received, answered or rejected; thirty days (PDPA s.30)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from gateway.errors import MalformedRequest, NotFound
from gateway.model import bangkok_day
from gateway.registers import rights_forms
from gateway.registers.acting import Act, Book, as_form, existing, new_record, refuse, require_fresh, require_status
from gateway.registers.snapshot import Record

DAYS_TO_ANSWER = 30
"""PDPA s.30 paragraph 4."""


def _require_dpo_or_owner(act: Act, agency: str) -> None:
    operator = act.operator
    if operator.role in ("dpo", "owner") and operator.agency in ("", agency):
        return
    raise refuse(
        "role_not_allowed",
        "this act is a DPO's, or an owner's of the agency that received the request",
        "รายการนี้ทำได้เฉพาะเจ้าหน้าที่คุ้มครองข้อมูลส่วนบุคคล หรือเจ้าของข้อมูลของหน่วยงานที่รับคำขอ",
        "ask the agency's DPO",
        "ติดต่อเจ้าหน้าที่คุ้มครองข้อมูลส่วนบุคคลของหน่วยงาน",
    )


def add_request(act: Act, book: Book) -> Record:
    form = as_form(act, rights_forms.AddRightsRequest)
    _require_dpo_or_owner(act, form.agency)
    existing(book, "agency", form.agency)
    require_fresh(book, "rights", form.id)
    if form.received > bangkok_day(datetime.fromisoformat(act.time)):
        raise MalformedRequest("received: the day is yet to come", "received: วันที่รับคำขอยังไม่ถึง")
    source = None
    if form.service is not None:
        service = book.services.get(form.service)
        if service is None:
            raise NotFound("there is no such service", "ไม่มีบริการข้อมูลนี้")
        source = service.agency
    due = form.received + timedelta(days=DAYS_TO_ANSWER)
    return new_record(act, "rights", form.id, status="open", due=due.isoformat(), source=source)


def close_request(act: Act, book: Book) -> Record:
    """rights.answer and rights.reject."""
    if act.name == "rights.answer":
        answer = as_form(act, rights_forms.AnswerRightsRequest)
        name, closed = answer.id, {"status": "answered", "answer": answer.answer}
    else:
        rejection = as_form(act, rights_forms.RejectRightsRequest)
        name, closed = rejection.id, {"status": "rejected", "ground": rejection.ground}
    record = existing(book, "rights", name)
    _require_dpo_or_owner(act, record["agency"])
    require_status(record, ("open",))
    day = bangkok_day(datetime.fromisoformat(act.time))
    late = day > date.fromisoformat(record["due"])
    more = {"closed_by": act.operator.id, "closed_at": act.time, "late": late}
    return {**record, **closed, **more, "version": record["version"] + 1}
