"""The connector kind `sql`: one read-only query about one identifier. Its settings: `sql.schema.json`.

    1. wait for one of the threads; each has a connection of its own
    2. a connection is made to an allowed address (or an allowed file) and shown to be unable to write
    3. the query runs as a subquery, so that it can only be a SELECT, with the identifier as bound parameter
    4. no row: not found; more rows than the settings allow for: a fault
    5. map the granted fields from the row, column by column

A server's statement log shows each query with the gateway's introduction (`Linkage-Exchange`) as a comment behind it.

PostgreSQL, MariaDB or MySQL, and SQLite, through SQLAlchemy. The database has `statement_seconds`, and never more
than the question's deadline: what runs then is interrupted.

Faults it tells (`SourceFault.fault`): late; dns, refused, address_not_allowed, file_not_allowed, certificate,
disconnected, unavailable, secret_missing; credentials, account_can_write, query, many_rows, mixed_rows, charset,
too_large, not_a_database, no_echo, unmapped.
"""

from __future__ import annotations

import asyncio
import datetime
import decimal
import re
import threading
import traceback
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from sqlalchemy import Engine, TextClause, create_engine, event, text
from sqlalchemy.pool import QueuePool

from connectors.egress import is_loopback
from connectors.json_answer import MAX_ANSWER
from connectors.mapping import MAPPING_SCHEMA, compile_mapping
from connectors.outcomes import Failure
from connectors.sql_database import Database, database, failure_of
from gateway.plugin import (
    INTRODUCTION,
    AgencyMisbehaved,
    AgencyTimeout,
    AgencyUnavailable,
    Ask,
    CitizenNotFound,
    ConnectorSettings,
    Record,
    SourceFault,
)

__all__ = ["MAPPING_SCHEMA", "SETTINGS_SCHEMA", "SqlConnector", "check", "open_connector"]

SETTINGS_SCHEMA: Final[dict[str, Any]] = orjson.loads((Path(__file__).parent / "sql.schema.json").read_bytes())

_SELECT: Final = re.compile(r"\s*(SELECT|WITH)\s", re.IGNORECASE)
_THREADS: Final = 8
_RECYCLE_SECONDS: Final = 120
"""How old a connection becomes: a database that has moved is followed, rights that were given since are seen."""


def open_connector(settings: ConnectorSettings) -> SqlConnector:
    """The kind's entry point. `settings.settings` and `.mapping` have passed their schemas."""
    return SqlConnector(settings)


