"""The databases that the kind `sql` asks: a checked connection to each, how one is interrupted, what their errors mean.

A PostgreSQL account is looked at on every new connection: one that could change a table, or is a superuser, is
not used; so is one of MariaDB or MySQL (connectors.sql_mysql). A SQLite file is opened read-only, with nothing but
SELECT authorised.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote, urlsplit

import psycopg
import pymysql
from sqlalchemy.exc import DBAPIError

from connectors.egress import allowed_address, is_loopback
from connectors.json_answer import CODECS, MAX_ANSWER
from connectors.outcomes import Failure
from connectors.rest_auth import resolved
from connectors.source_tls import InMemory
from connectors.sql_mysql import MysqlServer, of_mysql
from gateway.plugin import AgencyMisbehaved, AgencyTimeout, AgencyUnavailable, ConnectorSettings, SourceFault

_CONNECT_SECONDS: Final = 5
_STATEMENT_SECONDS: Final = 10

_CAN_WRITE: Final = """
SELECT (SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles WHERE rolname = current_user)
    OR pg_has_role(current_user, 'pg_write_all_data', 'MEMBER')
    OR has_database_privilege(current_database(), 'CREATE')
    OR EXISTS (SELECT 1 FROM pg_namespace n WHERE n.nspname <> 'information_schema'
               AND n.nspname NOT LIKE 'pg!_%' ESCAPE '!' AND has_schema_privilege(n.oid, 'CREATE'))
    OR EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relkind IN ('r', 'p', 'v', 'f') AND n.nspname <> 'information_schema'
               AND n.nspname NOT LIKE 'pg!_%' ESCAPE '!'
               AND (has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                    OR has_any_column_privilege(c.oid, 'INSERT, UPDATE')))
"""
"""Whether the account could change anything that is not its own temporary table."""


Begun = Callable[[Any], None]


class Database(Protocol):
    """One source's database."""

    dialect: str
    logs_statements: bool
    """Whether someone at the source may read what was asked: a server's log."""

    def close(self) -> None:
        """Lets go of what it holds besides connections."""
        ...

    def connect(self, begun: Begun) -> Any:
        """A new DBAPI connection, shown to be unable to write. Raises SourceFault or the driver's error.

        `begun` is told of it as soon as it can be interrupted.
        """
        ...

    def interrupt(self, connection: Any) -> None:
        """From another thread: ends what `connection` is waiting for, with an error there."""
        ...


def database(opened: ConnectorSettings) -> Database:
    """The database of a checked endpoint."""
    kinds: dict[str, Callable[[ConnectorSettings], Database]] = {"sqlite": SqliteFile, "mysql": MysqlServer}
    return kinds.get(urlsplit(opened.endpoint).scheme, PostgresServer)(opened)


class PostgresServer:
    """A PostgreSQL server, spoken to with TLS unless it is on loopback or the settings say why not."""

    dialect = "postgresql+psycopg"
    logs_statements = True

    def __init__(self, opened: ConnectorSettings) -> None:
        parts = urlsplit(opened.endpoint)
        self._host, self._port = parts.hostname or "", parts.port or 5432
        self._name = unquote(parts.path.strip("/"))
        self._settings: Mapping[str, Any] = opened.settings
        self._secret, self._allowed = opened.secret, opened.address_allowed
        self._files: dict[str, InMemory] = {}

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def connect(self, begun: Begun) -> Any:
        account = self._settings["account"]
        seconds = self._settings.get("statement_seconds", _STATEMENT_SECONDS)
        connection = psycopg.connect(
            host=self._host,
            hostaddr=allowed_address(self._host, self._port, self._allowed),
            port=self._port,
            dbname=self._name,
            user=resolved(self._secret, account["username"]),
            password=resolved(self._secret, account["password"]),
            client_encoding="utf8",
            connect_timeout=_CONNECT_SECONDS,
            autocommit=True,
            options=f"-c default_transaction_read_only=on -c statement_timeout={seconds * 1000}",
            application_name="linkage",
            **self._tls(),
        )
        try:
            begun(connection)
            row = connection.execute(_CAN_WRITE).fetchone()
        except BaseException:
            connection.close()
            raise
        if row is None or row[0] is not False:
            connection.close()
            raise AgencyMisbehaved("account_can_write")
        return connection

    def interrupt(self, connection: Any) -> None:
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as pipe:
            pipe.shutdown(socket.SHUT_RDWR)

    def _tls(self) -> dict[str, Any]:
        tls = self._settings.get("tls", {})
        if is_loopback(self._host) or "plaintext" in tls:
            return {"sslmode": "prefer"}
        told = {"sslmode": "verify-full", "sslrootcert": "system"}
        for name, parameter in (("ca", "sslrootcert"), ("certificate", "sslcert"), ("key", "sslkey")):
            if name in tls:
                told[parameter] = self._file(name, resolved(self._secret, tls[name]))
        return told

    def _file(self, name: str, pem: str) -> str:
        """A path under which libpq reads it; it stays in memory."""
        if name not in self._files:
            self._files[name] = InMemory(pem + "\n")
        return self._files[name].path


