"""The six stories of the demonstration and what must be refused in each, through the whole gateway.

Two of them ask by comparison: whether the mother, or the name, is the one that the asker gives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.population import Person, population, story, story_people
from connectors.population_files import files_of, marriages, pupil
from gateway.client import Answer, Problem
from tests.acceptance.story_world import (
    DEPOSIT,
    DISABILITY,
    LAND,
    NEWBORN,
    NOTICE,
    OLD_AGE,
    SCHOLARSHIP,
    stories,
)
from tests.acceptance.trail import ask, on_record
from tests.harness import Agency, RunningGateway

World = tuple[RunningGateway, dict[str, Agency]]
PEOPLE = population()
PINNED = {each.citizen_id for each in story_people()}
PERSON, HOUSE, CARD, STUDENT = "dopa.person.v1", "dopa.house.v1", "dep.disability.v1", "moe.student.v1"
TEXT = "เทศบาลขอใช้ระดับชั้นและเกรดเฉลี่ยของท่านเพื่อพิจารณาทุนการศึกษา"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with stories(tmp_path_factory.mktemp("stories")) as world:
        yield world


def answered(told: World, client: str, service: str, who: str, purpose: str, **more: Any) -> dict[str, Any]:
    """The data of a granted question, on record as released."""
    answer = ask(told[0], client, service=service, citizen_id=who, purpose=purpose, **more)
    assert isinstance(answer, Answer), str(answer)
    on_record(told[0], answer.exchange_id, "released")
    return dict(answer.data)


def refused(told: World, client: str, service: str, who: str, purpose: str, **more: Any) -> set[str]:
    """The reasons of a refused question, which no source was asked."""
    gateway, sources = told
    asked = {name: source.asked() for name, source in sources.items()}
    problem = ask(gateway, client, service=service, citizen_id=who, purpose=purpose, **more)
    assert isinstance(problem, Problem)
    assert (problem.status, problem.code) == (403, "denied")
    assert {name: source.asked() for name, source in sources.items()} == asked
    on_record(gateway, problem.exchange_id, "refused")
    return {reason.code for reason in problem.reasons}


def test_the_old_age_allowance_of_a_town(told: World) -> None:
    elder, dead, away = (PEOPLE[story(key)] for key in ("elder", "dead", "elsewhere"))
    data = answered(told, "town", PERSON, elder.citizen_id, OLD_AGE)
    assert set(data) == {"date_of_birth", "nationality", "life_status"}
    assert (data["date_of_birth"], data["nationality"]["code"], data["life_status"]["code"]) == (
        "1957-03",
        "099",
        "alive",
    )
    assert answered(told, "town", PERSON, dead.citizen_id, OLD_AGE)["life_status"]["code"] == "dead"
    homes = [answered(told, "town", HOUSE, one.citizen_id, OLD_AGE) for one in (elder, away)]
    assert [home["local_authority"]["code"] for home in homes] == [elder.house.place[0], away.house.place[0]]
    assert all(set(home) == {"local_authority"} for home in homes)
    for parents in (["mother_name"], ["date_of_birth", "father_citizen_id"]):
        assert refused(told, "town", PERSON, elder.citizen_id, OLD_AGE, fields=parents) == {"field_not_covered"}
    for address in (["full_address"], ["local_authority", "house_no", "road"]):
        assert refused(told, "town", HOUSE, elder.citizen_id, OLD_AGE, fields=address) == {"field_not_covered"}


def test_the_disability_allowance_of_a_town(told: World) -> None:
    one = PEOPLE[story("adult")]
    card = files_of(one).disability
    assert card is not None
    data = answered(told, "town", CARD, one.citizen_id, DISABILITY)
    assert data == {"card_status": {"code": "valid", "label": "ใช้งานได้"}, "card_expiry": str(card.expires)}
    person = answered(told, "town", PERSON, one.citizen_id, DISABILITY)
    assert set(person) == {"date_of_birth", "life_status"}
    kind = ["card_status", "kind_of_disability"]
    assert "field_not_covered" in refused(told, "town", CARD, one.citizen_id, DISABILITY, fields=kind)
    assert refused(told, "town", CARD, one.citizen_id, OLD_AGE)
    assert refused(told, "children", CARD, one.citizen_id, DISABILITY) == {"no_agreement"}
    problem = ask(told[0], "town", service=CARD, citizen_id=story("elder"), purpose=DISABILITY)
    assert isinstance(problem, Problem)
    assert (problem.status, problem.code) == (404, "citizen_not_found")


def test_the_newborn_grant(told: World) -> None:
    child = PEOPLE[story("minor")]
    mother, another = {"mother_citizen_id": child.mother}, {"mother_citizen_id": story("elder")}
    data = answered(told, "children", PERSON, child.citizen_id, NEWBORN, given=mother)
    assert set(data) == {"date_of_birth", "nationality", "life_status", "mother_matches"}
    assert (data["date_of_birth"], data["mother_matches"]) == (str(child.born), True)
    asked = {"fields": ["mother_matches"], "given": another}
    assert answered(told, "children", PERSON, child.citizen_id, NEWBORN, **asked) == {"mother_matches": False}
    unknown = PEOPLE[story("elder")]
    assert unknown.mother == ""
    asked = {"fields": ["mother_matches"], "given": mother}
    assert answered(told, "children", PERSON, unknown.citizen_id, NEWBORN, **asked) == {"mother_matches": None}
    without = answered(told, "children", PERSON, child.citizen_id, NEWBORN)
    assert set(without) == {"date_of_birth", "nationality", "life_status"}
    for fields in (["father_name"], ["father_citizen_id", "life_status"], ["mother_citizen_id"]):
        assert refused(told, "children", PERSON, child.citizen_id, NEWBORN, fields=fields) == {"field_not_covered"}
    assert refused(told, "children", HOUSE, child.citizen_id, NEWBORN) == {"no_agreement"}


def test_the_transfer_of_land(told: World) -> None:
    def changed(one: Person) -> bool:
        files = files_of(one)
        return bool(files.last_name and not files.first_name and one.citizen_id in marriages())

    seller = next(one for one in PEOPLE.values() if changed(one))
    who, officer = seller.citizen_id, {"officer": "wanna.k"}
    data = answered(told, "land", PERSON, who, LAND, **officer)
    assert (data["first_name"], data["last_name"]) == (seller.first_name, seller.last_name)
    names = answered(told, "land", "dopa.name-change.v1", who, LAND, **officer)
    change = files_of(seller).last_name
    assert change is not None
    assert names["first_name"] is None
    assert (names["last_name"]["old_value"], names["last_name"]["new_value"]) == (change.old, seller.last_name)
    wedded = answered(told, "land", "dopa.marriage.v1", who, LAND, **officer)
    assert wedded["marriage_count"] == len(marriages()[who])
    assert who in (wedded["marriages"][0]["husband_citizen_id"], wedded["marriages"][0]["wife_citizen_id"])
    for service in (PERSON, "dopa.name-change.v1", "dopa.marriage.v1"):
        assert refused(told, "land", service, who, LAND) == {"officer_required"}
        assert refused(told, "land", service, who, LAND, officer="nobody.x") == {"officer_not_enrolled"}
    assert refused(told, "land", HOUSE, who, LAND, **officer) == {"no_agreement"}
    photo = ask(told[0], "land", service=PERSON, citizen_id=who, purpose=LAND, fields=["photo"], **officer)
    assert isinstance(photo, Problem)
    assert (photo.status, photo.code) == (400, "unknown_field")


def test_the_refund_of_a_deposit_by_the_number_alone(told: World) -> None:
    holder = PEOPLE[story("dead")]
    name = {"first_name": f"นาย{holder.first_name}", "last_name": f" {holder.last_name}"}
    data = answered(told, "power", PERSON, holder.citizen_id, DEPOSIT, given=name)
    assert set(data) == {"life_status", "name_matches"}
    assert (data["life_status"]["code"], data["name_matches"]) == ("dead", True)
    asked = {"fields": ["name_matches"], "given": {**name, "last_name": "อื่น"}}
    assert answered(told, "power", PERSON, holder.citizen_id, DEPOSIT, **asked) == {"name_matches": False}
    for field in ("date_of_birth", "first_name", "last_name"):
        assert refused(told, "power", PERSON, holder.citizen_id, DEPOSIT, fields=[field]) == {"field_not_covered"}
    assert refused(told, "power", HOUSE, holder.citizen_id, DEPOSIT) == {"no_agreement"}


def test_the_scholarship_of_a_pupil_whose_parent_agrees(told: World) -> None:
    child, question = pupil(), {"service": STUDENT, "purpose": SCHOLARSHIP}
    asking = ("town", STUDENT, child.citizen_id, SCHOLARSHIP)
    assert refused(told, *asking) == {"consent_required"}
    schooling = files_of(child).schooling
    assert schooling is not None
    with told[0].as_("town") as desk:
        body = {
            **question,
            "citizen_id": child.citizen_id,
            "fields": ["grade", "gpax"],
            "notice": {**NOTICE, "language": "th", "text": TEXT},
            "validity": {"to": (datetime.now(UTC) + timedelta(days=30)).isoformat()},
            "age_band": "minor_10_19",
            "confirm_by": (datetime.now(UTC) + timedelta(days=20)).isoformat(),
        }
        alone = desk.give_consent({**body, "evidence": _evidence("SCH/0")})
        assert refused(told, *asking, consent_id=alone["consent"]["id"]) == {"guardian_required"}
        desk.change_consent(alone["consent"]["id"], "withdraw", "given without the parent")
        parent = {"relation": "parent", "citizen_id": child.mother, "evidence": _evidence("SCH/1-parent")}
        given = desk.give_consent({**body, "evidence": _evidence("SCH/1"), "guardian": parent})
        consent = {"consent_id": given["consent"]["id"]}
        data = answered(told, *asking, **consent)
        assert data == {"grade": schooling.grade_name, "gpax": float(schooling.terms[0][2])}
        more = refused(told, *asking, fields=["grade", "school"], **consent)
        assert "field_not_covered" in more
        other = next(one for one in PEOPLE.values() if files_of(one).schooling and one != child)
        others = refused(told, "town", STUDENT, other.citizen_id, SCHOLARSHIP, **consent)
        assert others == {"consent_of_another_subject"}
        desk.change_consent(given["consent"]["id"], "withdraw", "the parent asks")
    assert refused(told, *asking, **consent) == {"consent_withdrawn"}
    assert "consent_withdrawn" in refused(told, *asking, fields=["gpax"], **consent)


def _evidence(reference: str) -> dict[str, Any]:
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    return {"method": "id-card", "assurance": 3, "officer": "wanna.k", "reference": reference, "notice_sha256": digest}


def malformed(told: World, client: str, who: str, purpose: str, **more: Any) -> str:
    """What is said of a question that is not well put; no source was asked."""
    gateway, sources = told
    asked = {name: source.asked() for name, source in sources.items()}
    problem = ask(gateway, client, service=PERSON, citizen_id=who, purpose=purpose, **more)
    assert isinstance(problem, Problem)
    assert problem.status == 400
    assert {name: source.asked() for name, source in sources.items()} == asked
    return f"{problem.code}: {problem.detail} {problem.detail_th}"


def test_no_more_and_no_less_is_given_than_is_compared(told: World) -> None:
    holder, child = PEOPLE[story("dead")], PEOPLE[story("minor")]
    name = {"first_name": holder.first_name, "last_name": holder.last_name}
    asking = ("power", holder.citizen_id, DEPOSIT)
    for given, named in (
        (None, "given.first_name, given.last_name"),
        ({"first_name": holder.first_name}, "needs given.last_name"),
    ):
        said = malformed(told, *asking, fields=["name_matches"], given=given)
        assert named in said
        assert "ขาดค่า" in said
        assert holder.first_name not in said
    said = malformed(told, *asking, fields=["life_status"], given=name)
    assert "no field that is asked for and granted is compared with given.first_name, given.last_name" in said
    assert malformed(told, *asking, given={**name, "laser_code": "ME1"}).startswith("unknown_field")
    more = {**name, "mother_citizen_id": child.mother}
    assert "given.mother_citizen_id: leave it out" in malformed(told, *asking, given=more)
    wrong = child.mother[:-1] + str((int(child.mother[-1]) + 1) % 10)
    said = malformed(told, "children", child.citizen_id, NEWBORN, given={"mother_citizen_id": wrong})
    assert "check digit" in said
    assert wrong not in said
    for bad in ({}, {"first_name": ""}, {"first_name": "ก" * 201}, {"first_name": 1}, "สมชาย", ["ก"], {"x-y": "ก"}):
        assert malformed(told, *asking, given=bad).startswith("malformed_request")
    assert malformed(told, *asking, given={**name, "first_name": "12 34"}).startswith("malformed_request")
    parents = {"fields": ["mother_matches"], "given": {"mother_citizen_id": child.mother}}
    assert refused(told, "power", PERSON, child.citizen_id, DEPOSIT, **parents) == {"field_not_covered"}


def test_the_entry_names_what_was_given_and_no_name_is_tried_out(told: World) -> None:
    """Five comparisons a day with one person's data on one term: the sixth is refused, and so on record."""
    gateway, person = told[0], next(one for one in PEOPLE.values() if one.born.day and one.citizen_id not in PINNED)
    question = {"service": PERSON, "citizen_id": person.citizen_id, "purpose": DEPOSIT}
    for guess in ("หนึ่ง", "สอง", "สาม", "สี่", "ห้า"):
        given = {"first_name": guess, "last_name": person.last_name}
        answer = ask(gateway, "power", **question, fields=["name_matches"], given=given)
        assert isinstance(answer, Answer)
        assert answer.data == {"name_matches": False}
    entry = on_record(gateway, answer.exchange_id, "released")[0]
    assert entry["legal"]["given"] == ["first_name", "last_name"]
    assert guess not in str(entry)
    given = {"first_name": person.first_name, "last_name": person.last_name}
    stopped = ask(gateway, "power", **question, given=given)
    assert isinstance(stopped, Problem)
    assert (stopped.status, stopped.code) == (429, "quota_exceeded")
    assert [reason.code for reason in stopped.reasons] == ["comparisons_exceeded"]
    assert on_record(gateway, stopped.exchange_id, "refused")[0]["legal"]["given"] == ["first_name", "last_name"]
    plain = answered(told, "power", PERSON, person.citizen_id, DEPOSIT)
    assert set(plain) == {"life_status"}
