"""Narrowing an agreement: it holds at once, without approval, as it takes away and adds nothing.

Whatever would add anything is refused here: that is a new version, for the source to approve (PDPA s.22, s.27).
"""

from __future__ import annotations

from datetime import date
from typing import Any

from gateway.errors import Conflict, MalformedRequest, NotFound
from gateway.registers.acting import Act, Book, as_form, existing, require_owner, require_status
from gateway.registers.agreement_acts import next_version
from gateway.registers.agreement_forms import NarrowAgreement, NarrowTerm
from gateway.registers.snapshot import Record


def narrow_agreement(act: Act, book: Book) -> Record:
    """By an owner of the source, or of the consumer (of a group, the source alone: it is everyone's)."""
    form = as_form(act, NarrowAgreement)
    record = existing(book, "agreement", form.id)
    consumer = record["consumer"].get("agency")
    if not (consumer and act.operator.role == "owner" and act.operator.agency == consumer):
        require_owner(act, record["source"])
    require_status(record, ("active", "suspended"))
    if record["version"] != form.version:
        raise Conflict("the agreement is of another version by now", "ข้อตกลงเป็นฉบับอื่นแล้ว")
    changed = {
        "period": _period(record["period"], form.from_, form.to),
        "clients": _clients(record["clients"], form.clients, consumer, book),
        "terms": _terms(record["terms"], form),
    }
    if all(record[name] == value for name, value in changed.items()):
        raise MalformedRequest("nothing is narrowed", "ไม่มีส่วนใดแคบลง")
    pending = record["pending"]
    decisions = list(record.get("decisions", ()))
    if pending is not None:  # approved later, it would undo what is narrowed now
        one = {name: pending[name] for name in ("version", "proposed_by", "proposed_at")}
        more = {"outcome": "superseded", "decided_by": act.operator.id, "decided_at": act.time, "ground": form.reason}
        decisions.append({**one, **more})
    return {
        **record,
        **changed,
        "version": next_version(record),
        "pending": None,
        "decisions": decisions,
        "narrowed_by": act.operator.id,
        "narrowed_at": act.time,
        "reason": form.reason,
    }


def _wider(place: str) -> MalformedRequest:
    return MalformedRequest(
        f"{place}: this would widen the agreement: propose a new version", f"{place}: เป็นการขยายข้อตกลง ต้องเสนอฉบับใหม่"
    )


def _period(period: Record, begins: date | None, ends: date | None) -> dict[str, str]:
    first, last = date.fromisoformat(period["from"]), date.fromisoformat(period["to"])
    begins, ends = begins or first, ends or last
    if begins < first or ends > last:
        raise _wider("from" if begins < first else "to")
    if ends < begins:
        raise MalformedRequest("to: the period ends before it begins", "to: ระยะเวลาสิ้นสุดก่อนเริ่มต้น")
    return {"from": begins.isoformat(), "to": ends.isoformat()}


def _clients(held: list[str], left: list[str] | None, consumer: str | None, book: Book) -> list[str]:
    """An agreement without clients is for all of the consumer's."""
    if left is None:
        return held
    for name in left:
        client = existing(book, "client", name)
        if (held and name not in held) or (consumer and client["agency"] != consumer):
            raise _wider("clients")
    return list(dict.fromkeys(left))


def _terms(held: list[Record], form: NarrowAgreement) -> list[Record]:
    known = {term["id"] for term in held}
    if not {*form.drop_terms, *(term.id for term in form.terms)} <= known:
        raise NotFound("the agreement has no such term", "ข้อตกลงไม่มีข้อกำหนดนี้")
    changes = {term.id: term for term in form.terms}
    if len(changes) != len(form.terms):
        raise MalformedRequest("terms: two are of the same id", "terms: รหัสข้อกำหนดซ้ำ")
    left = [term for term in held if term["id"] not in form.drop_terms]
    if not left:
        raise MalformedRequest("no term would be left: revoke the agreement", "ไม่เหลือข้อกำหนด ให้เพิกถอนข้อตกลง")
    return [_narrowed(term, changes[term["id"]]) if term["id"] in changes else term for term in left]


def _narrowed(term: Record, change: NarrowTerm) -> Record:
    fields: list[str] = term["fields"]
    if change.fields is not None:
        if not set(change.fields) <= set(fields):
            raise _wider("terms.fields")
        fields = [name for name in fields if name in change.fields]
    quotas: dict[str, Any] = {}
    for name in ("quota_per_day", "quota_per_officer_per_day"):
        limit, now = getattr(change, name), term.get(name)
        if limit is not None and now is not None and limit > now:
            raise _wider(f"terms.{name}")
        quotas[name] = limit if limit is not None else now
    return {
        **term,
        **quotas,
        "fields": fields,
        "officer_required": term["officer_required"] or bool(change.officer_required),
        "cross_border": term["cross_border"] and change.cross_border is not False,
    }
