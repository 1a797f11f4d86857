"""Each way in which a consent does not carry an exchange, or cannot be taken, is a reason of its own."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gateway.client import Answer, Problem
from tests.consents.desk_of_consents import (
    ADULT,
    COLLECTOR,
    ELDER,
    FIELDS,
    MINOR,
    NOTICE,
    OTHER,
    Office,
    codes_of,
    evidence,
    later,
)
from tests.harness import COVER, HOUSE, PERSON, agree, agreement, term

SOON = 2.0
PARENT = {"relation": "parent", "citizen_id": ELDER, "evidence": evidence()}


def answered(result: Any) -> bool:
    return isinstance(result, Answer)


def test_another_citizens_consent_does_not_carry(office: Office) -> None:
    purpose = office.own()
    consent = office.give(purpose)["consent"]["id"]
    assert codes_of(office.ask(purpose, ELDER, consent_id=consent)) == {"consent_of_another_subject"}


def test_another_consumers_consent_does_not_carry(office: Office) -> None:
    purpose = office.own()
    office.agree(purpose, consumer="city-b")
    consent = office.give(purpose)["consent"]["id"]
    assert codes_of(office.ask(purpose, by=OTHER, consent_id=consent)) == {"consent_of_another_consumer"}
    assert codes_of(office.ask(purpose, by=OTHER)) == {"consent_required"}


def test_a_collector_may_collect_for_another_agency(office: Office) -> None:
    purpose = office.purpose()
    office.agree(purpose, consumer="city-b", collectors=["city-a"])
    office.give(purpose, consumer="city-b")
    assert answered(office.ask(purpose, by=OTHER))


def test_a_consent_for_another_purpose_or_other_fields_does_not_carry(office: Office) -> None:
    one, two = office.own(), office.own()
    consent = office.give(one, fields=["life_status"])["consent"]["id"]
    assert codes_of(office.ask(two, consent_id=consent, fields=["life_status"])) == {"consent_does_not_cover"}
    refused = office.ask(one, consent_id=consent)
    assert codes_of(refused) == {"consent_does_not_cover"}
    assert not isinstance(refused, Answer)
    assert refused.reasons[0].fields == ("date_of_birth",)
    assert answered(office.ask(one, consent_id=consent, fields=["life_status"]))


def test_an_unknown_consent_is_named_as_such(office: Office) -> None:
    purpose = office.own()
    for name in ("cns_" + "0" * 26, "no-consent", "cns_01m7wb6qj8t193z10bnff2mwqt"):
        assert codes_of(office.ask(purpose, consent_id=name)) == {"consent_required", "consent_unknown"}


def test_before_its_time_and_after_it_a_consent_does_not_carry(office: Office) -> None:
    purpose = office.own()
    begun = office.give(purpose, validity={"to": later(seconds=SOON)})["consent"]["id"]
    tomorrow = office.give(purpose, validity={"from": later(days=1), "to": later(days=2)})["consent"]["id"]
    assert answered(office.ask(purpose))
    assert codes_of(office.ask(purpose, consent_id=tomorrow)) == {"consent_not_yet_begun"}
    time.sleep(SOON)
    assert codes_of(office.ask(purpose, consent_id=begun)) == {"consent_expired"}


@pytest.mark.parametrize("per", ["all", "day", "month", "year"])
def test_a_consent_for_so_many_uses_is_used_up(office: Office, per: str) -> None:
    purpose = office.own()
    consent = office.give(purpose, use_limit={"times": 2, "per": per})["consent"]["id"]
    assert answered(office.ask(purpose))
    assert answered(office.ask(purpose, consent_id=consent))
    assert codes_of(office.ask(purpose)) == {"consent_used_up"}
    with office.gateway.as_(COLLECTOR) as desk:
        assert desk.consent(consent)["used"] == 2


def test_a_refusal_and_another_persons_question_use_nothing_up(office: Office) -> None:
    purpose = office.own()
    consent = office.give(purpose, fields=["life_status"], use_limit={"times": 1, "per": "all"})["consent"]["id"]
    assert codes_of(office.ask(purpose, consent_id=consent)) == {"consent_does_not_cover"}
    assert codes_of(office.ask(purpose, ELDER, consent_id=consent)) >= {"consent_of_another_subject"}
    assert answered(office.ask(purpose, fields=["life_status"]))
    assert codes_of(office.ask(purpose, fields=["life_status"])) == {"consent_used_up"}


def test_the_terms_own_limit_of_uses_holds_where_the_consent_names_none(office: Office) -> None:
    purpose = office.own(uses={"times": 1, "per": "all"})
    office.give(purpose)
    assert answered(office.ask(purpose))
    assert codes_of(office.ask(purpose)) == {"consent_used_up"}
    assert office.refused(purpose, use_limit={"times": 2, "per": "all"}).code == "malformed_request"
    assert office.refused(purpose, use_limit={"times": 1, "per": "day"}).code == "malformed_request"


def test_a_paused_consent_does_not_carry_until_it_is_resumed(office: Office) -> None:
    purpose = office.own()
    consent = office.give(purpose)["consent"]["id"]
    office.change(consent, "pause")
    assert codes_of(office.ask(purpose)) == {"consent_paused"}
    office.change(consent, "resume")
    assert answered(office.ask(purpose))
    office.change(consent, "withdraw")
    assert codes_of(office.ask(purpose, consent_id=consent)) == {"consent_withdrawn"}


def test_a_minors_consent_needs_the_guardian(office: Office) -> None:
    purpose = office.own()
    young = {"age_band": "minor_10_19", "confirm_by": later(days=100)}
    alone = office.give(purpose, MINOR, **young)["consent"]["id"]
    assert codes_of(office.ask(purpose, MINOR, consent_id=alone)) == {"guardian_required"}
    both = office.give(purpose, MINOR, **young, guardian=PARENT)["consent"]
    assert both["given_by"] == "self_and_guardian"
    assert answered(office.ask(purpose, MINOR))
    may = office.give(purpose, MINOR, **young, act_a_minor_may_do="CCC 23: a strictly personal act")["consent"]["id"]
    assert answered(office.ask(purpose, MINOR, consent_id=may))


def test_for_a_child_under_ten_the_guardian_alone_consents(office: Office) -> None:
    purpose = office.own()
    child = {"age_band": "minor_under_10", "confirm_by": later(days=100)}
    assert office.refused(purpose, MINOR, **child).code == "malformed_request"
    given = office.give(purpose, MINOR, **child, evidence=None, guardian=PARENT)["consent"]
    assert given["given_by"] == "guardian"
    assert answered(office.ask(purpose, MINOR))


def test_an_age_band_is_relied_on_until_it_is_to_be_confirmed(office: Office) -> None:
    purpose = office.own()
    young = {"age_band": "minor_10_19", "guardian": PARENT}
    assert office.refused(purpose, MINOR, **young).code == "malformed_request"
    office.give(purpose, MINOR, **young, confirm_by=later(seconds=SOON))
    assert answered(office.ask(purpose, MINOR))
    time.sleep(SOON)
    assert codes_of(office.ask(purpose, MINOR)) == {"consent_age_unconfirmed"}


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ({"collectors": ["city-b"]}, "consent_collector_not_allowed"),
        ({"methods": ["thaid"]}, "consent_collector_not_allowed"),
        ({"least_assurance": 3}, "consent_assurance_too_low"),
    ],
)
def test_what_the_agreement_no_longer_lets_collect_no_longer_carries(office: Office, rules: Any, code: str) -> None:
    purpose = office.own()
    office.give(purpose, evidence=evidence(assurance=2))
    assert answered(office.ask(purpose))
    office.agree(purpose, **rules)
    assert codes_of(office.ask(purpose)) == {code}
    assert codes_of(office.refused(purpose, evidence=evidence(assurance=2))) == {code}


def test_a_guardians_own_identification_counts_too(office: Office) -> None:
    purpose = office.own()
    weak = {**PARENT, "evidence": evidence(assurance=1)}
    young = {"age_band": "minor_10_19", "confirm_by": later(days=100)}
    assert codes_of(office.refused(purpose, MINOR, **young, guardian=weak)) == {"consent_assurance_too_low"}


@pytest.mark.parametrize(
    ("more", "codes"),
    [
        ({"by": OTHER, "consumer": "city-a"}, {"consent_collector_not_allowed"}),
        ({"by": OTHER, "service": HOUSE, "fields": ["local_authority"]}, {"no_agreement"}),
        ({"purpose": "welfare.old-age-allowance"}, {"consent_not_needed"}),
        ({"purpose": "health.coverage-check"}, {"purpose_not_covered"}),
        ({"service": HOUSE, "fields": ["local_authority"]}, {"purpose_not_covered"}),
        ({"fields": [*FIELDS, "father_name"]}, {"field_not_covered"}),
        ({"evidence": evidence(method="by-telephone")}, {"consent_collector_not_allowed"}),
        ({"evidence": evidence(assurance=1)}, {"consent_assurance_too_low"}),
        ({"evidence": evidence(officer="nobody")}, {"officer_not_enrolled"}),
        ({"notice": {"id": "city-notice", "version": "2", "text": None}}, {"consent_notice_differs"}),
    ],
)
def test_what_no_exchange_could_stand_on_is_not_taken(office: Office, more: dict[str, Any], codes: set[str]) -> None:
    own = office.own()
    given = dict(more)
    if "notice" in given:
        given["notice"] = {**given["notice"], "text": NOTICE}
    purpose = given.pop("purpose", own)
    problem = office.refused(purpose, **given)
    assert problem.status == 403
    assert codes_of(problem) == codes
    assert all(reason.remedy_th and reason.remedy_en for reason in problem.reasons)


@pytest.mark.parametrize(
    "more",
    [
        {"validity": {"to": "2026-01-01T00:00:00Z"}},
        {"validity": {"to": "2570-01-01T00:00:00Z"}},
        {"validity": {"to": "2027-01-01"}},
        {"evidence": None},
        {"evidence": evidence(notice_sha256="0" * 64)},
        {"evidence": evidence(assurance=4)},
        {"evidence": evidence(reference=ADULT)},
        {"fields": []},
        {"fields": ["life_status", "life_status"]},
        {"age_band": "old"},
        {"guardian": {**PARENT, "citizen_id": ADULT}},
        {"use_limit": {"times": 0, "per": "day"}},
        {"act_a_minor_may_do": "buying a book"},
        {"more": 1},
    ],
)
def test_a_form_that_says_too_little_or_too_much_is_malformed(office: Office, more: dict[str, Any]) -> None:
    problem = office.refused(office.own(), **more)
    assert (problem.status, problem.code) == (400, "malformed_request")
    assert ADULT not in str(problem.as_json())


def test_a_wrong_citizen_id_and_unknown_names_are_told_apart(office: Office) -> None:
    purpose = office.own()
    assert office.refused(purpose, ADULT[:-1] + str((int(ADULT[-1]) + 1) % 10)).code == "invalid_citizen_id"
    assert office.refused(purpose, service="dopa.nothing.v1").code == "unknown_service"
    assert office.refused(purpose, fields=["shoe_size"]).code == "unknown_field"


def test_sensitive_fields_stand_on_explicit_consent_of_their_own(office: Office) -> None:
    purpose = office.purpose()
    mixed = term(
        purpose,
        ["main_scheme", "sub_scheme"],
        sensitive_basis="consent",
        consent={"collectors": ["city-a"], "methods": ["id-card"], "least_assurance": 2},
    )
    agree(office.gateway, agreement(f"cover-{purpose}", COVER, [mixed]))
    assert answered(office.ask(purpose, service=COVER, fields=["main_scheme"]))
    assert codes_of(office.ask(purpose, service=COVER)) == {"consent_required"}
    consent = office.give(purpose, service=COVER, fields=["sub_scheme"])["consent"]
    assert consent["data_items"][0]["sensitive"] is True
    assert answered(office.ask(purpose, service=COVER))
    office.change(consent["id"], "withdraw")
    assert codes_of(office.ask(purpose, service=COVER)) == {"consent_withdrawn"}
    assert answered(office.ask(purpose, service=COVER, fields=["main_scheme"]))


def test_an_agreement_names_collectors_only_where_it_stands_on_consent(office: Office) -> None:
    purpose = office.purpose()
    rules = {"collectors": ["city-a"], "methods": ["id-card"], "least_assurance": 2}
    with office.gateway.as_("dopa-owner-1") as owner:
        for own in (
            term(purpose, FIELDS, consent=rules),
            term(purpose, FIELDS, lawful_basis="consent", consent={**rules, "collectors": ["no-such-agency"]}),
            term(purpose, FIELDS, lawful_basis="consent", consent={**rules, "least_assurance": 0}),
        ):
            with pytest.raises(Problem) as refused:
                owner.act("agreement.propose", agreement(f"wrong-{purpose}", PERSON, [own]))
            assert refused.value.status in (400, 404)


def test_a_term_that_names_no_collector_lets_nobody_collect(office: Office) -> None:
    purpose = office.purpose()
    agree(office.gateway, agreement(f"none-{purpose}", PERSON, [term(purpose, FIELDS, lawful_basis="consent")]))
    assert codes_of(office.refused(purpose)) == {"consent_collector_not_allowed"}
