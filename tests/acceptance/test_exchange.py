"""The main job, end to end, against real processes: every outcome, and what the log then holds of it."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from connectors import population
from gateway.client import Answer, Problem
from tests.acceptance.trail import ask, entries_since, not_on_record, of_exchange, on_record, size
from tests.harness import COVER, HOUSE, OLD_AGE, PERSON, agree, agreement, term, title

ELDER = population.story("elder")
LAND = "land.transfer-registration"


@pytest.fixture(scope="module", autouse=True)
def shelf(world: Any) -> None:
    """An agreement in each state, each with a purpose of its own."""
    gateway, _ = world
    today = date.today()

    def period(first: int, last: int) -> dict[str, str]:
        return {"from": str(today + timedelta(days=first)), "to": str(today + timedelta(days=last))}

    order = {"authority": "The made-up minister", "date": "2026-01-05"}
    states: dict[str, dict[str, Any]] = {
        "expired": {"period": period(-90, -2)},
        "future": {"period": period(2, 90)},
        "suspended": {},
        "revoked": {},
        "limited": {"clients": ["city-a-other"]},
        "quota": {},
        "officers": {},
        "exempted": {},
    }
    more: dict[str, dict[str, Any]] = {
        "quota": {"quota_per_day": 5},
        "officers": {"quota_per_officer_per_day": 2, "officer_required": True},
        "exempted": {
            "pdpa_exemption": {**order, "clause": "4(2)", "reference": "made-up 1/2569"},
            "secrecy_release": {**order, "order": "made-up 2/2569"},
        },
    }
    with gateway.as_("admin") as admin:
        for name in states:
            authority = title("An act")
            admin.act(
                "purpose.add", {"code": f"shelf.{name}", "title": title(name), "authority": authority, "replaces": []}
            )
        for code in ("prasit.k", "resting.n"):
            admin.act("officer.add", {"client": "city-a-welfare", "code": code})
        admin.act("officer.suspend", {"client": "city-a-welfare", "code": "resting.n", "reason": "on leave"})
    # One that is over for good comes first, for the purpose of the suspended one: what is told is what can be mended.
    agree(gateway, agreement("shelf-before", PERSON, [term("shelf.suspended", ["life_status"])]))
    for name, form in states.items():
        terms = [term(f"shelf.{name}", ["date_of_birth", "life_status"], **more.get(name, {}))]
        agree(gateway, agreement(f"shelf-{name}", PERSON, terms, **form))
    with gateway.as_("dopa-owner-1") as owner:
        owner.act("agreement.suspend", {"id": "shelf-suspended", "reason": "under review"})
        for name in ("shelf-before", "shelf-revoked"):
            owner.act("agreement.revoke", {"id": name, "reason": "ended"})


def refused(
    world: Any, codes: set[str], *, status: int = 403, client: str = "city-a-welfare", **question: Any
) -> Problem:
    """The refusal, after checking its form, that the source was not asked, and that it is on record as refused."""
    gateway, agencies = world
    asked = {name: agency.asked() for name, agency in agencies.items()}
    problem = ask(gateway, client, **{"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE, **question})
    assert isinstance(problem, Problem)
    assert (problem.status, {reason.code for reason in problem.reasons}) == (status, codes)
    assert problem.code == ("quota_exceeded" if status == 429 else "denied")
    for reason in problem.reasons:
        assert all(
            (reason.title_en, reason.title_th, reason.remedy_en, reason.remedy_th, reason.section, reason.policy)
        )
    assert {name: agency.asked() for name, agency in agencies.items()} == asked
    (entry,) = on_record(gateway, problem.exchange_id, "refused")
    assert set(entry["content"]["reasons"]) == codes
    assert entry["legal"]["granted"] == []
    assert "counter" not in entry["subject"]
    return problem


# -- granted ---------------------------------------------------------------------------------------------------


def test_a_granted_question_is_answered_with_the_terms_fields_and_nothing_else(world: Any) -> None:
    gateway, agencies = world
    asked = agencies["dopa"].asked()
    answer = ask(gateway, service=PERSON, citizen_id=ELDER, purpose=OLD_AGE, case_reference="OAA/1")
    assert isinstance(answer, Answer)
    assert answer.data == {
        "date_of_birth": "1957-03",
        "life_status": answer.data["life_status"],
        "nationality": answer.data["nationality"],
    }
    assert answer.data["life_status"]["code"] == "alive"
    assert answer.decision["agreement"] == "city-a-person"
    assert agencies["dopa"].asked() == asked + 1
    decided, released = on_record(gateway, answer.exchange_id, "released")
    assert answer.receipt["entry"] == released["entry"]
    assert answer.receipt["index"] == released["index"]
    assert decided["parties"] == {
        **decided["parties"],
        "consumer": "city-a",
        "client": "city-a-welfare",
        "officer": None,
        "source": "dopa",
        "service": PERSON,
    }
    assert decided["legal"]["case_reference"] == "OAA/1"
    assert decided["legal"]["asked"] is None
    assert decided["legal"]["granted"] == released["legal"]["released"] == sorted(answer.data)
    assert decided["subject"]["pseudonym"] == released["subject"]["pseudonym"]
    assert decided["subject"]["counter"] >= 1


def test_only_the_fields_asked_for_leave(world: Any) -> None:
    gateway, _ = world
    answer = ask(gateway, service=PERSON, citizen_id=ELDER, purpose=OLD_AGE, fields=["life_status"])
    assert isinstance(answer, Answer)
    assert list(answer.data) == ["life_status"]
    decided, released = on_record(gateway, answer.exchange_id, "released")
    assert decided["legal"]["asked"] == decided["legal"]["granted"] == released["legal"]["released"] == ["life_status"]


@pytest.mark.parametrize(
    ("service", "purpose", "fields"),
    [(HOUSE, OLD_AGE, {"local_authority"}), (COVER, "health.coverage-check", {"main_scheme", "main_hospital"})],
)
def test_the_other_services_answer_too(world: Any, service: str, purpose: str, fields: set[str]) -> None:
    answer = ask(world[0], service=service, citizen_id=ELDER, purpose=purpose)
    assert isinstance(answer, Answer)
    assert set(answer.data) == fields
    on_record(world[0], answer.exchange_id, "released")


def test_a_groups_agreement_serves_its_member(world: Any) -> None:
    answer = ask(world[0], "city-b-welfare", service=PERSON, citizen_id=ELDER, purpose=OLD_AGE)
    assert isinstance(answer, Answer)
    assert answer.decision["agreement"] == "cities-person"
    assert set(answer.data) == {"date_of_birth", "life_status"}


def test_an_enrolled_officer_is_named_in_the_entry(world: Any) -> None:
    answer = ask(world[0], service=PERSON, citizen_id=ELDER, purpose=LAND, officer="somsri.j")
    assert isinstance(answer, Answer)
    decided, _ = on_record(world[0], answer.exchange_id, "released")
    assert (decided["parties"]["officer"], decided["parties"]["officer_proof"]) == ("somsri.j", "asserted")


def test_an_exemption_and_a_release_are_named_in_the_entry_of_each_use(world: Any) -> None:
    answer = ask(world[0], service=PERSON, citizen_id=ELDER, purpose="shelf.exempted")
    assert isinstance(answer, Answer)
    legal = on_record(world[0], answer.exchange_id, "released")[0]["legal"]
    assert legal["pdpa_exemption"] == "4(2) · made-up 1/2569 · The made-up minister · 2026-01-05"
    assert legal["secrecy_release"] == "made-up 2/2569 · The made-up minister · 2026-01-05"
    plain = ask(world[0], service=PERSON, citizen_id=ELDER, purpose=OLD_AGE)
    assert isinstance(plain, Answer)
    assert (
        not {"pdpa_exemption", "secrecy_release"}
        & on_record(world[0], plain.exchange_id, "released")[0]["legal"].keys()
    )


def test_a_repeated_question_is_a_new_exchange(world: Any) -> None:
    gateway, _ = world
    first, second = (ask(gateway, service=PERSON, citizen_id=ELDER, purpose=OLD_AGE) for _ in range(2))
    assert isinstance(first, Answer)
    assert isinstance(second, Answer)
    assert first.exchange_id != second.exchange_id
    one, two = (on_record(gateway, each.exchange_id, "released")[0] for each in (first, second))
    assert two["subject"]["counter"] == one["subject"]["counter"] + 1
    assert two["subject"]["previous"] == one["entry"]


# -- refused ---------------------------------------------------------------------------------------------------


def test_a_field_outside_the_term_is_refused_by_name(world: Any) -> None:
    problem = refused(world, {"field_not_covered"}, fields=["life_status", "father_name", "mother_name"])
    (reason,) = problem.reasons
    assert reason.fields == ("father_name", "mother_name")
    assert reason.clause == "agreement city-a-person term t1"
    assert "desk@source.example" in reason.ask


@pytest.mark.parametrize(
    ("question", "codes"),
    [
        ({"purpose": "shelf.expired"}, {"agreement_expired"}),
        ({"purpose": "shelf.future"}, {"agreement_not_yet_begun"}),
        ({"purpose": "shelf.suspended"}, {"agreement_suspended"}),
        ({"purpose": "shelf.revoked"}, {"agreement_revoked"}),
        ({"purpose": "shelf.limited"}, {"client_not_covered"}),
        ({"purpose": LAND}, {"officer_required"}),
        ({"purpose": LAND, "officer": "nobody.x"}, {"officer_not_enrolled"}),
        ({"purpose": LAND, "officer": "resting.n"}, {"officer_suspended"}),
    ],
)
def test_what_the_agreement_does_not_allow_is_refused_with_its_reason(
    world: Any, question: dict[str, Any], codes: set[str]
) -> None:
    refused(world, codes, **question)


def test_an_unknown_purpose_and_one_that_the_agreement_lacks_are_refused(world: Any) -> None:
    gateway, _ = world
    for purpose in ("nothing.known", "welfare.disability-allowance"):
        problem = ask(gateway, service=PERSON, citizen_id=ELDER, purpose=purpose)
        assert isinstance(problem, Problem)
        assert (problem.status, problem.code) == (403, "denied")
        assert problem.reasons
        (entry,) = on_record(gateway, problem.exchange_id, "refused")
        assert entry["legal"]["purpose"] == purpose


def test_an_agency_without_any_agreement_is_refused(world: Any) -> None:
    gateway, _ = world
    problem = ask(gateway, "city-b-welfare", service=HOUSE, citizen_id=ELDER, purpose=OLD_AGE)
    assert isinstance(problem, Problem)
    assert "no_agreement" in {reason.code for reason in problem.reasons}
    on_record(gateway, problem.exchange_id, "refused")


def test_the_quota_is_given_out_and_not_exceeded_however_many_ask_at_once(world: Any) -> None:
    gateway, agencies = world
    since, asked = size(gateway), agencies["dopa"].asked()
    question = {"service": PERSON, "citizen_id": ELDER, "purpose": "shelf.quota"}
    with gateway.as_("city-a-welfare") as client, ThreadPoolExecutor(12) as pool:

        def one(_: int) -> Answer | Problem:
            try:
                return client.exchange(**question)
            except Problem as problem:
                return problem

        results = list(pool.map(one, range(30)))
    answers = [result for result in results if isinstance(result, Answer)]
    problems = [result for result in results if isinstance(result, Problem)]
    assert len(answers) == 5
    assert agencies["dopa"].asked() == asked + 5
    for problem in problems:
        assert (problem.status, problem.code) == (429, "quota_exceeded")
        assert [reason.code for reason in problem.reasons] == ["quota_exceeded"]
        assert problem.retry_after is not None
        assert 0 < problem.retry_after <= 86400
    entries = entries_since(gateway, since)
    kinds = Counter(e["public"]["kind"] for r in results for e in of_exchange(entries, r.exchange_id))
    assert kinds == {"exchange.decided": 5, "exchange.released": 5, "exchange.refused": 25}


def test_an_officers_own_quota_leaves_the_other_officers_theirs(world: Any) -> None:
    gateway, _ = world
    question = {"service": PERSON, "citizen_id": ELDER, "purpose": "shelf.officers"}
    first = [ask(gateway, officer="somsri.j", **question) for _ in range(3)]
    assert [type(each) for each in first] == [Answer, Answer, Problem]
    refused(world, {"officer_quota_exceeded"}, status=429, **question, officer="somsri.j")
    assert isinstance(ask(gateway, officer="prasit.k", **question), Answer)


# -- suspended, and taken back ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "name", "body", "opposite", "codes"),
    [
        ("dopa-owner-1", "agreement.suspend", {"id": "city-a-person"}, "agreement.resume", {"agreement_suspended"}),
        ("dopa-owner-1", "connector.disable", {"agency": "dopa"}, "connector.enable", {"connector_disabled"}),
        ("admin", "purpose.suspend", {"code": OLD_AGE}, "purpose.resume", {"purpose_suspended"}),
        ("admin", "agency.suspend", {"id": "dopa"}, "agency.resume", {"agency_suspended"}),
    ],
)
def test_what_is_suspended_refuses_at_once_and_answers_again_when_resumed(
    world: Any, acting: Any, operator: str, name: str, body: dict[str, Any], opposite: str, codes: set[str]
) -> None:
    gateway, _ = world
    question = {"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE}
    assert isinstance(ask(gateway, **question), Answer)
    acting(operator, name, {**body, "reason": "a test"}, opposite)
    problem = ask(gateway, **question)
    assert isinstance(problem, Problem)
    assert codes <= {reason.code for reason in problem.reasons}
    on_record(gateway, problem.exchange_id, "refused")


def test_a_suspended_clients_token_ends_at_once(world: Any, acting: Any) -> None:
    gateway, _ = world
    with gateway.as_("city-a-welfare") as client:
        client.exchange(service=PERSON, citizen_id=ELDER, purpose=OLD_AGE)
        acting("admin", "client.suspend", {"id": "city-a-welfare", "reason": "a test"}, "client.resume")
        with pytest.raises(Problem) as refused_:
            client.exchange(service=PERSON, citizen_id=ELDER, purpose=OLD_AGE)
    assert refused_.value.status == 401


# -- neither granted nor refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "status", "code"),
    [
        ({"fields": ["date_of_birth", "shoe_size"]}, 400, "unknown_field"),
        ({"service": "dopa.ghost.v1"}, 404, "unknown_service"),
        ({"citizen_id": ELDER[:12] + str((int(ELDER[12]) + 1) % 10)}, 400, "invalid_citizen_id"),
        ({"purpose": "not a purpose"}, 400, "malformed_request"),
        ({"purpose": f"welfare.{ELDER}"}, 400, "malformed_request"),
        ({"officer": ELDER}, 400, "malformed_request"),
        ({"case_reference": f"OAA/{ELDER}"}, 400, "malformed_request"),
    ],
)
def test_a_question_that_is_none_is_answered_so_and_leaves_no_entry(
    world: Any, question: dict[str, Any], status: int, code: str
) -> None:
    gateway, agencies = world
    since, asked = size(gateway), agencies["dopa"].asked()
    problem = ask(gateway, **{"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE, **question})
    assert isinstance(problem, Problem)
    assert (problem.status, problem.code) == (status, code)
    assert "shoe_size" not in str(problem.as_json())
    assert ELDER not in str(problem.as_json())
    assert agencies["dopa"].asked() == asked
    not_on_record(gateway, problem.exchange_id, since)


def test_a_citizen_whom_the_source_does_not_know(world: Any) -> None:
    gateway, _ = world
    unknown = population.story("unknown")
    for service, purpose in ((PERSON, OLD_AGE), (HOUSE, OLD_AGE), (COVER, "health.coverage-check")):
        problem = ask(gateway, service=service, citizen_id=unknown, purpose=purpose)
        assert isinstance(problem, Problem)
        assert (problem.status, problem.code) == (404, "citizen_not_found")
        _, failed = on_record(gateway, problem.exchange_id, "failed")
        assert failed["content"]["fault"] == "citizen_not_found"
        assert failed["content"]["answer_digest"] is None
        assert failed["legal"]["released"] == []
