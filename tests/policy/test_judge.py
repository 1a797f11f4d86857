"""What a decision carries, which candidate answers, and that whatever goes wrong in judging refuses."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import cedarpy
import pytest

from gateway.model import Agency, Facts, FieldInfo
from gateway.policy import Judge, PolicySet, officer_quota_key, term_quota_key
from gateway.policy.request import Requests, asked_of

Give = Callable[[str], Facts]


def with_term(facts: Facts, **changes: Any) -> Facts:
    """The facts with their term changed, in the agreement too."""
    assert facts.agreement is not None
    assert facts.term is not None
    term = dataclasses.replace(facts.term, **changes)
    others = tuple(own for own in facts.agreement.terms if own.id != term.id)
    return dataclasses.replace(facts, term=term, agreement=dataclasses.replace(facts.agreement, terms=(*others, term)))


def codes(judge: Judge, *candidates: Facts) -> list[str]:
    return [reason.code for reason in judge.judge(candidates).reasons]


def test_a_permit_carries_what_is_recorded(judge: Judge, facts: Give) -> None:
    asked = with_term(facts("land-transfer"), pdpa_exemption="s.4 ref", secrecy_release="order 1")
    decision = judge.judge([asked])
    assert decision.permit
    assert decision.reasons == ()
    assert (decision.agreement, decision.term) == ("dopa-dol-marriage", "transfer")
    assert (decision.lawful_basis, decision.authority) == ("24(4)", "Land Code B.E. 2497")
    assert decision.consent_id is None
    assert decision.fields == ("marital_status",)
    assert decision.policies == ("exchange-under-an-agreement",)
    assert decision.policy_digest == judge.policies.digest
    assert (decision.pdpa_exemption, decision.secrecy_release) == ("s.4 ref", "order 1")
    assert decision.quotas == (
        ("term:dopa-dol-marriage:transfer", 2000),
        ("officer:dopa-dol-marriage:transfer:dol-registry:LO-1024", 100),
    )


def test_a_permit_without_quota_takes_from_none(judge: Judge, facts: Give) -> None:
    assert judge.judge([facts("disability-allowance")]).quotas == ()


def test_quota_keys_tell_terms_and_officers_apart() -> None:
    assert term_quota_key("a", "t") != term_quota_key("a", "u")
    assert officer_quota_key("a", "t", "c", "o") != officer_quota_key("a", "t", "d", "o")
    assert officer_quota_key("a", "t", "c", "o") != officer_quota_key("a", "t", "c", "p")


def test_a_consent_is_named_only_where_the_answer_stands_on_it(judge: Judge, facts: Give) -> None:
    assert judge.judge([facts("scholarship-of-a-pupil")]).consent_id == "cns-0001"
    assert judge.judge([facts("sensitive-by-consent")]).consent_id == "cns-0003"
    assert judge.judge([facts("consent-not-needed")]).consent_id is None


def test_fields_asked_for_twice_are_granted_once(judge: Judge, facts: Give) -> None:
    asked = dataclasses.replace(facts("old-age-allowance"), fields=("life_status", "nationality", "life_status"))
    assert judge.judge([asked]).fields == ("life_status", "nationality")


def test_a_refusal_says_which_fields_which_clause_and_whom_to_ask(judge: Judge, facts: Give) -> None:
    asked = dataclasses.replace(
        facts("old-age-allowance"), fields=("religion", "life_status", "mother_name", "religion")
    )
    decision = judge.judge([asked])
    assert not decision.permit
    assert decision.fields == ()
    assert decision.quotas == ()
    assert (decision.agreement, decision.term) == ("dopa-municipalities-person", "old-age")
    by_code = {reason.code: reason for reason in decision.reasons}
    assert list(by_code) == ["sensitive_basis_missing", "field_not_covered"]
    assert by_code["field_not_covered"].fields == ("mother_name", "religion")
    assert by_code["sensitive_basis_missing"].fields == ("religion",)
    for reason in decision.reasons:
        assert reason.clause == "agreement dopa-municipalities-person term old-age"
        assert reason.ask == "data-sharing@source.example"
        assert reason.section
        assert reason.remedy_th
        assert reason.policy in decision.policies


def test_without_an_agreement_the_source_is_to_be_asked(judge: Judge, facts: Give) -> None:
    asked = dataclasses.replace(facts("old-age-allowance"), agreement=None, term=None)
    (reason,) = judge.judge([asked]).reasons
    assert (reason.code, reason.ask, reason.clause) == ("no_agreement", "dopa", "")


def test_a_name_that_the_service_does_not_have_is_refused_and_not_echoed(judge: Judge, facts: Give) -> None:
    made_up = "x9000000000001"
    decision = judge.judge([dataclasses.replace(facts("old-age-allowance"), fields=("life_status", made_up))])
    assert not decision.permit
    assert "field_not_covered" in {reason.code for reason in decision.reasons}
    assert made_up not in repr(decision)
    # Not even where the term names it: then no one has classified it.
    asked = with_term(facts("old-age-allowance"), fields=frozenset({made_up}))
    decision = judge.judge([dataclasses.replace(asked, fields=(made_up,))])
    assert "field_unclassified" in {reason.code for reason in decision.reasons}
    assert made_up not in repr(decision)


def test_reasons_are_in_the_order_of_the_policies(judge: Judge, facts: Give) -> None:
    base = facts("scholarship-of-a-pupil")
    assert base.consent is not None
    asked = dataclasses.replace(
        base,
        connector_status="disabled",
        client=dataclasses.replace(base.client, status="suspended"),
        consent=dataclasses.replace(base.consent, status="withdrawn", same_subject=False),
        fields=("gpax", "home_address"),
    )
    decision = judge.judge([asked])
    places = {info.id: place for place, info in enumerate(judge.policies.policies)}
    order = [places[reason.policy] for reason in decision.reasons]
    assert order == sorted(order)
    assert len(order) > 4
    assert [judge.judge([asked]) for _ in range(3)] == [decision] * 3


class TestCandidates:
    """One exchange stands on one term."""

    def test_the_first_that_permits_carries_the_exchange(self, judge: Judge, facts: Give) -> None:
        refused = with_term(facts("old-age-allowance"), id="worse", fields=frozenset({"life_status"}))
        first = with_term(facts("old-age-allowance"), id="first")
        second = with_term(facts("old-age-allowance"), id="second")
        assert judge.judge([refused, first, second]).term == "first"
        assert judge.judge([second, first]).term == "second"

    def test_two_terms_are_never_added_up(self, judge: Judge, facts: Give) -> None:
        half = with_term(facts("old-age-allowance"), id="half", fields=frozenset({"date_of_birth", "nationality"}))
        rest = with_term(facts("old-age-allowance"), id="rest", fields=frozenset({"life_status"}))
        decision = judge.judge([half, rest])
        assert not decision.permit
        assert decision.fields == ()

    def test_the_refusal_that_lacks_least_is_the_answer(self, judge: Judge, facts: Give) -> None:
        worse = with_term(facts("old-age-allowance"), id="worse", notice="", oia_ground="")
        least = with_term(facts("old-age-allowance"), id="least", notice="")
        equal = with_term(facts("old-age-allowance"), id="equal", oia_ground="")
        assert judge.judge([worse, least, equal]).term == "least"
        assert judge.judge([worse, equal, least]).term == "equal"

    def test_an_agreement_without_a_term_lacks_more_than_an_expired_term(self, judge: Judge, facts: Give) -> None:
        bare = dataclasses.replace(facts("old-age-allowance"), term=None)
        (reason,) = judge.judge([bare]).reasons
        assert (reason.code, reason.clause) == ("purpose_not_covered", "agreement dopa-municipalities-person")
        expired = facts("old-age-allowance")
        assert expired.agreement is not None
        gone = dataclasses.replace(expired.agreement, ends=date(2026, 10, 31))
        expired = dataclasses.replace(expired, agreement=gone)
        assert codes(judge, bare, expired) == ["agreement_expired"]
        assert codes(judge, expired, bare) == ["agreement_expired"]

    def test_no_candidate_at_all_is_refused(self, judge: Judge) -> None:
        decision = judge.judge([])
        assert not decision.permit
        assert [reason.code for reason in decision.reasons] == ["judgement_failed"]


JUDGED = {
    "client": "id agency status clearance cross_border",
    "consumer": "id status groups",
    "source": "id status",
    "service": "id agency level category officer_required fields",
    "purpose": "code status",
    "officer": "client status",
    "agreement": "id consumer service status starts ends terms clients controller",
    "term": "id purpose fields lawful_basis authority_en authority_th oia_ground notice sensitive_basis"
    " officer_required cross_border quota_per_day quota_per_officer_per_day",
    "consent": "status consumer service fields purpose starts ends same_subject collector_allowed"
    " assurance_sufficient uses_left age_band guardian confirm_by",
    "": "now connector_status fields quota_used officer_quota_used",
}


def everything(facts: Give) -> Facts:
    """Permitted facts in which every attribute counts: a minor's consent, an officer, both quotas."""
    pupil, land = facts("scholarship-of-a-pupil"), facts("land-transfer")
    assert land.officer is not None
    asked = with_term(pupil, quota_per_day=10, quota_per_officer_per_day=5, officer_required=True)
    return dataclasses.replace(
        asked,
        officer_named=True,
        officer=dataclasses.replace(land.officer, client=pupil.client.id),
        quota_used=9,
        officer_quota_used=4,
    )


