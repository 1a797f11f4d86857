"""A log over an empty database of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.exchangelog import ExchangeLog
from gateway.keys import Keys
from gateway.model import Caller, Decision, IdentifierKind, Question, Service, Withholding, new_id, now
from gateway.recording import _withheld
from gateway.store import CloseExchange, OpenExchange, Store
from tests.databases import KINDS, fresh

PURPOSE = "welfare.old-age-allowance"


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    with fresh(request.param, tmp_path) as url:
        yield url


@dataclass
class Book:
    """A store with its log, and exchanges written into it as the pipeline writes them."""

    url: str
    keys: Keys
    store: Store
    log: ExchangeLog

    def again(self, gateway: str) -> Book:
        """Another gateway over the same database and keys."""
        return _book(self.url, self.keys, gateway)

    async def decide(self, citizen: str = "9111111111114", purpose: str = PURPOSE, *, overdue: int = 2**40) -> str:
        """A decided exchange; its id."""
        exchange = new_id("ex")
        await self.log.ready(now())
        subject = self.log.subject("citizen_id", citizen)
        await self.store.append(
            [self.draft(exchange, citizen, purpose, permit=True)],
            [OpenExchange(exchange, self.log.gateway, self.log.boot, overdue)],
        )
        assert subject.pseudonym
        return exchange

    async def withhold(self, citizen: str = "9111111111114", *, days: int = 30) -> str:
        """A decided exchange that the person is not told of for so many days, as `gateway.recording` writes it."""
        exchange = new_id("ex")
        await self.log.ready(now())
        withheld = Withholding("Act on investigations", "พ.ร.บ.สอบสวน", days)
        draft = self.draft(exchange, citizen, PURPOSE, permit=True, withheld=withheld)
        change = _withheld(exchange, self.log.subject("citizen_id", citizen), draft.groups)
        await self.store.append([draft], [OpenExchange(exchange, self.log.gateway, self.log.boot, 2**40), change])
        return exchange

    async def refuse(self, citizen: str = "9111111111114", purpose: str = PURPOSE) -> str:
        """A refused exchange; its id."""
        exchange = new_id("ex")
        await self.log.ready(now())
        await self.store.append([self.draft(exchange, citizen, purpose, permit=False)])
        return exchange

    async def close(self, exchange: str, outcome: str = "released", **content: Any) -> None:
        """Its outcome."""
        await self.log.ready(now())
        await self.store.append([self.log.closed(outcome, exchange, **content)], [CloseExchange(exchange)])

    def draft(
        self, exchange: str, citizen: str, purpose: str, *, permit: bool, withheld: Withholding | None = None
    ) -> Any:
        """The entry of a decision as the pipeline makes it."""
        caller = Caller("city-a-welfare", "city-a", "client", "", frozenset({"exchange"}), "kid")
        question = Question("dopa.person.v1", citizen, IdentifierKind.CITIZEN, purpose, case_reference="OAA/1")
        service = Service(
            "dopa.person.v1", "dopa", "", "", IdentifierKind.CITIZEN, 2, "personal", False, 5.0, True, {}, {}, {}, {}
        )
        fields = ("life_status",) if permit else ()
        decision = Decision(permit, (), "agreement", "t1", "24(4)", "An act", None, fields, ("permit",), "d" * 64)
        decision = replace(decision, withheld=withheld)
        return self.log.decided(
            exchange,
            caller,
            question,
            service,
            decision,
            self.log.subject("citizen_id", citizen),
            request_digest="0" * 64,
            judged_us=1,
        )


def _book(url: str, keys: Keys, gateway: str) -> Book:
    store = Store(url)
    return Book(url, keys, store, ExchangeLog(store, keys, origin="gateway.example/log", gateway=gateway))


@pytest.fixture
def book(database_url: str, tmp_path: Path) -> Iterator[Book]:
    """The log of one gateway."""
    opened = _book(database_url, Keys.create(tmp_path / "keys"), "gateway-1")
    yield opened
    opened.store.close()