def check(endpoint: str, settings: Mapping[str, Any], mapping: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What the schema cannot say: yields (JSON Pointer, what is wrong in English, in Thai)."""
    yield from _endpoint_faults(endpoint, settings)
    query = settings["query"]
    if _SELECT.match(query) is None or any(mark in query for mark in (";", "--", "/*", "\x00")):
        yield (
            "/settings/query",
            "it must be one SELECT, without semicolon and without comment",
            "ต้องเป็นคำสั่ง SELECT เดียว ไม่มีเครื่องหมาย ; และไม่มีหมายเหตุ",
        )
    elif set(_statement(settings)._bindparams) != {"identifier"} or "':identifier'" in query:
        yield (
            "/settings/query",
            "the identifier goes in as :identifier, a bound parameter, and there is no other",
            "ต้องมีพารามิเตอร์ :identifier เท่านั้น",
        )


def _endpoint_faults(endpoint: str, settings: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    try:
        parts = urlsplit(endpoint)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme == "sqlite" and not parts.netloc and parts.path.startswith("//") and not parts.query:
        if "folder" not in settings:
            yield (
                "/settings",
                "a SQLite file needs `folder`: the folder in which the gateway's operator lets it lie",
                "ไฟล์ SQLite ต้องระบุ `folder` ที่ผู้ดูแลเกตเวย์อนุญาต",
            )
        return
    named = re.fullmatch(r"/[A-Za-z_][A-Za-z0-9_.-]{0,62}", parts.path, re.ASCII)
    server = parts.scheme in ("postgresql", "mysql")
    if not server or not host or not named or parts.query or "@" in parts.netloc:
        yield (
            "/endpoint",
            "it must be postgresql://host[:port]/database or mysql://host[:port]/database (MariaDB too), without user, "
            "or sqlite:////absolute/path",
            "ต้องเป็น postgresql://host[:port]/database หรือ mysql://host[:port]/database (รวม MariaDB) โดยไม่มีชื่อผู้ใช้ "
            "หรือ sqlite:////absolute/path",
        )
    elif "account" not in settings:
        yield "/settings", "a database server needs `account`", "เซิร์ฟเวอร์ฐานข้อมูลต้องระบุ `account`"
    elif "charset" in settings:
        yield "/settings/charset", "the server tells its charset itself", "เซิร์ฟเวอร์ระบุชุดอักขระเองอยู่แล้ว"
    elif is_loopback(host) and settings.get("tls", {}).keys() & {"ca", "certificate"}:
        yield "/settings/tls", "not used on loopback", "ไม่ใช้กับเครื่องเดียวกัน"


def _statement(settings: Mapping[str, Any]) -> TextClause:
    """The query as a subquery: no database lets a subquery write, and no row more is read than is looked at."""
    most = settings["list"]["most"] if "list" in settings else 1
    return text(f"SELECT * FROM ({settings['query']}\n) AS answer LIMIT {most + 1}")  # noqa: S608


class SqlConnector:
    """One service's way to its source's database. Connects on the first `fetch`."""

    def __init__(self, opened: ConnectorSettings) -> None:
        settings = opened.settings
        self._service = opened.service
        self._database: Database = database(opened)
        self._statement = _statement(settings)
        self._integer = settings.get("identifier", {}).get("as") == "integer"
        self._list: Mapping[str, Any] | None = settings.get("list")
        self._mapper = compile_mapping(opened.mapping)
        threads = settings.get("connections", _THREADS)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="sql-source")
        self._engine: Engine = create_engine(
            f"{self._database.dialect}://",
            creator=lambda: self._database.connect(_begun),
            poolclass=QueuePool,
            pool_size=threads,
            max_overflow=0,
            pool_recycle=_RECYCLE_SECONDS,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
        )
        event.listen(self._engine, "before_cursor_execute", _commented, retval=True)
        self._running: set[_Query] = set()

    def __repr__(self) -> str:
        return f"<SqlConnector {self._service}>"

    async def fetch(self, ask: Ask) -> Record:
        """The record of `ask.identifier`, its granted fields only. Raises what `gateway.plugin` names."""
        said = ask.introduce() if self._database.logs_statements else ""
        query = _Query(self._engine, self._database, self._statement, self._bound(ask.identifier), said)
        self._running.add(query)
        failure: Failure
        try:
            async with asyncio.timeout_at(ask.deadline):
                outcome = await asyncio.get_running_loop().run_in_executor(self._threads, query.run)
            if isinstance(outcome, list):
                return self._mapper.record(self._answer(outcome), ask.fields, ask.given)
            failure = outcome
        except (CitizenNotFound, SourceFault) as known:
            failure = known
        except TimeoutError:
            failure = AgencyTimeout("late")
        except RuntimeError:  # closed meanwhile: the threads take nothing more
            failure = AgencyUnavailable("disconnected")
        finally:
            self._running.discard(query)
            query.abandon()
        raise failure.with_traceback(None)

    async def close(self) -> None:
        """Interrupts what runs, and closes every connection."""
        for query in tuple(self._running):
            query.abandon()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await asyncio.to_thread(self._engine.dispose)
        self._database.close()

    def _bound(self, identifier: str) -> str | int:
        return int(identifier) if self._integer else identifier

    def _answer(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """What the mapping reads: the row, or {"rows": […]}."""
        if not rows:
            raise CitizenNotFound
        most = 1 if self._list is None else self._list["most"]
        if len(rows) > most:
            raise AgencyMisbehaved("many_rows")
        if self._list is None:
            return rows[0]
        if len({str(row.get(self._list["same"])) for row in rows}) != 1:
            raise AgencyMisbehaved("mixed_rows")
        return {"rows": rows}


_SAID: Final = "linkage_exchange"
_COMPACT_JWS: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}", re.ASCII)


def _commented(
    connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
) -> tuple[str, Any]:
    """The statement with the gateway's introduction behind it; the compiled query stays one and the same."""
    said = context.execution_options.get(_SAID, "") if context is not None else ""
    if _COMPACT_JWS.fullmatch(said):  # nothing that could end a comment, or be a place for a parameter
        statement = f"{statement} /* {INTRODUCTION}: {said} */"
    return statement, parameters


_THREAD: Final = threading.local()
"""`query`: what the thread is working on."""


def _begun(connection: Any) -> None:
    """A connection has been made, and is still to be looked at: it can be given up already."""
    query: _Query | None = getattr(_THREAD, "query", None)
    if query is not None:
        query.begun(connection)


class _Query:
    """One query in a thread, that another thread can give up."""

    def __init__(self, engine: Engine, source: Database, statement: TextClause, bound: str | int, said: str) -> None:
        self._engine, self._source, self._statement = engine, source, statement
        self._bound, self._said = bound, said
        self._connection: Any = None
        self._abandoned = False
        self._done = False
        self._kept = True

    def run(self) -> list[dict[str, Any]] | Failure:
        """In a thread of the pool: the rows, or what went wrong (returned, so that no driver's text hangs on it)."""
        _THREAD.query = self
        try:
            outcome = self._tried()
            if isinstance(outcome, AgencyUnavailable) and self._kept and not self._abandoned:
                outcome = self._tried()  # a kept connection that the database has closed meanwhile
            return outcome
        finally:
            _THREAD.query = None

    def begun(self, connection: Any) -> None:
        """`connection` is what it waits for from now on."""
        self._connection, self._kept = connection, False
        if self._abandoned:
            raise AgencyTimeout("late")

    def _tried(self) -> list[dict[str, Any]] | Failure:
        self._kept, self._done = True, False
        try:
            with self._engine.connect() as connection:
                self._connection = connection.connection.driver_connection
                if self._abandoned:
                    return AgencyTimeout("late")
                try:
                    result = connection.execute(
                        self._statement, {"identifier": self._bound}, execution_options={_SAID: self._said}
                    )
                    rows = [{name: _plain(value) for name, value in row.items()} for row in result.mappings()]
                except BaseException:
                    connection.invalidate()
                    raise
                finally:
                    self._done = True
            return AgencyMisbehaved("too_large") if _size(rows) > MAX_ANSWER else rows
        except SourceFault as known:
            return known
        except Exception as error:  # whatever a driver raises: only its kind is looked at
            failure = failure_of(error)
            traceback.clear_frames(error.__traceback__)  # they hold half-made connections, and the identifier
            return failure
        finally:
            self._connection = None

    def abandon(self) -> None:
        """Nobody waits for it any more: what it is waiting for ends."""
        self._abandoned = True
        connection = self._connection
        if connection is not None and not self._done:
            self._source.interrupt(connection)


def _plain(value: Any) -> Any:
    """A column's value as JSON has it. Raises AgencyMisbehaved for what it has no word for."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, (datetime.date, datetime.datetime)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    raise AgencyMisbehaved("unmapped")


def _size(rows: list[dict[str, Any]]) -> int:
    return sum(len(value) for row in rows for value in row.values() if isinstance(value, str))
