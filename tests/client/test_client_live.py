"""Both clients against the running gateway: what the one gets, the other gets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from connectors import population
from gateway.client import AsyncGateway, Gateway, Problem
from tests.harness import OLD_AGE, PERSON


@pytest.fixture
def question() -> dict[str, Any]:
    elder = population.story_people()[0].citizen_id
    return {"service": PERSON, "purpose": OLD_AGE, "citizen_id": elder, "case_reference": "CLIENT/1"}


def test_a_question_in_three_lines(world: Any, question: dict[str, Any]) -> None:
    url, keys = world[0].url, world[0].keys
    with Gateway(url, "city-a-welfare", keys / "city-a-welfare.jwk") as gateway:
        answer = gateway.exchange(**question)
    assert set(answer.data) == {"date_of_birth", "life_status", "nationality"}
    assert answer["data"] == answer.data
    assert answer.sealed_by
    assert answer.source["agency"] == "dopa"
    assert answer.as_json()["receipt"] == answer.receipt


async def test_the_same_awaited_and_many_at_once(world: Any, question: dict[str, Any]) -> None:
    url, keys = world[0].url, world[0].keys
    async with AsyncGateway(url, "city-b-welfare", keys / "city-b-welfare.jwk") as gateway:
        answers = await asyncio.gather(*(gateway.exchange(**question) for _ in range(20)))
        assert len({answer.exchange_id for answer in answers}) == 20
        assert all(answer.sealed_by for answer in answers)
        with pytest.raises(Problem) as caught:
            await gateway.exchange(**{**question, "fields": ["father_name"]})
        assert caught.value.code == "denied"
        assert caught.value.reasons[0].fields == ("father_name",)
        assert (await gateway.status(caught.value.exchange_id or ""))["outcome"] == "refused"


async def test_everything_there_is_to_read(world: Any, question: dict[str, Any]) -> None:
    running = world[0]
    with running.as_("city-a-welfare") as asker:
        asked = asker.exchange(**question).exchange_id
    for name, calls in (
        (
            "city-a-welfare",
            [("services",), ("service", PERSON), ("schema", PERSON), ("purposes",), ("agreements",), ("status", asked)],
        ),
        ("admin", [("register", "agency"), ("record", "client", "city-a-welfare"), ("services",)]),
        ("auditor", [("audited", asked), ("purposes",)]),
    ):
        async with AsyncGateway(running.url, name, running.keys / f"{name}.jwk") as awaited:
            with running.as_(name) as waiting:
                for call, *given in calls:
                    one = getattr(waiting, call)(*given)
                    assert one
                    assert await getattr(awaited, call)(*given) == one


def test_a_page_of_the_log(world: Any) -> None:
    with world[0].as_("auditor") as auditor:
        page = auditor.entries(after=2, limit=3)
        assert [entry["index"] for entry in page["entries"]] == [2, 3, 4]
        assert page["next"] == 5
        found = auditor.search(service=PERSON, since="2020-01-01T00:00:00Z", limit=1)
        assert len(found["exchanges"]) <= 1


def test_one_without_the_right_is_told_so(world: Any) -> None:
    with world[0].as_("city-a-welfare") as client, pytest.raises(Problem) as caught:
        client.register("agency")
    assert caught.value.code == "invalid_scope"
    with (
        Gateway(world[0].url, "city-a-welfare", world[0].keys / "auditor.jwk") as other,
        pytest.raises(Problem) as caught,
    ):
        other.services()
    assert caught.value.code == "invalid_client"
