"""Whether a consent may be taken at all: by the agreement's term that it is for.

The exchange's own rules judge every use of a consent anew. These here refuse at once what no exchange could
ever stand on, in the same words, so that no citizen is asked for a consent in vain (PDPA s.19).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.consents import Evidence, GiveConsent, Record
from gateway.current import Holding
from gateway.errors import Denied, MalformedRequest, Reason, UnknownField, UnknownService
from gateway.model import Agency, Agreement, Caller, IdentifierKind, Service, Term, bangkok_day, now

_NOT_OURS = Reason("not_permitted", "consents", "PDPA B.E. 2562 s.19", "No rule lets this consent be taken",
                   "ไม่มีกติกาใดให้เก็บความยินยอมนี้", "Ask the gateway's administrators", "สอบถามผู้ดูแลระบบ")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Basis:
    """What a consent is for: the parties, and the agreement's term that stands on consent."""

    service: Service
    consumer: Agency
    source: Agency
    agreement: Agreement
    term: Term
    form: Mapping[str, Any]
    """The agreement as registered."""
    rules: Mapping[str, Any]
    """The term's own rules of consent, as registered."""


def basis_of(holding: Holding, caller: Caller, form: GiveConsent) -> Basis:
    """The term that the consent is for. Raises UnknownService, UnknownField, MalformedRequest, Denied."""
    registers = holding.registers
    service = holding.services.get(form.service)
    if service is None:
        raise UnknownService
    if service.identifier_kind is not IdentifierKind.CITIZEN:
        raise MalformedRequest("only a citizen consents", "ผู้ให้ความยินยอมต้องเป็นบุคคลธรรมดา")
    if any(name not in service.fields for name in form.fields):
        raise UnknownField("the service's schema lacks a field that is named", "มีรายการข้อมูลที่ไม่อยู่ในสคีมาของบริการ")
    consumer, source = registers.agencies.get(form.consumer or caller.agency), registers.agencies.get(service.agency)
    today = bangkok_day(now())
    agreements = [
        agreement
        for agreement in (registers.standing(service.id, consumer) if consumer else ())
        if agreement.status == "active" and today <= agreement.ends
    ]
    if consumer is None or source is None or not agreements:
        raise _refused(holding, "no_agreement")
    terms = [(agreement, term) for agreement in agreements for term in agreement.terms if term.purpose == form.purpose]
    if not terms:
        raise _refused(holding, "purpose_not_covered", agreements[0])
    standing = [(a, term) for a, term in terms if "consent" in (term.lawful_basis, term.sensitive_basis)]
    if not standing:
        raise _not_needed(terms[0][0])
    covering = [(a, term) for a, term in standing if term.fields.issuperset(form.fields)]
    if not covering:
        beyond = sorted(name for name in form.fields if name not in standing[0][1].fields)
        raise _refused(holding, "field_not_covered", standing[0][0], tuple(beyond))
    lacking: Denied | None = None
    for agreement, term in covering:
        record = registers.record("agreement", agreement.id) or {}
        body = next(one for one in record["terms"] if one["id"] == term.id)
        basis = Basis(service, consumer, source, agreement, term, record, body.get("consent") or {})
        lacking = _against(holding, caller, form, basis)
        if lacking is None:
            return basis
    raise lacking or _refused(holding, "no_agreement")


def use_limit(form: GiveConsent, basis: Basis) -> Mapping[str, Any] | None:
    """The consent's limit of uses: its own, within the term's where that sets one."""
    own = form.use_limit.model_dump() if form.use_limit else None
    most = basis.rules.get("uses")
    if most is None or own is None:
        return own or most
    if own["per"] != most["per"] or own["times"] > most["times"]:
        raise MalformedRequest(
            "use_limit: the agreement's term allows fewer uses, or counts them by another period",
            "use_limit: ข้อตกลงให้ใช้ได้น้อยกว่านี้ หรือนับตามช่วงเวลาอื่น",
        )
    return own


def proofs_of(form: GiveConsent) -> list[Evidence]:
    """The citizen's own evidence and the guardian's, as far as there are any."""
    return [proof for proof in (form.evidence, form.guardian.evidence if form.guardian else None) if proof is not None]