class SqliteFile:
    """A SQLite file inside the folder that the gateway's own operator has named."""

    dialect = "sqlite"
    logs_statements = False

    def __init__(self, opened: ConnectorSettings) -> None:
        self._path = Path(unquote(urlsplit(opened.endpoint).path[1:]))
        self._settings = opened.settings
        self._secret = opened.secret

    def close(self) -> None:
        return None

    def connect(self, begun: Begun) -> Any:
        folder = Path(resolved(self._secret, self._settings["folder"])).resolve()
        path = self._path.resolve()
        if not path.is_relative_to(folder):
            raise AgencyUnavailable("file_not_allowed")
        connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode=ro", uri=True, check_same_thread=False, timeout=1.0, isolation_level=None
        )
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ANSWER)
        codec = CODECS[self._settings.get("charset", "utf-8")]
        connection.text_factory = lambda raw: raw.decode(codec)
        connection.execute("PRAGMA query_only = ON").close()
        connection.set_authorizer(_only_select)
        return connection

    def interrupt(self, connection: Any) -> None:
        with contextlib.suppress(sqlite3.Error):
            connection.interrupt()


def failure_of(error: BaseException) -> Failure:
    """What a driver's error means. Its text may quote the query and its parameters, and ends here."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig
    for kind, meaning in _DRIVERS:
        if isinstance(error, kind):
            return meaning(error)
    for plain, failure, fault in _PLAIN:
        if isinstance(error, plain):
            return failure(fault)
    return AgencyMisbehaved("query")


def _of_postgres(error: psycopg.Error) -> Failure:
    if isinstance(error, psycopg.errors.QueryCanceled):
        return AgencyTimeout("late")
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return AgencyMisbehaved("credentials")
    if not isinstance(error, psycopg.OperationalError):
        return AgencyMisbehaved("query")
    return _of_connection(str(error)) if error.sqlstate is None else AgencyUnavailable("unavailable")


def _of_connection(told: str) -> Failure:
    """libpq tells a failed connection in words only; they are looked at, and not passed on."""
    if "authentication failed" in told or "pg_hba.conf" in told:
        return AgencyMisbehaved("credentials")
    if "certificate" in told or "SSL" in told:
        return AgencyMisbehaved("certificate")
    return AgencyUnavailable("refused" if "refused" in told else "disconnected")


def _of_sqlite(error: sqlite3.Error) -> Failure:
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_INTERRUPT:
        return AgencyTimeout("late")
    if code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR):
        return AgencyUnavailable("unavailable")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return AgencyMisbehaved("not_a_database")
    return AgencyMisbehaved("too_large" if code == sqlite3.SQLITE_TOOBIG else "query")


_SELECTING: Final = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})


def _only_select(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action in _SELECTING or (action == sqlite3.SQLITE_FUNCTION and second != "load_extension"):
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and first == "read_uncommitted" and second is None:  # SQLAlchemy reads it
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


_DRIVERS: Final[tuple[tuple[type[Exception], Callable[[Any], Failure]], ...]] = (
    (psycopg.Error, _of_postgres),
    (pymysql.Error, of_mysql),
    (sqlite3.Error, _of_sqlite),
)
_PLAIN: Final[tuple[tuple[type[Exception], type[SourceFault], str], ...]] = (
    (UnicodeDecodeError, AgencyMisbehaved, "charset"),
    (socket.gaierror, AgencyUnavailable, "dns"),
    (ssl.SSLError, AgencyMisbehaved, "certificate"),
    (ConnectionRefusedError, AgencyUnavailable, "refused"),
    (OSError, AgencyUnavailable, "disconnected"),
)
"""The first that fits says what it means; the narrower stand before the wider."""
