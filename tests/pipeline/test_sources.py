"""What a connector may do to the gateway: nothing but answer, or fail in the gateway's own words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import Denied, GatewayError, Overloaded
from gateway.model import IdentifierKind, Service
from gateway.plugin import (
    AgencyMisbehaved,
    AgencyTimeout,
    AgencyUnavailable,
    Ask,
    CitizenNotFound,
    OutsideServiceHours,
    Record,
    SourceFault,
)
from gateway.settings import Settings
from gateway.sources import Sources
from tests.observed import observed

CITIZEN = "9111111111114"
WORDS = f"ไม่พบ {CITIZEN} in table person"


def service(name: str = "dopa.person.v1", digest: str = "d") -> Service:
    return Service(
        name, "dopa", "", "", IdentifierKind.CITIZEN, 2, "personal", False, 5.0, True, {}, {}, {}, {}, None, digest
    )


def ask(seconds: float = 5.0) -> Ask:
    deadline = asyncio.get_running_loop().time() + seconds
    return Ask(CITIZEN, "citizen_id", "dopa.person.v1", frozenset({"a"}), "ex_1", "city-a", "p.q", deadline)


class Plugin:
    """A connector that does what a test says."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act, self.asked, self.closed = act, 0, 0

    async def fetch(self, _: Ask) -> Record:
        self.asked += 1
        result = self.act()
        return await result if asyncio.iscoroutine(result) else result

    async def close(self) -> None:
        self.closed += 1


def sources(plugin: Plugin | dict[str, Plugin], **limits: Any) -> Sources:
    def opened(of: Service) -> Plugin:
        return plugin[of.id] if isinstance(plugin, dict) else plugin

    return Sources(
        opened, **{"max_per_source": 8, "max_per_agency": 99, "breaker_failures": 3, "breaker_seconds": 60.0, **limits}
    )


async def failure(of: Sources, which: Service | None = None, seconds: float = 5.0) -> GatewayError:
    with pytest.raises(GatewayError) as told:
        await of.fetch(which or service(), ask(seconds))
    return told.value


def raiser(error: BaseException) -> Callable[[], Any]:
    def act() -> Any:
        raise error

    return act


class Loud(AgencyMisbehaved):
    """A connector's own kind of fault."""

    status = 200
    code = "loud"
    title_en = WORDS
    title_th = WORDS


class Panic(BaseException):
    """As a panic in native code shows in Python."""


def talking(error: GatewayError) -> GatewayError:
    error.detail_en = error.detail_th = WORDS
    error.exchange_id = CITIZEN
    return error


@pytest.mark.parametrize(
    ("raised", "kind", "fault"),
    [
        (talking(CitizenNotFound(WORDS, WORDS)), CitizenNotFound, None),
        (talking(AgencyUnavailable("refused")), AgencyUnavailable, "refused"),
        (talking(OutsideServiceHours("outside_hours")), OutsideServiceHours, "outside_hours"),
        (talking(AgencyTimeout("late")), AgencyTimeout, "late"),
        (AgencyMisbehaved(WORDS), AgencyMisbehaved, "unnamed"),
        (AgencyMisbehaved(f"p{CITIZEN}"), AgencyMisbehaved, "unnamed"),
        (AgencyMisbehaved(""), AgencyMisbehaved, ""),
        (Loud("loud"), AgencyMisbehaved, "loud"),
        (SourceFault("base"), AgencyMisbehaved, "connector_SourceFault"),
        (Denied(()), AgencyMisbehaved, "connector_Denied"),
        (ValueError(WORDS), AgencyMisbehaved, "connector_ValueError"),
        (KeyError(CITIZEN), AgencyMisbehaved, "connector_KeyError"),
        (TimeoutError(WORDS), AgencyTimeout, "deadline"),
        (SystemExit(WORDS), AgencyMisbehaved, "connector_SystemExit"),
        (Panic(WORDS), AgencyMisbehaved, "connector_Panic"),
        (asyncio.CancelledError(WORDS), AgencyMisbehaved, "connector_CancelledError"),
        (ExceptionGroup(WORDS, [ValueError(WORDS)]), AgencyMisbehaved, "connector_ExceptionGroup"),
        (type(f"E{CITIZEN}", (Exception,), {})(WORDS), AgencyMisbehaved, "unnamed"),
    ],
)
async def test_whatever_a_connector_raises_comes_out_in_our_words(
    raised: BaseException, kind: type[GatewayError], fault: str | None
) -> None:
    error = await failure(sources(Plugin(raiser(raised))))
    assert type(error) is kind
    assert getattr(error, "fault", None) == fault
    seen: BaseException | None = error
    while seen is not None:  # nothing of the connector's hangs on it
        assert CITIZEN not in f"{seen!s}{seen!r}{vars(seen)}"
        seen = seen.__cause__ or seen.__context__


