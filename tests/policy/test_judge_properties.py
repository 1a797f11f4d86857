"""What holds for every combination of facts, not only for the examples."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from gateway.model import (
    Agency,
    Agreement,
    Caller,
    Client,
    Consent,
    Facts,
    FieldInfo,
    IdentifierKind,
    Officer,
    Purpose,
    Service,
    Term,
    bangkok_day,
)
from gateway.policy import Judge, PolicySet

NAMES = ("name", "born", "address", "illness", "verdict")
CATEGORIES = {
    "name": "none",
    "born": "general",
    "address": "general",
    "illness": "health",
    "verdict": "criminal_record",
}
NOW = datetime(2026, 11, 20, 4, tzinfo=UTC)
MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@cache
def shipped() -> PolicySet:
    return PolicySet.from_folder(Path(__file__).parents[2] / "policies")


@cache
def the_judge() -> Judge:
    return Judge(shipped())


def mostly(good: Any, *others: Any) -> st.SearchStrategy[Any]:
    """`good` more often than not: a permit needs some thirty things to be right at once."""
    return st.sampled_from([good] * 150 + list(others))


status = mostly("active", "suspended", "Active", "")
names = st.frozensets(st.sampled_from(NAMES), min_size=1)


@st.composite
def all_facts(draw: st.DrawFn) -> Facts:
    """Facts of every kind, most attributes of each as they should be."""
    fields = {name: FieldInfo(name, "", "", draw(mostly(2, 1, 3)), CATEGORIES[name]) for name in NAMES}
    groups = draw(mostly(frozenset({"towns"}), frozenset(), frozenset({"hospitals"})))
    consumer = Agency("tha-kham", "", "", draw(status), groups)
    source = Agency("dopa", "", "", draw(status))
    client = Client(
        "welfare",
        "tha-kham",
        "",
        "",
        (),
        frozenset(),
        draw(status),
        clearance=draw(mostly(3, 1, 2)),
        cross_border=draw(mostly(False, True)),
    )
    service = Service(
        "dopa.person.v1",
        "dopa",
        "",
        "",
        IdentifierKind.CITIZEN,
        draw(mostly(2, 0, 1, 3, 4)),
        draw(mostly("personal", "official_secret", "misc")),
        draw(mostly(False, True)),
        5.0,
        True,
        {},
        fields,
        {},
        {},
    )
    term = Term(
        draw(mostly("t1", "t2")),
        draw(mostly("welfare.aid", "tax.audit")),
        draw(st.one_of(names, st.just(frozenset(NAMES)))),
        draw(st.sampled_from(["consent", "24(4)", "24(4)", "24(5)", "24(7)"])),
        "Act",
        "พ.ร.บ.",
        draw(mostly("24(2)", "", "24(10)", "24(1)", "consent")),
        draw(mostly("n1 v1", "")),
        draw(st.sampled_from(["", "consent", "26(5)(c)", "26(5)(c)", "26-criminal", "26(9)"])),
        draw(st.sampled_from([0, 10])),
        draw(mostly(0, 3)),
        draw(mostly(False, True)),
        draw(mostly(False, True)),
        draw(mostly("", "s.4(5) ref")),
        draw(mostly("", "order 1")),
    )
    whole = draw(mostly(True, False))
    agreement = Agreement(
        "a1",
        *draw(st.sampled_from([("tha-kham", False), ("towns", True), ("towns", True), ("bang-na", False)])),
        draw(mostly("dopa.person.v1", "dopa.house.v1")),
        draw(mostly("active", "proposed", "suspended", "revoked", "")),
        draw(mostly(date(2026, 1, 1), date(2026, 11, 21))),
        draw(mostly(date(2027, 12, 31), date(2026, 11, 19))),
        (term,),
        clients=draw(mostly(frozenset(), frozenset({"welfare"}), frozenset({"other"}))),
        controller=draw(mostly("both controllers", "")),
    )
    consent = draw(st.one_of(st.none(), consents(term.purpose), consents(term.purpose)))
    officer = draw(st.sampled_from([None, Officer("welfare", "W-1", draw(status)), Officer("other", "W-1")]))
    asked = draw(st.one_of(names, st.just(term.fields), st.just(frozenset({"name", "born"})), st.just(frozenset())))
    return Facts(
        now=NOW,
        caller=Caller("welfare", "tha-kham", "client", "", frozenset(), "k"),
        client=client,
        consumer=consumer,
        source=source,
        service=service,
        connector_status=draw(mostly("active", "disabled", "registered")),
        purpose=draw(mostly(Purpose("welfare.aid", "", "", "", "", (), draw(status)), None)),
        fields=tuple(sorted(asked)),
        officer_named=officer is not None or draw(mostly(False, True)),
        officer=officer,
        agreement=agreement if whole else None,
        term=term if whole and draw(mostly(True, False)) else None,
        consent_named=consent is not None or draw(mostly(False, True)),
        consent=consent,
        quota_used=draw(mostly(9, 0, 10, 11)),
        officer_quota_used=draw(mostly(0, 2, 3)),
    )


@st.composite
def consents(draw: st.DrawFn, purpose: str) -> Consent:
    return Consent(
        "c1",
        1,
        draw(mostly("given", "paused", "withdrawn", "")),
        draw(mostly("tha-kham", "bang-na")),
        draw(mostly("dopa.person.v1", "dopa.house.v1")),
        draw(st.one_of(names, st.just(frozenset(NAMES)))),
        draw(mostly(purpose, "tax.audit")),
        NOW - timedelta(days=draw(mostly(1, -1))),
        NOW + timedelta(days=draw(mostly(1, -1))),
        draw(mostly(True, False)),
        draw(mostly(True, False)),
        draw(mostly(True, False)),
        draw(mostly(None, 0, 1)),
        draw(st.sampled_from(["adult", "adult", "adult", "minor_10_19", "minor_under_10", ""])),
        draw(st.sampled_from(["", "", "parent", "guardian", "curator", "aunt"])),
        draw(st.booleans()),
        draw(st.sampled_from([None, NOW + timedelta(1), NOW - timedelta(1)])),
        draw(st.sampled_from(["full", "full", "full", "incompetent", "quasi_incompetent", ""])),
        draw(mostly(True, False)),
    )


def lawful(facts: Facts) -> bool:
    """Whether these facts may be permitted: the sections in plain Python, written apart from the rules."""
    agreement, term, consent, purpose = facts.agreement, facts.term, facts.consent, facts.purpose
    if agreement is None or term is None or purpose is None or not facts.fields:
        return False
    sensitive = {name for name in facts.fields if CATEGORIES[name] in ("health", "criminal_record")}
    level = max(facts.service.level, *(facts.service.fields[name].level for name in facts.fields))
    enrolled = facts.officer is not None and facts.officer.client == "welfare" and facts.officer.status == "active"
    demanded = (
        facts.service.officer_required or term.officer_required or level == 3 or term.quota_per_officer_per_day > 0
    )
    stands_on_consent = set(facts.fields) if term.lawful_basis == "consent" else set()
    if term.sensitive_basis == "consent":
        stands_on_consent |= sensitive
    today = bangkok_day(facts.now)
    return (
        {facts.client.status, facts.consumer.status, facts.source.status, facts.connector_status, purpose.status}
        == {"active"}
        and agreement.status == "active"
        and agreement.starts <= today <= agreement.ends
        and agreement.service == facts.service.id
        and agreement.consumer in ({*facts.consumer.groups} if agreement.consumer_is_group else {"tha-kham"})
        and (not agreement.clients or "welfare" in agreement.clients)
        and bool(agreement.controller)
        and term.purpose == purpose.code
        and set(facts.fields) <= term.fields
        and (term.oia_ground == "24(2)" or (term.oia_ground == term.lawful_basis == "consent"))
        and bool(term.notice or term.pdpa_exemption)
        and term.lawful_basis != "24(7)"
        and term.sensitive_basis != "26(9)"
        and not (sensitive and not term.sensitive_basis and not term.pdpa_exemption)
        and not ("verdict" in facts.fields and term.sensitive_basis != "26-criminal" and term.lawful_basis != "24(4)")
        and 1 <= level <= min(3, facts.client.clearance)
        and facts.service.category != "misc"
        and not (facts.service.category == "official_secret" and not term.secrecy_release)
        and not (facts.client.cross_border and not term.cross_border)
        and (enrolled if facts.officer_named else not demanded)
        and not (term.quota_per_day and facts.quota_used >= term.quota_per_day)
        and not (
            facts.officer_named
            and term.quota_per_officer_per_day
            and facts.officer_quota_used >= term.quota_per_officer_per_day
        )
        and not (facts.consent_named and consent is None)
        and (not stands_on_consent or (consent is not None and in_force(consent, facts, stands_on_consent)))
    )


def in_force(consent: Consent, facts: Facts, needed: set[str]) -> bool:
    """Whether the consent is the citizen's, now, for this, and given by whom the law wants (s.19, s.20)."""
    assert facts.purpose is not None
    adult = consent.age_band == "adult"
    parental = consent.guardian in ("parent", "guardian")
    of_age = {
        "adult": True,
        "minor_10_19": parental or consent.act_a_minor_may_do,
        "minor_under_10": parental,
    }.get(consent.age_band, False)
    able = {
        "full": consent.by_self or consent.age_band == "minor_under_10",
        "incompetent": consent.guardian == "guardian",
        "quasi_incompetent": consent.guardian == "curator",
    }.get(consent.capacity, False)
    known_until = consent.confirm_by > facts.now if consent.confirm_by else adult
    return (
        consent.status == "given"
        and consent.starts <= facts.now < consent.ends
        and (consent.consumer, consent.service, consent.purpose) == ("tha-kham", facts.service.id, facts.purpose.code)
        and needed <= consent.fields
        and consent.same_subject
        and consent.collector_allowed
        and consent.assurance_sufficient
        and consent.uses_left != 0
        and of_age
        and able
        and known_until
    )


