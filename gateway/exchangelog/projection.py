"""The search projection: one row an exchange and counts a day, filled from the log behind the append.

The log is the truth; this can be emptied and filled again. It runs in the writer's thread in slices, so that
it never competes with an append for the database's write lock. What it reads was sealed together with the
entry's 32 bytes; checking the commitments again is the verifier's work, not its own.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from gateway.exchangelog.entry import GROUPS, BrokenEntry, Groups, unseal
from gateway.exchangelog.times import bucket_of, elapsed_ms
from gateway.exchangelog.vault import Vault
from gateway.model import bangkok_day
from gateway.store import Connection

SLICE = 128
OPENERS = ("exchange.decided", "exchange.refused")
"""The kinds of entry that an exchange begins with."""
LINE = ("consumer", "client", "officer", "source", "service", "purpose", "agreement")
"""What makes a line: who asked whom for what, on which agreement."""
BESIDE = ("pdpa_exemption", "secrecy_release", "withheld")
"""What an entry names beside its lawful basis, where there is one only."""
TABLES = (
    *("exchanges", "exchange_reasons", "exchange_lines", "exchange_hours", "exchange_days", "exchange_times"),
    "counted_beside",
)
"""Everything that is filled here."""
_COLUMNS = (
    "exchange",
    "opened_idx",
    "closed_idx",
    "opened_at",
    "closed_at",
    "outcome",
    "line",
    "case_reference",
    "subject",
    "body",
)
_INSERT = (
    f"INSERT INTO exchanges ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608
    "ON CONFLICT (exchange) DO NOTHING"
)
_CLOSE = "UPDATE exchanges SET closed_idx = ?, closed_at = ?, outcome = ?, body = ? WHERE exchange = ?"
_OPENED = (
    "SELECT e.outcome, e.opened_at, e.opened_idx, e.line, e.body, l.service FROM exchanges e "
    "JOIN exchange_lines l ON l.id = e.line WHERE e.exchange = ?"
)
_REASON = "INSERT INTO exchange_reasons (reason, opened_idx) VALUES (?, ?) ON CONFLICT DO NOTHING"
_HOUR = (
    "INSERT INTO exchange_hours (hour, first_idx, last_idx) VALUES (?, ?, ?) ON CONFLICT (hour) DO UPDATE SET "
    "first_idx = CASE WHEN excluded.first_idx < exchange_hours.first_idx THEN excluded.first_idx "
    "ELSE exchange_hours.first_idx END, "
    "last_idx = CASE WHEN excluded.last_idx > exchange_hours.last_idx THEN excluded.last_idx "
    "ELSE exchange_hours.last_idx END"
)
_DAY = (
    "INSERT INTO exchange_days (day, line, outcome, exchanges) VALUES (?, ?, ?, ?) ON CONFLICT (day, line, outcome) "
    "DO UPDATE SET exchanges = exchange_days.exchanges + excluded.exchanges"
)
_TIME = (
    "INSERT INTO exchange_times (day, service, bucket, exchanges) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (day, service, bucket) DO UPDATE SET exchanges = exchange_times.exchanges + excluded.exchanges"
)
Row = dict[str, Any]
Line = tuple[str | None, ...]


@dataclass(slots=True)
class _Entry:
    """An entry that is looked at."""

    index: int
    entry: bytes
    groups: Groups


@dataclass(slots=True)
class _Slice:
    """What one slice of the log adds: exchanges that began in it, and what ended of those before."""

    opened: dict[str, Row] = field(default_factory=dict)
    reasons: set[tuple[str, int]] = field(default_factory=set)
    days: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    times: Counter[tuple[str, str, int]] = field(default_factory=Counter)


def project(connection: Connection, vault: Vault) -> bool:
    """Reads up to SLICE entries that the projection has not read and stores what they say; True if more is left.

    Several gateways may share a database: who moves `position` first has the slice.
    """
    rows = connection.rows(
        "SELECT idx, entry, month FROM log_entries WHERE idx >= (SELECT position FROM projected WHERE id = 1)"
        " ORDER BY idx LIMIT ?",
        (SLICE,),
    )
    if not rows:
        return False
    connection.begin()
    moved = connection.rows(
        "UPDATE projected SET position = ? WHERE id = 1 AND position = ? RETURNING position",
        (rows[-1][0] + 1, rows[0][0]),
    )
    if not moved:  # another gateway was faster
        connection.rollback()
        return True
    found = _Slice()
    for entry in _entries(connection, vault, rows):
        _take(connection, found, entry)
    _write(connection, found)
    connection.commit()
    return len(rows) == SLICE


def _entries(connection: Connection, vault: Vault, rows: Sequence[tuple[int, bytes, str]]) -> Iterator[_Entry]:
    """Those that can be read. One that is broken hides itself alone, and the verifier says which it is; of a month that
    is forgotten none is left.
    """
    fresh = {index: vault.just_sealed.take(bytes(entry)) for index, entry, _ in rows}
    sealed: dict[int, bytes] = {}
    if None in fresh.values():
        bounds = (rows[0][0], rows[-1][0])
        sealed = dict(connection.rows("SELECT idx, sealed FROM log_entries WHERE idx BETWEEN ? AND ?", bounds))
    for index, entry, month in rows:
        groups, key = fresh[index], vault.open(connection, month)
        if key is None:
            continue
        if groups is None:
            try:
                unsealed = unseal(index, bytes(entry), vault.sealed(index, bytes(sealed[index])), key)
            except BrokenEntry:
                continue
            groups = {name: unsealed.group(name) for name in GROUPS}
        yield _Entry(index, bytes(entry), groups)


def empty(connection: Connection) -> None:
    """Empties the projection, so that it is filled again from the log. Within the caller's transaction."""
    for table in TABLES:
        connection.run(f"DELETE FROM {table}")  # noqa: S608 - the names are ours
    connection.run("UPDATE projected SET position = 0")


