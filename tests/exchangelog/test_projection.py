"""The search projection is what the log says: filled behind it, filled again from nothing, by one gateway or two."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from gateway.exchangelog import ExchangeSearch, Search, entry
from gateway.exchangelog.projection import SLICE, empty, project
from gateway.exchangelog.vault import Vault
from gateway.store import Connection
from tests.exchangelog.conftest import Book


async def rows_of(book: Book) -> list[Any]:
    def read(connection: Connection) -> list[Any]:
        select = "SELECT e.*, l.key FROM exchanges e JOIN exchange_lines l ON l.id = e.line ORDER BY opened_idx"
        found = connection.rows(select)
        line = 6
        return [(*row[:line], *map(as_bytes, row[line + 1 :])) for row in found]

    return await book.store.read(read)


def as_bytes(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


async def counts_of(book: Book) -> dict[str, list[Any]]:
    """What is counted beside the rows, with the lines by their key."""
    statements = {
        "hours": "SELECT * FROM exchange_hours ORDER BY 1",
        "days": (
            "SELECT d.day, l.key, d.outcome, d.exchanges FROM exchange_days d JOIN exchange_lines l ON l.id = d.line "
            "WHERE d.exchanges <> 0 ORDER BY 1, 2, 3"
        ),
        "times": "SELECT * FROM exchange_times ORDER BY 1, 2, 3",
    }
    return {
        name: [tuple(map(as_bytes, row)) for row in await book.store.read(lambda c, text=statement: c.rows(text))]
        for name, statement in statements.items()
    }


def refill(url: str) -> None:
    connection = Connection(url)
    try:
        connection.begin()
        empty(connection)
        connection.commit()
    finally:
        connection.close()


def run(url: str, vault: Vault, times: int | None = None) -> None:
    connection = Connection(url)
    try:
        while project(connection, vault) and times != 0:
            times = None if times is None else times - 1
    finally:
        connection.close()


def change(url: str, *statements: str) -> None:
    connection = Connection(url)
    try:
        connection.begin()
        for statement in statements:
            connection.run(statement)
        connection.commit()
    finally:
        connection.close()


@contextmanager
def watched_unseal() -> Iterator[list[int]]:
    """The indexes of the entries that are opened meanwhile."""
    opened: list[int] = []

    def unseal(index: int, *more: Any) -> Any:
        opened.append(index)
        return entry.unseal(index, *more)

    with patch("gateway.exchangelog.projection.unseal", unseal):
        yield opened


async def history(book: Book, count: int) -> list[str]:
    """Exchanges of every outcome, those decided first closed last."""
    draw, exchanges = random.Random(1), []
    for number in range(count):
        exchanges.append(await (book.refuse() if number % 5 == 0 else book.decide(f"9{number % 7:012}")))
    open_ones = [each for number, each in enumerate(exchanges) if number % 5]
    draw.shuffle(open_ones)
    for number, exchange in enumerate(open_ones):
        if number % 4 == 0:
            await book.close(exchange, "failed", fault="agency_timeout:late")
        elif number % 4 == 1:
            await book.close(exchange, "withheld", reasons=("agreement_revoked",))
        elif number % 4 == 2:
            await book.close(exchange, "released", released=("life_status",), answer_digest="1" * 64)
    return exchanges


async def test_from_memory_it_is_what_it_is_from_the_log(book: Book) -> None:
    await history(book, 60)
    connection = Connection(book.url)
    with watched_unseal() as opened:
        while book.log.behind(connection):
            pass
    connection.close()
    assert opened == []  # all of it was sealed here, just now
    remembered = await rows_of(book), await counts_of(book)
    assert len(remembered[0]) == 60
    refill(book.url)
    run(book.url, Vault(book.keys.master))
    assert (await rows_of(book), await counts_of(book)) == remembered


async def test_filled_again_from_nothing_it_is_the_same(book: Book) -> None:
    await history(book, 60)
    incremental = Vault(book.keys.master)
    run(book.url, incremental)
    first = await rows_of(book)
    await history(book, 30)
    run(book.url, incremental)
    second = await rows_of(book)
    assert [row[0] for row in second[:60]] == [row[0] for row in first]
    assert len(second) == 90
    counted = await counts_of(book)
    outcomes = Counter(row[5] for row in second)
    assert outcomes.keys() == {"refused", "released", "failed", "withheld", "decided"}
    assert {outcome: sum(n for _, _, of, n in counted["days"] if of == outcome) for outcome in outcomes} == outcomes
    assert sum(n for *_, n in counted["times"]) == 90 - outcomes["refused"] - outcomes["decided"]
    refill(book.url)
    run(book.url, Vault(book.keys.master))
    assert await rows_of(book) == second
    assert await counts_of(book) == counted


async def test_where_the_slices_end_makes_no_difference(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    await history(book, 40)
    run(book.url, Vault(book.keys.master))
    at_once, counted = await rows_of(book), await counts_of(book)
    for width in (1, 3, 17):
        monkeypatch.setattr("gateway.exchangelog.projection.SLICE", width)
        refill(book.url)
        run(book.url, Vault(book.keys.master))
        assert await rows_of(book) == at_once
        assert await counts_of(book) == counted


async def test_two_gateways_that_fill_it_at_once_fill_it_once(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    if book.url.startswith("sqlite"):
        monkeypatch.setattr("gateway.store.connection.BUSY_SECONDS", 10.0)
    monkeypatch.setattr("gateway.exchangelog.projection.SLICE", 4)
    await history(book, 60)
    await asyncio.gather(*(asyncio.to_thread(run, book.url, Vault(book.keys.master)) for _ in range(4)))
    found = await rows_of(book)
    refill(book.url)
    run(book.url, Vault(book.keys.master))
    assert found == await rows_of(book)
    assert len(found) == 60


async def test_a_broken_entry_hides_itself_and_nothing_else(book: Book) -> None:
    exchanges = [await book.decide() for _ in range(5)]
    for exchange in exchanges:
        await book.close(exchange)
    for index in (2, 8):  # a decision, and another's outcome
        sealed = await book.store.read(lambda c, i=index: c.rows("SELECT sealed FROM log_entries WHERE idx = ?", (i,)))
        turned = bytearray(bytes(sealed[0][0]))
        turned[40] ^= 1
        connection = Connection(book.url)
        connection.begin()
        connection.run("UPDATE log_entries SET sealed = ? WHERE idx = ?", (bytes(turned), index))
        connection.commit()
        connection.close()
    another = Vault(book.keys.master)  # this gateway's own has them in memory, as it sealed them
    book.store.work_behind(lambda connection: project(connection, another))
    found, _ = await ExchangeSearch(book.store).run(Search(equals={}))
    assert {each["exchange_id"] for each in found} == set(exchanges) - {exchanges[2]}
    outcomes = {each["exchange_id"]: each["outcome"] for each in found}
    assert outcomes == {
        exchanges[0]: "released",
        exchanges[1]: "released",
        exchanges[3]: "decided",
        exchanges[4]: "released",
    }
    entries = await book.log.entries(0, 100)
    assert [entry["index"] for entry in entries if entry.get("broken")] == [2, 8]
    assert [entry["index"] for entry in entries if entry["public"] is None] == [2, 8]
    assert len(entries) == 10


async def test_the_longest_names_that_a_question_may_hold_are_found_again(book: Book) -> None:
    longest = "a" * 32 + ("." + "b" * 48) * 3
    exchange = await book.refuse(purpose=longest)
    book.store.work_behind(book.log.behind)
    found, _ = await ExchangeSearch(book.store).run(Search(equals={"purpose": longest}))
    assert [each["exchange_id"] for each in found] == [exchange]


async def test_a_forgotten_month_is_gone_for_whoever_opens_the_log_anew_and_the_entries_stay(book: Book) -> None:
    exchange = await book.decide()
    await book.close(exchange)
    before = await book.log.entries(0, 10)
    change(book.url, "DELETE FROM month_keys")
    if book.url.startswith("sqlite"):
        book.store.close()
    later = book.again("gateway-2")
    try:
        after = await later.log.entries(0, 10)
        assert [entry["entry"] for entry in after] == [entry["entry"] for entry in before]
        assert all(entry[group] is None for entry in after for group in ("public", "parties", "subject", "legal"))
    finally:
        later.store.close()


async def test_pages_follow_each_other_while_new_exchanges_come_in(book: Book) -> None:
    book.store.work_behind(book.log.behind)
    exchanges = [await book.decide() for _ in range(25)]
    search, seen, cursor = ExchangeSearch(book.store), list[str](), None
    for _ in range(10):
        page, cursor = await search.run(Search(equals={"consumer": "city-a"}, limit=10, cursor=cursor))
        seen += [each["exchange_id"] for each in page]
        await book.decide()
        if cursor is None:
            break
    assert seen == exchanges[::-1]


async def test_a_person_is_found_by_the_pseudonym_alone(book: Book) -> None:
    book.store.work_behind(book.log.behind)
    one, _ = await book.decide("9000000000017"), await book.decide("9000000000025")
    subject = book.log.subject("citizen_id", "9000000000017").pseudonym
    found, _ = await ExchangeSearch(book.store).run(Search(equals={}, subject=subject))
    assert [each["exchange_id"] for each in found] == [one]
    juristic = book.log.subject("juristic_id", "9000000000017").pseudonym
    assert juristic != subject


def test_a_slice_is_bounded() -> None:
    assert 1 <= SLICE <= 1024