@MANY
@given(all_facts())
def test_the_rules_permit_what_the_law_permits_and_nothing_else(facts: Facts) -> None:
    decision = the_judge().judge([facts])
    event(f"permit {decision.permit}")
    assert decision.permit == lawful(facts), [reason.policy for reason in decision.reasons]
    assert bool(decision.reasons) != decision.permit
    assert "judgement_failed" not in {reason.code for reason in decision.reasons}


@MANY
@given(st.lists(all_facts(), min_size=1, max_size=3), st.booleans())
def test_no_field_leaves_outside_term_and_question(candidates: list[Facts], with_forbids: bool) -> None:
    """Also where every rule that refuses is gone."""
    rules = the_judge() if with_forbids else Judge(bare())
    decision = rules.judge(candidates)
    if not decision.permit:
        assert decision.fields == ()
        return
    assert decision.fields
    assert any(
        facts.term is not None
        and facts.term.id == decision.term
        and set(decision.fields) <= facts.term.fields & set(facts.fields)
        for facts in candidates
    )


@cache
def bare() -> PolicySet:
    return shipped().only("exchange-under-an-agreement")


FORBIDS = sorted(info.id for info in shipped().policies if info.effect == "forbid")


@FEW
@given(all_facts(), st.sets(st.sampled_from(FORBIDS)), st.sets(st.sampled_from(FORBIDS), min_size=1))
def test_a_forbid_more_never_permits_more(facts: Facts, some: set[str], more: set[str]) -> None:
    few = Judge(shipped().only("exchange-under-an-agreement", *some))
    many = Judge(shipped().only("exchange-under-an-agreement", *some, *more))
    if many.judge([facts]).permit:
        assert few.judge([facts]).permit


@MANY
@given(all_facts())
def test_a_consent_less_never_permits_more(facts: Facts) -> None:
    judge = the_judge()
    with_it = judge.judge([facts])
    for without in (
        dataclasses.replace(facts, consent=None),
        dataclasses.replace(facts, consent=None, consent_named=False),
    ):
        decision = judge.judge([without])
        if decision.permit and not with_it.permit:
            # Only a consent id that leads nowhere may be left out to advantage: it never was a consent.
            assert facts.consent is None
        if decision.permit:
            assert decision.consent_id is None


@FEW
@given(st.lists(all_facts(), min_size=2, max_size=4))
def test_several_candidates_are_permitted_just_where_one_alone_is(candidates: list[Facts]) -> None:
    judge = the_judge()
    alone = [judge.judge([facts]) for facts in candidates]
    together = judge.judge(candidates)
    permitted = [decision for decision in alone if decision.permit]
    assert together == (
        permitted[0] if permitted else min(alone, key=lambda refused: (refused.term is None, len(refused.reasons)))
    )
