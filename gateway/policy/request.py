"""Facts in Cedar's shape: the registers' facts as entities, the question's own as the context.

The entities of one client, service and term are the same from one question to the next, so their parsed
handle is kept, keyed by every value it is made of: a register that changes makes another key, never a stale
handle. What changes with each question goes into the context, as small as it can be (each attribute there
costs some 2 µs to read in, an entity reference 8).
"""

from __future__ import annotations

from datetime import date, datetime
from functools import lru_cache, partial
from typing import Any, NamedTuple

import cedarpy
import orjson

from gateway.model.exchange import Facts
from gateway.model.identifiers import bangkok_day
from gateway.model.parties import Term

ACTION = {"type": "Action", "id": "exchange"}
HANDLES = 512
"""Parsed entity handles kept, some 18 KiB each: one for each client, service and term in use. To parse one costs some
0.3 ms, for a question to which the judge does not have the answer already."""


COMPARISONS_A_DAY = 5
"""How often one person may be compared with what is given, on one term and day: nobody tries names until one fits."""


class InconsistentFacts(ValueError):
    """The facts do not belong together (another caller's client, half an agreement): nothing to judge by."""


def _ref(kind: str, name: str) -> dict[str, dict[str, str]]:
    return {"__entity": {"type": kind, "id": name}}


def _entity(kind: str, name: str, parents: list[tuple[str, str]], **attributes: Any) -> dict[str, Any]:
    above = [{"type": parent, "id": parent_name} for parent, parent_name in parents]
    return {"uid": {"type": kind, "id": name}, "attrs": attributes, "parents": above}


def day_number(day: date) -> int:
    """A day as the rules compare it: YYYYMMDD."""
    return day.year * 10_000 + day.month * 100 + day.day


def seen_from(now: datetime, moment: datetime) -> int:
    """A moment as the rules compare it: -1 before `now`, 0 at it, 1 after, to the millisecond that is recorded.

    Raises InconsistentFacts without an offset.
    """
    if moment.tzinfo is None or now.tzinfo is None:
        raise InconsistentFacts("a time without an offset")
    then, at = int(moment.timestamp() * 1000), int(now.timestamp() * 1000)
    return (then > at) - (then < at)


def term_name(agreement: str, term: str) -> str:
    """The id of a term's entity."""
    return agreement + "/" + term


def _entities(
    schema: cedarpy.Schema,
    client: tuple[str, str, int, bool],
    consumer: tuple[str, str, frozenset[str]],
    service: tuple[str, int, str, bool, str],
    source: tuple[str, str],
    agreement: tuple[str, str, bool, frozenset[str], str, str, date, date, str] | None,
    term: Term | None,
) -> cedarpy.Entities:
    """The parsed entities of these values and of nothing else, typed as the schema has them.

    Raises ValueError where a value is not of the schema's type.
    """
    client_id, client_status, clearance, cross_border = client
    consumer_id, consumer_status, groups = consumer
    service_id, level, category, officer_required, connector = service
    source_id, source_status = source
    agencies = {source_id: _entity("Agency", source_id, [], id=source_id, status=source_status)}
    # A consumer that is its own source stands as the consumer, with its groups; both rows are one agency's.
    above = [("Group", group) for group in groups]
    agencies[consumer_id] = _entity("Agency", consumer_id, above, id=consumer_id, status=consumer_status)
    entities = [
        *agencies.values(),
        _entity(
            "Client",
            client_id,
            [("Agency", consumer_id)],
            agency=_ref("Agency", consumer_id),
            status=client_status,
            clearance=clearance,
            cross_border=cross_border,
        ),
        _entity(
            "Service",
            service_id,
            [("Agency", source_id)],
            id=service_id,
            agency=_ref("Agency", source_id),
            level=level,
            category=category,
            officer_required=officer_required,
            connector=connector,
        ),
    ]
    if agreement is not None and term is not None:
        entities.append(_term_entity(agreement, term))
    return cedarpy.Entities.from_json_str(orjson.dumps(entities).decode(), schema)


