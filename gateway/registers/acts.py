"""What each act of governance needs and does: who may, in which state, and the record it leaves.

An act is a pure function of the registers, the operator and the act's body; it writes nothing. The
governance path signs, records and commits what comes out, or refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.errors import Conflict, Denied, MalformedRequest, NotFound, Reason
from gateway.model import Operator, Service
from gateway.registers import forms
from gateway.registers.snapshot import Record, Registers


@dataclass(frozen=True, slots=True)
class Act:
    """One act: its name, its checked body, who does it, when (RFC 3339)."""

    name: str
    form: forms.Form
    operator: Operator
    time: str


@dataclass(frozen=True, slots=True)
class Book:
    """What an act is judged on: the registers, and the services offered or (for a registration) proposed."""

    registers: Registers
    services: Mapping[str, Service]
    proposed: tuple[Service, ...] = ()
    proposed_digest: str = ""


F = TypeVar("F", bound=forms.Form)


def perform(act: Act, book: Book) -> Record:
    """The record as the act leaves it. Raises Denied, Conflict, NotFound or MalformedRequest."""
    return _ACTS[act.name](act, book)


def _as(act: Act, kind: type[F]) -> F:
    """The act's body as the form that its name stands for."""
    if not isinstance(act.form, kind):
        raise TypeError(f"{act.name} takes a {kind.__name__}")
    return act.form


# -- who may --------------------------------------------------------------------------------------------------


def _refuse(code: str, en: str, th: str, remedy_en: str, remedy_th: str) -> Denied:
    return Denied((Reason(code, "governance", "governance", en, th, remedy_en, remedy_th),))


def _admin(act: Act) -> None:
    if act.operator.role != "admin":
        raise _refuse(
            "role_not_allowed",
            "this act is an administrator's",
            "รายการนี้ทำได้เฉพาะผู้ดูแลระบบ",
            "ask an operator of role admin",
            "ติดต่อผู้ดูแลระบบ",
        )


def _owner(act: Act, agency: str, *, or_admin: bool = False) -> None:
    operator = act.operator
    if operator.role == "owner" and operator.agency == agency:
        return
    if or_admin and operator.role == "admin":
        return
    raise _refuse(
        "role_not_allowed",
        "this act is an owner's of the agency concerned",
        "รายการนี้ทำได้เฉพาะเจ้าของข้อมูลของหน่วยงานที่เกี่ยวข้อง",
        "ask an owner of that agency",
        "ติดต่อเจ้าของข้อมูลของหน่วยงานนั้น",
    )


def _someone_else(act: Act, first: str) -> None:
    if act.operator.id == first:
        raise _refuse(
            "two_people",
            "who proposes does not approve",
            "ผู้เสนอจะเป็นผู้อนุมัติเองไม่ได้",
            "ask another owner of the source",
            "ให้เจ้าของข้อมูลอีกคนของหน่วยงานเป็นผู้อนุมัติ",
        )


# -- in which state -------------------------------------------------------------------------------------------


def _existing(book: Book, kind: str, name: str) -> Record:
    record = book.registers.record(kind, name)
    if record is None:
        raise NotFound(f"there is no {kind} of this id", f"ไม่พบ {kind} ตามรหัสนี้")
    return record


def _fresh(book: Book, kind: str, name: str) -> None:
    if book.registers.record(kind, name) is not None:
        raise Conflict(f"there is a {kind} of this id already", f"มี {kind} รหัสนี้อยู่แล้ว")


def _from(record: Record, statuses: tuple[str, ...]) -> None:
    if record["status"] not in statuses:
        raise Conflict(
            f"it is {record['status']}; this act needs it to be {' or '.join(statuses)}",
            "สถานะปัจจุบันไม่รองรับรายการนี้",
        )


def _new(act: Act, kind: str, name: str, **more: Any) -> Record:
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


def _changed(act: Act, record: Record, **more: Any) -> Record:
    return {
        **record,
        "version": record["version"] + 1,
        "changed_by": act.operator.id,
        "changed_at": act.time,
        **more,
    }


def _switch(act: Act, record: Record, to: str) -> Record:
    """suspended <-> active, with the reason."""
    _from(record, ("active",) if to == "suspended" else ("suspended",))
    return _changed(act, record, status=to, reason=getattr(act.form, "reason", None))


def _target(act: Act) -> str:
    """`suspended` for a suspend, `active` for a resume."""
    return "suspended" if act.name.endswith(".suspend") else "active"


# -- agencies, groups, purposes -------------------------------------------------------------------------------


