"""Where appends wait: handed over a turn at a time, and told in time that nobody answers."""

from __future__ import annotations

import asyncio

from gateway.store.batch import Request
from gateway.store.changes import Appended
from gateway.store.desk import Desk, Waiting

SECONDS = 0.2
NOTHING = Request((), (), {})


def desk_of(handed: list[list[Waiting]], late: list[Waiting]) -> Desk:
    return Desk(asyncio.get_running_loop(), lambda desk: handed.append(desk.gathered()), late.extend, SECONDS)


async def test_a_turn_of_the_loop_is_handed_over_as_one() -> None:
    handed: list[list[Waiting]] = []
    desk = desk_of(handed, [])
    first = [desk.take(NOTHING) for _ in range(3)]
    assert handed == []
    await asyncio.sleep(0)
    second = [desk.take(NOTHING)]
    await asyncio.sleep(0)
    assert handed == [first, second]
    desk.settle([(waiting, Appended((7,), (bytes(32),))) for waiting in first])
    assert [appended.indexes for appended in await asyncio.gather(*(waiting.future for waiting in first))] == [(7,)] * 3


async def test_each_is_late_after_its_own_time_and_one_who_left_never() -> None:
    late: list[Waiting] = []
    desk = desk_of([], late)
    served, first = desk.take(NOTHING), desk.take(NOTHING)
    desk.leave(served)
    await asyncio.sleep(SECONDS / 2)
    second = desk.take(NOTHING)
    await asyncio.sleep(SECONDS * 0.75)
    assert late == [first]
    desk.leave(first)
    await asyncio.sleep(SECONDS)
    assert late == [first, second]
    desk.leave(second)
    await asyncio.sleep(2 * SECONDS)  # nobody waits: the timer has ended, and begins anew with the next
    third = desk.take(NOTHING)
    await asyncio.sleep(1.5 * SECONDS)
    assert late == [first, second, third]