@pytest.mark.parametrize("wait", [7, None])
async def test_a_wait_in_seconds_passes(wait: int | None) -> None:
    assert (await failure(sources(Plugin(raiser(AgencyUnavailable("x", retry_after=wait)))))).retry_after == wait


@pytest.mark.parametrize("wait", [WORDS, -1, 10**9, 1.5, True, f"1\r\nset-cookie: {CITIZEN}"])
async def test_a_wait_that_is_none_does_not_reach_a_header(wait: Any) -> None:
    assert (await failure(sources(Plugin(raiser(AgencyUnavailable("x", retry_after=wait)))))).retry_after is None


@pytest.mark.parametrize("answer", [None, {"a": 1}, WORDS, Record(None), Record([WORDS])])  # type: ignore[arg-type]
async def test_what_is_no_record_is_the_connectors_fault(answer: Any) -> None:
    error = await failure(sources(Plugin(lambda: answer)))
    assert (type(error), getattr(error, "fault", "")) == (AgencyMisbehaved, "connector_answer")


async def test_a_connector_that_forgets_the_deadline_is_cut_off() -> None:
    plugin = Plugin(lambda: asyncio.sleep(30))
    error = await failure(sources(plugin), seconds=0.05)
    assert (type(error), getattr(error, "fault", "")) == (AgencyTimeout, "deadline")


