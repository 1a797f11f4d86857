"""Every exchange that was decided gets one end, also where something goes wrong that never should.

The pipeline runs in this process, over a database that a real gateway founded and seeded; what is put in its
place is a source, a minimiser or a store that fails as told.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors import population
from gateway.client.signing import assertion
from gateway.consents import ConsentBook
from gateway.current import Current
from gateway.errors import GatewayError, GatewayFailed, LogUnavailable, Overloaded
from gateway.exchangelog import ExchangeLog
from gateway.identity import Identity, Presented
from gateway.judgement import Judging
from gateway.keys import Keys, read_key
from gateway.model import Caller, IdentifierKind, Question, Service, now
from gateway.pipeline import ATTEMPTS, Incoming, Pipeline
from gateway.plugin import Ask, Record
from gateway.recording import Recording
from gateway.recovery import close_interrupted
from gateway.release import Minimiser
from gateway.seal import Sealer
from gateway.store import Appended, Change, CloseExchange, PutRegister, Store
from tests.harness import HOUSE, OLD_AGE, PERSON, RunningGateway, running

ELDER = population.story("elder")
CLIENTS = ("city-a-welfare", "city-a-other")
GOOD = {"life_status": {"code": "alive", "label": "มีชีวิตอยู่"}}
WORDS = f"secret words about {ELDER}"


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A seeded state directory, its gateway stopped."""
    with running(tmp_path_factory.mktemp("ends")) as (gateway, _):
        gateway.stop()
        yield gateway


class TroubledStore(Store):
    """A store in which something happens before an append: `before(entries, changes)`."""

    before: Callable[..., Any] | None = None

    async def append(self, entries: Any, changes: Sequence[Change] = (), unless: Any = None) -> Appended:
        if self.before is not None:
            await self.before(entries, changes)
        return await super().append(entries, changes, unless)


