"""PDPA s.20: minors who grow up, guardians who consent later, and those whom a court has found incompetent."""

from __future__ import annotations

import time
from typing import Any

import pytest

from gateway.client import Answer, Problem
from tests.acceptance.trail import entries_since, size
from tests.consents.desk_of_consents import (
    ADULT,
    COLLECTOR,
    ELDER,
    MINOR,
    OTHER,
    Office,
    codes_of,
    evidence,
    later,
)

PARENT = {"relation": "parent", "citizen_id": ELDER, "evidence": evidence()}
YOUNG = {"age_band": "minor_10_19", "confirm_by": later(days=100)}
ORDER = "Made-up Provincial Court, black case 1/2569"


def add(office: Office, consent: str, addition: Any, form: dict[str, Any], by: str = COLLECTOR) -> Any:
    """What it came to: the answer, or the problem."""
    with office.gateway.as_(by) as desk:
        try:
            return desk.add_to_consent(consent, addition, form)
        except Problem as problem:
            return problem


def confirmation(citizen_id: str = MINOR, **more: Any) -> dict[str, Any]:
    return {"citizen_id": citizen_id, **YOUNG, "by": "citizen", "evidence": evidence(), **more}


def test_a_guardian_consents_later_to_the_same_consent(office: Office) -> None:
    purpose = office.own()
    given = office.give(purpose, MINOR, **YOUNG)
    consent = given["consent"]["id"]
    assert codes_of(office.ask(purpose, MINOR)) == {"guardian_required"}
    start = size(office.gateway)
    added = add(office, consent, "guardian", {"citizen_id": MINOR, "guardian": PARENT})
    assert added["consent"]["given_by"] == "self_and_guardian"
    assert added["consent"]["revision"] == 2
    assert isinstance(office.ask(purpose, MINOR), Answer)
    (entry,) = [
        one for one in entries_since(office.gateway, start) if one["public"]["kind"] == "consent.guardian_added"
    ]
    assert entry["index"] == added["log"]["index"]
    assert entry["content"]["event"]["guardian"]["relation"] == "parent"
    assert "subject" not in entry["content"]["event"]["guardian"]
    # The citizen, with the code, sees that it happened and not what the office noted of it.
    with office.gateway.as_(COLLECTOR) as desk:
        shown = desk.consent_by_code(given["withdrawal_code"])
    assert [event["kind"] for event in shown["events"]] == ["given", "guardian_added"]
    assert set(shown["events"][1]["guardian"]) == {"relation", "method", "assurance", "notice_sha256", "collector"}
    again = add(office, consent, "guardian", {"citizen_id": MINOR, "guardian": PARENT})
    assert again.code == "conflict"


def test_an_age_band_is_confirmed_without_a_new_consent(office: Office) -> None:
    purpose = office.own()
    soon = {"age_band": "minor_10_19", "confirm_by": later(seconds=0.7)}
    consent = office.give(purpose, MINOR, **soon, guardian=PARENT)["consent"]["id"]
    time.sleep(0.7)
    assert codes_of(office.ask(purpose, MINOR)) == {"consent_age_unconfirmed"}
    done = add(office, consent, "confirm", confirmation())
    assert done["consent"]["id"] == consent
    assert isinstance(office.ask(purpose, MINOR), Answer)
    event = done["consent"]["events"][-1]
    assert (event["kind"], event["before"]["age_band"], event["now"]["age_band"]) == ("confirmed", *["minor_10_19"] * 2)
    assert event["before"]["confirm_by"] < event["now"]["confirm_by"]
    assert event["evidence"]["by"] == "citizen"


def test_a_child_grows_up(office: Office) -> None:
    """Up to ten the parent alone; then the child too; of age, the child alone."""
    purpose = office.own()
    child = {"age_band": "minor_under_10", "confirm_by": later(days=100)}
    consent = office.give(purpose, MINOR, **child, evidence=None, guardian=PARENT)["consent"]["id"]
    assert isinstance(office.ask(purpose, MINOR), Answer)
    add(office, consent, "confirm", confirmation(by="guardian"))
    assert codes_of(office.ask(purpose, MINOR)) == {"own_consent_required"}
    grown = add(office, consent, "confirm", confirmation())
    assert grown["consent"]["given_by"] == "self_and_guardian"
    assert isinstance(office.ask(purpose, MINOR), Answer)
    add(office, consent, "confirm", confirmation(age_band="adult", confirm_by=None))
    assert isinstance(office.ask(purpose, MINOR), Answer)
    # What an office confirms it answers for: its identification is judged as any other.
    office.agree(purpose, methods=["thaid"])
    assert codes_of(office.ask(purpose, MINOR)) == {"consent_collector_not_allowed"}