async def test_an_exchange_that_is_cancelled_is_cancelled_and_gives_back_its_place() -> None:
    plugin = Plugin(lambda: asyncio.sleep(30))
    of = sources(plugin, max_per_source=1)
    for _ in range(3):
        task = asyncio.create_task(of.fetch(service(), ask()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    plugin.act = lambda: Record({"a": 1})
    assert (await of.fetch(service(), ask())).data == {"a": 1}


async def test_a_full_bulkhead_turns_away_and_leaves_other_sources_alone() -> None:
    gate = asyncio.Event()

    async def wait() -> Record:
        await gate.wait()
        return Record({})

    slow, quick = Plugin(wait), Plugin(lambda: Record({}))
    of = sources({"dopa.person.v1": slow, "nhso.coverage.v1": quick}, max_per_source=2)
    waiting = [asyncio.create_task(of.fetch(service(), ask())) for _ in range(2)]
    await asyncio.sleep(0.01)
    error = await failure(of)
    assert isinstance(error, Overloaded)
    assert error.retry_after == 1
    for _ in range(5):
        await of.fetch(service("nhso.coverage.v1"), ask())
    assert slow.asked == 2
    gate.set()
    await asyncio.gather(*waiting)
    assert await of.fetch(service(), ask())


async def test_the_breaker_opens_after_failures_in_a_row_and_closes_again() -> None:
    plugin = Plugin(raiser(AgencyUnavailable("refused")))
    of = sources(plugin, breaker_failures=3, breaker_seconds=0.2)
    for _ in range(3):
        assert getattr(await failure(of), "fault", "") == "refused"
    error = await failure(of)
    assert (type(error), getattr(error, "fault", ""), plugin.asked) == (AgencyUnavailable, "breaker_open", 3)
    assert error.retry_after is not None
    plugin.act = lambda: Record({})
    await asyncio.sleep(0.25)
    assert await of.fetch(service(), ask())


async def test_one_question_tries_whether_a_source_is_back_and_no_second_goes_with_it() -> None:
    plugin = Plugin(raiser(AgencyTimeout("late")))
    of = sources(plugin, breaker_failures=1, breaker_seconds=0.05)
    await failure(of)
    await asyncio.sleep(0.1)
    gate = asyncio.Event()

    async def wait() -> Record:
        await gate.wait()
        return Record({})

    plugin.act = wait
    trial = asyncio.create_task(of.fetch(service(), ask()))
    await asyncio.sleep(0.01)
    for _ in range(5):
        error = await failure(of)
        assert (getattr(error, "fault", ""), error.retry_after) == ("breaker_open", 1)
    assert plugin.asked == 2, "the first failure, and one trial"
    gate.set()
    await trial
    await asyncio.gather(*(of.fetch(service(), ask()) for _ in range(4)))
    assert plugin.asked == 6, "a trial that came home closes the breaker for all"


async def test_a_trial_that_fails_leaves_the_source_alone_again_at_once() -> None:
    plugin = Plugin(raiser(AgencyUnavailable("refused")))
    of = sources(plugin, breaker_failures=3, breaker_seconds=0.2)
    for _ in range(3):
        await failure(of)
    await asyncio.sleep(0.25)
    assert getattr(await failure(of), "fault", "") == "refused"
    assert getattr(await failure(of), "fault", "") == "breaker_open"
    assert plugin.asked == 4


@pytest.mark.parametrize("outcome", [lambda: Record({}), raiser(AgencyMisbehaved("status")), raiser(CitizenNotFound())])
async def test_a_source_that_answers_anything_is_back(outcome: Callable[[], Any]) -> None:
    plugin = Plugin(raiser(AgencyUnavailable("refused")))
    of = sources(plugin, breaker_failures=1, breaker_seconds=0.05)
    await failure(of)
    await asyncio.sleep(0.1)
    plugin.act = outcome
    for _ in range(2):
        try:
            await of.fetch(service(), ask())
        except (AgencyMisbehaved, CitizenNotFound):
            continue
    assert plugin.asked == 3


async def test_a_trial_whose_asker_goes_away_leaves_the_next_one_to_try() -> None:
    plugin = Plugin(raiser(AgencyUnavailable("refused")))
    of = sources(plugin, breaker_failures=1, breaker_seconds=0.05)
    await failure(of)
    await asyncio.sleep(0.1)
    plugin.act = lambda: asyncio.sleep(30)
    trial = asyncio.create_task(of.fetch(service(), ask()))
    await asyncio.sleep(0.01)
    trial.cancel()
    await asyncio.gather(trial, return_exceptions=True)
    plugin.act = lambda: Record({})
    assert await of.fetch(service(), ask())


async def test_a_service_says_how_many_questions_it_takes_at_once() -> None:
    gate = asyncio.Event()

    async def wait() -> Record:
        await gate.wait()
        return Record({})

    few, plugin = replace(service(), concurrency=2), Plugin(wait)
    of = sources(plugin)
    waiting = [asyncio.create_task(of.fetch(few, ask())) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert isinstance(await failure(of, few), Overloaded)
    gate.set()
    await asyncio.gather(*waiting)
    many = replace(service(digest="many"), concurrency=500)  # no more than the gateway itself lets wait
    gate.clear()
    waiting = [asyncio.create_task(of.fetch(many, ask())) for _ in range(8)]
    await asyncio.sleep(0.01)
    assert isinstance(await failure(of, many), Overloaded)
    gate.set()
    await asyncio.gather(*waiting)


async def test_one_agencys_services_together_do_not_take_every_place() -> None:
    gate = asyncio.Event()

    async def wait() -> Record:
        await gate.wait()
        return Record({})

    of = sources(Plugin(wait), max_per_source=2, max_per_agency=3)
    person, house = service("dopa.person.v1"), service("dopa.house.v1")
    waiting = [asyncio.create_task(of.fetch(each, ask())) for each in (person, person, house)]
    await asyncio.sleep(0.01)
    assert isinstance(await failure(of, house), Overloaded)
    gate.set()
    await asyncio.gather(*waiting)
    other = replace(service("nhso.coverage.v1"), agency="nhso")
    assert await of.fetch(other, ask())


async def test_what_a_kind_says_of_why_it_does_not_open_is_told() -> None:
    def opened(_: Service) -> Plugin:
        raise AgencyUnavailable("connector_changed")

    of = Sources(opened, max_per_source=8, max_per_agency=8, breaker_failures=9, breaker_seconds=1.0)
    error = await failure(of)
    assert (type(error), getattr(error, "fault", "")) == (AgencyUnavailable, "connector_changed")


async def test_operators_are_told_which_address_was_refused_and_how_to_allow_it() -> None:
    of = sources(Plugin(lambda: Record({})))
    allowed = of.watched(service(), Settings(egress_allow=["dopa=10.1.0.0/16"]).address_allowed("dopa"))
    with observed() as lines:
        assert allowed("10.1.2.3")
        assert [allowed("10.2.2.3") for _ in range(5)] == [False] * 5
        assert not allowed("169.254.169.254")
    how = ["LINKAGE_EGRESS_ALLOW=dopa=10.2.2.3", "LINKAGE_EGRESS_ALLOW=dopa=169.254.169.254"]
    assert [line["allow"] for line in lines] == how, "once an address, however often it is asked for"
    assert {line["event"] for line in lines} == {"address_not_allowed"}
    with observed() as lines:
        for number in range(300):
            allowed(f"10.3.{number // 256}.{number % 256}")
    assert 0 < len(lines) < 100, "a name that leads everywhere fills neither log nor memory"
    told = of.health(service())["refused"]
    assert [each["allow"] for each in told][:1] == how[:1]
    assert len(told) <= 50


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        *((address, False) for address in ("10.0.0.1", "100.64.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1")),
        *((address, False) for address in ("::", "::1", "::7f00:1", "::ffff:10.0.0.1", "64:ff9b:1::a00:1", "fec0::1")),
        *((address, False) for address in ("fe80::1%eth0", "fd00::1", "ff0e::1", "5f00::1", "2001::1", "2001:db8::1")),
    ],
)
def test_addresses_that_need_no_leave(address: str, allowed: bool) -> None:
    assert Settings().address_allowed("dopa")(address) is allowed


async def test_a_connector_that_does_not_open_shows_in_the_health_of_its_source() -> None:
    def opened(_: Service) -> Plugin:
        raise AgencyUnavailable("connector_changed")

    of = Sources(opened, max_per_source=8, max_per_agency=8, breaker_failures=9, breaker_seconds=1.0)
    await failure(of)
    assert of.health(service())["faults"] == {"connector_changed": 1}


@pytest.mark.parametrize("good", [lambda: Record({}), raiser(CitizenNotFound()), raiser(OutsideServiceHours())])
async def test_an_answer_in_good_order_begins_the_count_anew(good: Callable[[], Any]) -> None:
    plugin = Plugin(raiser(AgencyTimeout("late")))
    of = sources(plugin, breaker_failures=2)
    for _ in range(4):
        plugin.act = raiser(AgencyTimeout("late"))
        assert getattr(await failure(of), "fault", "") == "late"
        plugin.act = good
        try:
            await of.fetch(service(), ask())
        except (CitizenNotFound, OutsideServiceHours):
            continue
    assert plugin.asked == 8


async def test_a_connector_that_cannot_be_opened_is_unavailable_and_tried_again() -> None:
    tries: list[int] = []

    def opened(_: Service) -> Plugin:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError(WORDS)
        return Plugin(lambda: Record({}))

    of = Sources(opened, max_per_source=8, max_per_agency=8, breaker_failures=9, breaker_seconds=1.0)
    for _ in range(2):
        error = await failure(of)
        assert (type(error), getattr(error, "fault", "")) == (AgencyUnavailable, "connector_ValueError")
        assert error.__cause__ is None
    assert await of.fetch(service(), ask())


async def test_a_version_no_longer_offered_is_closed_when_nothing_is_under_way_on_it() -> None:
    gate = asyncio.Event()

    async def wait() -> Record:
        await gate.wait()
        return Record({"version": 1})

    plugin = Plugin(wait)
    of = sources(plugin)
    under_way = asyncio.create_task(of.fetch(service(digest="old"), ask()))
    await asyncio.sleep(0.01)
    of.keep([service(digest="new")])
    await asyncio.sleep(0.05)
    assert plugin.closed == 0
    gate.set()
    assert (await under_way).data == {"version": 1}
    await of.close()
    assert plugin.closed == 1


async def test_a_connector_that_fails_to_close_keeps_nothing_from_ending() -> None:
    plugin = Plugin(lambda: Record({}))
    of = sources(plugin)
    await of.fetch(service(), ask())
    plugin.close = raiser(ValueError(WORDS))  # type: ignore[method-assign]
    await asyncio.wait_for(of.close(), 5)
