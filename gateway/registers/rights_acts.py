"""Acts on the register of rights requests: received, answered or rejected in thirty days; the source's notice."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from gateway.errors import Conflict, Denied, MalformedRequest, NotFound
from gateway.model import bangkok_day
from gateway.registers import rights_forms
from gateway.registers.acting import (
    Act,
    Book,
    as_form,
    existing,
    new_record,
    refuse,
    require_fresh,
    require_status,
)
from gateway.registers.snapshot import Record

DAYS_TO_ANSWER = 30
"""PDPA s.30 paragraph 4."""


REACHES_THE_SOURCE = ("correction", "erasure", "objection")
"""The rights that concern the record itself. An access request is answered from the log."""


def _require_dpo_or_owner(act: Act, agency: str) -> None:
    operator = act.operator
    if operator.role in ("dpo", "owner") and operator.agency in ("", agency):
        return
    raise refuse(
        "role_not_allowed",
        "this act is a DPO's, or an owner's of the agency concerned",
        "รายการนี้ทำได้เฉพาะเจ้าหน้าที่คุ้มครองข้อมูลส่วนบุคคล หรือเจ้าของข้อมูลของหน่วยงานที่เกี่ยวข้อง",
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
    notice = {"status": "open", "sent_at": act.time} if source and form.right in REACHES_THE_SOURCE else None
    return new_record(act, "rights", form.id, status="open", due=due.isoformat(), source=source, notice=notice)


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
    notice = record.get("notice")
    if notice is not None and notice["status"] in _UNANSWERED and closed["status"] == "rejected":
        more["notice"] = {**notice, "status": "withdrawn"}  # the source is asked for nothing any more
    return {**record, **closed, **more, "version": record["version"] + 1}


_UNANSWERED = ("open", "acknowledged")


def _not_of_the_source() -> Denied:
    return refuse(
        "role_not_allowed",
        "only the source says what it did: its owner, or its own DPO",
        "เฉพาะเจ้าของข้อมูลหรือเจ้าหน้าที่คุ้มครองข้อมูลส่วนบุคคลของหน่วยงานเจ้าของข้อมูลที่ตอบได้",
        "ask the source agency",
        "ติดต่อหน่วยงานเจ้าของข้อมูล",
    )


def _notice_of(act: Act, book: Book, name: str, statuses: tuple[str, ...]) -> tuple[Record, Record]:
    """The request and its notice, for the source that it went to."""
    record = existing(book, "rights", name)
    notice = record.get("notice")
    if notice is None:
        raise NotFound("this request went to no source", "คำขอนี้ไม่มีการแจ้งหน่วยงานเจ้าของข้อมูล")
    if act.operator.agency != record["source"]:
        raise _not_of_the_source()
    _require_dpo_or_owner(act, record["source"])
    if notice["status"] not in statuses:
        raise Conflict(f"the notice is {notice['status']}", "สถานะของการแจ้งไม่รองรับรายการนี้")
    return record, notice


def acknowledge_notice(act: Act, book: Book) -> Record:
    """rights.notice.acknowledge"""
    form = as_form(act, rights_forms.AcknowledgeNotice)
    record, notice = _notice_of(act, book, form.id, ("open",))
    read = {"status": "acknowledged", "acknowledged_by": act.operator.id, "acknowledged_at": act.time}
    return {**record, "notice": {**notice, **read}, "version": record["version"] + 1}


def answer_notice(act: Act, book: Book) -> Record:
    """rights.notice.answer: also without an acknowledgement before"""
    form = as_form(act, rights_forms.AnswerNotice)
    record, notice = _notice_of(act, book, form.id, _UNANSWERED)
    answered = {"status": form.outcome, "answer": form.answer, "answered_by": act.operator.id, "answered_at": act.time}
    return {**record, "notice": {**notice, **answered}, "version": record["version"] + 1}