def _term_entity(
    agreement: tuple[str, str, bool, frozenset[str], str, str, date, date, str], term: Term
) -> dict[str, Any]:
    agreement_id, consumer, is_group, clients, service, status, starts, ends, controller = agreement
    inner: dict[str, Any] = {
        "service": _ref("Service", service),
        "status": status,
        "starts": day_number(starts),
        "ends": day_number(ends),
        "controller": controller,
    }
    if is_group:
        inner["group"] = _ref("Group", consumer)
    else:
        inner["consumer"] = _ref("Agency", consumer)
    if clients:
        inner["clients"] = [_ref("Client", name) for name in sorted(clients)]
    attributes: dict[str, Any] = {
        "agreement": inner,
        "purpose": term.purpose,
        "fields": sorted(term.fields),
        "lawful_basis": term.lawful_basis,
        "authority_en": term.authority_en,
        "authority_th": term.authority_th,
        "oia_ground": term.oia_ground,
        "notice": term.notice,
        "sensitive_basis": term.sensitive_basis,
        "officer_required": term.officer_required,
        "cross_border": term.cross_border,
    }
    if term.pdpa_exemption:
        attributes["pdpa_exemption"] = term.pdpa_exemption
    if term.secrecy_release:
        attributes["secrecy_release"] = term.secrecy_release
    return _entity("Term", term_name(agreement_id, term.id), [], **attributes)


def sensitive_fields(facts: Facts) -> list[str]:
    """The fields asked for that PDPA s.26 covers; one of which the service says nothing counts as such."""
    known = facts.service.fields
    return [name for name in facts.fields if name not in known or known[name].sensitive]


def needs_consent(term: Term, sensitive: list[str]) -> bool:
    """Whether the term stands on consent: for everything, or for the sensitive fields that are asked for."""
    return term.lawful_basis == "consent" or (bool(sensitive) and term.sensitive_basis == "consent")


class Asked(NamedTuple):
    """All that the rules look at, by value: equal ones are judged alike by the same rules.

    `context`: Cedar's context as JSON text. `entities`: the values that the entities are made of.
    """

    client: str
    service: str
    context: str
    entities: tuple[Any, ...]


class Requests:
    """Puts facts into the shape of one set's schema, and keeps the parsed entities (thread-safe)."""

    def __init__(self, schema: cedarpy.Schema) -> None:
        self._entities = lru_cache(maxsize=HANDLES)(partial(_entities, schema))

    def of(self, asked: Asked) -> tuple[dict[str, Any], cedarpy.Entities]:
        """The request and the entities that Cedar judges. Raises what wrong types raise."""
        request = {
            "principal": {"type": "Client", "id": asked.client},
            "action": ACTION,
            "resource": {"type": "Service", "id": asked.service},
            "context": asked.context,
        }
        return request, self._entities(*asked.entities)


def _require_one_question(facts: Facts) -> None:
    """That the facts belong together and are of the shapes that Cedar could not tell apart."""
    client, consumer, source = facts.client, facts.consumer, facts.source
    agreement, term = facts.agreement, facts.term
    if facts.caller.id != client.id or client.agency != consumer.id or facts.service.agency != source.id:
        raise InconsistentFacts("caller, client, agencies and service do not belong together")
    if facts.now.tzinfo is None:
        raise InconsistentFacts("a time without an offset")
    if consumer.id == source.id and consumer != source:
        raise InconsistentFacts("two readings of one agency")
    if term is not None and (agreement is None or all(own.id != term.id for own in agreement.terms)):
        raise InconsistentFacts("a term without its agreement")
    if facts.officer is not None and not facts.officer_named:
        raise InconsistentFacts("an officer whom the question does not name")
    sets = [consumer.groups]
    if agreement is not None and term is not None:
        sets += (agreement.clients, term.fields)
    if facts.consent is not None:
        sets.append(facts.consent.fields)
    # A text would pass for the set of its letters, and no set of clients for all of them.
    if type(facts.fields) is not tuple or any(type(own) is not frozenset for own in sets):
        raise InconsistentFacts("not a set of texts where one belongs")


