"""One transaction of many appends: check each against what holds, write what passes, fail what does not.

Everything that the checks need is read once for the whole batch, under the lock on the head row. An append
that fails its checks writes nothing and does not disturb the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import orjson

from gateway.errors import Moved
from gateway.store.changes import (
    AlreadyClosed,
    AlreadyUsed,
    Appended,
    Change,
    CloseExchange,
    Draft,
    KeepFacts,
    Once,
    OpenExchange,
    Outdated,
    PutCheckpoint,
    PutConsent,
    PutCosignature,
    PutMonth,
    PutRegister,
    QuotaSpent,
    Reserve,
    consent_scope,
)
from gateway.store.connection import Connection
from gateway.store.months import Months
from gateway.store.withholding import Withholding

MOST_ACTS = 500
"""Of a record's acts so many are named in it, the latest; the log has them all."""
REGISTERS = "registers"
"""The scope of `unless` that every register change moves."""


@dataclass(frozen=True, slots=True)
class Request:
    """One call of `append`, as it waits."""

    entries: Sequence[Draft]
    changes: Sequence[Change]
    unless: Mapping[str, int]


@dataclass(slots=True)
class Batch:
    """What holds now, read under the lock, and what this batch makes of it."""

    size: int
    revisions: dict[str, int]
    counters: dict[bytes, tuple[int, bytes | None]]
    quotas: dict[tuple[str, date], int]
    used: set[bytes]
    open: set[str]
    log: list[tuple[int, bytes, str, bytes]] = field(default_factory=list)
    registers: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    consents: dict[str, PutConsent] = field(default_factory=dict)
    months: Months = field(default_factory=Months)
    withholding: Withholding = field(default_factory=Withholding)
    once: list[tuple[bytes, int]] = field(default_factory=list)
    opened: list[tuple[str, str, str, int, int]] = field(default_factory=list)
    closed: list[tuple[str]] = field(default_factory=list)
    facts: dict[bytes, bytes] = field(default_factory=dict)
    signed: int = -1
    checkpoints: list[tuple[int, bytes, str, int]] = field(default_factory=list)
    cosignatures: list[tuple[int, str, str]] = field(default_factory=list)
    moved: set[str] = field(default_factory=set)
    counted: set[bytes] = field(default_factory=set)
    reserved: set[tuple[str, date]] = field(default_factory=set)


def load(connection: Connection, requests: Sequence[Request]) -> Batch:
    """Locks the head and reads all that `requests` are to be checked against."""
    # SQLite's BEGIN IMMEDIATE has locked already; PostgreSQL's writers queue on the head row.
    lock_head = "SELECT size FROM head WHERE id = 1"
    if connection.dialect == "postgresql":
        lock_head = "SELECT size FROM head WHERE id = 1 FOR UPDATE"
    subjects = {draft.subject for request in requests for draft in request.entries if draft.subject is not None}
    earlier = set[bytes]().union(*(draft.earlier for request in requests for draft in request.entries))
    subjects |= earlier
    changes = [change for request in requests for change in request.changes]
    scopes = {REGISTERS}.union(*(request.unless for request in requests))
    scopes.update(consent_scope(change.id) for change in changes if isinstance(change, PutConsent))
    keys = {(change.key, change.day) for change in changes if isinstance(change, Reserve)}
    digests = {change.digest for change in changes if isinstance(change, Once)}
    months = {change.month for change in changes if isinstance(change, PutMonth)}
    closing = {change.exchange for change in changes if isinstance(change, CloseExchange)}
    wanted: dict[str, Collection[Any]] = {
        "revisions": scopes,
        "counters": subjects,
        "quotas": {key for key, _ in keys},
        "once": digests,
        "open_exchanges": closing,
    }
    queries = {table: _among(connection, table, values) for table, values in wanted.items() if values}
    (head,), *rows = connection.answers([(lock_head, ()), *queries.values()])
    found: dict[str, list[Any]] = {table: [] for table in wanted} | dict(zip(queries, rows, strict=True))
    quotas: dict[tuple[str, date], int] = dict.fromkeys(keys, 0)
    for key, day, taken in found["quotas"]:
        quotas[key, day if isinstance(day, date) else date.fromisoformat(day)] = taken
    counters: dict[bytes, tuple[int, bytes | None]] = dict.fromkeys(subjects, (0, None))
    for subject, count, previous in found["counters"]:
        counters[bytes(subject)] = (count, bytes(previous))
    return Batch(
        size=head[0],
        revisions=dict.fromkeys(scopes, 0) | dict(found["revisions"]),
        counters=counters,
        quotas=quotas,
        used={bytes(row[0]) for row in found["once"]},
        open={row[0] for row in found["open_exchanges"]},
        months=Months.load(connection, months),
        withholding=Withholding.load(connection, changes, earlier),
        signed=_largest_signed(connection) if any(isinstance(change, PutCheckpoint) for change in changes) else -1,
    )


