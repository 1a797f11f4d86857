"""Exchanges that were left open: who closes which, and when."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest

from gateway.exchangelog import ExchangeSearch, Search
from gateway.recovery import SLICE, close_interrupted
from gateway.store import Connection
from tests.exchangelog.conftest import Book


async def open_ones(book: Book) -> set[str]:
    def read(connection: Connection) -> set[str]:
        return {row[0] for row in connection.rows("SELECT exchange FROM open_exchanges")}

    return await book.store.read(read)


async def test_a_restart_closes_what_its_earlier_boot_left_and_nothing_of_its_own(book: Book) -> None:
    left = await book.decide()
    book.log.boot = "boot_after_the_restart"
    own = await book.decide()
    assert await close_interrupted(book.store, book.log, restarted=False) == 0
    assert await close_interrupted(book.store, book.log, restarted=True) == 1
    assert await open_ones(book) == {own}
    book.store.work_behind(book.log.behind)
    found, _ = await ExchangeSearch(book.store).run(Search(equals={"outcome": "interrupted"}))
    assert [each["exchange_id"] for each in found] == [left]


async def test_the_month_that_was_prepared_is_the_entrys(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """The month may turn between the two; an entry of one that has no key yet cannot be sealed."""
    await book.decide(overdue=1)
    last, first = datetime(2031, 1, 31, 23, 59, tzinfo=UTC), datetime(2031, 2, 1, tzinfo=UTC)
    monkeypatch.setattr("gateway.recovery.now", lambda: last)
    monkeypatch.setattr("gateway.exchangelog.log.now", lambda: first)
    assert await close_interrupted(book.store, book.log, restarted=False) == 1
    assert [entry["public"]["time"][:7] for entry in await book.log.entries(0, 500)][-1] == "2031-01"


async def test_another_gateways_are_closed_once_overdue(book: Book) -> None:
    now = int(time.time())
    fresh, overdue = await book.decide(overdue=now + 60), await book.decide(overdue=now - 1)
    book.log.gateway, book.log.boot = "gateway-2", "boot_2"
    assert await close_interrupted(book.store, book.log, restarted=True) == 1
    assert await open_ones(book) == {fresh}
    assert overdue != fresh


async def test_ones_own_of_this_boot_are_closed_once_overdue(book: Book) -> None:
    """Their outcome could not be written while the log was away; no restart should be needed to end them."""
    await book.decide(overdue=int(time.time()) - 1)
    going_on = await book.decide(overdue=int(time.time()) + 60)
    assert await close_interrupted(book.store, book.log, restarted=False) == 1
    assert await open_ones(book) == {going_on}


async def test_two_that_find_the_same_close_each_once(book: Book) -> None:
    exchanges = [await book.decide(overdue=1) for _ in range(20)]
    counts = await asyncio.gather(*(close_interrupted(book.store, book.log, restarted=False) for _ in range(3)))
    assert sum(counts) == len(exchanges)
    entries = await book.log.entries(0, 500)
    closed = [entry["public"]["exchange"] for entry in entries if entry["public"]["kind"] == "exchange.interrupted"]
    assert sorted(closed) == sorted(exchanges)


async def test_more_than_a_slice_is_closed(book: Book) -> None:
    exchanges = await asyncio.gather(*(book.decide(overdue=1) for _ in range(SLICE + 7)))
    assert await close_interrupted(book.store, book.log, restarted=False) == len(exchanges)
    assert await open_ones(book) == set()
