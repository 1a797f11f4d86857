"""A withdrawal holds from its entry in the log on: in the middle of an exchange, and in every gateway."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import population
from gateway.client import Answer, Gateway, Problem
from tests.acceptance.trail import entries_since, on_record, size
from tests.consents.desk_of_consents import COLLECTOR, Office, codes_of, form
from tests.databases import fresh
from tests.harness import PERSON, Agency, RunningGateway, Second, running

LATE = 0.8
SOMEONE = sorted(population.population())[110]


@pytest.fixture
def dopa(world: Any) -> Iterator[Agency]:
    """The source; what was ordered of it ends with the test."""
    agency: Agency = world[1]["dopa"]
    yield agency
    agency.fault("none")


@pytest.mark.parametrize(
    ("change", "code"), [("withdraw", "consent_withdrawn"), ("pause", "consent_paused"), ("code", "consent_withdrawn")]
)
def test_what_is_withdrawn_while_the_source_is_asked_is_not_released(
    office: Office, dopa: Agency, change: str, code: str
) -> None:
    purpose = office.own()
    given = office.give(purpose)
    with meanwhile(office, dopa, purpose) as asking:
        if change == "code":
            with office.gateway.as_(COLLECTOR) as desk:
                desk.withdraw_by_code(given["withdrawal_code"])
        else:
            office.change(given["consent"]["id"], change)
        assert not asking.done()
    result = asking.result()
    assert isinstance(result, Problem)
    assert codes_of(result) == {code}
    _, entry = on_record(office.gateway, result.exchange_id, "withheld")
    assert entry["content"]["reasons"] == [code]
    assert entry["legal"]["released"] == []


def test_what_is_paused_and_resumed_meanwhile_is_released_without_a_second_use(office: Office, dopa: Agency) -> None:
    purpose = office.own()
    consent = office.give(purpose, use_limit={"times": 1, "per": "all"})["consent"]["id"]
    with meanwhile(office, dopa, purpose) as asking:
        office.change(consent, "pause")
        office.change(consent, "resume")
        assert not asking.done()
    assert isinstance(asking.result(), Answer)
    assert codes_of(office.ask(purpose)) == {"consent_used_up"}


class meanwhile:
    """Asks, and runs the block while the source has not answered yet."""

    def __init__(self, office: Office, dopa: Agency, purpose: str) -> None:
        self._office, self._dopa, self._purpose = office, dopa, purpose
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Any:
        self._dopa.fault("late", seconds=LATE, times=1)
        before = self._dopa.asked()
        asking = self._pool.submit(self._office.ask, self._purpose)
        while self._dopa.asked() == before and not asking.done():
            time.sleep(0.005)
        return asking

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)


def test_one_use_is_one_use_however_many_ask_at_once(office: Office, dopa: Agency) -> None:
    purpose = office.own()
    consent = office.give(purpose, use_limit={"times": 3, "per": "all"})["consent"]["id"]
    dopa.fault("late", seconds=0.1)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: office.ask(purpose, consent_id=consent), range(12)))
    assert sum(isinstance(result, Answer) for result in results) == 3
    assert {code for result in results for code in codes_of(result)} == {"consent_used_up"}


def test_grants_withdrawals_and_exchanges_all_at_once(office: Office, dopa: Agency) -> None:
    purpose = office.own()
    dopa.fault("late", seconds=0.03)
    hammered([office.gateway], purpose, rounds=24, askers=5)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """(an office at the first gateway, the second over the same PostgreSQL, the source)"""
    folder: Path = tmp_path_factory.mktemp("pair")
    with fresh("postgresql", folder) as url, running(folder, LINKAGE_DATABASE_URL=url) as (first, agencies):
        second = Second(first)
        second.start()
        office = Office(first)
        office.open()
        try:
            yield office, second, agencies["dopa"]
        finally:
            second.stop()


def test_grants_withdrawals_and_exchanges_all_at_once_at_two_gateways(pair: Any) -> None:
    """Consents are given at either gateway and withdrawn at the other, while both are asked."""
    office, second, dopa = pair
    purpose = office.own()
    dopa.fault("late", seconds=0.03)
    hammered([office.gateway, second], purpose, rounds=16, askers=3)
    dopa.fault("none")


def hammered(gateways: list[RunningGateway], purpose: str, *, rounds: int, askers: int) -> None:
    """Gives and withdraws a citizen's consents at each of the gateways, and asks at each of them, all at once.

    From the log: no exchange is released on a consent behind the withdrawal's entry, and none of it is lost.
    """
    start = size(gateways[0])
    consents: list[str] = []
    acknowledged: dict[str, int] = {}
    over = threading.Event()
    results: list[Answer | Problem] = []

    def citizen(here: RunningGateway, elsewhere: RunningGateway) -> None:
        for number in range(rounds):
            with here.as_(COLLECTOR) as desk:
                given = desk.give_consent(form(purpose, SOMEONE))
            consent = given["consent"]["id"]
            consents.append(consent)
            time.sleep(random.random() * 0.08)
            with elsewhere.as_(COLLECTOR) as desk:
                done = (
                    desk.withdraw_by_code(given["withdrawal_code"])
                    if number % 8 == 0
                    else desk.change_consent(consent, "withdraw")
                )
            acknowledged[consent] = done["log"]["index"]

    def asker(gateway: RunningGateway) -> None:
        with gateway.as_(COLLECTOR) as desk:
            while not over.is_set():
                named = {"consent_id": random.choice(consents)} if consents and random.random() < 0.3 else {}
                try:
                    results.append(desk.exchange(service=PERSON, purpose=purpose, citizen_id=SOMEONE, **named))
                except Problem as problem:
                    results.append(problem)

    with ThreadPoolExecutor((askers + 1) * len(gateways)) as pool:
        asking = [pool.submit(asker, gateway) for gateway in gateways for _ in range(askers)]
        try:
            for giving in [
                pool.submit(citizen, gateway, gateways[number - 1]) for number, gateway in enumerate(gateways)
            ]:
                giving.result()
        finally:
            over.set()
        for one in asking:
            one.result()

    entries = entries_since(gateways[0], start)
    assert len(acknowledged) == rounds * len(gateways)
    withdrawn = {e["legal"]["consent"]: e["index"] for e in entries if e["public"]["kind"] == "consent.withdrawn"}
    assert withdrawn == acknowledged
    stands_on = {
        e["public"]["exchange"]: e["legal"]["consent"] for e in entries if e["public"]["kind"] == "exchange.decided"
    }
    ends = {
        e["public"]["exchange"]: (e["public"]["kind"], e["index"], e["public"]["gateway"])
        for e in entries
        if e["public"]["exchange"] in stands_on and e["public"]["kind"] != "exchange.decided"
    }
    assert ends.keys() == stands_on.keys()
    released = {name: index for name, (kind, index, _) in ends.items() if kind == "exchange.released"}
    for name, index in released.items():
        assert index < withdrawn[stands_on[name]], "released behind the withdrawal"
    assert released.keys() == {result.exchange_id for result in results if isinstance(result, Answer)}
    for kind in ("exchange.released", "exchange.withheld"):
        assert len({gateway for ended, _, gateway in ends.values() if ended == kind}) == len(gateways), kind
    assert {code for result in results for code in codes_of(result)} <= {"consent_withdrawn", "consent_required"}
    assert all(isinstance(result, Answer) or result.code == "denied" for result in results)
    (someone,) = {e["subject"]["pseudonym"] for e in entries if e["public"]["kind"] == "consent.withdrawn"}
    counted = [e for e in entries if e["subject"].get("pseudonym") == someone and "counter" in e["subject"]]
    assert len(counted) == 2 * len(acknowledged) + len(stands_on)
    for before, after in itertools.pairwise(counted):
        assert after["subject"]["counter"] == before["subject"]["counter"] + 1
        assert after["subject"]["previous"] == before["entry"]


def test_a_withdrawal_at_one_gateway_holds_at_the_other(pair: Any) -> None:
    """The next exchange at the other is refused, and one in the middle withheld."""
    office, second, dopa = pair
    purpose = office.own()
    with second.as_(COLLECTOR) as there:
        until_it_knows(there, purpose)
        question: Any = {"service": PERSON, "purpose": purpose, "citizen_id": SOMEONE}
        for _ in range(5):
            given = there.give_consent(form(purpose, SOMEONE))
            assert isinstance(office.ask(purpose, SOMEONE), Answer)
            there.withdraw_by_code(given["withdrawal_code"])
            assert codes_of(office.ask(purpose, SOMEONE)) == {"consent_withdrawn"}
            again = office.give(purpose, SOMEONE)["consent"]["id"]
            assert there.exchange(**question)
            dopa.fault("late", seconds=LATE, times=1)
            with ThreadPoolExecutor(1) as pool:
                before = dopa.asked()
                asking = pool.submit(office.ask, purpose, SOMEONE)
                while dopa.asked() == before and not asking.done():
                    time.sleep(0.005)
                there.change_consent(again, "withdraw")
                assert not asking.done()
            assert codes_of(asking.result()) == {"consent_withdrawn"}


def until_it_knows(there: Gateway, purpose: str) -> None:
    """Waits until the other gateway has read the registers' changes."""
    for _ in range(400):
        try:
            if any(purpose in str(agreement["terms"]) for agreement in there.agreements() if agreement["version"]):
                return
        except Problem:
            pass
        time.sleep(0.02)
    raise AssertionError("the other gateway does not see the agreement")


def test_codes_are_tried_only_so_often(office: Office) -> None:
    given = office.give(office.own())
    client = httpx.Client(trust_env=False)
    url, body = f"{office.gateway.url}/v1/consents/by-code/view", {"code": "0000-0000-0000-0000-0000"}
    tried = [client.post(url, json=body) for _ in range(30)]
    assert {response.status_code for response in tried} == {404, 429}
    assert tried[-1].json()["code"] == "too_many_requests"
    assert int(tried[-1].headers["retry-after"]) >= 1
    # An office's own ways stay open.
    assert office.change(given["consent"]["id"], "withdraw")["consent"]["status"] == "withdrawn"
