"""The one writer: a thread that gathers what waits and commits it together (group commit).

Callers put a request on a bounded queue (`desk`) and await its future. A batch is one transaction. If the database
fails, everything in the batch fails with LogUnavailable and nothing of it is there. If the thread dies, all
that wait fail at once, and the next append starts a new one. If the database says nothing, whoever has waited too
long fails, and the connection is given up. Nobody waits for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence

from gateway.errors import LogUnavailable, Moved
from gateway.store.batch import Request, load, take, write
from gateway.store.changes import AlreadyClosed, AlreadyUsed, Appended, Change, Draft, NotWithheld, Outdated, QuotaSpent
from gateway.store.connection import SILENT_SECONDS, Connection, failures
from gateway.store.desk import Desk, Waiting

LARGE_BATCH = 256
"""With so many a batch is not held open for more."""
IDLE_SECONDS = 0.05
BEHIND_SECONDS = 0.1
"""How often the work behind the append gets a turn: all there is when nothing waits, a slice under load."""
BACKLOG_SECONDS = 0.05
"""How often it does while it lags behind."""
OTHERS_SECONDS = 1.0
"""How often it is looked for where this writer itself appended nothing: others may share the database."""
_DEADLOCK = "40P01"
"""PostgreSQL's code for a transaction that it ended to undo one."""


