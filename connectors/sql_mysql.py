"""MariaDB and MySQL for the kind `sql`: a checked connection, how it is interrupted, what the driver's errors mean.

The account may hold SELECT, SHOW VIEW and USAGE and nothing else, whatever it is granted on: SHOW GRANTS is read on
every new connection, and what is not understood counts as leave to write. A role is such a thing: grant the rights to
the account itself. Beyond that the session is read-only, and the database ends what takes too long by itself.

PyMySQL puts the parameter into the statement itself, escaped; what is put in is thirteen digits.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.constants import CLIENT, CR, ER

from connectors.egress import allowed_address, is_loopback
from connectors.outcomes import Failure
from connectors.rest_auth import resolved
from connectors.source_tls import tls_context
from gateway.plugin import AgencyMisbehaved, AgencyTimeout, AgencyUnavailable, ConnectorSettings

_CONNECT_SECONDS: Final = 5
_STATEMENT_SECONDS: Final = 10
_GRANT: Final = re.compile(r"GRANT (?P<rights>.+?) ON (?P<what>.+?) TO .+", re.DOTALL)
_COLUMNS: Final = re.compile(r"\([^()]*\)")
_READING: Final = frozenset({"USAGE", "SELECT", "SHOW VIEW"})


class MysqlServer:
    """A MariaDB or MySQL server, spoken to with TLS unless it is on loopback or the settings say why not."""

    dialect = "mysql+pymysql"
    logs_statements = True

    def __init__(self, opened: ConnectorSettings) -> None:
        parts = urlsplit(opened.endpoint)
        self._host, self._port = parts.hostname or "", parts.port or 3306
        self._name = unquote(parts.path.strip("/"))
        self._settings: Mapping[str, Any] = opened.settings
        self._secret, self._allowed = opened.secret, opened.address_allowed

    def close(self) -> None:
        return None

    def connect(self, begun: Callable[[Any], None]) -> Any:
        account = self._settings["account"]
        seconds: int = self._settings.get("statement_seconds", _STATEMENT_SECONDS)
        connection: Any = pymysql.Connection(
            host=self._host,  # what a certificate must name; the socket is made below, to an address that is allowed
            port=self._port,
            user=resolved(self._secret, account["username"]),
            password=resolved(self._secret, account["password"]),
            database=self._name,
            charset="utf8mb4",
            autocommit=True,
            local_infile=False,
            client_flag=CLIENT.CONNECT_ATTRS,
            program_name="linkage",
            read_timeout=seconds + _CONNECT_SECONDS,
            write_timeout=_CONNECT_SECONDS,
            ssl=self._tls(),
            defer_connect=True,
        )
        address = allowed_address(self._host, self._port, self._allowed)
        pipe = socket.create_connection((address, self._port), timeout=_CONNECT_SECONDS)
        pipe.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection._sock = pipe
        try:
            begun(connection)
            connection.connect(pipe)
            self._prepare(connection, seconds)
        except BaseException:
            with contextlib.suppress(Exception):
                connection._force_close()
            pipe.close()
            raise
        return connection

    def interrupt(self, connection: Any) -> None:
        pipe = connection._sock
        with contextlib.suppress(OSError, AttributeError), socket.socket(fileno=os.dup(pipe.fileno())) as copy:
            copy.shutdown(socket.SHUT_RDWR)

    def _prepare(self, connection: Any, seconds: int) -> None:
        """Limits the session, and looks at what the account may do. Raises AgencyMisbehaved."""
        limit = f"max_statement_time = {seconds}"
        if "MariaDB" not in connection.get_server_info():
            limit = f"max_execution_time = {seconds * 1000}"
        with connection.cursor() as cursor:
            cursor.execute(f"SET SESSION {limit}")
            cursor.execute("SET SESSION TRANSACTION READ ONLY")
            cursor.execute("SHOW GRANTS")
            if not all(_reads_only(str(row[0])) for row in cursor.fetchall()):
                raise AgencyMisbehaved("account_can_write")

    def _tls(self) -> ssl.SSLContext | None:
        """None: encrypted where the server offers it, without asking who it is."""
        tls = self._settings.get("tls", {})
        if is_loopback(self._host) or "plaintext" in tls:
            return None
        return tls_context(tls, self._secret) or ssl.create_default_context()


def of_mysql(error: pymysql.Error) -> Failure:
    """What the driver's error means, by its number."""
    number = error.args[0] if error.args else 0
    if number in _LATE:
        return AgencyTimeout("late")
    if number in _CREDENTIALS:
        return AgencyMisbehaved("credentials")
    if number == CR.CR_SSL_CONNECTION_ERROR or isinstance(getattr(error, "original_exception", None), ssl.SSLError):
        return AgencyMisbehaved("certificate")
    if number in _UNAVAILABLE:
        return AgencyUnavailable("unavailable")
    if isinstance(error, pymysql.InternalError):
        return AgencyMisbehaved("not_a_database")
    return AgencyUnavailable("disconnected") if number in _LOST else AgencyMisbehaved("query")


_LATE: Final = frozenset({1969, 3024, ER.QUERY_INTERRUPTED})
"""max_statement_time exceeded (MariaDB), max_execution_time exceeded (MySQL)."""
_CREDENTIALS: Final = frozenset(
    {ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, ER.TABLEACCESS_DENIED_ERROR, ER.COLUMNACCESS_DENIED_ERROR, 1698}
)
_UNAVAILABLE: Final = frozenset({ER.CON_COUNT_ERROR, ER.SERVER_SHUTDOWN, ER.TOO_MANY_USER_CONNECTIONS, 1226})
_LOST: Final = frozenset({0, CR.CR_CONN_HOST_ERROR, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST})


def _reads_only(grant: str) -> bool:
    """Whether a line of SHOW GRANTS gives leave to read and no more."""
    told = _GRANT.fullmatch(grant)
    if told is None or "WITH GRANT OPTION" in grant:
        return False
    rights = {right.strip() for right in _COLUMNS.sub("", told["rights"]).split(",")}
    return rights <= _READING