def _add_agency(act: Act, book: Book) -> Record:
    form = _as(act, forms.AddAgency)
    _admin(act)
    _fresh(book, "agency", form.id)
    return _new(act, "agency", form.id)


def _switch_agency(act: Act, book: Book) -> Record:
    form = _as(act, forms.Named)
    _owner(act, form.id, or_admin=True)
    return _switch(act, _existing(book, "agency", form.id), _target(act))


def _add_group(act: Act, book: Book) -> Record:
    form = _as(act, forms.AddGroup)
    _admin(act)
    _fresh(book, "group", form.id)
    for member in form.members:
        _existing(book, "agency", member)
    return _new(act, "group", form.id)


def _membership(act: Act, book: Book) -> Record:
    form = _as(act, forms.Membership)
    _admin(act)
    record = _existing(book, "group", form.id)
    _existing(book, "agency", form.agency)
    joins, member = act.name == "group.join", form.agency in record["members"]
    if joins == member:
        raise Conflict("the membership is already so", "สมาชิกภาพเป็นเช่นนั้นอยู่แล้ว")
    members = [*record["members"], form.agency] if joins else [m for m in record["members"] if m != form.agency]
    return _changed(act, record, members=members)


def _add_purpose(act: Act, book: Book) -> Record:
    form = _as(act, forms.AddPurpose)
    _admin(act)
    _fresh(book, "purpose", form.code)
    return _new(act, "purpose", form.code)


def _switch_purpose(act: Act, book: Book) -> Record:
    form = _as(act, forms.NamedPurpose)
    _admin(act)
    return _switch(act, _existing(book, "purpose", form.code), _target(act))


# -- clients, officers, operators and their keys --------------------------------------------------------------


def _add_client(act: Act, book: Book) -> Record:
    form = _as(act, forms.AddClient)
    _admin(act)
    _existing(book, "agency", form.agency)
    _fresh(book, "client", form.id)
    _fresh(book, "operator", form.id)
    return _new(act, "client", form.id, keys=[key.as_dict() for key in form.keys], revoked_kids=[])


def _switch_client(act: Act, book: Book) -> Record:
    form = _as(act, forms.Named)
    record = _existing(book, "client", form.id)
    _owner(act, record["agency"], or_admin=True)
    return _switch(act, record, _target(act))


def _key_holder(act: Act) -> str:
    return act.form.id if isinstance(act.form, forms.AddKey) else _as(act, forms.RevokeKey).id


def _client_key(act: Act, book: Book) -> Record:
    record = _existing(book, "client", _key_holder(act))
    _owner(act, record["agency"], or_admin=True)
    return _with_keys(act, record)


def _operator_key(act: Act, book: Book) -> Record:
    """Nobody can slip a key of their own under another's name: only oneself, or an owner for an owner."""
    record = _existing(book, "operator", _key_holder(act))
    own = act.operator.id == record["id"]
    if act.name == "operator.key.revoke":
        if not own:
            _owner(act, record.get("agency") or "", or_admin=True)
    elif not own:
        if record["role"] == "owner":
            _owner(act, record["agency"])
        else:
            _admin(act)
    return _with_keys(act, record)


def _with_keys(act: Act, record: Record) -> Record:
    held = {key["kid"] for key in record["keys"]}
    if isinstance(act.form, forms.AddKey):
        if act.form.key.kid in held | set(record["revoked_kids"]):
            raise Conflict("there is, or was, a key of this kid already", "มีหรือเคยมีกุญแจรหัสนี้แล้ว")
        return _changed(act, record, keys=[*record["keys"], act.form.key.as_dict()])
    kid = _as(act, forms.RevokeKey).kid
    if kid not in held:
        raise NotFound("there is no key of this kid", "ไม่พบกุญแจรหัสนี้")
    return _changed(
        act,
        record,
        keys=[key for key in record["keys"] if key["kid"] != kid],
        revoked_kids=[*record["revoked_kids"], kid],
    )


def _add_officer(act: Act, book: Book) -> Record:
    form = _as(act, forms.AddOfficer)
    client = _existing(book, "client", form.client)
    _owner(act, client["agency"], or_admin=True)
    _fresh(book, "officer", f"{form.client}:{form.code}")
    return _new(act, "officer", f"{form.client}:{form.code}")


def _switch_officer(act: Act, book: Book) -> Record:
    form = _as(act, forms.NamedOfficer)
    client = _existing(book, "client", form.client)
    _owner(act, client["agency"], or_admin=True)
    return _switch(act, _existing(book, "officer", f"{form.client}:{form.code}"), _target(act))