def asked_of(facts: Facts) -> Asked:
    """What is asked of the rules. Raises InconsistentFacts, and what wrong types raise."""
    _require_one_question(facts)
    client, consumer, service, source = facts.client, facts.consumer, facts.service, facts.source
    agreement, term, known = facts.agreement, facts.term, facts.service.fields
    sensitive = sensitive_fields(facts)
    context: dict[str, Any] = {
        "today": day_number(bangkok_day(facts.now)),
        "fields": facts.fields,
    }
    if sensitive:
        context["sensitive"] = sensitive
        context["categories"] = [known[name].pdpa if name in known else "unclassified" for name in sensitive]
    if facts.purpose is not None:
        context["purpose"] = facts.purpose.code
        context["purpose_status"] = facts.purpose.status
    if facts.officer_named:
        enrolled = facts.officer is not None and facts.officer.client == client.id
        context["officer"] = facts.officer.status if enrolled and facts.officer else "not_enrolled"
    agreement_key = None
    if agreement is not None and term is None:
        context["agreement_without_term"] = True
    elif agreement is not None and term is not None:
        agreement_key = (
            agreement.id,
            agreement.consumer,
            agreement.consumer_is_group,
            agreement.clients,
            agreement.service,
            agreement.status,
            agreement.starts,
            agreement.ends,
            agreement.controller,
        )
        context["term"] = _ref("Term", term_name(agreement.id, term.id))
        _add_term_facts(context, facts, term, sensitive)
    level = max([service.level, *(known[name].level for name in facts.fields if name in known)])
    key = (
        (client.id, client.status, client.clearance, client.cross_border),
        (consumer.id, consumer.status, consumer.groups),
        (service.id, level, service.category, service.officer_required, facts.connector_status),
        (source.id, source.status),
        agreement_key,
        term,
    )
    return Asked(client.id, service.id, orjson.dumps(context).decode(), key)


def _add_term_facts(context: dict[str, Any], facts: Facts, term: Term, sensitive: list[str]) -> None:
    """Quotas, and the consent where the term stands on one.

    What is left of a quota or of a consent's uses is told as some or none, and a consent's times by whether they lie
    behind or ahead: so questions that differ in nothing the rules look at look the same to the judge.
    """
    if term.quota_per_day != 0:
        context["quota_left"] = min(term.quota_per_day - facts.quota_used, 1)
    if term.quota_per_officer_per_day != 0:
        context["officer_counted"] = True
        if facts.officer_named:
            context["officer_quota_left"] = min(term.quota_per_officer_per_day - facts.officer_quota_used, 1)
    if facts.comparisons_used is not None:
        context["comparisons_left"] = min(COMPARISONS_A_DAY - facts.comparisons_used, 1)
    consent = facts.consent
    if consent is None:
        if facts.consent_named:
            context["consent_unknown"] = True
        return
    if not needs_consent(term, sensitive):
        return
    own: dict[str, Any] = {
        "status": consent.status,
        "consumer": consent.consumer,
        "service": consent.service,
        "purpose": consent.purpose,
        "fields": list(consent.fields),
        "same_subject": consent.same_subject,
        "starts": seen_from(facts.now, consent.starts),
        "ends": seen_from(facts.now, consent.ends),
        "collector_allowed": consent.collector_allowed,
        "assurance_sufficient": consent.assurance_sufficient,
        "age_band": consent.age_band,
        "capacity": consent.capacity,
    }
    if consent.by_self is True:
        own["by_self"] = True
    if consent.guardian != "":
        own["guardian"] = consent.guardian
    if consent.act_a_minor_may_do is True:
        own["act_a_minor_may_do"] = True
    if consent.confirm_by is not None:
        own["confirm_by"] = seen_from(facts.now, consent.confirm_by)
    if consent.uses_left is not None:
        own["uses_left"] = min(consent.uses_left, 1)
    context["consent"] = own
