"""What one registration changes of another, and which changes break those who ask."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue import differences, read_folder

ROOT = Path(__file__).resolve().parents[2]
OLD = read_folder(ROOT / "connectors" / "dopa", ROOT / "schemas").as_json()
PERSON = "dopa.person.v1"


def person(body: dict[str, Any]) -> dict[str, Any]:
    return next(service for service in body["services"] if service["id"] == PERSON)


def fields(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = person(body)["schema"]["properties"]
    return found


def put(place: Callable[[dict[str, Any]], Any], key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        place(body)[key] = value

    return change


def without(place: Callable[[dict[str, Any]], Any], key: Any) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        del place(body)[key]

    return change


def member_more(body: dict[str, Any]) -> None:
    fields(body)["life_status"]["properties"]["since"] = {"type": "string"}


BREAKING = {
    "service_removed": without(lambda body: body["services"], 0),
    "identifier": put(person, "identifier", "juristic_id"),
    "level": put(person, "level", "03"),
    "category": put(person, "category", "official_secret"),
    "officer_required": put(person, "officer_required", True),
    "hours": put(person, "hours", {"weekly": {"mon": ["08:30-16:30"]}}),
    "field_removed": without(fields, "first_name"),
    "field level": put(lambda body: fields(body)["first_name"], "x-level", "03"),
    "pdpa": put(lambda body: fields(body)["first_name"], "x-pdpa", "race"),
    "given": put(lambda body: fields(body)["name_matches"], "x-given", {"full_name": {}}),
    "not_always_there": lambda body: person(body)["schema"]["required"].remove("first_name"),
    "form: another type": put(lambda body: fields(body)["first_name"], "type", "integer"),
    "form: null too": put(lambda body: fields(body)["first_name"], "type", ["string", "null"]),
    "form: longer": put(lambda body: fields(body)["first_name"], "maxLength", 4000),
    "form: a code more": lambda body: fields(body)["life_status"]["properties"]["code"]["enum"].append("missing"),
    "form: a part more": member_more,
    "form: no pattern": without(lambda body: fields(body)["date_of_birth"], "pattern"),
}
"""Code (before the colon) -> a change of this kind."""
HARMLESS = {
    "service_added": lambda body: body["services"].append({**deepcopy(person(body)), "id": "dopa.more.v1"}),
    "narrower: never null": put(lambda body: fields(body)["last_name"], "type", "string"),
    "narrower: shorter": put(lambda body: fields(body)["first_name"], "maxLength", 40),
    "narrower: a code fewer": lambda body: fields(body)["gender"]["properties"]["code"]["enum"].remove("male"),
    "field_added": put(fields, "blood_group", {"title": "x", "x-level": "02", "x-pdpa": "general"}),
    "told": put(lambda body: fields(body)["first_name"], "title", "Given name"),
    "connector": put(lambda body: person(body)["connector"], "endpoint", "https://other.dopa.example"),
    "echo": put(person, "echo", "none"),
    "deadline_seconds": put(person, "deadline_seconds", 9),
    "agency_told": put(lambda body: body, "title", {"th": "x", "en": "x"}),
}


@pytest.mark.parametrize("what", BREAKING)
def test_what_breaks_those_who_ask(what: str) -> None:
    _one_change(what, BREAKING[what], breaks=True)


@pytest.mark.parametrize("what", HARMLESS)
def test_what_breaks_nobody(what: str) -> None:
    _one_change(what, HARMLESS[what], breaks=False)


def _one_change(what: str, change: Callable[[dict[str, Any]], None], *, breaks: bool) -> None:
    new = deepcopy(OLD)
    change(new)
    found = differences(OLD, new)
    code = what.partition(":")[0].rpartition(" ")[2]
    assert [(each.code, each.breaks) for each in found] == [(code, breaks)]
    assert found[0].en
    assert found[0].th


def test_a_wider_promise_taken_back_is_narrower_and_the_reverse_breaks() -> None:
    """Whatever of the form breaks one way is no form's change, or narrower, the other way."""
    for what, change in BREAKING.items():
        if what.startswith("form:") and "type" not in what:
            new = deepcopy(OLD)
            change(new)
            back = [each.breaks for each in differences(new, OLD)]
            assert back == ([True] if "part more" in what else [False]), what


def test_nothing_is_nothing_and_the_first_registration_breaks_nobody() -> None:
    assert differences(OLD, deepcopy(OLD)) == []
    first = differences(None, OLD)
    assert {each.code for each in first} == {"service_added"}
    assert len(first) == 4


def test_what_breaks_comes_first() -> None:
    new = deepcopy(OLD)
    HARMLESS["told"](new)
    BREAKING["field_removed"](new)
    person(new)["schema"]["properties"]["last_name"]["title"] = "x"
    assert [each.breaks for each in differences(OLD, new)] == sorted(
        [each.breaks for each in differences(OLD, new)], reverse=True
    )
