"""Acts about agreements: what a source lets a consumer ask, and for what."""

from __future__ import annotations

from gateway.errors import Conflict, MalformedRequest, NotFound
from gateway.model import Service
from gateway.registers import agreement_forms, forms
from gateway.registers.acting import (
    Act,
    Book,
    as_form,
    existing,
    require_owner,
    require_someone_else,
    require_status,
    target,
)
from gateway.registers.snapshot import Record


def _source_of(book: Book, service: str) -> str:
    found = book.services.get(service)
    if found is None:
        raise NotFound("there is no such service", "ไม่มีบริการข้อมูลนี้")
    return found.agency


def propose_agreement(act: Act, book: Book) -> Record:
    form = as_form(act, agreement_forms.ProposeAgreement)
    source = _source_of(book, form.service)
    consumer = form.consumer.agency
    if not (act.operator.role == "owner" and act.operator.agency == consumer):
        require_owner(act, source, or_admin=True)
    _check_agreement(form, book)
    body = form.model_dump(mode="json", by_alias=True)
    record = book.registers.record("agreement", form.id)
    pending = {
        "version": next_version(record),
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


def next_version(record: Record | None) -> int:
    """No two proposals share a number: who approves a version approves the form that they read."""
    if record is None:
        return 1
    proposals = (record["pending"] or {}, record.get("refused") or {})
    return 1 + max(int(numbered.get("version", 0)) for numbered in (record, *proposals))


def _check_agreement(form: agreement_forms.ProposeAgreement, book: Book) -> None:
    service = book.services[form.service]
    party = form.consumer
    existing(book, "agency" if party.agency else "group", party.agency or party.group or "")
    for name in form.clients:
        client = existing(book, "client", name)
        if party.agency and client["agency"] != party.agency:
            raise MalformedRequest("a client named is not the consumer's", "ระบบที่ระบุไม่ใช่ของหน่วยงานผู้ใช้ข้อมูล")
    for place, term in enumerate(form.terms):
        existing(book, "purpose", term.purpose)
        if term.oia_ground == "24(1)" and party.agency != service.agency:
            raise MalformedRequest(
                f"terms.{place}.oia_ground: 24(1) is for officials of the same agency, not for another agency",
                f"terms.{place}.oia_ground: มาตรา 24(1) ใช้กับเจ้าหน้าที่ในหน่วยงานเดียวกัน ไม่ใช่หน่วยงานอื่น",
            )
        for collector in term.consent.collectors if term.consent else ():
            existing(book, "agency", collector)
        _check_term(f"terms.{place}", term, service)


def _check_term(place: str, term: agreement_forms.TermForm, service: Service) -> None:
    """What the rules would refuse at every question is refused here, before anyone approves it."""
    # By place: what the sender wrote is not repeated; what the service's schema has may be.
    unknown = [f"{place}.fields.{i}" for i, name in enumerate(term.fields) if name not in service.fields]
    if unknown:
        raise MalformedRequest(
            f"{', '.join(unknown)}: the service has no such field", f"{', '.join(unknown)}: บริการไม่มีรายการข้อมูลนี้"
        )
    sensitive = sorted(name for name in term.fields if service.fields[name].sensitive)
    if sensitive and term.sensitive_basis is None and term.pdpa_exemption is None:
        raise MalformedRequest(
            f"{place}: {', '.join(sensitive)} is sensitive (PDPA s.26): name the sensitive_basis",
            f"{place}: {', '.join(sensitive)} เป็นข้อมูลอ่อนไหวตามมาตรา 26 ต้องระบุ sensitive_basis",
        )
    criminal = sorted(name for name in term.fields if service.fields[name].pdpa == "criminal_record")
    if criminal and term.sensitive_basis != "26-criminal" and term.lawful_basis not in ("24(4)", "24(6)"):
        raise MalformedRequest(
            f"{place}: {', '.join(criminal)} is a criminal record: it needs 24(4), 24(6) or 26-criminal",
            f"{place}: {', '.join(criminal)} เป็นประวัติอาชญากรรม ต้องใช้ฐาน 24(4) 24(6) หรือ 26-criminal",
        )
    if service.category == "official_secret" and term.secrecy_release is None:
        raise MalformedRequest(
            f"{place}: the service holds official secrets: name the secrecy_release",
            f"{place}: บริการนี้มีความลับทางราชการ ต้องระบุ secrecy_release",
        )


def _pending_of(act: Act, book: Book, name: str, version: int) -> tuple[Record, Record]:
    record = existing(book, "agreement", name)
    require_owner(act, record["source"])
    pending = record["pending"]
    if pending is None or pending["version"] != version:
        raise Conflict("no proposal of this version waits", "ไม่มีข้อเสนอฉบับนี้ที่รออนุมัติ")
    return record, pending


def _decided(record: Record, pending: Record, act: Act, outcome: str, ground: str | None = None) -> list[Record]:
    """How each proposal fared: who waited for whom, from when to when (Digital Government Act B.E. 2562 s.15)."""
    one = {name: pending[name] for name in ("version", "proposed_by", "proposed_at")}
    decided = {"outcome": outcome, "decided_by": act.operator.id, "decided_at": act.time, "ground": ground}
    return [*record.get("decisions", ()), {**one, **decided}]


def approve_agreement(act: Act, book: Book) -> Record:
    form = as_form(act, agreement_forms.ApproveAgreement)
    record, pending = _pending_of(act, book, form.id, form.version)
    require_someone_else(act, book, pending["proposed_by"])
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
        "decisions": _decided(record, pending, act, "approved"),
    }


def refuse_agreement(act: Act, book: Book) -> Record:
    form = as_form(act, agreement_forms.RefuseAgreement)
    record, pending = _pending_of(act, book, form.id, form.version)
    refused = {**pending, "refused_by": act.operator.id, "refused_at": act.time, "ground": form.ground}
    status = record["status"] if record["version"] else "refused"
    decisions = _decided(record, pending, act, "refused", form.ground)
    return {**record, "status": status, "pending": None, "refused": refused, "decisions": decisions}


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
