"""A municipality's scholarship: a pupil of 15 and a parent consent to grade and marks, and to nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from connectors import population
from connectors.population_files import files_of
from gateway.catalogue import digest_of
from gateway.client import Answer
from tests import harness
from tests.acceptance.trail import on_record
from tests.consents.desk_of_consents import NOTICE, Office, codes_of, evidence, later
from tests.harness import Agency, agree, agreement, confirm, registration_of, running, term, title

STUDENT, SCHOLARSHIP = "moe.student.v1", "education.scholarship"
KEYS = {**harness.SANDBOX_KEYS, "SOURCE_MOE__API_KEY": "made-up-moe-key"}
PUPIL = next(
    one
    for one in population.population().values()
    if one.age(population.TODAY) == 15 and one.mother and files_of(one).schooling is not None
)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder: Path = tmp_path_factory.mktemp("scholarship")
    with patch.object(harness, "SANDBOX_KEYS", KEYS), running(folder) as (gateway, _):
        moe = Agency("moe", folder / "moe")
        try:
            opened = Office(gateway)
            opened.open()
            _register(opened, moe)
            yield opened
        finally:
            moe.stop()


def _register(office: Office, moe: Agency) -> None:
    gateway, registration = office.gateway, registration_of("moe", moe.url)
    with gateway.as_("admin") as admin:
        admin.act("agency.add", {"id": "moe", "title": title("moe")})
        for number in (1, 2):
            name = f"moe-owner-{number}"
            body = {"id": name, "name": name, "role": "owner", "agency": "moe", "keys": [gateway.person(name)]}
            if number == 1:
                admin.act("operator.add", body)
                confirm(gateway, name, "admin-2")
            else:
                with gateway.as_("moe-owner-1") as first:
                    first.act("operator.add", body)
                confirm(gateway, name, "admin")
        admin.act("connector.register", {"registration": registration})
        purpose = {"th": "ทุนการศึกษา", "en": "Scholarship"}
        authority = {"th": "พ.ร.บ. เทศบาล พ.ศ. 2496", "en": "Municipality Act B.E. 2496"}
        admin.act("purpose.add", {"code": SCHOLARSHIP, "title": purpose, "authority": authority, "replaces": []})
    with gateway.as_("moe-owner-1") as owner:
        owner.act("connector.approve", {"agency": "moe", "digest": digest_of(registration)})
    rules = {"collectors": ["city-a"], "methods": ["id-card"], "least_assurance": 3}
    own = term(SCHOLARSHIP, ["grade", "gpax"], lawful_basis="consent", consent=rules)
    agree(gateway, agreement("scholarship", STUDENT, [own]))


def test_the_story(office: Office) -> None:
    question: dict[str, Any] = {"service": STUDENT, "officer": "wanna.k", "case_reference": "SCH/2569/15"}

    def ask(**more: Any) -> Any:
        return office.ask(SCHOLARSHIP, PUPIL.citizen_id, **{**question, **more})

    about: dict[str, Any] = {
        "service": STUDENT,
        "fields": ["grade", "gpax"],
        "age_band": "minor_10_19",
        "confirm_by": later(days=300),
    }
    assert codes_of(ask()) == {"consent_required"}
    office.give(SCHOLARSHIP, PUPIL.citizen_id, **about)
    assert codes_of(ask()) == {"guardian_required"}
    parent = {"relation": "parent", "citizen_id": PUPIL.mother, "evidence": evidence()}
    given = office.give(SCHOLARSHIP, PUPIL.citizen_id, **about, guardian=parent, use_limit={"times": 2, "per": "all"})
    assert NOTICE in given["page"]
    answer = ask()
    assert isinstance(answer, Answer)
    assert set(answer.data) == {"grade", "gpax"}
    decided, released = on_record(office.gateway, answer.exchange_id, "released")
    assert decided["legal"]["consent"] == given["consent"]["id"]
    assert set(released["legal"]["released"]) == {"grade", "gpax"}
    assert codes_of(ask(fields=["school"])) >= {"field_not_covered"}
    with office.gateway.as_("city-a-consents") as desk:
        desk.withdraw_by_code(given["withdrawal_code"])
    for fields in (None, ["grade"], ["gpax"]):
        assert codes_of(ask(fields=fields, consent_id=given["consent"]["id"])) == {"consent_withdrawn"}
