"""Sources that fail in every way: the documented code, a `failed` entry with a fault, and not a word of theirs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors import population
from gateway.client import Answer, Problem
from tests.acceptance.trail import ask, on_record, post
from tests.harness import COVER, HOUSE, OLD_AGE, PERSON, Agency, running, token_of

ELDER = population.story("elder")
PEOPLE = population.population()
OF_PERSON = {"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE}
OF_COVER = {"service": COVER, "citizen_id": ELDER, "purpose": "health.coverage-check"}


def words_of(citizen: str) -> tuple[str, ...]:
    """What a source says about someone, and the framework words of its errors."""
    person = PEOPLE[citizen]
    return (*population.sentinels(person), person.english_first_name, citizen, "errorNumber", "errorMessage", "<html>")


@pytest.mark.parametrize(
    ("fault", "status", "code", "faults"),
    [
        ("half", 502, "agency_misbehaved", {"cut_off", "not_json"}),
        ("not_json", 502, "agency_misbehaved", {"not_json", "content_type"}),
        ("wrong_person", 502, "agency_misbehaved", {"wrong_person"}),
        ("no_echo", 502, "agency_misbehaved", {"no_echo", "wrong_person"}),
        ("error_500", 502, "agency_misbehaved", {"status", "source_error"}),
        ("unavailable", 503, "agency_unavailable", {"unavailable"}),
        ("huge", 502, "agency_misbehaved", {"too_large"}),
        ("bomb", 502, "agency_misbehaved", {"too_large", "encoding"}),
        ("redirect", 502, "agency_misbehaved", {"redirect"}),
        ("wrong_schema", 502, "agency_misbehaved", {"schema"}),
        ("unmappable", 502, "agency_misbehaved", {"unmapped", "schema"}),
        ("wrong_charset", 502, "agency_misbehaved", {"charset"}),
        ("duplicate_key", 502, "agency_misbehaved", {"duplicate_key"}),
        ("nan", 502, "agency_misbehaved", {"not_json"}),
    ],
)
@pytest.mark.parametrize("source", ["dopa", "nhso"])
def test_a_source_that_answers_wrongly_is_at_fault_and_is_not_quoted(
    world: Any, mended: dict[str, Agency], source: str, fault: str, status: int, code: str, faults: set[str]
) -> None:
    gateway, _ = world
    mended[source].fault(fault)
    response = post(gateway, token_of(gateway, "city-a-welfare"), OF_PERSON if source == "dopa" else OF_COVER)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code)
    assert response.headers["content-type"] == "application/problem+json"
    said = response.text + str(response.headers)
    assert not [word for word in words_of(ELDER) if word in said]
    if fault == "unavailable":
        assert response.headers["retry-after"] == "7"
    _, failed = on_record(gateway, problem["exchange_id"], "failed")
    told, _, short = failed["content"]["fault"].partition(":")
    assert told == code
    assert short in faults
    assert failed["legal"]["released"] == []
    mended[source].fault("none")
    assert isinstance(ask(gateway, **(OF_PERSON if source == "dopa" else OF_COVER)), Answer)


def test_a_source_that_names_nobody_cannot_be_checked_and_says_so_in_the_catalogue(world: Any) -> None:
    with world[0].as_("city-a-welfare") as client:
        assert client.service(HOUSE)["echo"] == "none"
        assert client.service(PERSON)["echo"] == "checked"


def test_a_source_that_is_late_but_in_time_is_waited_for(world: Any, mended: dict[str, Agency]) -> None:
    mended["dopa"].fault("late", seconds=0.7)
    answer = ask(world[0], **OF_PERSON)
    assert isinstance(answer, Answer)
    _, released = on_record(world[0], answer.exchange_id, "released")
    assert released["content"]["source_us"] >= 700_000


def test_a_source_that_is_down_is_unavailable_and_serves_again_when_it_is_back(world: Any) -> None:
    gateway, agencies = world
    down = agencies["dopa"]
    down.stop()
    try:
        problem = ask(gateway, **OF_PERSON)
    finally:
        agencies["dopa"] = Agency("dopa", gateway.state / "sandbox" / "dopa", port=down.port)
    assert isinstance(problem, Problem)
    assert (problem.status, problem.code) == (503, "agency_unavailable")
    _, failed = on_record(gateway, problem.exchange_id, "failed")
    assert failed["content"]["fault"].partition(":")[2] in {"refused", "disconnected"}
    assert isinstance(ask(gateway, **OF_PERSON), Answer)


def test_an_announced_outage_is_told_as_such_and_the_source_is_left_alone(world: Any) -> None:
    gateway, agencies = world
    moment = datetime.now(UTC)
    starts, ends = (moment + timedelta(minutes=by) for by in (-5, 90))
    outage = {"agency": "dopa", "service": PERSON, "from": starts.isoformat("T", "seconds")}
    asked = agencies["dopa"].asked()
    with gateway.as_("dopa-owner-1") as owner:
        title = {"th": "ปรับปรุงระบบ", "en": "Maintenance"}
        owner.act("connector.outage", {**outage, "to": ends.isoformat("T", "seconds"), "title": title})
        try:
            response = post(gateway, token_of(gateway, "city-a-welfare"), OF_PERSON)
            with gateway.as_("city-a-welfare") as client:
                (told,) = client.service(PERSON)["outages"]
                assert client.service(HOUSE)["outages"] == []
        finally:
            owner.act("connector.outage.withdraw", outage)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (503, "outside_service_hours")
    assert 5300 < int(response.headers["retry-after"]) <= 5400
    assert problem["service_hours"]["outage"] == told
    assert told["title_th"] in problem["detail_th"]
    assert problem["service_hours"]["serves_again"] in problem["detail"]
    _, failed = on_record(gateway, problem["exchange_id"], "failed")
    assert failed["content"]["fault"] == "outside_service_hours:outage"
    assert agencies["dopa"].asked() == asked
    assert isinstance(ask(gateway, **OF_PERSON), Answer)


# -- a gateway with narrow limits, and a source that never answers --------------------------------------------------


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    settings = {"LINKAGE_MAX_PER_SOURCE": 3, "LINKAGE_BREAKER_FAILURES": 3, "LINKAGE_BREAKER_SECONDS": 2}
    with running(tmp_path_factory.mktemp("narrow"), **settings) as pair:
        yield pair


def test_a_source_that_never_answers_holds_up_itself_alone(narrow: Any) -> None:
    """Its places are taken, one more is turned away at once, and the other source answers all the while."""
    gateway, agencies = narrow
    agencies["nhso"].fault("never")
    begun = agencies["nhso"].asked()
    with ThreadPoolExecutor(4) as pool:
        stuck: list[Future[Answer | Problem]] = [pool.submit(ask, gateway, **OF_COVER) for _ in range(3)]
        until = time.monotonic() + 4
        while agencies["nhso"].asked() < begun + 3 and time.monotonic() < until:
            time.sleep(0.02)
        turned_away = ask(gateway, **OF_COVER)
        assert isinstance(turned_away, Problem)
        assert (turned_away.status, turned_away.code, turned_away.retry_after) == (503, "overloaded", 1)
        answers = [ask(gateway, **OF_PERSON) for _ in range(10)]
        assert all(isinstance(answer, Answer) for answer in answers)
        assert not any(future.done() for future in stuck)
        ended = [future.result() for future in stuck]
    for problem in ended:
        assert isinstance(problem, Problem)
        assert (problem.status, problem.code) == (504, "agency_timeout")
        _, failed = on_record(gateway, problem.exchange_id, "failed")
        assert failed["content"]["fault"] in {"agency_timeout:late", "agency_timeout:deadline"}
    _, failed = on_record(gateway, turned_away.exchange_id, "failed")
    assert failed["content"]["fault"] == "overloaded"
    assert agencies["nhso"].asked() == begun + 3


def test_a_source_that_keeps_failing_is_left_alone_for_a_while(narrow: Any) -> None:
    """Follows the test above: three failures in a row have opened the breaker, or three more will."""
    gateway, agencies = narrow
    agencies["nhso"].fault("unavailable")
    for _ in range(3):
        ask(gateway, **OF_COVER)
    asked = agencies["nhso"].asked()
    problem = ask(gateway, **OF_COVER)
    assert isinstance(problem, Problem)
    assert (problem.status, problem.code) == (503, "agency_unavailable")
    assert problem.retry_after is not None
    assert 1 <= problem.retry_after <= 2
    assert agencies["nhso"].asked() == asked
    _, failed = on_record(gateway, problem.exchange_id, "failed")
    assert failed["content"]["fault"] == "agency_unavailable:breaker_open"
    assert isinstance(ask(gateway, **OF_PERSON), Answer)
    agencies["nhso"].fault("none")
    until = time.monotonic() + 10
    while not isinstance(answer := ask(gateway, **OF_COVER), Answer) and time.monotonic() < until:
        time.sleep(0.2)
    assert isinstance(answer, Answer)
