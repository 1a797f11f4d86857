"""`append`: what it checks, what it writes, and that it is all or nothing, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import date
from typing import Any

import pytest

from gateway.errors import LogUnavailable, Moved
from gateway.store import (
    REGISTERS,
    AlreadyClosed,
    AlreadyUsed,
    Appended,
    CloseExchange,
    Once,
    OpenExchange,
    PutMonth,
    PutRegister,
    QuotaSpent,
    Reserve,
    Store,
)
from tests.store.conftest import Gate, Note

DAY = date(2026, 11, 20)


async def entries_of(store: Store) -> list[tuple[int, bytes]]:
    rows = await store.read(lambda c: c.rows("SELECT idx, entry FROM log_entries ORDER BY idx"))
    return [(index, bytes(entry)) for index, entry in rows]


async def gather(*calls: Any) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


async def in_one_batch(store: Store, *calls: Any) -> list[Any]:
    """Runs the calls so that the writer finds them all waiting at once."""
    gate = Gate()
    first = asyncio.create_task(store.append([gate.draft()]))
    await asyncio.to_thread(gate.reached.wait, 10)
    tasks = [asyncio.create_task(call) for call in calls]
    await asyncio.sleep(0.05)
    gate.opened.set()
    await first
    return await gather(*tasks)


async def test_entries_stand_in_order_without_gaps_and_each_append_stands_together(store: Store) -> None:
    appends = [[Note() for _ in range(1 + number % 3)] for number in range(120)]
    results = await asyncio.gather(*(store.append(drafts) for drafts in appends))
    held = await entries_of(store)
    assert [index for index, _ in held] == list(range(sum(map(len, appends))))
    by_index = dict(held)
    for drafts, appended in zip(appends, results, strict=True):
        first = appended.indexes[0]
        assert appended.indexes == tuple(range(first, first + len(drafts)))
        assert appended.entries == tuple(draft.sealed[0][2] for draft in drafts)
        assert [by_index[index] for index in appended.indexes] == list(appended.entries)
    assert (await store.read(lambda c: c.rows("SELECT size FROM head")))[0][0] == len(held)


async def test_a_register_change_moves_the_revision_and_what_stands_on_the_old_one_is_refused(store: Store) -> None:
    await store.append([Note()], [PutRegister("agency", "a", {"n": 1})], {REGISTERS: 0})
    with pytest.raises(Moved):
        await store.append([Note()], [PutRegister("agency", "a", {"n": 2})], {REGISTERS: 0})
    with pytest.raises(Moved):
        await store.append([Note()], (), {REGISTERS: 0})
    assert len(await entries_of(store)) == 1
    rows = await store.read(lambda c: c.rows("SELECT kind, id, revision, body FROM registers"))
    assert [tuple(row) for row in rows] == [("agency", "a", 1, '{"acts":[0],"n":1}')]
    await store.append([Note()], [PutRegister("agency", "a", {"n": 2, "acts": [0]})], {REGISTERS: 1})
    rows = await store.read(lambda c: c.rows("SELECT body FROM registers"))
    assert rows[0][0] == '{"acts":[0,1],"n":2}'
    two = [PutRegister("agency", "b", {}), PutRegister("agency", "c", {})]
    await store.append([], two, {REGISTERS: 2})
    await store.append([Note()], (), {REGISTERS: 3})


async def test_of_many_changes_to_one_revision_exactly_one_is_made(store: Store) -> None:
    results = await gather(
        *(store.append([Note()], [PutRegister("agency", f"a{n}", {})], {REGISTERS: 0}) for n in range(30))
    )
    assert Counter(type(result) for result in results) == {Appended: 1, Moved: 29}
    assert len(await entries_of(store)) == 1


async def test_a_change_in_the_same_batch_counts_too(store: Store) -> None:
    change = store.append([Note()], [PutRegister("agency", "a", {})], {REGISTERS: 0})
    released = store.append([Note()], (), {REGISTERS: 0})
    results = await in_one_batch(store, change, released)
    assert [type(result) for result in results] == [Appended, Moved]


async def test_a_digest_is_used_once(store: Store) -> None:
    use = Once(b"d" * 32, int(time.time()) + 60)
    results = await gather(*(store.append([], [use]) for _ in range(20)))
    assert Counter(type(result) for result in results) == {Appended: 1, AlreadyUsed: 19}
    await store.append([], [Once(b"e" * 32, int(time.time()) + 60)])


async def test_a_daily_counter_gives_out_its_limit_and_no_more(store: Store) -> None:
    results = await gather(*(store.append([Note()], [Reserve("k", DAY, 7)]) for _ in range(40)))
    assert Counter(type(result) for result in results) == {Appended: 7, QuotaSpent: 33}
    assert {result.used for result in results if isinstance(result, QuotaSpent)} == {7}
    assert len(await entries_of(store)) == 7
    await store.append([Note()], [Reserve("k", date(2026, 11, 21), 7)])
    assert await store.quota_used("k", DAY) == 7
    assert await store.quota_used("k", date(2026, 11, 21)) == 1


async def test_a_second_counter_that_is_spent_leaves_the_first_as_it_was(store: Store) -> None:
    await store.append([], [Reserve("officer", DAY, 1)])
    with pytest.raises(QuotaSpent):
        await store.append([Note()], [Reserve("term", DAY, 9), Reserve("officer", DAY, 1)])
    assert await store.quota_used("term", DAY) == 0


async def test_an_exchange_is_closed_once(store: Store) -> None:
    await store.append([Note()], [OpenExchange("ex_1", "g", "boot_1", 99)])
    results = await gather(*(store.append([Note()], [CloseExchange("ex_1")]) for _ in range(20)))
    assert Counter(type(result) for result in results) == {Appended: 1, AlreadyClosed: 19}
    with pytest.raises(AlreadyClosed):
        await store.append([Note()], [CloseExchange("ex_unknown")])
    assert len(await entries_of(store)) == 2
    assert await store.read(lambda c: c.rows("SELECT * FROM open_exchanges")) == []


async def test_a_subjects_entries_are_counted_without_gaps_and_each_names_the_one_before(store: Store) -> None:
    drafts = [Note(subject=bytes([number % 3]) * 32) for number in range(90)]
    pairs = [[drafts[n], drafts[n + 1]] for n in range(0, 90, 2)]
    await asyncio.gather(*(store.append(pair) for pair in pairs))
    for subject in range(3):
        sealed = sorted(draft.sealed[0] for draft in drafts if draft.subject == bytes([subject]) * 32)
        assert [count for count, _, _ in sealed] == list(range(1, 31))
        assert [previous for _, previous, _ in sealed] == [None, *(entry for _, _, entry in sealed[:-1])]
    rows = await store.read(lambda c: c.rows("SELECT subject, count FROM counters"))
    assert {bytes(subject)[0]: count for subject, count in rows} == {0: 30, 1: 30, 2: 30}


async def test_a_refused_append_counts_nothing_for_its_subject(store: Store) -> None:
    subject = b"s" * 32
    await store.append([Note(subject=subject)], [PutRegister("agency", "a", {})])
    with pytest.raises(Moved):
        await store.append([Note(subject=subject)], (), {REGISTERS: 0})
    late = Note(subject=subject)
    await store.append([late])
    assert late.sealed[0][0] == 2


async def test_a_draft_that_cannot_be_sealed_fails_alone(store: Store) -> None:
    def fail() -> None:
        raise LookupError("no key")

    good = Note(subject=b"s" * 32)
    results = await in_one_batch(
        store,
        store.append([Note()]),
        store.append([Note(subject=b"s" * 32), Note(work=fail)], [Reserve("k", DAY, 9)]),
        store.append([good]),
    )
    assert [type(result) for result in results] == [Appended, LookupError, Appended]
    assert results[2].indexes[0] == results[0].indexes[0] + 1
    assert good.sealed[0][0] == 1
    assert await store.quota_used("k", DAY) == 0


async def test_a_batch_that_the_database_refuses_leaves_nothing_at_all(store: Store) -> None:
    before = await entries_of(store)
    refused = PutMonth("2026-11", "kid", None)  # type: ignore[arg-type]
    subject = b"s" * 32
    results = await in_one_batch(
        store,
        store.append([Note(subject=subject)], [PutRegister("agency", "a", {}), Reserve("k", DAY, 9)]),
        store.append([], [Once(b"d" * 32, 99), OpenExchange("ex_1", "g", "b", 1)]),
        store.append([Note()], [refused]),
    )
    assert [type(result) for result in results] == [LogUnavailable] * 3
    held = await entries_of(store)
    assert len(held) == len(before) + 1  # the gate's own, in the batch before
    for table in ("registers", "revisions", "counters", "quotas", "once", "open_exchanges", "month_keys"):
        assert await store.read(lambda c, t=table: c.rows(f"SELECT * FROM {t}")) == [], table
    again = Note(subject=subject)
    await store.append([again], [Once(b"d" * 32, 99)], {REGISTERS: 0})
    assert again.sealed[0][0] == 1
    assert [index for index, _ in await entries_of(store)] == [0, 1]


async def test_a_caller_who_gives_up_disturbs_nobody(store: Store) -> None:
    gate = Gate()
    first = asyncio.create_task(store.append([gate.draft()]))
    await asyncio.to_thread(gate.reached.wait, 10)
    given_up = asyncio.create_task(store.append([Note()]))
    other = asyncio.create_task(store.append([Note()]))
    await asyncio.sleep(0.02)
    given_up.cancel()
    gate.opened.set()
    assert (await first).indexes == (0,)
    assert (await other).indexes == (2,)
    assert len(await entries_of(store)) == 3


async def test_what_waits_is_finished_when_the_store_closes(database_url: str) -> None:
    store = Store(database_url)
    tasks = [asyncio.create_task(store.append([Note()])) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.to_thread(store.close)
    assert sorted(task.indexes[0] for task in await asyncio.gather(*tasks)) == list(range(50))
    with pytest.raises(LogUnavailable):
        await store.append([Note()])
    again = Store(database_url)
    assert len(await entries_of(again)) == 50
    again.close()
