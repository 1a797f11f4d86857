"""What the demonstration compares, and what it hands out."""

from __future__ import annotations

import socket
from datetime import date
from pathlib import Path

import pytest

from gateway.demo.ground import USUAL_PORT, CannotStart, port_for, taken
from gateway.demo.handed_out import grants
from gateway.demo.story import question_of, read_story
from gateway.demo.walkthrough import differences
from gateway.model import has_valid_check_digit


def test_a_step_that_turns_out_otherwise_is_noticed() -> None:
    body = {"code": "denied", "reasons": [{"code": "no_agreement"}]}
    assert differences({"status": 403, "code": "denied", "reasons": ["no_agreement"]}, 403, body) == []
    assert differences({"status": 200, "fields": ["a"]}, 403, body) == [
        "status: expected 200, was 403",
        "fields: expected ['a'], was []",
    ]
    assert differences({"status": 200, "fields": ["b", "a"]}, 200, {"data": {"a": 1, "b": 2}}) == []
    assert differences({"status": 200, "fields": ["a"]}, 200, {"data": {"a": 1, "b": 2}}) != []
    matches = {"status": 200, "fields": ["a"], "data": {"a": True}}
    assert differences(matches, 200, {"data": {"a": True}}) == []
    assert differences(matches, 200, {"data": {"a": False}}) == ["data: expected {'a': True}, was {'a': False}"]


def test_the_story_asks_about_made_up_people_only_and_mistypes_where_it_says() -> None:
    story = read_story()
    assert all(str(step.question["citizen_id"]).startswith("9") for step in story.steps)
    wrong = [step for step in story.steps if not has_valid_check_digit(step.question["citizen_id"])]
    assert [step.expect["code"] for step in wrong] == ["invalid_citizen_id"]
    assert "mistyped" not in question_of({"service": "a.b.v1", "person": "elder", "mistyped": True})


def test_who_proposes_or_registers_never_approves() -> None:
    story = read_story()
    assert all(signing.proposes != signing.approves for signing in story.agreements)
    assert all(source.registers != source.approves.id for source in story.sources)


def test_what_has_expired_is_not_handed_out_and_a_group_reaches_its_members() -> None:
    story = read_story()
    today = grants(story, date(2026, 1, 1))
    assert ("dcy-grants", "dopa.house.v1") not in [(grant["client_id"], grant["service"]) for grant in today]
    last_year = grants(story, date(2025, 1, 1))
    assert ("dcy-grants", "dopa.house.v1") in [(grant["client_id"], grant["service"]) for grant in last_year]
    reached = {grant["client_id"] for grant in today if grant["purpose"] == "welfare.disability-allowance"}
    assert reached == {"sommut-welfare", "sommut-scholarship", "jamlong-welfare"}
    wanting = [grant for grant in today if "officer" in grant]
    assert {grant["client_id"] for grant in wanting} == {"dol-registry"}


def test_without_a_wish_the_usual_port_is_taken_or_else_a_free_one() -> None:
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("127.0.0.1", USUAL_PORT))
            held.listen(1)
        except OSError:
            pass  # someone else holds it: just as well
        port, another = port_for(None)
        assert another
        assert port != USUAL_PORT
        with pytest.raises(CannotStart, match="in use"):
            port_for(USUAL_PORT)


def test_an_earlier_demonstration_is_cleared_away_but_not_what_lies_beside_it(tmp_path: Path) -> None:
    with taken(tmp_path) as ground:
        (ground.logs / "old.log").write_text("old")
        (tmp_path / "mine.txt").write_text("mine")
    with taken(tmp_path) as ground:
        assert not (ground.logs / "old.log").exists()
        assert (tmp_path / "mine.txt").read_text() == "mine"
        with pytest.raises(CannotStart, match="another demonstration"), taken(tmp_path):
            pass