def _add_operator(act: Act, book: Book) -> Record:
    """The first owner of an agency is enrolled by an administrator; from then on owners enrol owners."""
    form = _as(act, forms.AddOperator)
    if form.agency is not None:
        _existing(book, "agency", form.agency)
    if form.role == "owner":
        owners = [
            record
            for record in book.registers.records["operator"].values()
            if record["role"] == "owner" and record["agency"] == form.agency
        ]
        if owners:
            _owner(act, form.agency or "")
        else:
            _admin(act)
    else:
        _admin(act)
    _fresh(book, "operator", form.id)
    _fresh(book, "client", form.id)
    return _new(act, "operator", form.id, keys=[key.as_dict() for key in form.keys], revoked_kids=[])


def _switch_operator(act: Act, book: Book) -> Record:
    form = _as(act, forms.Named)
    record = _existing(book, "operator", form.id)
    if record["role"] == "owner":
        _owner(act, record["agency"], or_admin=_target(act) == "suspended")
    else:
        _admin(act)
    if record["role"] == "admin" and _target(act) == "suspended":
        others = [
            other
            for other in book.registers.operators.values()
            if other.role == "admin" and other.status == "active" and other.id != form.id
        ]
        if not others:
            raise Conflict("this is the last active administrator", "เป็นผู้ดูแลระบบคนสุดท้ายที่ยังใช้งานได้")
    return _switch(act, record, _target(act))


# -- connectors -----------------------------------------------------------------------------------------------


def _register_connector(act: Act, book: Book) -> Record:
    form = _as(act, forms.RegisterConnector)
    agency = book.proposed[0].agency
    _owner(act, agency, or_admin=True)
    _existing(book, "agency", agency)
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


def _approve_connector(act: Act, book: Book) -> Record:
    form = _as(act, forms.ApproveConnector)
    _owner(act, form.agency)
    record = _existing(book, "connector", form.agency)
    pending = record["pending"]
    if pending is None or pending["digest"] != form.digest:
        raise Conflict("no registration of this digest waits for approval", "ไม่มีการลงทะเบียนตามค่าแฮชนี้ที่รออนุมัติ")
    _someone_else(act, pending["registered_by"])
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


def _switch_connector(act: Act, book: Book) -> Record:
    form = _as(act, forms.NamedConnector)
    disable = act.name == "connector.disable"
    _owner(act, form.agency, or_admin=disable)
    record = _existing(book, "connector", form.agency)
    if form.service is None:
        _from(record, ("active",) if disable else ("disabled",))
        return _changed(act, record, status="disabled" if disable else "active", reason=form.reason)
    service = book.services.get(form.service)
    if service is None or service.agency != form.agency:
        raise NotFound("the agency offers no such service", "หน่วยงานนี้ไม่มีบริการข้อมูลดังกล่าว")
    disabled = set(record["disabled_services"])
    if (form.service in disabled) == disable:
        raise Conflict("the service is already so", "บริการข้อมูลอยู่ในสถานะนั้นอยู่แล้ว")
    return _changed(act, record, disabled_services=sorted(disabled ^ {form.service}), reason=form.reason)


# -- agreements -----------------------------------------------------------------------------------------------


def _source_of(book: Book, service: str) -> str:
    found = book.services.get(service)
    if found is None:
        raise NotFound("there is no such service", "ไม่มีบริการข้อมูลนี้")
    return found.agency


def _propose_agreement(act: Act, book: Book) -> Record:
    form = _as(act, forms.ProposeAgreement)
    source = _source_of(book, form.service)
    consumer = form.consumer.agency
    if not (act.operator.role == "owner" and act.operator.agency == consumer):
        _owner(act, source, or_admin=True)
    _check_agreement(form, book)
    body = form.model_dump(mode="json", by_alias=True)
    record = book.registers.record("agreement", form.id)
    version = record["version"] if record else 0
    pending = {"version": version + 1, "form": body, "proposed_by": act.operator.id, "proposed_at": act.time}
    if record is None or version == 0:
        blank = {**body, "kind": "agreement", "status": "proposed", "version": 0, "pending": pending}
        return {**blank, "source": source, "added_by": act.operator.id, "added_at": act.time}
    if record["status"] == "revoked":
        raise Conflict("a revoked agreement is not revived: propose one of another id", "ข้อตกลงถูกเพิกถอนแล้ว")
    if (record["service"], record["consumer"]) != (body["service"], body["consumer"]):
        raise Conflict("a new version keeps consumer and service", "ฉบับใหม่ต้องคงหน่วยงานผู้ใช้และบริการเดิม")
    return {**record, "pending": pending}