class Bench:
    """A pipeline whose source is this bench itself: it does as `source` says."""

    def __init__(self, state: Path, issuer: str) -> None:
        keys = Keys.load(state / "keys")
        self.store = TroubledStore(f"sqlite:///{state / 'linkage.db'}")
        self.log = ExchangeLog(self.store, keys, origin="gateway.example/log", gateway="gateway-1")
        self.current = Current(self.store, changed=lambda _: None)
        self.identity = Identity(keys, self.store, issuer)
        self.minimiser = Minimiser()
        self.pipeline = Pipeline(
            self.current,
            self.identity,
            Judging(self.store, ConsentBook(keys, self.store), keys.derive("pseudonym/comparison")),
            Recording(self.store, self.log),
            self,  # type: ignore[arg-type]
            self.minimiser,
            Sealer(keys),
            True,
        )
        self.token = ""
        self.asked: list[str] = []
        self.source: Callable[[str], Any] = lambda _: None

    async def fetch(self, service: Service, ask: Ask) -> Record:
        self.asked.append(ask.exchange_id)
        result = self.source(ask.exchange_id)
        if asyncio.iscoroutine(result):
            await result
        return Record(dict(GOOD), ELDER)

    async def ask(self) -> dict[str, Any] | GatewayError:
        question = {"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE, "fields": ["life_status"]}
        try:
            sealed = await self.pipeline.exchange(
                Incoming(Presented(f"Bearer {self.token}", "127.0.0.1"), orjson.dumps(question))
            )
        except GatewayError as error:
            return error
        answer: dict[str, Any] = orjson.loads(sealed.body)
        return answer

    async def ends(self, exchange: str | None) -> list[tuple[str, Any]]:
        """(kind, its fault or its reasons) of an exchange's entries."""
        entries = [e for e in await self.log.entries(0, 10_000) if e["public"]["exchange"] == exchange]
        contents = [(entry["public"]["kind"].partition(".")[2], entry["content"]) for entry in entries]
        return [(kind, content.get("fault") or tuple(content["reasons"])) for kind, content in contents]


@pytest.fixture
async def bench(founded: RunningGateway, tmp_path: Path) -> AsyncIterator[Bench]:
    """One over a copy, ready to ask."""
    shutil.copytree(founded.state / "gateway", tmp_path / "gateway")
    made = Bench(tmp_path / "gateway", founded.url)
    await made.current.refresh()
    proof = assertion(read_key(founded.keys / "city-a-welfare.jwk"), "city-a-welfare", founded.url)
    issued = await made.identity.issue(proof, "exchange", made.current.holding.directory, Presented(None, "127.0.0.1"))
    made.token = issued["access_token"]
    yield made
    made.store.before = None
    await asyncio.to_thread(made.store.close)


async def test_the_bench_answers(bench: Bench) -> None:
    answer = await bench.ask()
    assert isinstance(answer, dict)
    assert answer["data"] == GOOD
    assert [kind for kind, _ in await bench.ends(answer["exchange_id"])] == ["decided", "released"]


async def test_a_fault_of_ours_is_on_record_and_says_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError(WORDS)

    monkeypatch.setattr(Minimiser, "minimise", fail)
    error = await bench.ask()
    assert isinstance(error, GatewayFailed)
    assert WORDS not in str(error) + str(error.__dict__)
    assert await bench.ends(error.exchange_id) == [("decided", ()), ("failed", "gateway_failed")]


async def test_an_answer_that_cannot_be_written_down_again_fails(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of more than 64 bits fits a schema's `integer`; JSON of ours cannot carry it."""
    monkeypatch.setattr(Minimiser, "minimise", lambda *_: {"life_status": 2**80})
    error = await bench.ask()
    assert isinstance(error, GatewayFailed)
    assert await bench.ends(error.exchange_id) == [("decided", ()), ("failed", "gateway_failed")]


async def test_one_that_was_closed_meanwhile_releases_nothing(bench: Bench) -> None:
    """It took so long that someone wrote `interrupted`."""

    async def overtake(exchange: str) -> None:
        await bench.store.append([bench.log.closed("interrupted", exchange)], [CloseExchange(exchange)])

    bench.source = overtake
    error = await bench.ask()
    assert isinstance(error, Overloaded)
    assert [kind for kind, _ in await bench.ends(error.exchange_id)] == ["decided", "interrupted"]


async def test_a_failure_that_was_closed_meanwhile_keeps_its_one_end(bench: Bench) -> None:
    async def overtake(exchange: str) -> None:
        await bench.store.append([bench.log.closed("interrupted", exchange)], [CloseExchange(exchange)])
        raise Overloaded

    bench.source = overtake
    error = await bench.ask()
    assert isinstance(error, Overloaded)
    assert [kind for kind, _ in await bench.ends(error.exchange_id)] == ["decided", "interrupted"]


async def test_registers_that_never_rest_withhold_in_the_end(bench: Bench) -> None:
    """Each time, before `released` is written, something is registered: it is judged again, and not for ever."""
    times = 0

    async def move(_: Any, changes: Sequence[Change]) -> None:
        nonlocal times
        if changes and isinstance(changes[0], CloseExchange) and times < 3 * ATTEMPTS:
            times += 1
            await Store.append(bench.store, [], [PutRegister("agency", "city-b", dict(record))])

    record = bench.current.holding.registers.record("agency", "city-b")
    assert record is not None
    bench.store.before = move
    error = await bench.ask()
    assert isinstance(error, Overloaded)
    assert error.retry_after == 1
    assert await bench.ends(error.exchange_id) == [("decided", ()), ("withheld", ("overloaded",))]
    bench.store.before = None
    assert isinstance(await bench.ask(), dict)


async def test_registers_that_move_a_few_times_do_not(bench: Bench) -> None:
    times = 0

    async def move(_: Any, changes: Sequence[Change]) -> None:
        nonlocal times
        if changes and times < ATTEMPTS - 2:
            times += 1
            await Store.append(bench.store, [], [PutRegister("agency", "city-b", dict(record))])

    record = bench.current.holding.registers.record("agency", "city-b")
    assert record is not None
    bench.store.before = move
    answer = await bench.ask()
    assert isinstance(answer, dict)
    assert times == ATTEMPTS - 2


@pytest.mark.parametrize("outcome", ["released", "failed"])
async def test_an_outcome_that_cannot_be_written_ends_the_exchange_later(bench: Bench, outcome: str) -> None:
    async def away(_: Any, changes: Sequence[Change]) -> None:
        if changes and isinstance(changes[0], CloseExchange):
            raise LogUnavailable(retry_after=1)

    async def fail(_: str) -> None:
        raise Overloaded

    bench.store.before = away
    if outcome == "failed":
        bench.source = fail
    error = await bench.ask()
    assert isinstance(error, LogUnavailable)
    assert error.exchange_id is not None
    bench.store.before = None
    assert await bench.ends(error.exchange_id) == [("decided", ())]
    assert await close_interrupted(bench.store, bench.log, restarted=False) == 0
    bench.log.boot = "boot_after_the_restart"
    assert await close_interrupted(bench.store, bench.log, restarted=True) == 1
    assert await bench.ends(error.exchange_id) == [("decided", ()), ("interrupted", "gateway_interrupted")]


async def test_one_that_is_cancelled_is_closed_later(bench: Bench) -> None:
    """The server gives up what is still under way when its time to stop is over."""
    bench.source = lambda _: asyncio.sleep(30)
    task = asyncio.create_task(bench.ask())
    while not bench.asked:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    bench.log.boot = "boot_after_the_restart"
    assert await close_interrupted(bench.store, bench.log, restarted=True) == 1
    assert [kind for kind, _ in await bench.ends(bench.asked[0])] == ["decided", "interrupted"]


async def test_nothing_is_asked_where_the_decision_cannot_be_written(bench: Bench) -> None:
    async def away(*_: Any) -> None:
        raise LogUnavailable(retry_after=1)

    bench.store.before = away
    error = await bench.ask()
    assert isinstance(error, LogUnavailable)
    assert bench.asked == []
    bench.store.before = None
    assert await bench.ends(error.exchange_id) == []


async def test_what_is_kept_of_earlier_questions_changes_no_later_ones_judgement(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Questions that differ in one thing each, asked of one that remembers, then over again, and of one that cannot."""
    holding, judging = bench.current.holding, bench.pipeline.judging
    callers = [Caller(name, "city-a", "client", "", frozenset({"exchange"}), "kid") for name in CLIENTS]
    plain = Question(PERSON, ELDER, IdentifierKind.CITIZEN, OLD_AGE)
    asked = [
        plain,
        replace(plain, fields=("life_status",)),
        replace(plain, fields=("father_name",)),
        replace(plain, purpose="land.transfer-registration"),
        replace(plain, purpose="land.transfer-registration", officer="somsri.j"),
        replace(plain, purpose="land.transfer-registration", officer="nobody.x"),
        replace(plain, consent_id="cs_unknown"),
        replace(plain, service=HOUSE),
    ]
    today = now()
    found = []
    for _ in range(2):
        for moment in (today, today + timedelta(days=40_000)):  # the agreements have ended by then
            monkeypatch.setattr("gateway.judgement.now", lambda at=moment: at)
            for caller, question in itertools.product(callers, asked):
                anew = Judging(bench.store, judging.consents, judging.person_key)
                expected = (await anew.judge(holding, caller, question)).decision
                assert (await judging.judge(holding, caller, question)).decision == expected
                found.append((moment == today, expected.permit, {reason.code for reason in expected.reasons}))
    assert any(permit for current, permit, _ in found if current)
    assert not any(permit for current, permit, _ in found if not current)
    assert {"field_not_covered", "officer_not_enrolled", "agreement_expired"} <= set().union(*(c for *_, c in found))
