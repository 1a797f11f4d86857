"""What the agencies without a service of their own share: a sandbox that is a database.

    python -m connectors.<agency>.sandbox --port N --state DIR [--seed N] [--database postgresql://…]

It makes the database, then prints the ready line with the database's URL in place of a port
(`{"ready": true, "url": "sqlite:////…", "pid": N}`), which is the connector's endpoint, and stays until SIGTERM
or until its parent ends. `--port` is taken and not used, so that every sandbox is started alike.

SQLite: DIR/<agency>.sqlite. The gateway reads it only if SOURCE_<AGENCY>__DATABASE_FOLDER names DIR (or a folder
around it). PostgreSQL: the URL is an administrator's; the tables are made anew in that database, and an account of
SOURCE_<AGENCY>__USERNAME and SOURCE_<AGENCY>__PASSWORD that may do nothing but read them. The ready line's URL is
then without account.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg
from psycopg import sql

from connectors.population import Person, population
from connectors.sandbox import arguments, needed

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns as SQL that PostgreSQL and SQLite both take, and a person's rows."""

    name: str
    columns: str
    rows: Callable[[Person], Sequence[Row]]


def run_database(agency: str, tables: tuple[Table, ...]) -> None:
    """Makes the database and stays until SIGTERM, or until the parent process is gone."""
    parser = arguments("A sandbox agency that is a database, with made-up people only.")
    parser.add_argument("--database", default="", help="an administrator's URL of a PostgreSQL database")
    given = parser.parse_args()
    given.state.mkdir(parents=True, exist_ok=True)
    rows = {table.name: [row for one in population(given.seed).values() for row in table.rows(one)] for table in tables}
    if given.database:
        variable = f"SOURCE_{agency.upper().replace('-', '_')}__"
        url = _postgres(given.database, tables, rows, needed(f"{variable}USERNAME"), needed(f"{variable}PASSWORD"))
    else:
        url = _sqlite(given.state.resolve() / f"{agency}.sqlite", tables, rows)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    signal.signal(signal.SIGINT, lambda *_: ended.set())
    parent = os.getppid()
    print(orjson.dumps({"ready": True, "url": url, "pid": os.getpid()}).decode(), flush=True)
    while not ended.wait(0.5) and os.getppid() == parent:
        time.sleep(0)


def _sqlite(path: Path, tables: tuple[Table, ...], rows: dict[str, list[Row]]) -> str:
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    for table in tables:
        connection.execute(f"CREATE TABLE {table.name} ({table.columns})")
        places = ", ".join("?" * (table.columns.count(",") + 1))
        connection.executemany(f"INSERT INTO {table.name} VALUES ({places})", rows[table.name])  # noqa: S608
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


def _postgres(url: str, tables: tuple[Table, ...], rows: dict[str, list[Row]], username: str, password: str) -> str:
    with psycopg.connect(url) as connection:
        account = sql.Identifier(username)
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (username,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(account, sql.Literal(password)))
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        for table in tables:
            name = sql.Identifier(table.name)
            connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
            connection.execute(f"CREATE TABLE {table.name} ({table.columns})".encode())
            places = sql.SQL(", ").join(sql.Placeholder() * (table.columns.count(",") + 1))
            with connection.cursor() as cursor:
                cursor.executemany(sql.SQL("INSERT INTO {} VALUES ({})").format(name, places), rows[table.name])
            connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(name, account))
        info = connection.info
        return f"postgresql://{info.host or '127.0.0.1'}:{info.port}/{info.dbname}"