def require_proof(holding: Holding, caller: Caller, record: Record, proof: Evidence) -> None:
    """That this office may add what `proof` shows to a consent that was given before. Raises MalformedRequest, Denied.

    By the agreement's term as it is now, and for the notice that the citizen was shown then.
    """
    if proof.notice_sha256 != record["notice"]["sha256"]:
        raise MalformedRequest(
            "notice_sha256 is not the digest of the consent's own notice", "notice_sha256 ไม่ตรงกับข้อความที่แจ้งในความยินยอมนี้"
        )
    consumer = holding.registers.agencies[record["controller"]["agency"]]
    standing = holding.registers.standing(record["service"], consumer)
    agreement = next((one for one in standing if one.id == record["agreement"]), None)
    if agreement is None or agreement.status != "active" or bangkok_day(now()) > agreement.ends:
        raise _refused(holding, "no_agreement")
    term = next((one for one in agreement.terms if one.id == record["term"]), None)
    if term is None:
        raise _refused(holding, "purpose_not_covered", agreement)
    lacking = _badly_proved(holding, caller, [proof], agreement, term)
    if lacking is not None:
        raise lacking


def _against(holding: Holding, caller: Caller, form: GiveConsent, basis: Basis) -> Denied | None:
    """What on this term stands against taking the consent."""
    lacking = _badly_proved(holding, caller, proofs_of(form), basis.agreement, basis.term)
    if lacking is None and basis.term.notice != f"{form.notice.id} {form.notice.version}":
        return _other_notice(basis.agreement)
    return lacking


def _badly_proved(
    holding: Holding, caller: Caller, proofs: Iterable[Evidence], agreement: Agreement, term: Term
) -> Denied | None:
    """What stands against these proofs: who took them, how, how well, and which officer."""
    if caller.agency not in term.consent_collectors:
        return _refused(holding, "consent_collector_not_allowed", agreement)
    for proof in proofs:
        if proof.method not in term.consent_methods:
            return _refused(holding, "consent_collector_not_allowed", agreement)
        if proof.assurance < term.consent_assurance:
            return _refused(holding, "consent_assurance_too_low", agreement)
        officer = holding.registers.officers.get((caller.id, proof.officer)) if proof.officer else None
        if proof.officer is not None and (officer is None or officer.status != "active"):
            return _refused(holding, "officer_not_enrolled", agreement)
    return None


def _refused(holding: Holding, code: str, agreement: Agreement | None = None, fields: Iterable[str] = ()) -> Denied:
    """The reason of this code in the words of the policy set in force."""
    policies = holding.judge.policies.policies
    info = next((policy for policy in policies if policy.effect == "forbid" and policy.code == code), None)
    if info is None:
        return Denied((_NOT_OURS,))
    reason = Reason(
        code=code,
        policy=info.id,
        section=info.section,
        title_en=info.title_en,
        title_th=info.title_th,
        remedy_en=info.remedy_en,
        remedy_th=info.remedy_th,
        ask=agreement.contact if agreement else "",
        clause=f"agreement {agreement.id}" if agreement else "",
        fields=tuple(fields),
    )
    return Denied((reason,))


def _not_needed(agreement: Agreement) -> Denied:
    reason = Reason(
        code="consent_not_needed",
        policy="consents",
        section="PDPA B.E. 2562 s.19",
        title_en="The agreement's term does not stand on consent: none may be asked for",
        title_th="ข้อตกลงไม่ได้ใช้ฐานความยินยอม จึงห้ามขอความยินยอม",
        remedy_en="Ask the question without a consent",
        remedy_th="ขอข้อมูลได้โดยไม่ต้องใช้ความยินยอม",
        ask=agreement.contact,
        clause=f"agreement {agreement.id}",
    )
    return Denied((reason,))


def _other_notice(agreement: Agreement) -> Denied:
    reason = Reason(
        code="consent_notice_differs",
        policy="consents",
        section="PDPA B.E. 2562 s.19, s.23",
        title_en="The notice shown is not the one that the agreement names",
        title_th="ประกาศความเป็นส่วนตัวที่แจ้งไม่ตรงกับที่ข้อตกลงกำหนด",
        remedy_en="Show the citizen the agreement's notice, in its version",
        remedy_th="แจ้งประกาศฉบับที่ข้อตกลงกำหนดแก่เจ้าของข้อมูลส่วนบุคคล",
        ask=agreement.contact,
        clause=f"agreement {agreement.id}",
    )
    return Denied((reason,))
