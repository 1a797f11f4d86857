"""Finding exchanges again: by who, whom, what for and when, in pages.

A page's cursor is the place of its last row, so that a search goes on where it stopped although new
exchanges keep coming in. What is found names no field's value and no citizen ID.

However large the log is, a page costs about what it holds: a time is first made a range of the log, a party, a
service, a purpose or an agreement the few lines that have it, and each line's newest are then read off one index.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson

from gateway.errors import MalformedRequest, NotFound
from gateway.exchangelog.projection import LINE
from gateway.store import Connection, Store

_SHOWN = (
    "e.exchange, e.opened_at, e.closed_at, e.outcome, l.consumer, l.client, l.officer, l.source, l.service, l.purpose,"
    " e.case_reference, l.agreement, e.body, e.subject, e.opened_idx"
)
_FROM = "FROM exchanges e CROSS JOIN exchange_lines l WHERE l.id = e.line AND"
"""Exchanges lead (SQLite keeps a cross join's order): else a planner may begin with every line, and sort."""
EQUALS = (*LINE, "outcome", "case_reference")
"""What a search may ask to be equal."""
CATCH_UP_SECONDS = 5.0
PAGE = 500
"""So many exchanges are read at a time where all are wanted."""
COUNTED = 250_000
"""Of so many entries the exchanges are counted at a time, so that no single statement is a long one."""
MOST_LINES = 200
"""Up to so many lines are looked into one by one; more than that have enough exchanges to be met on the way."""


@dataclass(frozen=True, slots=True)
class Search:
    """One search. `equals`: column -> value, of EQUALS. `since` and `until`: RFC 3339 UTC, until excluded.

    `earlier`: what else `subject` may be called, under earlier pseudonym keys. `reason`: a code of why nothing was
    released. `cases`: any of these case references. `upto`: what began before this index only.
    """

    equals: Mapping[str, str]
    since: str | None = None
    until: str | None = None
    subject: bytes | None = None
    earlier: tuple[bytes, ...] = ()
    reason: str | None = None
    cases: tuple[str, ...] | None = None
    limit: int = 50
    cursor: str | None = None
    upto: int | None = None


class ExchangeSearch:
    """Reads the projection."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self, search: Search) -> tuple[list[dict[str, Any]], str | None]:
        """(exchanges, newest first; the cursor of the next page or None). Waits for the projection to catch up."""
        await self.caught_up()
        page, cursor = await self._page(search)
        return [_exchange(row) for row in page], cursor

    async def about(self, search: Search) -> tuple[list[dict[str, Any]], str | None]:
        """As `run`, each exchange with its `subject`: for those who may know that two are of the same person."""
        await self.caught_up()
        page, cursor = await self._page(search)
        return [_about(row) for row in page], cursor

    async def every(self, search: Search, most: int) -> tuple[list[dict[str, Any]], bool]:
        """(up to `most` exchanges, newest first, each with its `subject`; whether those are all)."""
        found: list[dict[str, Any]] = []
        cursor = search.cursor
        while True:
            page, cursor = await self.about(replace(search, limit=min(1000, most - len(found)), cursor=cursor))
            found += page
            if cursor is None or len(found) >= most:
                return found, cursor is None

    async def counted_now(self, search: Search) -> tuple[int, Search]:
        """How many exchanges fit now, and the search of these alone whatever comes after."""
        await self.caught_up()
        first, last = await self._store.read(lambda c: bounds(c, search.since, search.until))
        upto = min(last, await self._store.read(_position))
        number = 0
        for begin in range(first, upto, COUNTED):
            span = (begin, min(begin + COUNTED, upto))
            number += await self._store.read(partial(_count, search=search, span=span))
        return number, replace(search, upto=upto)

    async def stream(self, search: Search, most: int) -> AsyncIterator[list[dict[str, Any]]]:
        """Up to `most` exchanges in pages of PAGE, newest first; no more than one page is held at a time."""
        cursor = search.cursor
        while most > 0:
            page, cursor = await self._page(replace(search, limit=min(PAGE, most), cursor=cursor))
            most -= len(page)
            if page:
                yield [_exchange(row) for row in page]
            if cursor is None:
                return

    async def counts(self, column: str, value: str, since: str | None, until: str | None) -> list[dict[str, Any]]:
        """How many exchanges of one party (`consumer` or `source`) each agreement and purpose had, by outcome."""
        if column not in ("consumer", "source"):
            raise LookupError(column)
        await self.caught_up()
        statement = (
            "SELECT l.agreement, l.purpose, l.service, l.consumer, e.outcome, COUNT(*) "  # noqa: S608
            "FROM exchange_lines l CROSS JOIN exchanges e "
            f"WHERE e.line = l.id AND l.{column} = ? AND e.opened_at >= ? AND e.opened_at < ? "
            "GROUP BY l.agreement, l.purpose, l.service, l.consumer, e.outcome ORDER BY 1, 2, 3, 4, 5"
        )
        rows = await self._store.read(lambda c: c.rows(statement, (value, since or "", until or "9")))
        names = ("agreement", "purpose", "service", "consumer", "outcome", "exchanges")
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def counted(self, names: tuple[bytes, ...]) -> dict[str, Any]:
        """How many entries of the log count the person of these names, and the latest of them: what a list is
        complete against. A person is counted under one name at a time.
        """

        def read(connection: Connection) -> list[Any]:
            places = ", ".join("?" * len(names))
            return connection.rows(
                f"SELECT count, previous FROM counters WHERE subject IN ({places}) AND count > 0",  # noqa: S608
                names,
            )

        rows = await self._store.read(read)
        return {"count": int(rows[0][0]), "latest": bytes(rows[0][1]).hex()} if rows else {"count": 0, "latest": None}

    async def withheld(self, names: tuple[bytes, ...]) -> frozenset[str]:
        """The exchanges about the person of these names that they are not told of yet, and that count later."""
        places = ", ".join("?" * len(names))
        statement = f"SELECT exchange FROM withheld WHERE subject IN ({places}) AND told_idx IS NULL"  # noqa: S608
        return frozenset(row[0] for row in await self._store.read(lambda c: c.rows(statement, names)))

    async def one(self, exchange: str) -> dict[str, Any]:
        """One exchange by its id, or NotFound."""
        found = await self.these([exchange])
        if not found:
            raise NotFound("no exchange of this id", "ไม่พบรายการแลกเปลี่ยนตามรหัสนี้")
        return found[0]

    async def these(self, exchanges: list[str]) -> list[dict[str, Any]]:
        """Those of these ids that there are, in no order."""
        await self.caught_up()
        places = ", ".join("?" * len(exchanges)) or "NULL"
        statement = f"SELECT {_SHOWN} {_FROM} e.exchange IN ({places})"
        return [_exchange(row) for row in await self._store.read(lambda c: c.rows(statement, exchanges))]

    async def first_since(self, moment: str) -> int | None:
        """The index of the first exchange decided at `moment` (RFC 3339 UTC) or later; None where there is none."""
        await self.caught_up()

        def read(connection: Connection) -> int | None:
            first, _ = bounds(connection, moment, None)
            rows = connection.rows(
                "SELECT MIN(opened_idx) FROM exchanges WHERE opened_idx >= ? AND opened_at >= ?", (first, moment)
            )
            return None if rows[0][0] is None else int(rows[0][0])

        return await self._store.read(read)

    async def _page(self, search: Search) -> tuple[list[Any], str | None]:
        rows = await self._store.read(lambda connection: _find(connection, search))
        page = rows[: search.limit]
        cursor = f"{page[-1][-1]:x}" if len(rows) > search.limit else None
        return page, cursor

    async def caught_up(self) -> None:
        """Waits, a few seconds at most, until what was in the log when asked is in the projection."""
        size = await self._store.read(lambda c: c.rows("SELECT size FROM head WHERE id = 1")[0][0])
        deadline = asyncio.get_running_loop().time() + CATCH_UP_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            position = await self._store.read(_position)
            if position >= size:
                return
            await asyncio.sleep(0.02)


def bounds(connection: Connection, since: str | None, until: str | None) -> tuple[int, int]:
    """(first, last + 1): between which indexes all exchanges decided in a time begin; others may, too."""
    first, last = connection.rows(
        "SELECT MIN(first_idx), MAX(last_idx) FROM exchange_hours WHERE hour >= ? AND hour <= ?",
        ((since or "")[:13], (until or "9")[:13]),
    )[0]
    return (0, 0) if first is None else (int(first), int(last) + 1)


def lines_of(connection: Connection, equals: Mapping[str, str], most: int) -> list[int] | None:
    """The ids of the lines that have these values of LINE; None where there are more than `most`."""
    wanted = {name: value for name, value in equals.items() if name in LINE}
    # The column names are ours; every value is a parameter.
    where = " AND ".join(f"{name} = ?" for name in wanted)
    rows = connection.rows(
        f"SELECT id FROM exchange_lines WHERE {where} LIMIT ?",  # noqa: S608
        (*wanted.values(), most + 1),
    )
    return [row[0] for row in rows] if len(rows) <= most else None


def _find(connection: Connection, search: Search) -> list[Any]:
    """One more row than the page has, newest first. Steps: the range, the lines, the indexes, the rows."""
    first, last = bounds(connection, search.since, search.until)
    for stop in (search.upto, _cursor(search.cursor) if search.cursor is not None else None):
        last = last if stop is None else min(last, stop)
    clauses, values = _filters(search)
    on_line = {name: value for name, value in search.equals.items() if name in LINE}
    # What an exchange is one of few by: the person, the file.
    named = search.subject is not None or search.cases is not None or "case_reference" in search.equals
    lines = lines_of(connection, on_line, MOST_LINES) if on_line and not named and search.reason is None else None
    if lines is not None:
        indexes = _newest(connection, lines, clauses, values, (first, last), search.limit + 1)
        if not indexes:
            return []
        places = ", ".join("?" * len(indexes))
        return connection.rows(
            f"SELECT {_SHOWN} {_FROM} e.opened_idx IN ({places}) ORDER BY e.opened_idx DESC",
            indexes,
        )
    where, values = _where(on_line, clauses, values)
    why = _why(search)
    if why is not None and not named:
        statement = (
            f"SELECT {_SHOWN} FROM exchange_reasons r CROSS JOIN exchanges e CROSS JOIN exchange_lines l "  # noqa: S608
            f"WHERE r.reason = ? AND e.opened_idx = r.opened_idx AND l.id = e.line AND {where} "
            "AND r.opened_idx >= ? AND r.opened_idx < ? ORDER BY r.opened_idx DESC LIMIT ?"
        )
        return connection.rows(statement, (why, *values, first, last, first, last, search.limit + 1))
    statement = f"SELECT {_SHOWN} {_FROM} {where} ORDER BY e.opened_idx DESC LIMIT ?"
    return connection.rows(statement, (*values, first, last, search.limit + 1))


def _where(on_line: Mapping[str, str], clauses: list[str], values: list[Any]) -> tuple[str, list[Any]]:
    """All conditions, with those on the line and the range. The column names are ours; every value is a parameter."""
    named = [f"l.{name} = ?" for name in on_line]
    return " AND ".join([*clauses, *named, "e.opened_idx >= ?", "e.opened_idx < ?"]), [*values, *on_line.values()]


def _count(connection: Connection, search: Search, span: tuple[int, int]) -> int:
    """How many exchanges that begin within `span` fit."""
    clauses, values = _filters(search)
    where, values = _where({name: v for name, v in search.equals.items() if name in LINE}, clauses, values)
    return int(connection.rows(f"SELECT COUNT(*) {_FROM} {where}", (*values, *span))[0][0])


def _newest(
    connection: Connection, lines: list[int], clauses: list[str], values: list[Any], span: tuple[int, int], most: int
) -> list[int]:
    """The largest indexes of exchanges on these lines within `span`, `most` at most."""
    first, last = span
    where = " AND ".join(["e.line = ?", *clauses, "e.opened_idx >= ?", "e.opened_idx < ?"])
    statement = f"SELECT e.opened_idx FROM exchanges e WHERE {where} ORDER BY e.opened_idx DESC LIMIT ?"  # noqa: S608
    found: list[int] = []
    for line in lines:
        for (index,) in connection.rows(statement, (line, *values, first, last, most)):
            if len(found) < most:
                heapq.heappush(found, index)
            elif heapq.heappushpop(found, index) == index:
                break
        if len(found) == most:
            first = found[0]  # nothing older is wanted any more
    return sorted(found, reverse=True)


def _filters(search: Search) -> tuple[list[str], list[Any]]:
    """What an exchange's own columns must be; every value is a parameter."""
    clauses, values = list[str](), list[Any]()
    for clause, value in (
        ("e.subject = ?", search.subject if not search.earlier else None),
        ("e.case_reference = ?", search.equals.get("case_reference")),
        ("e.outcome = ?", search.equals.get("outcome")),
        ("e.opened_at >= ?", search.since),
        ("e.opened_at < ?", search.until),
    ):
        if value is not None:
            clauses.append(clause)
            values.append(value)
    if search.subject is not None and search.earlier:
        clauses.append(f"e.subject IN ({', '.join('?' * (1 + len(search.earlier)))})")
        values += [search.subject, *search.earlier]
    if search.cases is not None:
        clauses.append(f"e.case_reference IN ({', '.join('?' * len(search.cases)) or 'NULL'})")
        values += search.cases
    if search.reason is not None:
        clauses.append("EXISTS (SELECT 1 FROM exchange_reasons w WHERE w.reason = ? AND w.opened_idx = e.opened_idx)")
        values.append(search.reason)
    if search.equals.get("outcome") == "decided":
        clauses.append("e.closed_idx IS NULL")
    return clauses, values


def _why(search: Search) -> str | None:
    """The reason, or the outcome that is rare like one, whose own index leads the search; None where none does."""
    outcome = search.equals.get("outcome")
    return search.reason or (outcome if outcome not in (None, "released", "decided") else None)


def _position(connection: Connection) -> int:
    return int(connection.rows("SELECT position FROM projected WHERE id = 1")[0][0])


def _cursor(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise MalformedRequest("cursor is not one that a search gave", "cursor ไม่ใช่ค่าที่ได้จากการค้นหา") from None


def _exchange(row: Any) -> dict[str, Any]:
    names = (
        "exchange_id",
        "decided_at",
        "closed_at",
        "outcome",
        "consumer",
        "client",
        "officer",
        "source",
        "service",
        "purpose",
        "case_reference",
        "agreement",
    )
    return {**dict(zip(names, row, strict=False)), **orjson.loads(row[12])}


def _about(row: Any) -> dict[str, Any]:
    return {**_exchange(row), "subject": bytes(row[-2]).hex()}
