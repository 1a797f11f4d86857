"""Acts about connectors: what a source offers."""

from __future__ import annotations

from gateway.errors import Conflict, NotFound
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
from gateway.registers.snapshot import Record


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
    require_someone_else(act, pending["registered_by"])
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
    service = book.services.get(form.service)
    if service is None or service.agency != form.agency:
        raise NotFound("the agency offers no such service", "หน่วยงานนี้ไม่มีบริการข้อมูลดังกล่าว")
    disabled = set(record["disabled_services"])
    if (form.service in disabled) == disable:
        raise Conflict("the service is already so", "บริการข้อมูลอยู่ในสถานะนั้นอยู่แล้ว")
    return changed_record(act, record, disabled_services=sorted(disabled ^ {form.service}), reason=form.reason)
