"""Two gateways on one PostgreSQL database: one log without gaps, one count of every quota and every subject."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from gateway.errors import Moved
from gateway.exchangelog.vault import Vault
from gateway.keys import Master, Masters
from gateway.store import (
    REGISTERS,
    AlreadyClosed,
    AlreadyUsed,
    Appended,
    CloseExchange,
    Once,
    OpenExchange,
    PutRegister,
    QuotaSpent,
    Reserve,
    Store,
)
from tests.store.conftest import Note

DAY = date(2026, 11, 20)


@pytest.fixture
def two(postgres_url: str) -> Iterator[tuple[Store, Store]]:
    stores = Store(postgres_url), Store(postgres_url)
    yield stores
    for store in stores:
        store.close()


async def both(two: tuple[Store, Store], call: Any, times: int) -> list[Any]:
    """`call(store, number)` at both at once, `times` each; results and exceptions."""
    calls = [call(store, number) for number in range(times) for store in two]
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_both_append_to_one_log_without_gaps(two: tuple[Store, Store]) -> None:
    async def one(store: Store, number: int) -> list[Appended]:
        return [await store.append([Note(), Note()]) for _ in range(10)]

    results = [appended for many in await both(two, one, 12) for appended in many]
    indexes = sorted(index for appended in results for index in appended.indexes)
    assert indexes == list(range(480))
    rows = await two[0].read(lambda c: c.rows("SELECT idx, entry FROM log_entries ORDER BY idx"))
    assert [row[0] for row in rows] == indexes
    held = {index: bytes(entry) for index, entry in rows}
    assert all(held[i] == e for appended in results for i, e in zip(appended.indexes, appended.entries, strict=True))


async def test_both_give_out_one_quota(two: tuple[Store, Store]) -> None:
    results = await both(two, lambda store, _: store.append([Note()], [Reserve("k", DAY, 25)]), 40)
    assert Counter(type(result) for result in results) == {Appended: 25, QuotaSpent: 55}
    for store in two:
        rows = await store.read(lambda c: c.rows("SELECT used FROM quotas"))
        assert [row[0] for row in rows] == [25]


async def test_a_subject_is_counted_across_both(two: tuple[Store, Store]) -> None:
    drafts: list[Note] = []

    async def one(store: Store, _: int) -> None:
        drafts.append(note := Note(subject=b"s" * 32))
        await store.append([note])

    await both(two, one, 30)
    # A batch that waited for the head's lock seals only once it has it, so each draft is sealed once.
    sealed = sorted(note.sealed[0] for note in drafts)
    assert [count for count, _, _ in sealed] == list(range(1, 61))
    assert [previous for _, previous, _ in sealed] == [None, *(entry for _, _, entry in sealed[:-1])]


async def test_one_use_one_change_one_close(two: tuple[Store, Store]) -> None:
    results = await both(two, lambda store, _: store.append([], [Once(b"d" * 32, 99)]), 10)
    assert Counter(type(result) for result in results) == {Appended: 1, AlreadyUsed: 19}
    results = await both(
        two, lambda s, n: s.append([Note()], [PutRegister("agency", "a", {"n": n})], {REGISTERS: 0}), 10
    )
    assert Counter(type(result) for result in results) == {Appended: 1, Moved: 19}
    await two[0].append([], [OpenExchange("ex_1", "g", "b", 1)])
    results = await both(two, lambda store, _: store.append([Note()], [CloseExchange("ex_1")]), 10)
    assert Counter(type(result) for result in results) == {Appended: 1, AlreadyClosed: 19}


async def test_both_begin_a_month_at_once_and_seal_with_one_key(two: tuple[Store, Store]) -> None:
    master = Masters([Master.new()])
    for month in ("2026-11", "2026-12", "2027-01"):
        vaults = Vault(master), Vault(master), Vault(master), Vault(master)
        keys = await asyncio.gather(*(vault.prepare(two[n % 2], month) for n, vault in enumerate(vaults)))
        rows = await two[0].read(lambda c, m=month: c.rows("SELECT wrapped FROM month_keys WHERE month = ?", (m,)))
        assert len(rows) == 1
        sealed = keys[0].encrypt(b"n" * 12, b"text", b"")
        assert all(key.decrypt(b"n" * 12, sealed, b"") == b"text" for key in keys)
        assert all(vault.known(month) is key for vault, key in zip(vaults, keys, strict=True))
