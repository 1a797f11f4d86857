"""When the database or the writer fails: everyone who waits is told, nobody hangs, and it goes on by itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway.errors import LogUnavailable
from gateway.store import AlreadyInUse, CloseExchange, Connection, OpenExchange, Store, writer
from tests.databases import fresh
from tests.store.conftest import Gate, Note

SOON = 10.0
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # threads made to die


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


async def soon(call: Any) -> Any:
    return await asyncio.wait_for(call, SOON)


async def outcome(call: Any) -> type:
    try:
        return type(await soon(call))
    except Exception as error:
        return type(error)


async def queued(store: Store, gate: Gate, count: int) -> list[asyncio.Task[Any]]:
    """The gate's append in the writer's hands, and `count` that wait behind it."""
    tasks = [asyncio.create_task(store.append([gate.draft()]))]
    await asyncio.to_thread(gate.reached.wait, SOON)
    tasks += [asyncio.create_task(store.append([Note()])) for _ in range(count)]
    await asyncio.sleep(0.05)
    return tasks


# -- the writer ------------------------------------------------------------------------------------------------


async def test_a_writer_that_dies_in_a_batch_fails_all_who_wait_and_the_next_append_works(store: Store) -> None:
    gate = Gate()
    tasks = await queued(store, gate, 3)

    def die() -> None:
        raise SystemExit

    tasks.append(asyncio.create_task(store.append([Note(work=die)])))
    await asyncio.sleep(0.05)
    gate.opened.set()
    assert (await soon(tasks[0])).indexes == (0,)
    assert [await outcome(task) for task in tasks[1:]] == [LogUnavailable] * 4
    assert (await soon(store.append([Note()]))).indexes == (1,)


async def test_a_writer_that_dies_between_batches_fails_all_who_wait(store: Store) -> None:
    held, go = threading.Event(), threading.Event()

    def die(_: Connection) -> bool:
        held.set()
        go.wait(SOON)
        raise SystemExit

    store.work_behind(die)
    await store.append([Note()])
    await asyncio.to_thread(held.wait, SOON)
    tasks = [asyncio.create_task(store.append([Note()])) for _ in range(3)]
    await asyncio.sleep(0.05)
    store.work_behind(lambda _: False)
    go.set()
    assert [await outcome(task) for task in tasks] == [LogUnavailable] * 3
    assert (await soon(store.append([Note()]))).indexes == (1,)


async def test_an_append_that_meets_a_dying_writer_does_not_hang(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread has failed who waited, and is not dead yet: closing its connection takes a while."""
    closing, go = threading.Event(), threading.Event()
    close = Connection.close

    def slowly(connection: Connection) -> None:
        if threading.current_thread().name == "log-writer":
            closing.set()
            go.wait(SOON)
        close(connection)

    monkeypatch.setattr(Connection, "close", slowly)

    def die() -> None:
        raise SystemExit

    assert await outcome(store.append([Note()])) is not LogUnavailable
    assert await outcome(store.append([Note(work=die)])) is LogUnavailable
    await asyncio.to_thread(closing.wait, SOON)
    waiting = asyncio.create_task(store.append([Note()]))
    await asyncio.sleep(0.05)
    go.set()
    assert (await soon(waiting)).indexes == (1,)


async def test_a_full_queue_refuses_at_once_and_loses_nobody(database_url: str) -> None:
    store, gate = Store(database_url, max_waiting=4), Gate()
    try:
        tasks = await queued(store, gate, 4)
        begun = time.monotonic()
        with pytest.raises(LogUnavailable) as refused:
            await store.append([Note()])
        assert time.monotonic() - begun < SOON / 2
        assert refused.value.retry_after == 1
        gate.opened.set()
        assert [(await soon(task)).indexes[0] for task in tasks] == [0, 1, 2, 3, 4]
    finally:
        store.close()


async def test_work_behind_that_fails_disturbs_no_append_and_is_tried_again(store: Store) -> None:
    calls: list[int] = []

    def fail(_: Connection) -> bool:
        calls.append(1)
        raise ValueError("made to fail")

    store.work_behind(fail)
    for number in range(5):
        assert (await soon(store.append([Note()]))).indexes == (number,)
        await asyncio.sleep(0.06)
    assert len(calls) > 1


