"""Acts about connectors and agreements: what a source offers, and to whom."""

from __future__ import annotations

from gateway.errors import Conflict, MalformedRequest, NotFound
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
    target,
)
from gateway.registers.snapshot import Record

# -- connectors -----------------------------------------------------------------------------------------------


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


# -- agreements -----------------------------------------------------------------------------------------------


def _source_of(book: Book, service: str) -> str:
    found = book.services.get(service)
    if found is None:
        raise NotFound("there is no such service", "ไม่มีบริการข้อมูลนี้")
    return found.agency


def propose_agreement(act: Act, book: Book) -> Record:
    form = as_form(act, forms.ProposeAgreement)
    source = _source_of(book, form.service)
    consumer = form.consumer.agency
    if not (act.operator.role == "owner" and act.operator.agency == consumer):
        require_owner(act, source, or_admin=True)
    _check_agreement(form, book)
    body = form.model_dump(mode="json", by_alias=True)
    record = book.registers.record("agreement", form.id)
    pending = {
        "version": _next_version(record),
        "form": body,
        "proposed_by": act.operator.id,
        "proposed_at": act.time,
    }
    blank = {**body, "kind": "agreement", "status": "proposed", "version": 0, "pending": pending, "source": source}
    if record is None:
        return {**blank, "added_by": act.operator.id, "added_at": act.time}
    if record["status"] == "revoked":
        raise Conflict("a revoked agreement is not revived: propose one of another id", "ข้อตกลงถูกเพิกถอนแล้ว")
    if (record["service"], record["consumer"]) != (body["service"], body["consumer"]):
        raise Conflict("a new version keeps consumer and service", "ฉบับใหม่ต้องคงหน่วยงานผู้ใช้และบริการเดิม")
    return {**record, "pending": pending} if record["version"] else {**record, **blank}


def _next_version(record: Record | None) -> int:
    """No two proposals share a number: who approves a version approves the form that they read."""
    if record is None:
        return 1
    proposals = (record["pending"] or {}, record.get("refused") or {})
    return 1 + max(int(numbered.get("version", 0)) for numbered in (record, *proposals))


def _check_agreement(form: forms.ProposeAgreement, book: Book) -> None:
    service = book.services[form.service]
    party = form.consumer
    existing(book, "agency" if party.agency else "group", party.agency or party.group or "")
    for name in form.clients:
        client = existing(book, "client", name)
        if party.agency and client["agency"] != party.agency:
            raise MalformedRequest("a client named is not the consumer's", "ระบบที่ระบุไม่ใช่ของหน่วยงานผู้ใช้ข้อมูล")
    for place, term in enumerate(form.terms):
        existing(book, "purpose", term.purpose)
        # By place: what the sender wrote is not repeated; what the service's schema has may be.
        unknown = [f"terms.{place}.fields.{i}" for i, name in enumerate(term.fields) if name not in service.fields]
        if unknown:
            raise MalformedRequest(
                f"{', '.join(unknown)}: the service has no such field",
                f"{', '.join(unknown)}: บริการไม่มีรายการข้อมูลนี้",
            )
        sensitive = sorted(name for name in term.fields if service.fields[name].sensitive)
        if sensitive and term.sensitive_basis is None:
            raise MalformedRequest(
                f"terms.{place}: {', '.join(sensitive)} is sensitive (PDPA s.26): name the sensitive_basis",
                f"terms.{place}: {', '.join(sensitive)} เป็นข้อมูลอ่อนไหวตามมาตรา 26 ต้องระบุ sensitive_basis",
            )


def _pending_of(act: Act, book: Book, name: str, version: int) -> tuple[Record, Record]:
    record = existing(book, "agreement", name)
    require_owner(act, record["source"])
    pending = record["pending"]
    if pending is None or pending["version"] != version:
        raise Conflict("no proposal of this version waits", "ไม่มีข้อเสนอฉบับนี้ที่รออนุมัติ")
    return record, pending


def approve_agreement(act: Act, book: Book) -> Record:
    form = as_form(act, forms.ApproveAgreement)
    record, pending = _pending_of(act, book, form.id, form.version)
    require_someone_else(act, pending["proposed_by"])
    return {
        **record,
        **pending["form"],
        "status": record["status"] if record["status"] == "suspended" else "active",
        "version": pending["version"],
        "proposed_by": pending["proposed_by"],
        "proposed_at": pending["proposed_at"],
        "approved_by": act.operator.id,
        "approved_at": act.time,
        "pending": None,
    }


def refuse_agreement(act: Act, book: Book) -> Record:
    form = as_form(act, forms.RefuseAgreement)
    record, pending = _pending_of(act, book, form.id, form.version)
    refused = {**pending, "refused_by": act.operator.id, "refused_at": act.time, "ground": form.ground}
    status = record["status"] if record["version"] else "refused"
    return {**record, "status": status, "pending": None, "refused": refused}


def switch_agreement(act: Act, book: Book) -> Record:
    form = as_form(act, forms.Named)
    record = existing(book, "agreement", form.id)
    require_owner(act, record["source"], or_admin=target(act) == "suspended")
    status = "suspended" if act.name.endswith(".suspend") else "active"
    require_status(record, ("active",) if status == "suspended" else ("suspended",))
    return {**record, "status": status, "reason": form.reason, "changed_by": act.operator.id, "changed_at": act.time}


def revoke_agreement(act: Act, book: Book) -> Record:
    form = as_form(act, forms.Named)
    record = existing(book, "agreement", form.id)
    require_owner(act, record["source"])
    require_status(record, ("active", "suspended"))
    more = {"status": "revoked", "pending": None, "reason": form.reason}
    return {**record, **more, "changed_by": act.operator.id, "changed_at": act.time}
