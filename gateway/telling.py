"""Exchanges that were withheld from the person they are about are told when their time has come, or two people say so.

Each becomes an entry `subject.told` that takes the person's next count. Every gateway looks; of two that write the
same, one does. A gateway that was off tells what fell due meanwhile when it starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from gateway.errors import Moved
from gateway.exchangelog import ExchangeLog, Subject
from gateway.exchangelog.log import MOVED
from gateway.model import now
from gateway.observe import logger
from gateway.store import Connection, NotWithheld, Store, Tell

SECONDS = 1.0
AT_ONCE = 100
_DUE = (
    "SELECT w.exchange, w.idx, w.decided_at, w.subject, w.earlier, w.due_at, l.entry FROM withheld w"
    " JOIN log_entries l ON l.idx = w.idx WHERE w.told_idx IS NULL AND w.due_at <= ? ORDER BY w.due_at, w.idx LIMIT ?"
)


async def tell(store: Store, log: ExchangeLog, moment: float | None = None) -> int:
    """Tells what is due at `moment` (epoch seconds; now). Returns how many. LogUnavailable."""
    until = int(time.time() if moment is None else moment)
    told = 0
    while due := await store.read(lambda c: _due(c, until)):
        before = told
        for exchange, index, time_text, held, subject, early, entry in due:
            at = now()
            await log.ready(at)
            draft = log.told(exchange, subject, index, entry, time_text, early=early, at=at)
            with contextlib.suppress(NotWithheld, Moved):  # another gateway was faster; met under a later name just now
                await store.append([draft], [Tell(exchange, held)])
                told += 1
        if len(due) < AT_ONCE or told == before:
            break
    return told


async def follow(store: Store, log: ExchangeLog) -> None:
    """Looks for it, for ever."""
    while True:
        try:
            await tell(store, log)
        except Exception as error:
            logger.warning("withheld_not_told", kind=type(error).__name__)
        await asyncio.sleep(SECONDS)


def _due(connection: Connection, until: int) -> list[tuple[Any, ...]]:
    """(exchange, index, decided at, the name in the table, the person as they are counted now, early, entry)."""
    found = []
    for exchange, index, decided_at, name, earlier, due_at, entry in connection.rows(_DUE, (until, AT_ONCE)):
        held, names = bytes(name), bytes(earlier)
        subject = Subject(held, tuple(names[at : at + 32] for at in range(0, len(names), 32)))
        while moved := connection.rows(MOVED, (subject.pseudonym,)):
            subject = Subject(bytes(moved[0][0]))
        found.append((exchange, index, decided_at, held, subject, due_at == 0, bytes(entry)))
    return found
