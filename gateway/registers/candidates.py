"""The candidate terms of a question: one set of facts for each term on which the exchange could stand.

One exchange stands on one term that covers everything; never on a union of terms. Terms that look likely come
first, so that the judge seldom has to look at more than one.
"""

from __future__ import annotations

from datetime import datetime

from gateway.errors import InvalidToken
from gateway.given import needed
from gateway.model import Agency, Agreement, Caller, Facts, Question, Service, Term, bangkok_day
from gateway.registers.snapshot import Registers

_NOWHERE = Agency("", "", "", "unknown")


def candidates(
    registers: Registers, caller: Caller, service: Service, question: Question, moment: datetime
) -> list[Facts]:
    """At least one Facts; agreement and term are None where there is none to stand on."""
    client = registers.clients.get(caller.id)
    if client is None:
        raise InvalidToken("the token's client is not a registered client", "ไม่พบระบบผู้ใช้ของโทเคนนี้")
    consumer = registers.agencies.get(client.agency, _NOWHERE)
    today = bangkok_day(moment)
    pairs: list[tuple[Agreement | None, Term | None]] = []
    for agreement in registers.standing(service.id, consumer):
        terms: list[Term | None] = [term for term in agreement.terms if term.purpose == question.purpose]
        pairs.extend((agreement, term) for term in (terms or [None]))
    asked = frozenset(question.fields) if question.fields is not None else None

    def unlikely(pair: tuple[Agreement | None, Term | None]) -> tuple[bool, bool, bool, bool]:
        agreement, term = pair
        in_force = agreement is not None and agreement.status == "active"
        in_force = in_force and agreement is not None and agreement.starts <= today <= agreement.ends
        over = agreement is None or agreement.status == "revoked"  # one that may stand again says better what is amiss
        return (not in_force, term is None, term is None or not (asked is None or asked <= term.fields), over)

    pairs.sort(key=unlikely)
    connector_status = _connector_status(registers, service)
    return [
        Facts(
            now=moment,
            caller=caller,
            client=client,
            consumer=consumer,
            source=registers.agencies.get(service.agency, _NOWHERE),
            service=service,
            connector_status=connector_status,
            purpose=registers.purposes.get(question.purpose),
            fields=_fields(question, service, term),
            officer_named=question.officer is not None,
            officer=registers.officers.get((client.id, question.officer)) if question.officer else None,
            agreement=agreement,
            term=term,
            consent_named=question.consent_id is not None,
        )
        for agreement, term in (pairs or [(None, None)])
    ]


def _connector_status(registers: Registers, service: Service) -> str:
    """active, disabled, or unknown where the agency's approved registration does not offer the service."""
    connector = registers.record("connector", service.agency)
    if connector is None or connector["registration"] is None:
        return "unknown"
    if not any(offered["id"] == service.id for offered in connector["registration"]["services"]):
        return "unknown"
    return "disabled" if service.id in connector["disabled_services"] else str(connector["status"])


def _fields(question: Question, service: Service, term: Term | None) -> tuple[str, ...]:
    """Those asked for; else the term's, and of those that compare the ones that something is given for."""
    if question.fields is not None:
        return question.fields
    if term is None:
        return ()
    told = [name for name in term.fields if needed(service, name) <= question.given.keys()]
    return tuple(sorted(told or term.fields))