@pytest.mark.parametrize("kind", ["object", "mapping", "other type", "missing"])
@pytest.mark.parametrize(
    ("member", "attribute"), [(member, name) for member, names in JUDGED.items() for name in names.split()]
)
def test_a_broken_attribute_denies(judge: Judge, facts: Give, member: str, attribute: str, kind: str) -> None:
    """Whatever stands where a fact should, there is no permit, and nothing is raised."""
    base = everything(facts)
    assert judge.judge([base]).permit
    old = getattr(base, member) if member else base
    broken: Any = {
        "object": object(),
        "mapping": {"a": 1},
        "other type": 7 if isinstance(getattr(old, attribute), str) else "nonsense",
        "missing": None,
    }[kind]
    if (member, attribute, kind) == ("consent", "uses_left", "missing"):
        broken = False  # None says that uses are not limited, which is no broken fact
    if member == "term":
        asked = with_term(base, **{attribute: broken})
    else:
        changed = dataclasses.replace(old, **{attribute: broken})
        parts: dict[str, Any] = {member: changed}
        asked = dataclasses.replace(base, **parts) if member else changed
    decision = judge.judge([asked])
    assert not decision.permit
    assert decision.reasons
    assert decision.fields == ()


def test_a_term_without_its_agreement_and_mixed_parties_are_refused(judge: Judge, facts: Give) -> None:
    base = facts("old-age-allowance")
    other_term = facts("land-transfer").term
    for broken in (
        dataclasses.replace(base, agreement=None),
        dataclasses.replace(base, term=other_term),
        dataclasses.replace(base, officer=facts("land-transfer").officer),
        dataclasses.replace(base, caller=dataclasses.replace(base.caller, id="another")),
        dataclasses.replace(base, consumer=dataclasses.replace(base.consumer, id="bang-na")),
        dataclasses.replace(base, source=Agency("nhso", "", "")),
    ):
        assert codes(judge, broken) == ["judgement_failed"]