def _write(connection: Connection, found: _Slice) -> None:
    if found.opened:
        lines = _lines(connection, {row["line"] for row in found.opened.values()})
        hours: dict[str, list[int]] = {}
        for row in found.opened.values():
            hours.setdefault(row["opened_at"][:13], []).append(row["opened_idx"])
            _count(found, lines[row["line"]], row["line"][LINE.index("service")], row)
        values = [
            [lines[row[name]] if name == "line" else row[name] for name in _COLUMNS[:-1]] + [_text(row["body"])]
            for row in found.opened.values()
        ]
        connection.many(_INSERT, values)
        connection.many(_HOUR, [(hour, min(indexes), max(indexes)) for hour, indexes in sorted(hours.items())])
    if found.reasons:
        connection.many(_REASON, sorted(found.reasons))
    # In one order in every gateway, so that two never wait for each other's rows.
    if found.days:
        connection.many(_DAY, [(*key, number) for key, number in sorted(found.days.items())])
    if found.times:
        connection.many(_TIME, [(*key, number) for key, number in sorted(found.times.items())])


def _lines(connection: Connection, wanted: Iterable[Line]) -> dict[Line, int]:
    """The ids of lines, those made that were not there."""
    keys = {hashlib.sha256(orjson.dumps(line)).digest(): line for line in wanted}
    places = ", ".join("?" * len(keys))
    select = f"SELECT key, id FROM exchange_lines WHERE key IN ({places})"  # noqa: S608 - only question marks
    found = {bytes(key): number for key, number in connection.rows(select, list(keys))}
    missing = [(key, *line) for key, line in keys.items() if key not in found]
    if missing:
        connection.many(
            f"INSERT INTO exchange_lines (key, {', '.join(LINE)}) VALUES ({', '.join('?' * (1 + len(LINE)))}) "  # noqa: S608
            "ON CONFLICT (key) DO NOTHING",
            missing,
        )
        found = {bytes(key): number for key, number in connection.rows(select, list(keys))}
    return {line: found[key] for key, line in keys.items()}


def _count(found: _Slice, line: int, service: str, row: Row, was: str | None = None) -> None:
    """Counts an exchange on its day, as what it is now instead of as what it `was`; and how long it took."""
    found.reasons.update((code, row["opened_idx"]) for code in row["reasons"])
    day = bangkok_day(datetime.fromisoformat(row["opened_at"])).isoformat()
    found.days[day, line, row["outcome"]] += 1
    if was is not None:
        found.days[day, line, was] -= 1
    if row["closed_at"] is not None and row["outcome"] != "refused":
        found.times[day, service, bucket_of(elapsed_ms(row["opened_at"], row["closed_at"]))] += 1