def _check_agreement(form: forms.ProposeAgreement, book: Book) -> None:
    service = book.services[form.service]
    party = form.consumer
    _existing(book, "agency" if party.agency else "group", party.agency or party.group or "")
    for name in form.clients:
        client = _existing(book, "client", name)
        if party.agency and client["agency"] != party.agency:
            raise MalformedRequest("a client named is not the consumer's", "ระบบที่ระบุไม่ใช่ของหน่วยงานผู้ใช้ข้อมูล")
    for term in form.terms:
        _existing(book, "purpose", term.purpose)
        unknown = sorted(set(term.fields) - service.fields.keys())
        if unknown:
            raise MalformedRequest(
                f"term {term.id}: the service has no field {', '.join(unknown)}",
                f"ข้อ {term.id}: บริการไม่มีรายการข้อมูล {', '.join(unknown)}",
            )
        sensitive = sorted(name for name in term.fields if service.fields[name].sensitive)
        if sensitive and term.sensitive_basis is None:
            raise MalformedRequest(
                f"term {term.id}: {', '.join(sensitive)} is sensitive (PDPA s.26): name the sensitive_basis",
                f"ข้อ {term.id}: {', '.join(sensitive)} เป็นข้อมูลอ่อนไหวตามมาตรา 26 ต้องระบุ sensitive_basis",
            )


def _pending_of(act: Act, book: Book, name: str, version: int) -> tuple[Record, Record]:
    record = _existing(book, "agreement", name)
    _owner(act, record["source"])
    pending = record["pending"]
    if pending is None or pending["version"] != version:
        raise Conflict("no proposal of this version waits", "ไม่มีข้อเสนอฉบับนี้ที่รออนุมัติ")
    return record, pending


def _approve_agreement(act: Act, book: Book) -> Record:
    form = _as(act, forms.ApproveAgreement)
    record, pending = _pending_of(act, book, form.id, form.version)
    _someone_else(act, pending["proposed_by"])
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


def _refuse_agreement(act: Act, book: Book) -> Record:
    form = _as(act, forms.RefuseAgreement)
    record, pending = _pending_of(act, book, form.id, form.version)
    refused = {**pending, "refused_by": act.operator.id, "refused_at": act.time, "ground": form.ground}
    status = record["status"] if record["version"] else "refused"
    return {**record, "status": status, "pending": None, "refused": refused}


def _switch_agreement(act: Act, book: Book) -> Record:
    form = _as(act, forms.Named)
    record = _existing(book, "agreement", form.id)
    _owner(act, record["source"], or_admin=_target(act) == "suspended")
    status = "suspended" if act.name.endswith(".suspend") else "active"
    _from(record, ("active",) if status == "suspended" else ("suspended",))
    return {**record, "status": status, "reason": form.reason, "changed_by": act.operator.id, "changed_at": act.time}


def _revoke_agreement(act: Act, book: Book) -> Record:
    form = _as(act, forms.Named)
    record = _existing(book, "agreement", form.id)
    _owner(act, record["source"])
    _from(record, ("active", "suspended"))
    more = {"status": "revoked", "pending": None, "reason": form.reason}
    return {**record, **more, "changed_by": act.operator.id, "changed_at": act.time}


_ACTS: dict[str, Callable[[Act, Book], Record]] = {
    "agency.add": _add_agency,
    "agency.suspend": _switch_agency,
    "agency.resume": _switch_agency,
    "group.add": _add_group,
    "group.join": _membership,
    "group.leave": _membership,
    "client.add": _add_client,
    "client.key.add": _client_key,
    "client.key.revoke": _client_key,
    "client.suspend": _switch_client,
    "client.resume": _switch_client,
    "officer.add": _add_officer,
    "officer.suspend": _switch_officer,
    "officer.resume": _switch_officer,
    "operator.add": _add_operator,
    "operator.key.add": _operator_key,
    "operator.key.revoke": _operator_key,
    "operator.suspend": _switch_operator,
    "operator.resume": _switch_operator,
    "purpose.add": _add_purpose,
    "purpose.suspend": _switch_purpose,
    "purpose.resume": _switch_purpose,
    "connector.register": _register_connector,
    "connector.approve": _approve_connector,
    "connector.disable": _switch_connector,
    "connector.enable": _switch_connector,
    "agreement.propose": _propose_agreement,
    "agreement.approve": _approve_agreement,
    "agreement.refuse": _refuse_agreement,
    "agreement.suspend": _switch_agreement,
    "agreement.resume": _switch_agreement,
    "agreement.revoke": _revoke_agreement,
}
"""Every act of `forms.FORMS`, and what does it; a test holds the two equal."""