def take(batch: Batch, request: Request) -> Appended:
    """Adds one request to the batch, or raises what stands against it and leaves the batch as it was.

    Raises Moved, QuotaSpent, AlreadyUsed, AlreadyClosed; what a draft's own sealing raises passes as it is.
    """
    for scope, revision in request.unless.items():
        if batch.revisions[scope] != revision:
            raise Moved(scope)
    _check(batch, request.changes)
    moving, sealed, counters = _seal(batch, request.entries)
    first = batch.size + len(moving)
    bodies = _bodies(request, first)
    for month, entry, blob in (*moving, *sealed):
        batch.log.append((batch.size, entry, month, blob))
        batch.size += 1
    batch.counters.update(counters)
    batch.counted.update(counters)
    _apply(batch, request.changes, bodies, first)
    batch.withholding.meet(request.entries)
    return Appended(tuple(range(first, batch.size)), tuple(entry for _, entry, _ in sealed))


def write(connection: Connection, batch: Batch) -> None:
    """Writes the whole batch within the transaction that `load` read in.

    An append of nothing asks whether the database takes one. The head is then written and put back: a transaction
    that writes nothing succeeds on a full disk too, and so does one that writes what is there already.
    """
    if batch.log:
        connection.run("UPDATE head SET size = ? WHERE id = 1", (batch.size,))
    elif not batch.once and not batch.checkpoints:
        for size in (-1, batch.size):
            connection.run("UPDATE head SET size = ? WHERE id = 1", (size,))
    for statement, rows in _statements(batch):
        if rows:
            connection.many(statement, rows)
    batch.months.write(connection)
    batch.withholding.write(connection)


def _statements(batch: Batch) -> Iterable[tuple[str, Sequence[Sequence[Any]]]]:
    """What is written of a batch: each statement with its rows, of which there may be none."""
    return (
        ("INSERT INTO log_entries (idx, entry, month, sealed) VALUES (?, ?, ?, ?)", batch.log),
        (
            "INSERT INTO counters (subject, count, previous) VALUES (?, ?, ?) ON CONFLICT (subject) "
            "DO UPDATE SET count = excluded.count, previous = excluded.previous",
            [(subject, *batch.counters[subject]) for subject in batch.counted],
        ),
        (
            "INSERT INTO quotas (key, day, used) VALUES (?, ?, ?) "
            "ON CONFLICT (key, day) DO UPDATE SET used = excluded.used",
            [(key, day.isoformat(), batch.quotas[key, day]) for key, day in batch.reserved],
        ),
        (
            "INSERT INTO open_exchanges (exchange, gateway, boot, idx, overdue_at) VALUES (?, ?, ?, ?, ?)",
            batch.opened,
        ),
        ("DELETE FROM open_exchanges WHERE exchange = ?", batch.closed),
        (
            "INSERT INTO registers (kind, id, revision, body) VALUES (?, ?, ?, ?) ON CONFLICT (kind, id) "
            "DO UPDATE SET revision = excluded.revision, body = excluded.body",
            [(kind, name, revision, body) for (kind, name), (revision, body) in batch.registers.items()],
        ),
        (
            "INSERT INTO consents (id, revision, subject, consumer, code, sealed) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, sealed = excluded.sealed",
            [(c.id, c.revision, c.subject, c.consumer, c.code, c.sealed) for c in batch.consents.values()],
        ),
        ("INSERT INTO once (digest, expires) VALUES (?, ?)", batch.once),
        (
            "INSERT INTO judged_facts (digest, body) VALUES (?, ?) ON CONFLICT (digest) DO NOTHING",
            list(batch.facts.items()),
        ),
        ("INSERT INTO checkpoints (size, root, note, signed_at) VALUES (?, ?, ?, ?)", batch.checkpoints),
        (
            "INSERT INTO cosignatures (size, witness, line) VALUES (?, ?, ?) "
            "ON CONFLICT (size, witness) DO UPDATE SET line = excluded.line",
            batch.cosignatures,
        ),
        (
            "INSERT INTO revisions (scope, revision) VALUES (?, ?) "
            "ON CONFLICT (scope) DO UPDATE SET revision = excluded.revision",
            [(scope, batch.revisions[scope]) for scope in batch.moved],
        ),
    )


def _largest_signed(connection: Connection) -> int:
    return int(connection.rows("SELECT COALESCE(MAX(size), -1) FROM checkpoints")[0][0])


_KEYS = {
    "revisions": ("scope", "scope, revision"),
    "counters": ("subject", "subject, count, previous"),
    "quotas": ("key", "key, day, used"),
    "once": ("digest", "digest"),
    "open_exchanges": ("exchange", "exchange"),
}
"""Table -> its key, and what is read of its rows."""