async def test_an_append_waits_for_the_disk_though_the_work_behind_does_not(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def setting(connection: Connection) -> str:
        name = "PRAGMA synchronous" if connection.dialect == "sqlite" else "SHOW synchronous_commit"
        return str(connection.rows(name)[0][0])

    behind: list[str] = []
    before: list[str] = []
    store.work_behind(lambda connection: bool(behind.append(setting(connection))))
    write = writer.write
    monkeypatch.setattr(writer, "write", lambda c, batch: (before.append(setting(c)), write(c, batch)))
    for _ in range(4):
        await store.append([Note()])
        await asyncio.sleep(0.08)
    assert len(behind) > 1
    assert set(behind) <= {"1", "off"}
    assert set(before) <= {"2", "on"}


# -- SQLite ----------------------------------------------------------------------------------------------------


async def test_a_locked_database_is_unavailable_and_then_again_available(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    other = sqlite3.connect(path_of(sqlite_url), isolation_level=None)
    try:
        await store.append([Note()])
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LogUnavailable):
            await soon(store.append([Note()]))
        assert await store.read(lambda c: c.rows("SELECT size FROM head")) == [(1,)]
        other.execute("ROLLBACK")
        assert (await soon(store.append([Note()]))).indexes == (1,)
    finally:
        other.close()
        store.close()


async def test_a_full_disk_is_unavailable_and_then_again_available(sqlite_url: str) -> None:
    """The disk is full for this process: no file may grow (RLIMIT_FSIZE; Python ignores SIGXFSZ)."""
    store = Store(sqlite_url)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        await store.append([Note()])
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
        for _ in range(3):
            assert await outcome(store.append([Note() for _ in range(50)])) is LogUnavailable
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (await soon(store.append([Note()]))).indexes == (1,)
        assert await store.read(lambda c: c.rows("SELECT COUNT(*) FROM log_entries")) == [(2,)]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        store.close()


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """No file of the folder may be written, by root neither: as root this process is nobody for a while."""
    files, parents = sorted(folder.iterdir()), [path for path in folder.parents if path.stat().st_uid == os.geteuid()]
    modes = {path: path.stat().st_mode for path in [*files, folder, *parents]}
    for path in parents:
        path.chmod(modes[path] | 0o011)
    for path in files:
        path.chmod(0o444)
    folder.chmod(0o555)
    root = os.geteuid() == 0
    try:
        if root:
            os.seteuid(65534)
        yield
    finally:
        if root:
            os.seteuid(0)
        for path, mode in modes.items():
            path.chmod(mode)


async def test_a_read_only_database_is_unavailable_and_then_again_available(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    with fresh("sqlite", folder) as url:
        store = Store(url)
        try:
            with read_only(folder):
                for _ in range(3):
                    assert await outcome(store.append([Note()])) is LogUnavailable
            assert (await soon(store.append([Note()]))).indexes == (0,)
        finally:
            store.close()


async def test_a_database_that_may_grow_no_more_is_unavailable(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own "database or disk is full"."""
    begin = Connection.begin

    def begin_small(connection: Connection) -> None:
        connection.rows("PRAGMA max_page_count=1")
        begin(connection)

    store = Store(sqlite_url)
    try:
        monkeypatch.setattr(Connection, "begin", begin_small)
        results = [await outcome(store.append([Note() for _ in range(200)])) for _ in range(3)]
        assert LogUnavailable in results
        monkeypatch.undo()
        size = (await store.read(lambda c: c.rows("SELECT size FROM head")))[0][0]
        assert await store.read(lambda c: c.rows("SELECT COUNT(*) FROM log_entries")) == [(size,)]
    finally:
        store.close()


async def test_a_second_process_cannot_open_the_same_file(sqlite_url: str) -> None:
    store = Store(sqlite_url)
    with pytest.raises(AlreadyInUse, match="in use by another gateway"):
        Store(sqlite_url)
    store.close()
    Store(sqlite_url).close()


# -- both, and PostgreSQL --------------------------------------------------------------------------------------------


async def test_reads_that_fail_leave_no_connection_behind(store: Store) -> None:
    await store.read(lambda c: c.rows("SELECT size FROM head"))
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(40):
        with pytest.raises(LogUnavailable):
            await store.read(lambda c: c.rows("SELECT nothing FROM nowhere"))
    assert len(os.listdir("/proc/self/fd")) <= before + 8
    assert await store.read(lambda c: c.rows("SELECT size FROM head")) == [(0,)]


async def test_a_server_that_ends_every_session_is_unavailable_and_then_again_available(postgres_url: str) -> None:
    store = Store(postgres_url)
    try:
        await store.append([Note()])
        await store.read(lambda c: c.rows("SELECT size FROM head"))
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
        with psycopg.connect(postgres_url, autocommit=True) as admin:
            admin.execute(end + "current_database()")
        outcomes = [await outcome(store.append([Note()])) for _ in range(2)]
        assert outcomes[-1] is not LogUnavailable
        for _ in range(8):
            await outcome(store.read(lambda c: c.rows("SELECT size FROM head")))
        size = (await store.read(lambda c: c.rows("SELECT size FROM head")))[0][0]
        assert (await soon(store.append([Note()]))).indexes == (size,)
    finally:
        store.close()


async def test_a_batch_that_the_server_ends_to_undo_a_deadlock_is_begun_again(postgres_url: str) -> None:
    store, tries = Store(postgres_url), []
    await store.append([Note()], [OpenExchange("ex_1", "gateway-1", "boot_1", 2**40)])
    with psycopg.connect(f"postgresql://{postgres_url.partition('://')[2]}") as other:
        # As a migration may: it holds what the batch writes next, and then wants what the batch has read.
        other.execute("LOCK TABLE log_entries IN ACCESS EXCLUSIVE MODE")
        closing = asyncio.create_task(store.append([Note(work=lambda: tries.append(1))], [CloseExchange("ex_1")]))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(other.execute, "LOCK TABLE open_exchanges IN ACCESS EXCLUSIVE MODE")
        other.rollback()
    assert (await soon(closing)).indexes == (1,)
    assert len(tries) == 2
    assert await store.read(lambda c: c.rows("SELECT COUNT(*) FROM open_exchanges")) == [(0,)]
    store.close()
