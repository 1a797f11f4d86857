"""The database: tables, migrations, and `append`, the only way to write a register or the log."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import TypeVar

from gateway.errors import LogUnavailable
from gateway.store.batch import MOST_ACTS, REGISTERS
from gateway.store.changes import (
    AlreadyClosed,
    AlreadyUsed,
    Appended,
    Change,
    CloseExchange,
    Draft,
    DropWraps,
    ForgetMonths,
    Hasten,
    KeepFacts,
    NotWithheld,
    Once,
    OpenExchange,
    Outdated,
    PutCheckpoint,
    PutConsent,
    PutCosignature,
    PutMonth,
    PutRegister,
    QuotaSpent,
    RequireWithheld,
    Reserve,
    Tell,
    Withhold,
    consent_scope,
)
from gateway.store.connection import Connection, failures, sqlite_file
from gateway.store.writer import Writer

__all__ = [
    "MOST_ACTS",
    "REGISTERS",
    "AlreadyClosed",
    "AlreadyInUse",
    "AlreadyUsed",
    "Appended",
    "Change",
    "CloseExchange",
    "Connection",
    "Draft",
    "DropWraps",
    "ForgetMonths",
    "Hasten",
    "KeepFacts",
    "NotWithheld",
    "Once",
    "OpenExchange",
    "Outdated",
    "PutCheckpoint",
    "PutConsent",
    "PutCosignature",
    "PutMonth",
    "PutRegister",
    "QuotaSpent",
    "RequireWithheld",
    "Reserve",
    "Store",
    "Tell",
    "Withhold",
    "consent_scope",
]

T = TypeVar("T")
_READERS = 4


class AlreadyInUse(Exception):
    """Another gateway process has this SQLite file open."""


class Store:
    """One gateway's way to its database.

    `append` writes; `read` runs a function on a read connection in a thread of its own, so that a long query
    never holds up an exchange. With SQLite one process at a time may have the file open (AlreadyInUse).
    """

    def __init__(self, url: str, *, max_waiting: int = 4096) -> None:
        self._url = url
        self._lock_file = _lock(url)
        self._writer = Writer(url, max_waiting=max_waiting)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reader")
        self._local = threading.local()
        self._read_connections: set[Connection] = set()
        self._writer.silent = self._hang_up
        self._quota_day: date | None = None
        self._quotas: dict[str, int] = {}

    def work_behind(self, work: Callable[[Connection], bool]) -> None:
        """`work(connection)` is done in slices in the writer's thread when nothing waits; True means more is left."""
        self._writer.behind = work

    async def append(
        self, entries: Sequence[Draft], changes: Sequence[Change] = (), unless: Mapping[str, int] | None = None
    ) -> Appended:
        """Appends `entries` and makes `changes`, in one transaction, durable when this returns.

        `unless`: scope -> the revision it must still have (`registers`, a consent's), or Moved is raised and nothing
        happens. Raises QuotaSpent, AlreadyUsed, AlreadyClosed, Outdated for the changes that say so, and
        LogUnavailable where the database cannot be written.
        """
        try:
            appended = await self._writer.append(entries, changes, unless or {})
        except QuotaSpent as spent:
            self._quotas[spent.key] = spent.used
            raise
        for change in changes:
            if isinstance(change, Reserve) and change.day == self._quota_day:
                self._quotas[change.key] = self._quotas.get(change.key, 0) + 1
        return appended

    @property
    def waiting(self) -> int:
        """How many appends wait for the writer."""
        return self._writer.waiting

    async def quota_used(self, key: str, day: date) -> int:
        """How much of a daily counter is used, as far as this process knows; `Reserve` has the last word."""
        if day != self._quota_day:
            self._quota_day, self._quotas = day, {}
        if key not in self._quotas:
            rows = await self.read(
                lambda c: c.rows("SELECT used FROM quotas WHERE key = ? AND day = ?", (key, day.isoformat()))
            )
            self._quotas.setdefault(key, rows[0][0] if rows else 0)
        return self._quotas[key]

    async def read(self, query: Callable[[Connection], T]) -> T:
        """What `query` returns of a read connection. LogUnavailable where the database does not answer."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, query)

    def _read(self, query: Callable[[Connection], T]) -> T:
        connection: Connection | None = getattr(self._local, "connection", None)
        kept = connection is not None
        try:
            if connection is None:
                connection = self._local.connection = Connection(self._url, read_only=True)
                self._read_connections.add(connection)
            return query(connection)
        except failures() as failure:
            self._local.connection = None
            if connection is not None:
                self._read_connections.discard(connection)
                with contextlib.suppress(*failures()):
                    connection.close()
            if kept:  # it may have died of what is over by now, a restarted database's: once more, on a new one
                return self._read(query)
            raise LogUnavailable(retry_after=1) from failure

    def _hang_up(self) -> None:
        """A server that says nothing to the writer says nothing to readers."""
        for connection in list(self._read_connections):
            connection.hang_up()

    def close(self) -> None:
        """Finishes what waits and lets go of the database."""
        self._writer.close()
        self._readers.shutdown(wait=True)
        for connection in self._read_connections:
            connection.close()
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None


def _lock(url: str) -> int | None:
    """Takes the lock file beside an SQLite database; the kernel gives it back when the process ends."""
    file = sqlite_file(url)
    if not file:
        return None
    descriptor = os.open(Path(f"{file}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise AlreadyInUse(f"{file} is in use by another gateway process") from None
    return descriptor