class Writer:
    """Appends to one database. `behind`, if set, does a slice of work when nothing waits; True if more is left.

    `max_waiting`: how many appends may wait; one more fails at once with LogUnavailable.
    """

    def __init__(self, url: str, *, max_waiting: int) -> None:
        self._url = url
        self._queue: queue.SimpleQueue[list[Waiting] | None] = queue.SimpleQueue()
        self._desks: dict[asyncio.AbstractEventLoop, Desk] = {}
        self._max_waiting = max_waiting
        self._untaken = 0
        self.behind: Callable[[Connection], bool] | None = None
        self.silent: Callable[[], None] = lambda: None
        """Called when the database has said nothing for too long; in the loop of whoever waited."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._behind_at = 0.0
        self._appended = False
        self._serving: tuple[Connection, float] | None = None
        """The connection on which a batch is being written, and since when."""

    async def append(self, entries: Sequence[Draft], changes: Sequence[Change], unless: Mapping[str, int]) -> Appended:
        """Waits until the entries and changes are durable, together. Raises as `Store.append` says."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._closed or self._untaken >= self._max_waiting:
                raise LogUnavailable(retry_after=1)
            desk = self._desks.get(loop) or self._new_desk(loop)
            waiting = desk.take(Request(entries, changes, unless))
            self._untaken += 1
        try:
            return await waiting.future
        finally:
            desk.leave(waiting)

    def _new_desk(self, loop: asyncio.AbstractEventLoop) -> Desk:
        self._desks = {other: held for other, held in self._desks.items() if not other.is_closed()}
        desk = self._desks[loop] = Desk(loop, self._hand_over, self._late, SILENT_SECONDS)
        return desk

    def _hand_over(self, desk: Desk) -> None:
        """What has gathered goes to the thread, which is started if there is none."""
        with self._lock:  # the thread ends under this lock too, so what is put here it serves, or fails
            self._put(desk)

    def _put(self, desk: Desk) -> None:
        gathered = desk.gathered()
        if gathered:
            self._queue.put(gathered)
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
                thread.start()
                self._thread = thread

    def _late(self, late: Sequence[Waiting]) -> None:
        """Fails those who have waited too long, and what the database says nothing to: it may yet be written."""
        for waiting in late:
            if not waiting.future.done():
                waiting.future.set_exception(_unavailable())
        serving = self._serving
        if serving is not None and time.monotonic() - serving[1] > SILENT_SECONDS / 2:
            serving[0].hang_up()
            self.silent()

    @property
    def waiting(self) -> int:
        """How many appends wait."""
        return self._untaken

    def close(self) -> None:
        """Finishes what waits, then stops the thread."""
        with self._lock:
            self._closed = True
            for desk in self._desks.values():
                self._put(desk)
            thread = self._thread
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            thread.join(timeout=30)

    def _work(self) -> None:
        """The thread. Whatever ends it, no one is left waiting."""
        batch: list[Waiting] = []
        connection: Connection | None = None
        try:
            while True:
                gathered, ending = self._gather()
                batch = [waiting for waiting in gathered if not waiting.failed]
                if batch:
                    connection = self._serve(connection, batch)
                    batch = []
                if ending:
                    return
                if time.monotonic() >= self._behind_at - (OTHERS_SECONDS if self._appended else 0):
                    connection = self._work_behind(connection)
        finally:
            with self._lock:
                self._thread = None
                batch += self._left()
            _deliver([(waiting, _unavailable()) for waiting in batch])
            if connection is not None:
                connection.close()

    def _gather(self) -> tuple[list[Waiting], bool]:
        """(what waits, at least one unless nothing comes for a while; whether to stop after it)."""
        gathered: list[Waiting] = []
        ending = False
        try:
            handed = self._queue.get(timeout=IDLE_SECONDS)
            while handed is not None:
                gathered += handed
                if len(gathered) >= LARGE_BATCH:
                    break
                handed = self._queue.get_nowait()
            ending = handed is None
        except queue.Empty:
            pass
        if gathered:
            with self._lock:
                self._untaken -= len(gathered)
        return gathered, ending

    def _serve(self, connection: Connection | None, batch: list[Waiting], tries: int = 3) -> Connection | None:
        """One transaction for the batch; the connection to go on with, None where it is no longer good.

        Where the server ended it to undo a deadlock, a migration's perhaps, nothing of it is there: it is begun again.
        """
        results: list[tuple[Waiting, Appended | Exception]] = []
        try:
            if connection is None:
                connection = Connection(self._url)
            self._serving = connection, time.monotonic()
            with connection.together():
                connection.begin()
                state = load(connection, [waiting.request for waiting in batch])
            for waiting in batch:
                try:
                    results.append((waiting, take(state, waiting.request)))
                except (Moved, QuotaSpent, AlreadyUsed, AlreadyClosed, NotWithheld, Outdated) as refusal:
                    results.append((waiting, refusal))
                except Exception as error:  # a draft that cannot be sealed fails alone
                    results.append((waiting, error))
            with connection.together():
                write(connection, state)
                connection.commit()
            self._appended = self._appended or bool(state.log)
        except Exception as failure:  # the database's, or whatever else: the thread goes on
            self._serving = None
            _drop(connection)
            if tries > 1 and getattr(failure, "sqlstate", None) == _DEADLOCK:
                return self._serve(None, batch, tries - 1)
            _deliver([(waiting, _unavailable(failure)) for waiting in batch])
            return None
        self._serving = None
        _deliver(results)
        return connection

    def _work_behind(self, connection: Connection | None) -> Connection | None:
        """Slices of the work behind the append, until something waits or it is done."""
        if self.behind is None:
            return connection
        more = False
        try:
            if connection is None:
                connection = Connection(self._url)
            self._serving = connection, time.monotonic()
            connection.durable(False)
            while (more := self.behind(connection)) and self._queue.empty():
                self._serving = connection, time.monotonic()
            connection.durable(True)
        except Exception:  # whatever it is, an append must not suffer from it
            _drop(connection)
            connection = None
        finally:
            self._serving = None
        # `_behind_at` is when it is due if nothing is appended; an append makes it due OTHERS_SECONDS earlier.
        self._appended = more
        self._behind_at = time.monotonic() + OTHERS_SECONDS + (BACKLOG_SECONDS if more else BEHIND_SECONDS)
        return connection

    def _left(self) -> list[Waiting]:
        """What waits now, taken off the queue."""
        left: list[Waiting] = []
        while True:
            try:
                left += self._queue.get_nowait() or ()
            except queue.Empty:
                self._untaken -= len(left)
                return left


def _drop(connection: Connection | None) -> None:
    """Lets go of a connection that failed; one that is broken may fail in that too."""
    if connection is not None:
        with contextlib.suppress(*failures()):
            connection.rollback()
            connection.close()


def _unavailable(cause: BaseException | None = None) -> LogUnavailable:
    error = LogUnavailable(retry_after=1)
    error.__cause__ = cause
    return error


def _deliver(results: Sequence[tuple[Waiting, Appended | Exception]]) -> None:
    """Hands each caller its result."""
    desks: dict[Desk, list[tuple[Waiting, Appended | Exception]]] = {}
    for result in results:
        desks.setdefault(result[0].desk, []).append(result)
    for desk, settled in desks.items():
        desk.settle(settled)