def _take(connection: Connection, found: _Slice, entry: _Entry) -> None:
    """Adds one entry to the rows being made, or to the row that an earlier slice made."""
    public = entry.groups["public"]
    kind, exchange = public["kind"], public["exchange"]
    if kind in OPENERS:
        found.opened[exchange] = _row(entry, public)
    elif kind.startswith("exchange."):
        row = found.opened.get(exchange)
        if row is not None:
            _close(row, entry, public)
            return
        rows = connection.rows(_OPENED, (exchange,))
        if rows:  # not where its month was forgotten before the projection was filled again
            was, opened_at, opened_idx, line, body, service = rows[0]
            row = {"opened_at": opened_at, "opened_idx": opened_idx, "body": orjson.loads(body)}
            _close(row, entry, public)
            _count(found, line, service, row, was)
            values = [row[name] for name in ("closed_idx", "closed_at", "outcome")]
            connection.run(_CLOSE, (*values, _text(row["body"]), exchange))
    elif "counter" in entry.groups["subject"]:
        _beside(connection, found, entry)


def _beside(connection: Connection, found: _Slice, entry: _Entry) -> None:
    """What counts a person and begins no exchange. A move: all of the person's under the name of from here on."""
    subject = entry.groups["subject"]
    present = bytes.fromhex(subject["pseudonym"])
    connection.run(
        "INSERT INTO counted_beside (subject, idx) VALUES (?, ?) ON CONFLICT (subject, idx) DO NOTHING",
        (present, entry.index),
    )
    if "earlier" not in subject:
        return
    earlier = bytes.fromhex(subject["earlier"])
    for table in ("exchanges", "counted_beside"):
        connection.run(f"UPDATE {table} SET subject = ? WHERE subject = ?", (present, earlier))  # noqa: S608
    for row in found.opened.values():
        if row["subject"] == earlier:
            row["subject"] = present


def _row(entry: _Entry, public: dict[str, Any]) -> Row:
    parties, legal, content = entry.groups["parties"], entry.groups["legal"], entry.groups["content"]
    refused = public["kind"] == "exchange.refused"
    named = {**parties, **legal}
    return {
        "exchange": public["exchange"],
        "opened_idx": entry.index,
        "closed_idx": entry.index if refused else None,
        "opened_at": public["time"],
        "closed_at": public["time"] if refused else None,
        "outcome": content["outcome"],
        "line": tuple(named[name] for name in LINE),
        "case_reference": legal["case_reference"],
        "subject": bytes.fromhex(entry.groups["subject"]["pseudonym"]),
        "reasons": [*content["reasons"], content["outcome"]] if refused else [],
        "body": {
            "term": legal["term"],
            "lawful_basis": legal["lawful_basis"],
            "granted": legal["granted"],
            "released": [],
            "reasons": content["reasons"],
            "fault": None,
            **{name: legal[name] for name in BESIDE if name in legal},
            "entries": [_reference(entry, public["kind"])],
        },
    }


def _close(row: Row, entry: _Entry, public: dict[str, Any]) -> None:
    content, body, outcome = entry.groups["content"], row["body"], public["kind"].partition(".")[2]
    body["fault"] = content["fault"]
    body["released"] = entry.groups["legal"]["released"]
    body["reasons"] = body["reasons"] + content["reasons"]
    body["entries"].append(_reference(entry, public["kind"]))
    row["closed_idx"], row["closed_at"], row["outcome"] = entry.index, public["time"], outcome
    fault = [content["fault"].partition(":")[0]] if content["fault"] else []
    row["reasons"] = [] if outcome == "released" else [*content["reasons"], *fault, outcome]


def _reference(entry: _Entry, kind: str) -> dict[str, Any]:
    return {"index": entry.index, "entry": entry.entry.hex(), "kind": kind}


def _text(body: dict[str, Any]) -> str:
    return orjson.dumps(body).decode()
