"""One DB-API connection to SQLite or PostgreSQL, spoken to in one dialect: `?` for parameters.

SQLite: WAL with synchronous=FULL, so that a commit is on disk when it returns. PostgreSQL: psycopg, as a
session that must not be read-only; synchronous_commit as the server has it (on, unless someone turned it off).
psycopg and its own OpenSSL take 9 MB and a tenth of a second: who has no PostgreSQL does not load them.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

BUSY_SECONDS = 2.0
"""How long a writer waits for another process's lock before the log counts as unavailable."""
SILENT_SECONDS = 10.0
"""How long a server may say nothing: one that hangs, or a line that swallows all, ends no connection by itself."""


_WAL_PAGES = 8192
"""32 MiB of write-ahead log before its pages go into the database: one written again and again goes once."""
_CACHE_KIB = 4096
"""The pages that the writer keeps in memory: twice what SQLite would, and still little beside the process."""


def sqlite_file(url: str) -> str | None:
    """The file of an SQLite URL (`sqlite:///relative`, `sqlite:////absolute`); None where it is another database's."""
    scheme, _, rest = url.partition("://")
    return rest.removeprefix("/") if scheme.partition("+")[0] == "sqlite" else None


_FAILURES: set[type[Exception]] = {sqlite3.Error, OSError}


def failures() -> tuple[type[Exception], ...]:
    """What a database that cannot be reached, written or trusted raises: psycopg's own too, once it is in use."""
    return tuple(_FAILURES)


class Connection:
    """A connection with explicit transactions. Raises one of `failures()` when the database fails."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        file = sqlite_file(url)
        self.dialect: Literal["sqlite", "postgresql"] = "postgresql" if file is None else "sqlite"
        self._raw: Any
        if self.dialect == "sqlite":
            self._raw = sqlite3.connect(file or "", timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            self._raw.execute("PRAGMA journal_mode=WAL")
            self._raw.execute("PRAGMA synchronous=FULL")
            self._raw.execute(f"PRAGMA wal_autocheckpoint={_WAL_PAGES}")
            self._raw.execute("PRAGMA query_only=ON" if read_only else f"PRAGMA cache_size=-{_CACHE_KIB}")
        else:
            import psycopg

            _FAILURES.add(psycopg.Error)
            self._raw = psycopg.connect(
                f"postgresql://{url.partition('://')[2]}",
                autocommit=True,
                connect_timeout=5,
                keepalives_idle=5,
                keepalives_interval=2,
                keepalives_count=3,
                tcp_user_timeout=10_000,
                options="-c statement_timeout=5000 -c lock_timeout=5000",
            )

    def _sql(self, statement: str) -> str:
        return statement if self.dialect == "sqlite" else statement.replace("?", "%s")

    def durable(self, wanted: bool) -> None:
        """Whether commits wait for the disk. Only for what can be made again from the log; on from the start."""
        if self.dialect == "sqlite":
            self._raw.execute(f"PRAGMA synchronous={'FULL' if wanted else 'NORMAL'}")
        else:
            self._raw.execute(f"SET synchronous_commit TO {'on' if wanted else 'off'}")

    def begin(self) -> None:
        """Starts a transaction that writes."""
        self._raw.execute("BEGIN IMMEDIATE" if self.dialect == "sqlite" else "BEGIN")

    def commit(self) -> None:
        """Makes it durable; after this returns, a crash loses nothing of it."""
        self._raw.execute("COMMIT")

    def rollback(self) -> None:
        """Undoes it; quiet where there is nothing to undo."""
        try:
            if self.dialect == "postgresql" or self._raw.in_transaction:
                self._raw.execute("ROLLBACK")
        except failures():
            pass

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """Everything that is read within is of one moment, however long it takes; nothing is written."""
        if self.dialect == "postgresql":
            self._raw.execute("SET statement_timeout = 0")
            self._raw.execute("BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        else:
            self._raw.execute("BEGIN")
        try:
            yield
        finally:
            self.rollback()

    def pages(self, statement: str, size: int) -> Iterator[list[Any]]:
        """All rows of a query, `size` at a time and never all at once. Within a transaction."""
        if self.dialect == "sqlite":
            cursor = self._raw.execute(statement)
        else:
            cursor = self._raw.cursor(name="pages")
            cursor.execute(statement)
        try:
            while rows := cursor.fetchmany(size):
                yield rows
        finally:
            cursor.close()

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Any]:
        """All rows of a query."""
        return list(self._raw.execute(self._sql(statement), parameters).fetchall())

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is run within is sent to a server without waiting for each answer; all have come when it ends."""
        if self.dialect == "sqlite":
            yield
        else:
            with self._raw.pipeline():
                yield

    def answers(self, queries: Sequence[tuple[str, Sequence[Any]]]) -> list[list[Any]]:
        """The rows of each query, (statement, parameters), in order; they are asked `together`."""
        if self.dialect == "sqlite":
            return [self.rows(*query) for query in queries]
        with self._raw.pipeline():
            asked = [self._raw.execute(self._sql(statement), parameters) for statement, parameters in queries]
        return [cursor.fetchall() for cursor in asked]

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """One statement without rows."""
        self._raw.execute(self._sql(statement), parameters)

    def many(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """One statement for each row of parameters."""
        if self.dialect == "sqlite":
            self._raw.executemany(statement, rows)
        else:
            with self._raw.cursor() as cursor:
                cursor.executemany(self._sql(statement), rows)

    def hang_up(self) -> None:
        """From another thread: whoever waits for the server in vain is told that the connection is broken."""
        if self.dialect == "postgresql":
            with contextlib.suppress(*failures()), socket.socket(fileno=os.dup(self._raw.fileno())) as held:
                held.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Lets go of it."""
        self._raw.close()
