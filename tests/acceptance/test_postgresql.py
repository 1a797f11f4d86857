"""The gateway on PostgreSQL: the main job, and two gateways over one database."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from connectors import population
from gateway.client import Answer, Problem, Unreachable
from tests.acceptance.trail import ask, entries_since, of_exchange, on_record
from tests.databases import fresh
from tests.harness import OLD_AGE, PERSON, Second, agree, agreement, running, term, title

ELDER = population.story("elder")
QUESTION = {"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder: Path = tmp_path_factory.mktemp("postgresql")
    # A poll that never comes: what a gateway does not look for, `unless` has to catch.
    settings = {"LINKAGE_REGISTERS_POLL": 3600}
    with fresh("postgresql", folder) as url, running(folder, LINKAGE_DATABASE_URL=url, **settings) as (first, agencies):
        second = Second(first)
        second.start()
        try:
            yield first, second, agencies
        finally:
            second.stop()


def test_a_question_is_answered_refused_and_found_again(pair: Any) -> None:
    first, second, _ = pair
    for gateway in (first, second):
        answer = ask(gateway, **QUESTION)
        assert isinstance(answer, Answer)
        assert set(answer.data) == {"date_of_birth", "life_status", "nationality"}
        decided, _ = on_record(gateway, answer.exchange_id, "released")
        assert decided["public"]["gateway"] == ("gateway-1" if gateway is first else "gateway-2")
        problem = ask(gateway, **QUESTION, fields=["father_name"])
        assert isinstance(problem, Problem)
        assert [reason.code for reason in problem.reasons] == ["field_not_covered"]
        on_record(second if gateway is first else first, problem.exchange_id, "refused")
        unknown = ask(gateway, **{**QUESTION, "citizen_id": population.story("unknown")})
        assert isinstance(unknown, Problem)
        on_record(gateway, unknown.exchange_id, "failed")


def test_both_give_out_one_quota(pair: Any) -> None:
    first, second, _ = pair
    with first.as_("admin") as admin:
        admin.act("purpose.add", {"code": "shared.quota", "title": title("q"), "authority": title("a"), "replaces": []})
    agree(first, agreement("shared-quota", PERSON, [term("shared.quota", ["life_status"], quota_per_day=7)]))
    with ThreadPoolExecutor(8) as pool:
        question = {**QUESTION, "purpose": "shared.quota"}
        results = list(pool.map(lambda n: ask((first, second)[n % 2], **question), range(24)))
    assert Counter(type(result) for result in results) == {Answer: 7, Problem: 17}
    assert {result.status for result in results if isinstance(result, Problem)} == {429}
    entries = entries_since(second, 0)
    assert [entry["index"] for entry in entries] == list(range(len(entries)))
    kinds = Counter(entry["public"]["kind"] for result in results for entry in of_exchange(entries, result.exchange_id))
    assert kinds == {"exchange.decided": 7, "exchange.released": 7, "exchange.refused": 17}


def test_what_one_gateway_suspends_the_other_does_not_grant(pair: Any) -> None:
    first, second, _ = pair
    assert isinstance(ask(second, **QUESTION), Answer)
    with first.as_("dopa-owner-1") as owner:
        owner.act("agreement.suspend", {"id": "city-a-person", "reason": "a test"})
        try:
            problem = ask(second, **QUESTION)
        finally:
            owner.act("agreement.resume", {"id": "city-a-person", "reason": "a test"})
    assert isinstance(problem, Problem)
    assert [reason.code for reason in problem.reasons] == ["agreement_suspended"]
    assert isinstance(ask(second, **QUESTION), Answer)


def test_a_key_that_one_gateway_revokes_opens_nothing_at_the_other(pair: Any) -> None:
    first, second, _ = pair
    key, spare = first.person("city-a-stolen"), first.person("city-a-spare")
    with first.as_("admin") as admin:
        admin.act("client.add", {"id": "city-a-stolen", "agency": "city-a", "title": title("x"), "keys": [key, spare]})
        ask(second, **QUESTION)  # so that the second has seen the registers as they are now
        with second.as_("city-a-stolen") as thief:
            assert isinstance(thief.exchange(**QUESTION), Answer)
            admin.act("client.key.revoke", {"id": "city-a-stolen", "kid": key["kid"]})
            with pytest.raises(Problem) as refused:
                thief.exchange(**QUESTION)
    assert refused.value.status == 401


def test_one_that_is_killed_leaves_its_exchange_to_be_closed_by_its_restart(pair: Any) -> None:
    first, second, agencies = pair
    agencies["dopa"].fault("late", seconds=1.5, times=1)
    before = agencies["dopa"].asked()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(ask, second, **QUESTION)
        while agencies["dopa"].asked() == before:
            time.sleep(0.005)
        second.kill()
        with pytest.raises(Unreachable):
            future.result()
    with first.as_("auditor") as auditor:
        (open_one,) = auditor.search(outcome="decided")["exchanges"]
    second.start()
    on_record(first, open_one["exchange_id"], "interrupted")
    assert isinstance(ask(first, **QUESTION), Answer)