def test_a_rule_that_cannot_be_evaluated_denies(policies: PolicySet, facts: Give) -> None:
    """Cedar skips a forbid that errors and would allow. The schema promises an attribute that no facts have."""
    doc = policies.as_json()
    doc["schema"] = doc["schema"].replace("today: Long,", "today: Long, weather: Long,")
    doc["files"]["weather.cedar"] = (
        '@id("bad-weather") @code("bad_weather") @section("s") @title_en("t") @title_th("ก")'
        ' @remedy_en("r") @remedy_th("ก") forbid (principal, action, resource) when { context.weather > 3 };'
    )
    changed = PolicySet.from_json(doc)
    asked = facts("old-age-allowance")
    request, entities = Requests(changed.typed).of(asked_of(asked))
    assert cedarpy.is_authorized(request, changed.cedar, entities).allowed, "the trap is real"
    decision = Judge(changed).judge([asked])
    assert not decision.permit
    assert [(reason.code, reason.policy) for reason in decision.reasons] == [("judgement_failed", "bad-weather")]
    refused = Judge(changed).judge([dataclasses.replace(asked, connector_status="disabled")])
    assert [reason.code for reason in refused.reasons] == ["connector_disabled", "judgement_failed"]


def test_rules_that_permit_too_much_permit_nothing_beyond_the_term(policies: PolicySet, facts: Give) -> None:
    """Even with every forbid gone, an answer stays within term and question."""
    alone = Judge(policies.only("exchange-under-an-agreement"))
    base = facts("old-age-allowance")
    assert alone.judge([base]).permit
    for broken in (
        dataclasses.replace(base, agreement=None, term=None),
        dataclasses.replace(base, fields=()),
        dataclasses.replace(base, fields=("life_status", "mother_name")),
    ):
        assert not alone.judge([broken]).permit


