"""Taking a backup, while the gateway serves: one read transaction sees one moment, and holds nobody up."""

from __future__ import annotations

from pathlib import Path

from gateway import __version__
from gateway.backup.archived import take_archive
from gateway.backup.manifest import FORMAT, MANIFEST, TABLES, BadBackup, Manifest
from gateway.backup.rows import digest_of, write_rows
from gateway.exchangelog.checkpoints import latest_in
from gateway.exchangelog.tree import Tree
from gateway.keys import Keys
from gateway.model import now, timestamp
from gateway.settings import Settings
from gateway.store import Connection
from gateway.store.migrate import newest, revision_of
from gateway.tlog.merkle import tree_root
from gateway.verification.database import key_in_use


def take_backup(settings: Settings, folder: Path, *, archive_apart: bool = False) -> Manifest:
    """Writes a backup into `folder`, which is new or empty. BadBackup, OSError, KeyFileError, a database's failure.

    `archive_apart`: of the log's archive, the files' digests alone.
    """
    keys = Keys.load(settings.keys)
    if revision_of(settings.database) != newest():
        raise BadBackup("the database is of another version than this program, or was never set up")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(folder.iterdir()):
        raise BadBackup(f"{folder} is not empty")
    connection = Connection(settings.database, read_only=True)
    try:
        with connection.one_state():
            key = key_in_use(connection, settings.origin, keys)
            (size,) = connection.rows("SELECT size FROM head WHERE id = 1")[0]
            root = tree_root(size, Tree(connection).subtree)
            checkpoint = _newest_checkpoint(connection)
            counts, digest = write_rows(connection, folder / TABLES)
            archive = take_archive(connection, settings.log_archive, folder, key, apart=archive_apart)
    finally:
        connection.close()
    manifest = Manifest(
        format=FORMAT,
        made_at=timestamp(now()),
        program=__version__,
        migration=newest() or "",
        database=connection.dialect,
        origin=settings.origin,
        vkey=str(key),
        size=size,
        root=root.hex(),
        checkpoint=checkpoint,
        pseudonym_check=pseudonym_check(keys),
        rows=counts,
        sha256=digest,
        archive=archive,
    )
    manifest.write(folder)
    return manifest


def pseudonym_check(keys: Keys) -> str:
    """What tells one pseudonym key from another, and nothing of either."""
    return pseudonym_checks(keys)[0]


def pseudonym_checks(keys: Keys) -> list[str]:
    """Of the pseudonym key in use, and of those before: a backup may be from their time."""
    return [key.hex() for key in keys.derive_all("backup/check")]


def read_backup(folder: Path) -> Manifest:
    """The manifest of a backup whose rows are all there. BadBackup."""
    manifest = Manifest.read(folder)
    try:
        whole = digest_of(folder / TABLES) == manifest.sha256
    except OSError:
        raise BadBackup(f"its {TABLES} cannot be read") from None
    if not whole:
        raise BadBackup(f"its {TABLES} is not the one that {MANIFEST} tells of: damaged, or of another backup")
    return manifest


def _newest_checkpoint(connection: Connection) -> str:
    latest = latest_in(connection)
    if latest is None:
        return ""
    rows = connection.rows("SELECT line FROM cosignatures WHERE size = ? ORDER BY witness", (latest.size,))
    return latest.note + "".join(row[0] for row in rows)
