"""The six stories of the demonstration and what must be refused in each, through the whole gateway.

The yes-or-no answers of two of them (mother matches, name matches) need a value to compare with, which a question
cannot carry; those stories run without them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.population import Person, population, story
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
    data = answered(told, "children", PERSON, child.citizen_id, NEWBORN)
    assert set(data) == {"date_of_birth", "nationality", "life_status"}
    assert data["date_of_birth"] == str(child.born)
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
    data = answered(told, "power", PERSON, holder.citizen_id, DEPOSIT)
    assert set(data) == {"life_status"}
    assert data["life_status"]["code"] == "dead"
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
