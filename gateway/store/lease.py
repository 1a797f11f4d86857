"""A gateway's name, held by one process at a time among all that share a PostgreSQL database.

A restart closes what its own name left open (`gateway.recovery`), so two processes of one name would close each
other's exchanges under way. The name is a row with the holder's boot, that it beats while it lives. A second process
watches the row for a moment: where it beats, the name is taken; where it does not, the holder is dead and the name
lapses. Times are the database's, so that no machine's clock matters.

With SQLite the lock on the file does all of this, and more (`gateway.store.AlreadyInUse`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable
from typing import Any

from gateway.store.connection import SILENT_SECONDS, Connection, failures, sqlite_file

BEAT_SECONDS = 1.0
LAPSE_SECONDS = 4.0
"""So long after its last beat a holder counts as dead. While the database is away nobody can take a name either."""
WATCH_SECONDS = 0.25
_NOW = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"


class NameTaken(Exception):
    """Another gateway of this name lives."""


class Lease:
    """One process's hold on its name. `owner`: who may take over at once: a supervisor that saw its worker end."""

    def __init__(self, url: str, name: str, *, boot: str, owner: str) -> None:
        self._url = url
        self._row = (name, boot, owner, socket.gethostname()[:255])
        self._connection: Connection | None = None

    def take(self) -> None:
        """Holds the name from now on; waits for a dead holder's to lapse. NameTaken, or one of `failures()`."""
        name, _, _, _ = self._row
        seen: int | None = None
        with contextlib.closing(Connection(self._url)) as connection:
            while not self._taken(connection):
                held = connection.rows("SELECT host, beat FROM gateways WHERE name = ?", (name,))
                if held and seen is not None and held[0][1] > seen:
                    raise NameTaken(
                        f"a gateway named {name} lives already, on {held[0][0]}: give each process a "
                        "LINKAGE_GATEWAY_NAME of its own"
                    )
                seen = held[0][1] if held and seen is None else seen
                time.sleep(WATCH_SECONDS)

    def beat(self) -> bool:
        """Says that the holder lives; False where another has the name by now. One of `failures()` in trouble."""
        name, boot, _, _ = self._row
        if self._connection is None:
            self._connection = Connection(self._url)
        try:
            statement = f"UPDATE gateways SET beat = {_NOW} WHERE name = ? AND boot = ? RETURNING name"  # noqa: S608
            return bool(self._connection.rows(statement, (name, boot)))
        except failures():
            broken, self._connection = self._connection, None
            with contextlib.suppress(*failures()):
                broken.close()
            raise

    def release(self) -> None:
        """Gives the name back; quiet where the database is away: it lapses then."""
        name, boot, _, _ = self._row
        with contextlib.suppress(*failures()):
            if self._connection is None:
                self._connection = Connection(self._url)
            self._connection.run("DELETE FROM gateways WHERE name = ? AND boot = ?", (name, boot))
            self._connection.close()

    async def keep(self, lost: Callable[[], None]) -> None:
        """Beats for ever; calls `lost` and ends where another has taken the name."""
        while True:
            await asyncio.sleep(BEAT_SECONDS)
            silent = asyncio.get_running_loop().call_later(SILENT_SECONDS, self._hang_up)
            try:
                if not await asyncio.to_thread(self.beat):
                    lost()
                    return
            except failures():  # the database is away: nothing is exchanged meanwhile, and nobody takes the name
                continue
            finally:
                silent.cancel()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.hang_up()

    def _taken(self, connection: Connection) -> bool:
        statement = (
            f"INSERT INTO gateways (name, boot, owner, host, beat) VALUES (?, ?, ?, ?, {_NOW}) "  # noqa: S608
            "ON CONFLICT (name) DO UPDATE SET boot = excluded.boot, owner = excluded.owner, host = excluded.host, "
            f"beat = excluded.beat WHERE gateways.owner = excluded.owner OR gateways.beat <= {_NOW} - ? RETURNING name"
        )
        parameters: tuple[Any, ...] = (*self._row, int(LAPSE_SECONDS * 1000))
        return bool(connection.rows(statement, parameters))


def lease_for(url: str, name: str, *, boot: str, owner: str) -> Lease | None:
    """The lease on a name, where the database is one that several may share."""
    if sqlite_file(url) is not None:
        return None
    return Lease(url, name, boot=boot, owner=owner)
