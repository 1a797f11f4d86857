"""Acts about connectors: what a source offers."""

from __future__ import annotations

from datetime import datetime

from gateway.errors import Conflict, NotFound
from gateway.model import timestamp
from gateway.registers import forms
from gateway.registers.acting import (
    Act,
    Book,
    as_form,
    changed_record,
    existing,
    require_owner,
    require_someone_else,
    require_status,
)
from gateway.registers.snapshot import Record, outages_of


def register_connector(act: Act, book: Book) -> Record:
    form = as_form(act, forms.RegisterConnector)
    agency = book.proposed[0].agency
    require_owner(act, agency, or_admin=True)
    existing(book, "agency", agency)
    pending = {
        "registration": form.registration,
        "digest": book.proposed_digest,
        "registered_by": act.operator.id,
        "registered_at": act.time,
    }
    record = book.registers.record("connector", agency)
    if record is None:
        blank = {"kind": "connector", "id": agency, "status": "registered", "version": 0, "disabled_services": []}
        return {**blank, "registration": None, "digest": None, "pending": pending, "added_at": act.time}
    if record["digest"] == book.proposed_digest or (record["pending"] or {}).get("digest") == book.proposed_digest:
        raise Conflict("this very registration is there already", "มีการลงทะเบียนชุดเดียวกันนี้อยู่แล้ว")
    return {**record, "pending": pending}


def approve_connector(act: Act, book: Book) -> Record:
    form = as_form(act, forms.ApproveConnector)
    require_owner(act, form.agency)
    record = existing(book, "connector", form.agency)
    pending = record["pending"]
    if pending is None or pending["digest"] != form.digest:
        raise Conflict("no registration of this digest waits for approval", "ไม่มีการลงทะเบียนตามค่าแฮชนี้ที่รออนุมัติ")
    require_someone_else(act, book, pending["registered_by"])
    return {
        **record,
        "status": "active" if record["status"] == "registered" else record["status"],
        "version": record["version"] + 1,
        "registration": pending["registration"],
        "digest": pending["digest"],
        "registered_by": pending["registered_by"],
        "approved_by": act.operator.id,
        "approved_at": act.time,
        "pending": None,
    }


def switch_connector(act: Act, book: Book) -> Record:
    form = as_form(act, forms.NamedConnector)
    disable = act.name == "connector.disable"
    require_owner(act, form.agency, or_admin=disable)
    record = existing(book, "connector", form.agency)
    if form.service is None:
        require_status(record, ("active",) if disable else ("disabled",))
        return changed_record(act, record, status="disabled" if disable else "active", reason=form.reason)
    _offered(book, form.agency, form.service)
    disabled = set(record["disabled_services"])
    if (form.service in disabled) == disable:
        raise Conflict("the service is already so", "บริการข้อมูลอยู่ในสถานะนั้นอยู่แล้ว")
    return changed_record(act, record, disabled_services=sorted(disabled ^ {form.service}), reason=form.reason)


_MOST_OUTAGES = 100


def announce_outage(act: Act, book: Book) -> Record:
    """One owner's word is enough: an outage only ever keeps the gateway from asking."""
    form = as_form(act, forms.AnnounceOutage)
    require_owner(act, form.agency, or_admin=True)
    record = existing(book, "connector", form.agency)
    if form.service is not None:
        _offered(book, form.agency, form.service)
    now = datetime.fromisoformat(act.time)
    if form.ends <= now:
        raise Conflict("the outage is over already", "ช่วงเวลาหยุดให้บริการผ่านไปแล้ว")
    coming = [each for each in outages_of(record) if datetime.fromisoformat(each["to"]) > now]
    outage = {
        "service": form.service,
        "from": timestamp(form.starts),
        "to": timestamp(form.ends),
        "title": form.title.model_dump(),
        "announced_by": act.operator.id,
    }
    if any((each["service"], each["from"]) == (outage["service"], outage["from"]) for each in coming):
        raise Conflict("an outage from that time is announced already", "มีการแจ้งหยุดให้บริการจากเวลานี้อยู่แล้ว")
    if len(coming) >= _MOST_OUTAGES:
        raise Conflict("too many outages are announced", "มีการแจ้งหยุดให้บริการมากเกินไป")
    return changed_record(act, record, outages=sorted([*coming, outage], key=lambda each: str(each["from"])))


def withdraw_outage(act: Act, book: Book) -> Record:
    form = as_form(act, forms.WithdrawOutage)
    require_owner(act, form.agency, or_admin=True)
    record = existing(book, "connector", form.agency)
    starts, held = timestamp(form.starts), outages_of(record)
    kept = [each for each in held if (each["service"], each["from"]) != (form.service, starts)]
    if len(kept) == len(held):
        raise NotFound("no such outage is announced", "ไม่มีการแจ้งหยุดให้บริการดังกล่าว")
    return changed_record(act, record, outages=kept)


def _offered(book: Book, agency: str, service: str) -> None:
    offered = book.services.get(service)
    if offered is None or offered.agency != agency:
        raise NotFound("the agency offers no such service", "หน่วยงานนี้ไม่มีบริการข้อมูลดังกล่าว")
