"""Finding exchanges again: by who, whom, what for and when, in pages.

A page's cursor is the place of its last row, so that a search goes on where it stopped although new
exchanges keep coming in. What is found names no field's value and no citizen ID.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from gateway.errors import MalformedRequest, NotFound
from gateway.store import Connection, Store

_COLUMNS = (
    "exchange, opened_at, closed_at, outcome, consumer, client, officer, source, service, purpose, case_reference,"
    " agreement, body"
)
EQUALS = ("consumer", "source", "client", "officer", "service", "purpose", "case_reference", "outcome", "agreement")
"""What a search may ask to be equal."""
CATCH_UP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Search:
    """One search. `equals`: column -> value, of EQUALS. `since` and `until`: RFC 3339 UTC, until excluded."""

    equals: Mapping[str, str]
    since: str | None = None
    until: str | None = None
    subject: bytes | None = None
    limit: int = 50
    cursor: str | None = None


class ExchangeSearch:
    """Reads the projection."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def run(self, search: Search) -> tuple[list[dict[str, Any]], str | None]:
        """(exchanges, newest first; the cursor of the next page or None). Waits for the projection to catch up."""
        page, cursor = await self._page(search)
        return [_exchange(row) for row in page], cursor

    async def about(self, search: Search) -> tuple[list[dict[str, Any]], str | None]:
        """As `run`, each exchange with its `subject`: for those who may know that two are of the same person."""
        page, cursor = await self._page(search)
        return [{**_exchange(row), "subject": bytes(row[-2]).hex()} for row in page], cursor

    async def every(self, search: Search, most: int) -> tuple[list[dict[str, Any]], bool]:
        """(up to `most` exchanges, newest first, each with its `subject`; whether those are all)."""
        found: list[dict[str, Any]] = []
        cursor = search.cursor
        while True:
            page, cursor = await self.about(replace(search, limit=min(1000, most - len(found)), cursor=cursor))
            found += page
            if cursor is None or len(found) >= most:
                return found, cursor is None

    async def counts(self, column: str, value: str, since: str | None, until: str | None) -> list[dict[str, Any]]:
        """How many exchanges of one party (`consumer` or `source`) each agreement and purpose had, by outcome."""
        if column not in ("consumer", "source"):
            raise LookupError(column)
        await self._caught_up()
        statement = (
            "SELECT agreement, purpose, service, consumer, outcome, COUNT(*) FROM exchanges "  # noqa: S608
            f"WHERE {column} = ? AND opened_at >= ? AND opened_at < ? "
            "GROUP BY agreement, purpose, service, consumer, outcome ORDER BY 1, 2, 3, 4, 5"
        )
        rows = await self._store.read(lambda c: c.rows(statement, (value, since or "", until or "9")))
        names = ("agreement", "purpose", "service", "consumer", "outcome", "exchanges")
        return [dict(zip(names, row, strict=True)) for row in rows]

    async def counted(self, subject: bytes) -> dict[str, Any]:
        """How many entries of the log count a subject, and the latest of them: what a list is complete against."""
        rows = await self._store.read(
            lambda c: c.rows("SELECT count, previous FROM counters WHERE subject = ?", (subject,))
        )
        return {"count": int(rows[0][0]), "latest": bytes(rows[0][1]).hex()} if rows else {"count": 0, "latest": None}

    async def _page(self, search: Search) -> tuple[list[Any], str | None]:
        await self._caught_up()
        clauses, values = ["1 = 1"], list[Any]()
        for column in EQUALS:
            if column in search.equals:
                clauses.append(f"{column} = ?")
                values.append(search.equals[column])
        for clause, value in (
            ("opened_at >= ?", search.since),
            ("opened_at < ?", search.until),
            ("subject = ?", search.subject),
        ):
            if value is not None:
                clauses.append(clause)
                values.append(value)
        if search.cursor is not None:
            clauses.append("opened_idx < ?")
            values.append(_cursor(search.cursor))
        # The column names are ours; every value is a parameter.
        statement = (
            f"SELECT {_COLUMNS}, subject, opened_idx FROM exchanges WHERE {' AND '.join(clauses)} "  # noqa: S608
            "ORDER BY opened_idx DESC LIMIT ?"
        )
        rows = await self._store.read(lambda c: c.rows(statement, (*values, search.limit + 1)))
        page = rows[: search.limit]
        cursor = f"{page[-1][-1]:x}" if len(rows) > search.limit else None
        return page, cursor

    async def one(self, exchange: str) -> dict[str, Any]:
        """One exchange by its id, or NotFound."""
        await self._caught_up()
        rows = await self._store.read(
            lambda c: c.rows(f"SELECT {_COLUMNS} FROM exchanges WHERE exchange = ?", (exchange,))  # noqa: S608
        )
        if not rows:
            raise NotFound("no exchange of this id", "ไม่พบรายการแลกเปลี่ยนตามรหัสนี้")
        return _exchange(rows[0])

    async def first_since(self, moment: str) -> int | None:
        """The index of the first exchange decided at `moment` (RFC 3339 UTC) or later; None where there is none."""
        await self._caught_up()
        rows = await self._store.read(
            lambda c: c.rows("SELECT MIN(opened_idx) FROM exchanges WHERE opened_at >= ?", (moment,))
        )
        return None if rows[0][0] is None else int(rows[0][0])

    async def _caught_up(self) -> None:
        """Waits, a few seconds at most, until what was in the log when asked is in the projection."""
        size = await self._store.read(lambda c: c.rows("SELECT size FROM head WHERE id = 1")[0][0])
        deadline = asyncio.get_running_loop().time() + CATCH_UP_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            position = await self._store.read(_position)
            if position >= size:
                return
            await asyncio.sleep(0.02)


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