@pytest.mark.parametrize(
    "said",
    [
        {"decision": "Allow", "diagnostics": {"reason": [], "errors": []}},
        {"decision": "Allow", "diagnostics": {"reason": ["policy0"], "errors": []}},
        {"decision": "Allow", "diagnostics": {"reason": ["client-suspended"], "errors": []}},
        {"decision": "Allow", "diagnostics": {"reason": ["exchange-under-an-agreement"], "errors": ["x"]}},
        {"decision": "NoDecision", "diagnostics": {"reason": ["exchange-under-an-agreement"], "errors": []}},
        {"decision": "Deny", "diagnostics": {"reason": [], "errors": []}},
        {"decision": "Perhaps", "diagnostics": {}},
        {},
    ],
)
def test_an_answer_of_cedar_that_no_known_permit_gave_denies(
    judge: Judge, facts: Give, said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cedarpy, "is_authorized", lambda *_: cedarpy.AuthzResult(said))
    (reason,) = judge.judge([facts("old-age-allowance")]).reasons
    assert reason.code == ("not_permitted" if said.get("decision") in ("Deny", "NoDecision") else "judgement_failed")


def test_the_answer_that_cedar_gives_permits(judge: Judge, facts: Give, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above shows what it says."""
    said = {"decision": "Allow", "diagnostics": {"reason": ["exchange-under-an-agreement"], "errors": []}}
    monkeypatch.setattr(cedarpy, "is_authorized", lambda *_: cedarpy.AuthzResult(said))
    assert judge.judge([facts("old-age-allowance")]).permit


class Panic(BaseException):
    """As what a panic in native code arrives: no Exception."""


@pytest.mark.parametrize("fault", [KeyError("9000000000001"), RecursionError(), MemoryError(), Panic("9000000000001")])
def test_no_fault_escapes_and_none_is_quoted(
    judge: Judge,
    facts: Give,
    fault: BaseException,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: object) -> object:
        raise fault

    monkeypatch.setattr(cedarpy, "is_authorized", fails)
    with caplog.at_level(logging.DEBUG):
        decision = judge.judge([facts("old-age-allowance"), facts("first-day")])
    assert not decision.permit
    assert [reason.code for reason in decision.reasons] == ["judgement_failed"]
    assert type(fault).__name__ in caplog.text
    assert "9000000000001" not in caplog.text + repr(decision)


@pytest.mark.parametrize("fault", [KeyboardInterrupt, SystemExit])
def test_the_end_of_the_process_is_not_held_up(
    judge: Judge, facts: Give, fault: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(*_: object) -> object:
        raise fault

    monkeypatch.setattr(cedarpy, "is_authorized", ends)
    with pytest.raises(fault):
        judge.judge([facts("old-age-allowance")])


def test_facts_that_cannot_even_be_listed_are_refused(judge: Judge) -> None:
    def broken() -> Any:
        raise RuntimeError
        yield

    assert codes(judge, *[]) == ["judgement_failed"]
    assert [reason.code for reason in judge.judge(broken()).reasons] == ["judgement_failed"]


class TestKeptEntities:
    """The parsed entities are kept by value: a change in the registers is seen by the very next question."""

    @pytest.mark.parametrize(
        ("member", "changes", "code"),
        [
            ("client", {"status": "suspended"}, "client_suspended"),
            ("consumer", {"status": "suspended"}, "agency_suspended"),
            ("consumer", {"groups": frozenset()}, "no_agreement"),
            ("source", {"status": "suspended"}, "agency_suspended"),
            ("service", {"level": 3}, "classification_exceeds_clearance"),
            ("agreement", {"status": "revoked"}, "agreement_revoked"),
            ("agreement", {"clients": frozenset({"another"})}, "client_not_covered"),
            ("agreement", {"controller": ""}, "agreement_incomplete"),
        ],
    )
    def test_a_changed_register_is_judged_anew(
        self, judge: Judge, facts: Give, member: str, changes: dict[str, Any], code: str
    ) -> None:
        base = facts("old-age-allowance")
        parts: dict[str, Any] = {member: dataclasses.replace(getattr(base, member), **changes)}
        changed = dataclasses.replace(base, **parts)
        for _ in range(2):
            assert judge.judge([base]).permit
            assert code in codes(judge, changed)

    def test_a_changed_term_is_judged_anew(self, judge: Judge, facts: Give) -> None:
        base = facts("old-age-allowance")
        for changes in ({"fields": frozenset({"life_status"})}, {"lawful_basis": "consent"}, {"notice": ""}):
            assert judge.judge([base]).permit
            assert not judge.judge([with_term(base, **changes)]).permit


def test_a_time_without_an_offset_is_refused(judge: Judge, facts: Give) -> None:
    naive = datetime(2026, 11, 20, 11, 0)
    assert codes(judge, dataclasses.replace(facts("old-age-allowance"), now=naive)) == ["judgement_failed"]


def test_one_confidential_field_of_a_service_lifts_only_questions_that_ask_for_it(judge: Judge, facts: Give) -> None:
    base = facts("old-age-allowance")
    fields = {**base.service.fields, "nationality": FieldInfo("nationality", "", "", 3, "general")}
    mixed = dataclasses.replace(base, service=dataclasses.replace(base.service, fields=fields))
    assert set(codes(judge, mixed)) == {"classification_exceeds_clearance", "officer_required"}
    assert judge.judge([dataclasses.replace(mixed, fields=("life_status",))]).permit


def test_what_is_kept_never_outlives_what_it_was_judged_on(judge: Judge, facts: Give) -> None:
    """The same question again, with one thing changed at a time, is judged on the change."""
    base = facts("old-age-allowance")
    for _ in range(2):
        assert judge.judge([base]).permit
        for changed, code in (
            (dataclasses.replace(base, connector_status="disabled"), "connector_disabled"),
            (
                dataclasses.replace(base, client=dataclasses.replace(base.client, status="suspended")),
                "client_suspended",
            ),
            (dataclasses.replace(base, now=base.now + timedelta(days=4000)), "agreement_expired"),
        ):
            assert code in [reason.code for reason in judge.judge([changed]).reasons]
        assert base.term is not None
        limited = dataclasses.replace(base.term, quota_per_day=5)
        assert base.agreement is not None
        standing = dataclasses.replace(
            base, term=limited, agreement=dataclasses.replace(base.agreement, terms=(limited,))
        )
        assert judge.judge([dataclasses.replace(standing, quota_used=4)]).permit
        spent = judge.judge([dataclasses.replace(standing, quota_used=5)])
        assert [reason.code for reason in spent.reasons] == ["quota_exceeded"]


def test_of_a_consent_nothing_is_kept_that_could_have_changed(judge: Judge, facts: Give) -> None:
    """Asked again and again: each way in which the consent ends counts at once, and so does time passing."""
    base = facts("scholarship-of-a-pupil")
    consent = base.consent
    assert consent is not None
    assert consent.confirm_by is not None
    for _ in range(2):
        assert judge.judge([base]).permit
        for changes, code in (
            ({"status": "withdrawn"}, "consent_withdrawn"),
            ({"uses_left": 0}, "consent_used_up"),
            ({"same_subject": False}, "consent_of_another_subject"),
            ({"guardian": ""}, "guardian_required"),
            ({"by_self": False}, "own_consent_required"),
            ({"capacity": "incompetent"}, "guardian_of_incompetent_required"),
        ):
            changed = dataclasses.replace(base, consent=dataclasses.replace(consent, **changes))
            assert codes(judge, changed) == [code]
        early = dataclasses.replace(base, now=consent.starts - timedelta(seconds=1))
        assert "consent_not_yet_begun" in codes(judge, early)
        assert "consent_expired" in codes(judge, dataclasses.replace(base, now=consent.ends))
        assert codes(judge, dataclasses.replace(base, now=consent.confirm_by)) == ["consent_age_unconfirmed"]
    renewed = dataclasses.replace(base, consent=dataclasses.replace(consent, id="cns-0009", revision=7))
    decision = judge.judge([renewed])
    assert (decision.consent_id, decision.consent_revision) == ("cns-0009", 7)
