"""A large log made quickly for a bench: real entries, sealed as the gateway seals them, written in bulk.

What the gateway writes besides (tiles, checkpoints, the search projection) is made by the gateway's own code.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import uvloop

from gateway.exchangelog import ExchangeLog
from gateway.exchangelog import log as log_module
from gateway.exchangelog.checkpoints import Checkpoints
from gateway.exchangelog.entry import EntryDraft
from gateway.exchangelog.tree import grow
from gateway.keys import Keys
from gateway.model import Caller, Decision, IdentifierKind, Question, Service, new_id, now
from gateway.observe import Metrics
from gateway.store import Connection, Store
from gateway.store.migrate import upgrade

CHUNK = 20_000
CONSUMERS, SOURCES, PURPOSES, OFFICERS, PEOPLE = 300, 10, 3, 5, 200_000
Progress = Callable[[int], None]


def made_log(
    folder: Path, entries: int, *, varied: bool = False, days: int = 1, progress: Progress = lambda _: None
) -> tuple[str, Keys]:
    """(database URL, keys) of an SQLite log of so many entries: decided and released in turn, over some days.

    `varied`: of hundreds of consumers, ten sources and 200,000 people, with refusals and officers among them; else all
    of one kind. The tree and a checkpoint are made; the projection is not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    url, keys = f"sqlite:///{folder / 'linkage.db'}", Keys.create(folder / "keys")
    upgrade(url)
    store = Store(url)
    log = ExchangeLog(store, keys, origin="bench.example/log", gateway="gateway-1")
    try:
        uvloop.run(_write(url, log, entries, varied, days, progress))
        connection = Connection(url)
        while grow(connection):
            pass
        connection.close()
        uvloop.run(_sign(store, keys))
    finally:
        store.close()
    return url, keys


async def _sign(store: Store, keys: Keys) -> None:
    await Checkpoints(store, keys, Metrics(), origin="bench.example/log").sign()


async def _write(url: str, log: ExchangeLog, entries: int, varied: bool, days: int, progress: Progress) -> None:
    draw, end = random.Random(1), now()
    begun = end - timedelta(days=days)
    moment = begun
    counters: dict[bytes, tuple[int, bytes | None]] = {}
    connection = Connection(url)
    connection.durable(False)
    index = 0
    with patch.object(log_module, "now", lambda: moment):
        while index < entries:
            rows: list[tuple[int, bytes, str, bytes]] = []
            while len(rows) < CHUNK and index + len(rows) < entries:
                place = index + len(rows)
                moment = begun + (end - begun) * (place / entries)
                await log.ready(moment)
                refused = varied and draw.random() < 0.05
                exchange, draft, subject = _decided(log, draw, varied, refused)
                count, previous = counters.get(subject, (0, None))
                entry, sealed = draft.seal(None, None) if refused else draft.seal(count + 1, previous)
                if not refused:
                    counters[subject] = (count + 1, entry)
                rows.append((place, entry, draft.month, sealed))
                if not refused and place + 1 < entries:
                    moment += timedelta(milliseconds=draw.randrange(5, 400))
                    closing = log.closed(
                        "released", exchange, released=("life_status",), answer_digest="1" * 64, source_us=900
                    )
                    rows.append((place + 1, *_sealed(closing)))
                elif not refused:
                    connection.begin()
                    connection.run(
                        "INSERT INTO open_exchanges (exchange, gateway, boot, idx, overdue_at) VALUES (?, ?, ?, ?, ?)",
                        (exchange, log.gateway, log.boot, place, 2**40),
                    )
                    connection.commit()
            connection.begin()
            connection.many("INSERT INTO log_entries (idx, entry, month, sealed) VALUES (?, ?, ?, ?)", rows)
            index += len(rows)
            connection.run("UPDATE head SET size = ?", (index,))
            connection.commit()
            progress(index)
    connection.begin()
    connection.many(
        "INSERT INTO counters (subject, count, previous) VALUES (?, ?, ?)",
        [(subject, count, entry) for subject, (count, entry) in counters.items()],
    )
    connection.commit()
    connection.close()


def _sealed(draft: EntryDraft) -> tuple[bytes, str, bytes]:
    entry, sealed = draft.seal(None, None)
    return entry, draft.month, sealed


def _decided(log: ExchangeLog, draw: random.Random, varied: bool, refused: bool) -> tuple[str, EntryDraft, bytes]:
    # A few consumers ask most of the questions, as it is.
    consumer = int(draw.paretovariate(0.6)) % CONSUMERS if varied else 0
    source, purpose = (draw.randrange(SOURCES), draw.randrange(PURPOSES)) if varied else (0, 0)
    officer = f"officer.{draw.randrange(OFFICERS)}" if varied and draw.random() < 0.4 else None
    citizen = f"9{draw.randrange(PEOPLE if varied else 5000):012}"
    service = f"source-{source}.person.v1"
    caller = Caller(f"client-{consumer}", f"consumer-{consumer}", "client", "", frozenset({"exchange"}), "kid")
    case = f"CASE/{draw.randrange(10**9)}"
    question = Question(
        service, citizen, IdentifierKind.CITIZEN, f"purpose.number-{purpose}", officer=officer, case_reference=case
    )
    kind = Service(
        service, f"source-{source}", "", "", IdentifierKind.CITIZEN, 2, "personal", False, 5.0, True, {}, {}, {}, {}
    )
    agreement = f"agreement-{consumer}-{source}"
    decision = Decision(
        not refused, (), agreement, "t1", "24(4)", "An act", None, ("life_status",), ("permit",), "d" * 64
    )
    subject, exchange = log.subject("citizen_id", citizen), new_id("ex")
    draft = log.decided(exchange, caller, question, kind, decision, subject, request_digest="0" * 64, judged_us=50)
    return exchange, draft, subject.pseudonym


def seconds_of(work: Callable[[], object]) -> float:
    """How long something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
