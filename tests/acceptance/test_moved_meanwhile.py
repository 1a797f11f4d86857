"""What was permitted when it was asked and is no longer when the source has answered: nothing leaves.

The source is made late, and an act of governance comes in between.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from connectors import population
from gateway.client import Answer, Problem
from tests.acceptance.trail import ask, entries_since, on_record, size
from tests.harness import OLD_AGE, PERSON, Agency, RunningGateway, agree, agreement, term, title

ELDER = population.story("elder")
LATE = 1.0
FIELDS = ["date_of_birth", "life_status"]
_numbers = itertools.count()


@pytest.fixture
def own(world: Any) -> Callable[..., tuple[str, str]]:
    """Makes a purpose and an agreement of its own for a test; (agreement, purpose)."""
    gateway, _ = world

    def make(**more: Any) -> tuple[str, str]:
        number = next(_numbers)
        purpose, name = f"meanwhile.n{number}", f"meanwhile-{number}"
        with gateway.as_("admin") as admin:
            body = {"code": purpose, "title": title(purpose), "authority": title("An act"), "replaces": []}
            admin.act("purpose.add", body)
        agree(gateway, agreement(name, PERSON, [term(purpose, FIELDS, **more)]))
        return name, purpose

    return make


@pytest.fixture
def late(world: Any) -> Iterator[Callable[..., Answer | Problem]]:
    """Asks, and performs something while the source has not answered yet; what came of it."""
    gateway, agencies = world
    dopa: Agency = agencies["dopa"]

    def run(meanwhile: Callable[[], None], client: str = "city-a-welfare", **question: Any) -> Answer | Problem:
        dopa.fault("late", seconds=LATE, times=1)
        before = dopa.asked()
        with ThreadPoolExecutor(1) as pool:
            asking: Future[Answer | Problem] = pool.submit(
                ask, gateway, client, **{"service": PERSON, "citizen_id": ELDER, **question}
            )
            while dopa.asked() == before and not asking.done():
                time.sleep(0.005)
            meanwhile()
            assert not asking.done(), "the source answered before the act was done: nothing is tested"
            return asking.result()

    yield run
    dopa.fault("none")


def withheld(gateway: RunningGateway, result: Answer | Problem, codes: set[str], status: int = 403) -> None:
    assert isinstance(result, Problem), "it was released"
    assert result.status == status
    assert {reason.code for reason in result.reasons} == (codes if status == 403 else set())
    _, entry = on_record(gateway, result.exchange_id, "withheld")
    assert set(entry["content"]["reasons"]) == codes
    assert entry["content"]["answer_digest"] is None
    assert entry["legal"]["released"] == []


def acts(gateway: RunningGateway, operator: str, *each: tuple[str, dict[str, Any]]) -> Callable[[], None]:
    def perform() -> None:
        with gateway.as_(operator) as desk:
            for name, body in each:
                desk.act(name, body)

    return perform


@pytest.mark.parametrize(
    ("act", "code"), [("agreement.revoke", "agreement_revoked"), ("agreement.suspend", "agreement_suspended")]
)
def test_an_agreement_that_ends_while_the_source_is_asked(world: Any, own: Any, late: Any, act: str, code: str) -> None:
    gateway, _ = world
    name, purpose = own()
    end = acts(gateway, "dopa-owner-1", (act, {"id": name, "reason": "a test"}))
    withheld(gateway, late(end, purpose=purpose), {code})
    with gateway.as_("dopa-owner-1") as owner:
        assert owner.record("agreement", name)["status"] in ("revoked", "suspended")


@pytest.mark.parametrize(
    ("operator", "act", "opposite", "body", "code"),
    [
        ("admin", "client.suspend", "client.resume", {"id": "city-a-welfare"}, "client_suspended"),
        ("admin", "agency.suspend", "agency.resume", {"id": "city-a"}, "agency_suspended"),
        ("admin", "agency.suspend", "agency.resume", {"id": "dopa"}, "agency_suspended"),
        ("dopa-owner-1", "connector.disable", "connector.enable", {"agency": "dopa"}, "connector_disabled"),
    ],
)
def test_a_party_that_is_suspended_while_the_source_is_asked(
    world: Any, late: Any, operator: str, act: str, opposite: str, body: dict[str, Any], code: str
) -> None:
    gateway, _ = world
    try:
        result = late(acts(gateway, operator, (act, {**body, "reason": "a test"})), purpose=OLD_AGE)
    finally:
        acts(gateway, operator, (opposite, {**body, "reason": "a test"}))()
    withheld(gateway, result, {code})


@pytest.mark.parametrize("fields", [None, FIELDS], ids=["the term's fields", "fields by name"])
def test_a_term_that_is_narrowed_while_the_source_is_asked(world: Any, own: Any, late: Any, fields: Any) -> None:
    gateway, _ = world
    name, purpose = own()
    narrower = agreement(name, PERSON, [term(purpose, ["life_status"])])
    question = {"purpose": purpose} if fields is None else {"purpose": purpose, "fields": fields}
    result = late(lambda: agree(gateway, narrower), **question)
    withheld(gateway, result, {"field_not_covered"})
    assert isinstance(result, Problem)
    assert result.reasons[0].fields == ("date_of_birth",)
    answer = ask(gateway, service=PERSON, citizen_id=ELDER, purpose=purpose)
    assert isinstance(answer, Answer)
    assert set(answer.data) == {"life_status"}


def test_a_term_that_is_taken_out_while_the_source_is_asked(world: Any, own: Any, late: Any) -> None:
    gateway, _ = world
    name, purpose = own()
    other = agreement(name, PERSON, [term(OLD_AGE, FIELDS, id="t9")])
    result = late(lambda: agree(gateway, other), purpose=purpose)
    assert isinstance(result, Problem)
    assert result.reasons
    withheld(gateway, result, {reason.code for reason in result.reasons})
    acts(gateway, "dopa-owner-1", ("agreement.revoke", {"id": name, "reason": "a test"}))()


def test_no_other_agreement_stands_in_for_one_that_is_revoked_meanwhile(world: Any, own: Any, late: Any) -> None:
    """An exchange stands on the term it was decided by; the answer would name the revoked one."""
    gateway, _ = world
    name, purpose = own()
    agree(gateway, agreement(f"{name}-too", PERSON, [term(purpose, FIELDS)]))
    first = ask(gateway, service=PERSON, citizen_id=ELDER, purpose=purpose)
    assert isinstance(first, Answer)
    stood_on = first.decision["agreement"]
    end = acts(gateway, "dopa-owner-1", ("agreement.revoke", {"id": stood_on, "reason": "a test"}))
    withheld(gateway, late(end, purpose=purpose), {"agreement_revoked"})
    second = ask(gateway, service=PERSON, citizen_id=ELDER, purpose=purpose)
    assert isinstance(second, Answer)
    assert second.decision["agreement"] != stood_on


def test_a_key_that_is_revoked_while_the_source_is_asked(world: Any, late: Any) -> None:
    """Whoever stole it gets nothing more, not even what was under way."""
    gateway, _ = world
    key = gateway.person("city-a-stolen")
    with gateway.as_("admin") as admin:
        admin.act("client.add", {"id": "city-a-stolen", "agency": "city-a", "title": title("x"), "keys": [key]})
    with gateway.as_("city-a-stolen") as thief:
        assert isinstance(thief.exchange(service=PERSON, citizen_id=ELDER, purpose=OLD_AGE), Answer)
    spare = gateway.person("city-a-spare")
    revoke = acts(
        gateway,
        "admin",
        ("client.key.add", {"id": "city-a-stolen", "key": spare}),
        ("client.key.revoke", {"id": "city-a-stolen", "kid": key["kid"]}),
    )
    result = late(revoke, "city-a-stolen", purpose=OLD_AGE)
    assert isinstance(result, Problem)
    assert result.status == 401
    _, found = _last_of(gateway, "city-a-stolen")
    assert found["content"]["reasons"] == ["invalid_token"]


def _last_of(gateway: RunningGateway, client: str) -> list[dict[str, Any]]:
    with gateway.as_("auditor") as auditor:
        newest = auditor.search(client=client, limit=1)["exchanges"][0]
    return on_record(gateway, newest["exchange_id"], "withheld")


def test_what_does_not_touch_the_exchange_does_not_stop_it(world: Any, own: Any, late: Any) -> None:
    """Its own reservation does not count against it either: the quota is one."""
    gateway, _ = world
    _, purpose = own(quota_per_day=1)
    add = acts(gateway, "admin", ("agency.add", {"id": f"bystander-{next(_numbers)}", "title": title("x")}))
    answer = late(add, purpose=purpose)
    assert isinstance(answer, Answer)
    on_record(gateway, answer.exchange_id, "released")
    spent = ask(gateway, service=PERSON, citizen_id=ELDER, purpose=purpose)
    assert isinstance(spent, Problem)
    assert spent.status == 429


def test_nothing_is_released_between_a_suspension_and_its_end_however_hard_both_are_worked(
    world: Any, own: Any, mended: dict[str, Agency]
) -> None:
    gateway, _ = world
    name, purpose = own()
    since = size(gateway)
    mended["dopa"].fault("late", seconds=0.03)
    results: list[Answer | Problem] = []
    stop = False

    def work() -> None:
        with gateway.as_("city-a-welfare") as client:
            while not stop:
                try:
                    results.append(client.exchange(service=PERSON, citizen_id=ELDER, purpose=purpose))
                except Problem as problem:
                    results.append(problem)

    with ThreadPoolExecutor(6) as pool:
        workers = [pool.submit(work) for _ in range(6)]
        with gateway.as_("dopa-owner-1") as owner, gateway.as_("admin") as admin:
            for _ in range(15):
                time.sleep(0.06)
                owner.act("agreement.suspend", {"id": name, "reason": "a test"})
                admin.act("agency.add", {"id": f"bystander-{next(_numbers)}", "title": title("x")})
                time.sleep(0.03)
                owner.act("agreement.resume", {"id": name, "reason": "a test"})
        stop = True
        for worker in workers:
            worker.result()
    entries = entries_since(gateway, since)
    assert [entry["index"] for entry in entries] == list(range(since, since + len(entries)))
    in_force, decided, ended = True, dict[str, bool](), dict[str, str]()
    for entry in entries:
        kind, exchange = entry["public"]["kind"], entry["public"]["exchange"]
        if kind == "act" and entry["legal"]["id"] == name:
            in_force = entry["legal"]["act"] == "agreement.resume"
        elif kind == "exchange.decided":
            assert in_force, f"decided at {entry['index']}, while it was suspended"
            decided[exchange] = True
        elif kind == "exchange.released":
            assert in_force, f"released at {entry['index']}, while it was suspended"
        if kind.startswith("exchange.") and kind != "exchange.decided":
            assert exchange not in ended, "an exchange has one outcome"
            ended[exchange] = kind
    assert set(decided) == {exchange for exchange, kind in ended.items() if kind != "exchange.refused"}
    kinds = set(ended.values())
    assert kinds >= {"exchange.released", "exchange.withheld", "exchange.refused"}, kinds
    assert len(results) == len(ended)
    for result in results:
        expected = "exchange.released" if isinstance(result, Answer) else ended[result.exchange_id or ""]
        assert ended[result.exchange_id or ""] == expected
        if isinstance(result, Problem):
            assert (result.status, result.code) == (403, "denied")
            assert expected in ("exchange.withheld", "exchange.refused")
            assert {reason.code for reason in result.reasons} == {"agreement_suspended"}
