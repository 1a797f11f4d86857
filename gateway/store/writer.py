"""The one writer: a thread that gathers what waits and commits it together (group commit).

Callers put a request on a bounded queue and await its future. A batch is one transaction. If the database
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
from typing import NamedTuple

from gateway.errors import LogUnavailable, Moved
from gateway.store.batch import Request, load, take, write
from gateway.store.changes import AlreadyClosed, AlreadyUsed, Appended, Change, Draft, NotWithheld, Outdated, QuotaSpent
from gateway.store.connection import SILENT_SECONDS, Connection, failures

LARGEST_BATCH = 256
IDLE_SECONDS = 0.05
BEHIND_SECONDS = 0.1
"""How often the work behind the append gets a turn: all there is when nothing waits, a slice under load."""
BACKLOG_SECONDS = 0.05
"""How often it does while it lags behind."""
OTHERS_SECONDS = 1.0
"""How often it is looked for where this writer itself appended nothing: others may share the database."""


class _Waiting(NamedTuple):
    request: Request
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Appended]

    @property
    def failed(self) -> bool:
        """Whether the caller was told that it is not written. One who no longer listens was told nothing."""
        return self.future.done() and not self.future.cancelled()


class Writer:
    """Appends to one database. `behind`, if set, does a slice of work when nothing waits; True if more is left.

    `max_waiting`: how many appends may wait; one more fails at once with LogUnavailable.
    """

    def __init__(self, url: str, *, max_waiting: int) -> None:
        self._url = url
        self._queue: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._max_waiting = max_waiting
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
        waiting = _Waiting(Request(entries, changes, unless), loop, loop.create_future())
        with self._lock:  # the thread ends under this lock too, so what is put here it serves, or fails
            if self._closed or self._queue.qsize() >= self._max_waiting:
                raise LogUnavailable(retry_after=1)
            if self._thread is None:
                thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
                thread.start()
                self._thread = thread
            self._queue.put(waiting)
        late = loop.call_later(SILENT_SECONDS, self._late, waiting)
        try:
            return await waiting.future
        finally:
            late.cancel()

    def _late(self, waiting: _Waiting) -> None:
        """Fails one who has waited too long, and what the database says nothing to: it may yet be written."""
        if not waiting.future.done():
            waiting.future.set_exception(_unavailable())
        serving = self._serving
        if serving is not None and time.monotonic() - serving[1] > SILENT_SECONDS / 2:
            serving[0].hang_up()
            self.silent()

    @property
    def waiting(self) -> int:
        """How many appends wait."""
        return self._queue.qsize()

    def close(self) -> None:
        """Finishes what waits, then stops the thread."""
        with self._lock:
            self._closed = True
            thread = self._thread
            if thread is not None:
                self._queue.put(None)
        if thread is not None:
            thread.join(timeout=30)

    def _work(self) -> None:
        """The thread. Whatever ends it, no one is left waiting."""
        batch: list[_Waiting] = []
        connection: Connection | None = None
        try:
            while True:
                gathered = self._gather()
                batch = [waiting for waiting in gathered if waiting is not None and not waiting.failed]
                if batch:
                    connection = self._serve(connection, batch)
                    batch = []
                if None in gathered:
                    return
                if time.monotonic() >= self._behind_at - (OTHERS_SECONDS if self._appended else 0):
                    connection = self._work_behind(connection)
        finally:
            with self._lock:
                self._thread = None
                batch += self._waiting()
            _deliver([(waiting, _unavailable()) for waiting in batch])
            if connection is not None:
                connection.close()

    def _gather(self) -> list[_Waiting | None]:
        """What waits, at least one unless nothing comes for a while; a None at the end means stop."""
        gathered: list[_Waiting | None] = []
        try:
            gathered.append(self._queue.get(timeout=IDLE_SECONDS))
            while gathered[-1] is not None and len(gathered) < LARGEST_BATCH:
                gathered.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        return gathered

    def _serve(self, connection: Connection | None, batch: list[_Waiting]) -> Connection | None:
        """One transaction for the batch; the connection to go on with, None where it is no longer good."""
        results: list[tuple[_Waiting, Appended | Exception]] = []
        try:
            if connection is None:
                connection = Connection(self._url)
            self._serving = connection, time.monotonic()
            connection.begin()
            state = load(connection, [waiting.request for waiting in batch])
            for waiting in batch:
                try:
                    results.append((waiting, take(state, waiting.request)))
                except (Moved, QuotaSpent, AlreadyUsed, AlreadyClosed, NotWithheld, Outdated) as refusal:
                    results.append((waiting, refusal))
                except Exception as error:  # a draft that cannot be sealed fails alone
                    results.append((waiting, error))
            write(connection, state)
            connection.commit()
            self._appended = self._appended or bool(state.log)
        except Exception as failure:  # the database's, or whatever else: the thread goes on
            self._serving = None
            _drop(connection)
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

    def _waiting(self) -> list[_Waiting]:
        """What waits now, taken off the queue."""
        waiting: list[_Waiting] = []
        while True:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return waiting
            if item is not None:
                waiting.append(item)


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


def _deliver(results: Sequence[tuple[_Waiting, Appended | Exception]]) -> None:
    """Hands each caller its result, with one wake-up a loop for the whole batch."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Appended], Appended | Exception]]] = {}
    for waiting, result in results:
        loops.setdefault(waiting.loop, []).append((waiting.future, result))
    for loop, settled in loops.items():
        try:
            loop.call_soon_threadsafe(_settle, settled)
        except RuntimeError:  # that loop has closed: nobody waits there any more
            continue


def _settle(settled: Sequence[tuple[asyncio.Future[Appended], Appended | Exception]]) -> None:
    for future, result in settled:
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
