"""Versions side by side: what a migration may do, which version serves on which tables; and names held by one."""

from __future__ import annotations

import ast
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.store import Connection, Store, lease, migrate
from gateway.store.lease import Lease, NameTaken, lease_for
from gateway.store.migrate import standing, upgrade
from tests.store.conftest import Note
from tests.store.next_version import next_version

ADDS = {"create_table", "create_index", "add_column", "bulk_insert"}
FILLED_AGAIN = {
    *("exchanges", "exchange_reasons", "exchange_lines", "exchange_hours", "exchange_days", "exchange_times"),
    *("log_tiles", "tree"),
}
"""Projections: a migration may make them anew, since the log fills them."""


def _what_it_does(script: Path) -> Iterator[tuple[str, str, ast.Call]]:
    """(operation, the table it names first, the call) of everything a migration does."""
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="op"), attr=operation)) if operation != "f":
                first = node.args[0] if node.args else None
                yield operation, str(first.value) if isinstance(first, ast.Constant) else "", node


SCRIPTS = sorted((migrate._HERE / "versions").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_migration_only_adds(script: Path) -> None:
    """Or gateways of the version before could not serve on."""
    for operation, table, call in _what_it_does(script):
        if operation == "execute":
            emptied = table.removeprefix("DELETE FROM ") in FILLED_AGAIN
            assert emptied or table.startswith(("INSERT INTO ", "UPDATE projected ")), table
        elif operation not in ADDS:
            assert operation == "drop_table", operation
            assert table in FILLED_AGAIN
        elif operation == "add_column":
            given = {keyword.arg: keyword.value for keyword in ast.walk(call) if isinstance(keyword, ast.keyword)}
            nullable = given.get("nullable")
            assert "server_default" in given or (isinstance(nullable, ast.Constant) and nullable.value), table


def test_migrations_are_numbered_so_that_newer_ones_are_known_as_such() -> None:
    numbers = [script.stem.partition("_")[0] for script in SCRIPTS]
    assert numbers == [f"{n:04d}" for n in range(1, len(SCRIPTS) + 1)]
    assert migrate.newest() == numbers[-1]


async def test_the_older_version_serves_on_what_the_newer_one_added(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer, store = next_version(tmp_path), Store(database_url)
    try:
        await store.append([Note(), Note()])
        with monkeypatch.context() as patched:
            patched.setattr(migrate, "_HERE", newer)
            assert standing(database_url) == "behind"
            upgrade(database_url)
            assert standing(database_url) == "current"
        assert standing(database_url) == "ahead"
        appended = await store.append([Note()])  # it was open all the while
        assert appended.indexes == (2,)
        upgrade(database_url)  # the older version's own command leaves it as it is
        assert standing(database_url) == "ahead"
    finally:
        store.close()


def test_a_migration_waits_for_a_table_only_so_long(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold up everyone who comes after it."""
    monkeypatch.setattr(migrate, "_HERE", next_version(tmp_path))
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 1)
    busy = Connection(postgres_url)
    busy.begin()
    busy.rows("SELECT * FROM open_exchanges")  # a transaction that is slow to end
    finished = threading.Event()

    def go() -> None:
        upgrade(postgres_url)
        finished.set()

    thread = threading.Thread(target=go)
    thread.start()
    assert not finished.wait(1.5)
    busy.commit()
    busy.close()
    thread.join(30)
    assert finished.is_set()
    assert standing(postgres_url) == "current"


# -- names ----------------------------------------------------------------------------------------------------


@contextmanager
def beating(held: Lease) -> Iterator[None]:
    """As a gateway that lives does."""
    stop = threading.Event()

    def go() -> None:
        while not stop.wait(0.05):
            held.beat()

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_name_that_is_held_is_refused_and_one_that_lapsed_is_taken(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LAPSE_SECONDS", 1.0)
    first, second = (Lease(postgres_url, "town-1", boot=f"boot_{n}", owner=f"boot_{n}") for n in (1, 2))
    first.take()
    Lease(postgres_url, "town-2", boot="boot_3", owner="boot_3").take()
    with beating(first):
        with pytest.raises(NameTaken, match="town-1 lives already"):
            second.take()
        assert first.beat()
    begun = time.monotonic()
    second.take()  # the first beats no more: it is dead
    assert time.monotonic() - begun > 0.5
    assert not first.beat()  # should it live after all, it knows
    assert second.beat()
    first.release()  # and leaves the second's alone
    assert second.beat()


def test_a_supervisor_hands_a_name_from_one_worker_to_the_next(postgres_url: str) -> None:
    old, new = (Lease(postgres_url, "town-1", boot=f"boot_{n}", owner="boot_supervisor") for n in (1, 2))
    old.take()
    new.take()
    assert not old.beat()
    assert new.beat()


def test_a_name_that_was_given_back_is_free(postgres_url: str) -> None:
    first, second = (Lease(postgres_url, "town-1", boot=f"boot_{n}", owner=f"boot_{n}") for n in (1, 2))
    first.take()
    first.release()
    second.take()
    assert second.beat()


def test_a_file_has_its_own_lock(sqlite_url: str) -> None:
    assert lease_for(sqlite_url, "town-1", boot="b", owner="b") is None
