"""What a witness keeps: its own key, the logs it knows, and the newest checkpoint of each that it cosigned.

One SQLite file, every commit on disk before it returns. Looking at the newest checkpoint and replacing it is
one transaction, so that two requests at once cannot roll a log back.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.keys import ed25519, new_key, read_key, write_key
from gateway.tlog.note import COSIGNATURE, ED25519, NoteError, Signer, VerifierKey, parse_key

_TABLES = """
CREATE TABLE IF NOT EXISTS logs (origin TEXT NOT NULL, vkey TEXT NOT NULL, PRIMARY KEY (origin, vkey)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest (
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL
) WITHOUT ROWID;
"""
_BUSY_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest checkpoint of a log that this witness cosigned. `note`: with the log's signature and ours."""

    size: int
    root: bytes
    note: str


class WitnessState:
    """A witness's directory. Safe to use from several threads and processes: each call opens the file anew."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key_file = directory / "witness.jwk"
        self._name_file = directory / "name"
        self._database = directory / "witness.db"
        with self._open() as connection:
            connection.executescript(_TABLES)

    def signer(self, name: str | None = None) -> Signer:
        """The witness's own key, made at the first call; NoteError where `name` is not the one it was made with."""
        if not self._key_file.exists():
            write_key(self._key_file, new_key("EdDSA"))
        private = ed25519(read_key(self._key_file))
        held = self._name_file.read_text(encoding="utf-8").strip() if self._name_file.exists() else None
        if held is None:
            held = name or f"linkage-witness/{read_key(self._key_file)['kid'][:12]}"
            signer = Signer(held, private, COSIGNATURE)
            parse_key(str(signer.verifier))  # a name that no note can carry is refused before it is kept
            self._name_file.write_text(held + "\n", encoding="utf-8")
        if name not in (None, held):
            raise NoteError(f"this witness is called {held}")
        return Signer(held, private, COSIGNATURE)

    def add(self, key: VerifierKey) -> None:
        """One more log, or one more key of a log, by its verifier key; the origin is the key's name."""
        if key.kind != ED25519:
            raise NoteError("a log's verifier key is of type Ed25519")
        with self._open() as connection:
            connection.execute("INSERT OR IGNORE INTO logs (origin, vkey) VALUES (?, ?)", (key.name, str(key)))

    def logs(self) -> list[VerifierKey]:
        """Every log's keys."""
        with self._open() as connection:
            rows = connection.execute("SELECT vkey FROM logs ORDER BY origin, vkey").fetchall()
        return [parse_key(row[0]) for row in rows]

    def latest_of(self, origin_digest: str) -> Latest | None:
        """The newest checkpoint of the log whose origin has this SHA-256, in hex."""
        with self._open() as connection:
            connection.create_function("origin_digest", 1, _digest, deterministic=True)
            rows = connection.execute(
                "SELECT size, root, note FROM latest WHERE origin_digest(origin) = ?", (origin_digest,)
            ).fetchall()
        return Latest(*rows[0]) if rows else None

    @contextmanager
    def turn(self, origin: str) -> Iterator[Turn]:
        """One request's turn with one log: nobody else looks at it or changes it meanwhile."""
        with self._open() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield Turn(connection, origin)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")  # on disk when this returns

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._database, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            yield connection
        finally:
            connection.close()


class Turn:
    """One log, for as long as a request takes."""

    def __init__(self, connection: sqlite3.Connection, origin: str) -> None:
        self._connection = connection
        self._origin = origin

    def keys(self) -> list[VerifierKey]:
        """The log's verifier keys; none where the log is unknown."""
        rows = self._connection.execute("SELECT vkey FROM logs WHERE origin = ?", (self._origin,)).fetchall()
        return [parse_key(row[0]) for row in rows]

    def latest(self) -> Latest | None:
        """The newest checkpoint that was cosigned."""
        rows = self._connection.execute(
            "SELECT size, root, note FROM latest WHERE origin = ?", (self._origin,)
        ).fetchall()
        return Latest(*rows[0]) if rows else None

    def put(self, latest: Latest) -> None:
        """From the end of the turn on, this is the newest."""
        self._connection.execute(
            "INSERT INTO latest (origin, size, root, note) VALUES (?, ?, ?, ?) ON CONFLICT (origin) "
            "DO UPDATE SET size = excluded.size, root = excluded.root, note = excluded.note",
            (self._origin, latest.size, latest.root, latest.note),
        )


def _digest(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()