def _among(connection: Connection, table: str, values: Collection[Any]) -> tuple[str, Sequence[Any]]:
    """The query for the rows whose key is among values. Table and column names are ours, never input."""
    key, columns = _KEYS[table]
    if connection.dialect == "postgresql":  # one statement however many there are: the server has it ready
        return f"SELECT {columns} FROM {table} WHERE {key} = ANY(?)", [list(values)]  # noqa: S608
    places = ", ".join("?" * len(values))
    return f"SELECT {columns} FROM {table} WHERE {key} IN ({places})", list(values)  # noqa: S608


def _check(batch: Batch, changes: Sequence[Change]) -> None:
    for change in changes:
        match change:
            case Reserve(key, day, limit):
                if batch.quotas[key, day] >= limit:
                    raise QuotaSpent(key, batch.quotas[key, day])
            case PutConsent(name, revision):
                if batch.revisions[consent_scope(name)] != revision - 1:
                    raise Moved(consent_scope(name))
            case Once(digest, _):
                if digest in batch.used:
                    raise AlreadyUsed("used before")
            case CloseExchange(exchange):
                if exchange not in batch.open:
                    raise AlreadyClosed("the exchange is not open")
            case PutCheckpoint(size, _, _, _):
                if size <= batch.signed or size > batch.size:
                    raise Outdated("a checkpoint grows, and covers what is there")
            case _:
                batch.withholding.check(change)


Sealed = tuple[str, bytes, bytes]
"""Month, the entry's 32 bytes, its sealed contents."""
Counters = dict[bytes, tuple[int, bytes | None]]


def _seal(batch: Batch, drafts: Sequence[Draft]) -> tuple[list[Sealed], list[Sealed], Counters]:
    """(entries that move a subject's counter to its present name, the drafts' own, the counters as they then are).

    Each draft has its subject's next count. Raises Moved where a subject is counted under a later name by now.
    """
    moving: list[Sealed] = []
    sealed: list[Sealed] = []
    counters: Counters = {}
    for draft in drafts:
        if draft.subject is None:
            sealed.append((draft.month, *draft.seal(None, None)))
            continue
        count, previous = counters.get(draft.subject, batch.counters[draft.subject])
        if count == 0:  # not known by this name: never met, or by another
            if previous is not None:
                raise Moved("subject")
            count, previous = _moved(batch, counters, draft, moving)
        entry, blob = draft.seal(count + 1, previous)
        counters[draft.subject] = (count + 1, entry)
        sealed.append((draft.month, entry, blob))
    return moving, sealed, counters


def _moved(batch: Batch, counters: Counters, draft: Draft, moving: list[Sealed]) -> tuple[int, bytes | None]:
    """The counter to go on from: that of the name by which the subject was known, which then says where it went."""
    for earlier in draft.earlier:
        count, previous = counters.get(earlier, batch.counters[earlier])
        if count and draft.subject is not None:
            entry, blob = draft.moved_from(earlier).seal(count + 1, previous)
            moving.append((draft.month, entry, blob))
            counters[earlier] = (0, draft.subject)
            return count + 1, entry
    return 0, None


def _with_act(body: dict[str, Any], index: int) -> dict[str, Any]:
    """The record with the log's index of the act that left it so: from a record one finds all that made it."""
    return {**body, "acts": [*body.get("acts", ())[1 - MOST_ACTS :], index]}


def _bodies(request: Request, first: int) -> dict[tuple[str, str], str]:
    """Each register record as JSON text, with the entry at `first` (if there is one) as its latest act.

    A record that cannot be written fails here, before anything is taken.
    """
    records = {
        (change.kind, change.id): _with_act(change.body, first) if request.entries else change.body
        for change in request.changes
        if isinstance(change, PutRegister)
    }
    return {key: orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode() for key, body in records.items()}


def _apply(batch: Batch, changes: Sequence[Change], bodies: Mapping[tuple[str, str], str], first: int) -> None:
    if bodies:  # the registers move once, however many of their records do
        batch.revisions[REGISTERS] += 1
        batch.moved.add(REGISTERS)
    for change in changes:
        match change:
            case Reserve(key, day, _):
                batch.quotas[key, day] += 1
                batch.reserved.add((key, day))
            case Once(digest, expires):
                batch.used.add(digest)
                batch.once.append((digest, expires))
            case OpenExchange(exchange, gateway, boot, overdue_at):
                batch.opened.append((exchange, gateway, boot, first, overdue_at))
            case CloseExchange(exchange):
                batch.open.discard(exchange)
                batch.closed.append((exchange,))
            case PutCheckpoint(size, root, note, signed_at):
                batch.signed = size
                batch.checkpoints.append((size, root, note, signed_at))
            case PutCosignature(size, witness, line):
                batch.cosignatures.append((size, witness, line))
            case KeepFacts(digest, body):
                batch.facts[digest] = body
            case PutConsent(name, revision):
                batch.revisions[consent_scope(name)] = revision
                batch.moved.add(consent_scope(name))
                batch.consents[name] = change
            case PutRegister(kind, name, _):
                batch.registers[kind, name] = (batch.revisions[REGISTERS], bodies[kind, name])
            case _:
                batch.months.take(change)
                batch.withholding.take(change, first)
