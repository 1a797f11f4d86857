"""Brings a database to the tables that this version needs (Alembic), forward only, while gateways serve.

What a migration may do, so that gateways of the version before go on serving on what it leaves: add tables; add
columns that may be null or have a server's default; add indexes. What is dropped, renamed or retyped is so a version
after the last that read or wrote it. Only projections (search, tiles), which are filled again from the log, may be
made anew at once: an older gateway's search then stands still until it is replaced. A test reads the migrations for
that. An index on a table that has grown large is made with `postgresql_concurrently`, in an autocommit block.

Alembic and SQLAlchemy are loaded where something is to be migrated, and only there: to serve, neither is needed.

So the fleet goes forward in this order: `linkage db upgrade` by the new version, then gateway by gateway. A gateway
does not start on tables that are older than it needs; on newer ones it does, since they only have more.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from gateway.store.connection import Connection

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Engine

Standing = Literal["behind", "current", "ahead"]
LOCK_SECONDS = 2
LOCK_ATTEMPTS = 15
_IN_THE_WAY = ("55P03", "40P01")
"""The server's codes for a lock that was not to be had, and for a deadlock that it ended."""
_UPGRADING = 0x6C696E6B
"""The key of the advisory lock under which one upgrade runs at a time."""
_HERE = Path(__file__).parent / "migrations"


def engine_for(url: str) -> Engine:
    """A SQLAlchemy engine for `sqlite:///…` or `postgresql://…` (psycopg)."""
    from sqlalchemy import create_engine, event
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed.set(drivername="postgresql+psycopg"))
    engine = create_engine(parsed)

    @event.listens_for(engine, "connect")
    def _durable(raw: object, _: object) -> None:
        cursor = raw.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    return engine


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    return config


def upgrade(url: str) -> None:
    """Runs what migrations are still to run; none where a newer version has run its own. One at a time.

    A table that serving gateways use is waited for only so long, and asked for again: they would queue behind the
    waiting migration. The database's failure where that comes to nothing.
    """
    if standing(url) != "behind":
        return
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    engine = engine_for(url)
    try:
        for attempt in range(1, LOCK_ATTEMPTS + 1):
            try:
                with engine.begin() as connection:
                    if connection.dialect.name == "postgresql":
                        connection.execute(text(f"SELECT pg_advisory_xact_lock({_UPGRADING})"))
                        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
                    if standing_of(MigrationContext.configure(connection).get_current_revision()) != "behind":
                        return
                    config = _config()
                    config.attributes["connection"] = connection
                    command.upgrade(config, "head")
                return
            except OperationalError as failure:
                if getattr(failure.orig, "sqlstate", None) not in _IN_THE_WAY or attempt == LOCK_ATTEMPTS:
                    raise
                time.sleep(LOCK_SECONDS)
    finally:
        engine.dispose()


def standing(url: str) -> Standing:
    """How the database's tables stand to this version."""
    return standing_of(revision_of(url))


def standing_of(revision: str | None) -> Standing:
    """The same of a database's migration. They are numbered, so that a newer one is told from an older one."""
    needed = newest() or ""
    if revision == needed:
        return "current"
    return "ahead" if revision is not None and revision > needed else "behind"


def newest() -> str | None:
    """The migration that this version needs."""
    return max((script.name.partition("_")[0] for script in (_HERE / "versions").glob("[0-9]*_*.py")), default=None)


def revision_of(url: str) -> str | None:
    """The migration that a database has; None where it has none of our tables. One of `failures()` in trouble."""
    with closing(Connection(url)) as connection:
        there = {
            "sqlite": "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'",
            "postgresql": "SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL",
        }[connection.dialect]
        rows = connection.rows(there) and connection.rows("SELECT version_num FROM alembic_version")
        return str(rows[0][0]) if rows else None
