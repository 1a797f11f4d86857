"""The main job, end to end, against real processes."""

from __future__ import annotations

from typing import Any

import pytest

from connectors import population
from gateway.client import Problem
from tests.harness import HOUSE, OLD_AGE, PERSON


@pytest.fixture
def elder() -> str:
    return population.story_people()[0].citizen_id


def test_a_granted_question_is_answered_with_the_terms_fields_and_nothing_else(world: Any, elder: str) -> None:
    gateway, agencies = world
    with gateway.as_("city-a-welfare") as client:
        answer = client.exchange(service=PERSON, citizen_id=elder, purpose=OLD_AGE, case_reference="OAA/1")
    assert set(answer["data"]) == {"date_of_birth", "life_status", "nationality"}
    assert answer["decision"]["agreement"] == "city-a-person"
    assert answer["receipt"]["index"] is not None