@pytest.mark.parametrize(
    ("capacity", "relation", "code"),
    [
        ("incompetent", "guardian", "guardian_of_incompetent_required"),
        ("quasi_incompetent", "curator", "curator_required"),
    ],
)
def test_whom_a_court_found_incompetent(office: Office, capacity: str, relation: str, code: str) -> None:
    purpose = office.own()
    found = {"capacity": capacity, "capacity_order": ORDER}
    appointed = {**PARENT, "relation": relation}
    # From the start: only the one whom the court appointed.
    assert office.refused(purpose, **found).code == "malformed_request"
    assert office.refused(purpose, **found, guardian=PARENT).code == "malformed_request"
    assert office.refused(purpose, capacity=capacity, guardian=appointed).code == "malformed_request"
    given = office.give(purpose, **found, evidence=None, guardian=appointed)["consent"]
    assert (given["given_by"], given["subject"]["capacity"]) == ("guardian", capacity)
    assert isinstance(office.ask(purpose), Answer)
    office.change(given["id"], "withdraw")
    # Found so later: the consent no longer carries until the one appointed has consented.
    own = office.give(purpose)["consent"]["id"]
    assert isinstance(office.ask(purpose), Answer)
    add(office, own, "guardian", {"citizen_id": ADULT, "guardian": PARENT})
    form = confirmation(ADULT, age_band="adult", confirm_by=None, by="guardian", **found)
    assert add(office, own, "confirm", form)["consent"]["subject"]["capacity"] == capacity
    assert codes_of(office.ask(purpose)) == {code}
    added = add(office, own, "guardian", {"citizen_id": ADULT, "guardian": appointed})
    assert added["consent"]["events"][-1]["before"]["relation"] == "parent"
    assert isinstance(office.ask(purpose), Answer)
    assert ORDER not in str(added["receipt"])
    with office.gateway.as_(COLLECTOR) as desk:
        assert desk.consent(own)["capacity_order"] == ORDER


def test_what_is_added_is_taken_only_as_a_consent_is(office: Office) -> None:
    purpose = office.own()
    consent = office.give(purpose, MINOR, **YOUNG)["consent"]["id"]
    good = {"citizen_id": MINOR, "guardian": PARENT}

    def guarded(**more: Any) -> dict[str, Any]:
        return {**good, "guardian": {**PARENT, **more}}

    for addition, form, by, status, code in (
        ("guardian", {**good, "citizen_id": ADULT}, COLLECTOR, 404, "not_found"),
        ("guardian", good, OTHER, 404, "not_found"),
        ("guardian", good, "admin", 403, "insufficient_scope"),
        ("guardian", guarded(citizen_id=MINOR), COLLECTOR, 400, "malformed_request"),
        ("guardian", guarded(evidence=evidence(notice_sha256="0" * 64)), COLLECTOR, 400, "malformed_request"),
        ("guardian", guarded(evidence=evidence(method="by-telephone")), COLLECTOR, 403, "denied"),
        ("guardian", guarded(evidence=evidence(assurance=1)), COLLECTOR, 403, "denied"),
        ("guardian", guarded(evidence=evidence(officer="nobody")), COLLECTOR, 403, "denied"),
        ("guardian", guarded(relation="aunt"), COLLECTOR, 400, "malformed_request"),
        ("confirm", confirmation(confirm_by="2026-01-01T00:00:00Z"), COLLECTOR, 400, "malformed_request"),
        ("confirm", confirmation(confirm_by=None), COLLECTOR, 400, "malformed_request"),
        ("confirm", confirmation(by="guardian"), COLLECTOR, 409, "conflict"),
        ("confirm", confirmation(age_band="minor_under_10"), COLLECTOR, 400, "malformed_request"),
        ("confirm", confirmation(capacity="incompetent"), COLLECTOR, 400, "malformed_request"),
        ("confirm", confirmation(ADULT), COLLECTOR, 404, "not_found"),
    ):
        problem = add(office, consent, addition, form, by)
        assert isinstance(problem, Problem), (addition, form)
        assert (problem.status, problem.code) == (status, code), (addition, form, problem.detail)
        assert not any(person in str(problem.as_json()) for person in (ADULT, ELDER, MINOR))
    with office.gateway.as_(COLLECTOR) as desk:
        assert desk.consent(consent)["revision"] == 1
    office.agree(purpose, collectors=["city-b"])
    assert codes_of(add(office, consent, "guardian", good)) == {"consent_collector_not_allowed"}
    office.change(consent, "withdraw")
    office.agree(purpose)
    assert add(office, consent, "guardian", good).code == "conflict"
    assert add(office, consent, "confirm", confirmation()).code == "conflict"


def test_an_adult_needs_no_one_else_and_no_one_else_suffices(office: Office) -> None:
    purpose = office.own()
    assert office.refused(purpose, guardian=PARENT).code == "malformed_request"
    assert office.refused(purpose, evidence=None, guardian={**PARENT, "relation": "guardian"}).status == 400
