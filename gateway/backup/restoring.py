"""Bringing a backup back into an empty database, and proving its log before it counts.

    1 read     the manifest, and that the rows and the archive's files are the ones it tells of
    2 fit      the key files are those of the log that was backed up
    3 fill     an empty database, in one transaction
    4 prove    every entry, archived or not, tile and checkpoint, the manifest's size and root, and every checkpoint
               that was seen: one of another root is a fork, one of a larger log means that entries are lost
    5 close    where the log gets another name: an entry says what log it goes on from, and what of it is lost
    6 place    the archive's files where the settings say, and prove it there
    7 commit

A log that lost entries never goes on under its own name: what it would sign next, somebody has seen otherwise. Under
another name (`LINKAGE_LOG_ORIGIN`) it begins with what is left, and says so itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag

from gateway.backup.archived import archive_to_prove, place_archive, renamed
from gateway.backup.manifest import TABLES, BadBackup, Manifest
from gateway.backup.rows import read_rows, tables
from gateway.backup.taking import pseudonym_checks, read_backup
from gateway.backup.witnessed import Seen, largest
from gateway.exchangelog import ExchangeLog
from gateway.exchangelog.checkpoints import Signed, sign_checkpoint
from gateway.exchangelog.tree import Tree
from gateway.exchangelog.vault import UnknownMaster, Vault, month_of
from gateway.keys import Keys
from gateway.model import now
from gateway.settings import Settings
from gateway.store import Connection, PutCheckpoint, Store
from gateway.store.batch import Request, load, take, write
from gateway.store.migrate import newest, revision_of, upgrade
from gateway.tlog.merkle import tree_root
from gateway.tlog.note import NoteError, Signer, VerifierKey, parse_key
from gateway.verification.database import verify_state
from gateway.verification.findings import Report
from gateway.verification.keys import led_to


class NotEmpty(Exception):
    """The database that was to be filled holds something."""


class NotProved(Exception):
    """The restored log is not the one that was signed. `report` names what differs."""

    def __init__(self, report: Report) -> None:
        super().__init__("the restored log does not hold")
        self.report = report


class Behind(Exception):
    """The backup lacks entries `first` to `last` of the log that `seen` tells of."""

    def __init__(self, first: int, last: int, seen: Seen) -> None:
        super().__init__(f"the backup lacks entries {first} to {last}, which {seen.by} has seen")
        self.first = first
        self.last = last
        self.seen = seen


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `lost`: how many entries are known to be lost; `vkey`: what its checkpoints verify with now."""

    manifest: Manifest
    witnessed: Seen | None
    lost: int
    origin: str
    vkey: str
    report: Report


def log_keys(manifest: Manifest, keys: Keys) -> list[VerifierKey]:
    """Step 2: the verifier key of the log that was backed up, and those that took its place since.

    BadBackup where the key files are not its own, nor lead on from its own: the gateway takes such up when it starts.
    """
    own = Signer(manifest.origin, keys.log_key()).verifier
    try:
        then = parse_key(manifest.vkey)
    except NoteError:
        raise BadBackup("its manifest names no verifier key") from None
    chain = led_to(keys.succession_of_log, then)
    if own not in chain:
        raise BadBackup("log.jwk is not the key that signed this log: restore the key files of then first")
    if manifest.pseudonym_check not in pseudonym_checks(keys):
        raise BadBackup("pseudonym.key is not the one of then: nobody in this log would be found again")
    return chain[: chain.index(own) + 1]


def restore(settings: Settings, folder: Path, seen: Sequence[Seen], *, reason: str = "") -> Restored:
    """Fills the settings' database, and the folder of its archive, from a backup, or leaves the database empty.

    `seen`: verified checkpoints of the log as it was before. `reason`: why the log goes on under another name. Raises
    BadBackup, NotEmpty, NotProved, Behind, AlreadyInUse, KeyFileError, a database's failure.
    """
    manifest = read_backup(folder)  # 1
    archive = archive_to_prove(folder, manifest, settings.log_archive)
    keys = Keys.load(settings.keys)
    old = log_keys(manifest, keys)[0]  # 2
    if manifest.migration != newest():
        raise BadBackup(
            f"it was made by version {manifest.program} with tables {manifest.migration}: restore it with that "
            "version, then upgrade"
        )
    store = Store(settings.database)  # holds the lock of an embedded database: no gateway may start meanwhile
    try:
        if revision_of(settings.database) != newest():
            upgrade(settings.database)
        connection = Connection(settings.database)
        try:
            connection.begin()
            _fill(connection, folder)  # 3
            report = _proved(connection, manifest, old, keys, seen, archive)  # 4
            new, lost, signed = _continued(connection, settings, manifest, keys, store, largest(seen), reason)  # 5
            if settings.log_archive is not None:  # 6
                place_archive(folder, manifest, settings.log_archive, connection, old)
            with renamed(connection, settings.log_archive, signed):
                connection.commit()  # 7
        except BaseException:
            connection.rollback()
            raise
        finally:
            connection.close()
    finally:
        store.close()
    return Restored(manifest, largest(seen), lost, new.name, str(new), report)


def _fill(connection: Connection, folder: Path) -> None:
    if connection.dialect == "postgresql":
        connection.run("SET statement_timeout = 0")
    for name in ("log_entries", "registers"):
        if connection.rows(f"SELECT 1 FROM {name} LIMIT 1"):  # noqa: S608
            raise NotEmpty("the database is not empty: restore into a new one")
    for table in tables():
        connection.run(f"DELETE FROM {table.name}")  # noqa: S608 - the rows that a new database begins with
    for table, page in read_rows(folder / TABLES):
        names = [column.name for column in table.columns]
        connection.many(
            f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",  # noqa: S608
            page,
        )


def _proved(
    connection: Connection,
    manifest: Manifest,
    key: VerifierKey,
    keys: Keys,
    seen: Sequence[Seen],
    archive: Path | None,
) -> Report:
    """Step 4; the report of a log that holds as far as it goes. NotProved otherwise."""
    try:
        report = verify_state(connection, key, keys.master, archive=archive)
    except (InvalidTag, UnknownMaster):
        raise BadBackup("master.key does not open its months' keys: restore the key files of then first") from None
    (size,) = connection.rows("SELECT size FROM head WHERE id = 1")[0]
    if size != manifest.size:
        report.fault("manifest", f"it tells of {manifest.size} entries, and there are {size}")
    if report.good:
        subtree = Tree(connection).subtree
        if tree_root(size, subtree).hex() != manifest.root:
            report.fault("manifest", "its root is not that of the entries")
        for one in seen:
            place = f"checkpoint {one.checkpoint.size}"
            if one.checkpoint.size <= size and tree_root(one.checkpoint.size, subtree) != one.checkpoint.root:
                report.fault(place, f"the log is another than the one that {one.by} has seen: a fork")
    if not report.good:
        raise NotProved(report)
    return report


def _continued(
    connection: Connection,
    settings: Settings,
    manifest: Manifest,
    keys: Keys,
    store: Store,
    seen: Seen | None,
    why: str,
) -> tuple[VerifierKey, int, Signed | None]:
    """Step 5: the key under which the log goes on, how many entries are lost, and the first checkpoint of another name.

    Behind where it may not go on.
    """
    signer = Signer(settings.origin, keys.log_key())
    lost = max(0, seen.checkpoint.size - manifest.size) if seen is not None else 0
    if signer.name == manifest.origin:
        if lost and seen is not None:
            raise Behind(manifest.size, seen.checkpoint.size - 1, seen)
        return signer.verifier, 0, None
    if str(Signer(manifest.origin, keys.log_key()).verifier) != manifest.vkey:
        # The first checkpoint under the other name would be signed by a key of which the registers do not know yet.
        raise BadBackup("log.jwk took another's place since: under another name only the key files of then go on")
    moment, vault = now(), Vault(keys.master)
    if vault.open(connection, month_of(moment)) is None:
        _append(connection, Request([], [vault.fresh(month_of(moment))], {}))
        vault.open(connection, month_of(moment))
    log = ExchangeLog(store, keys, origin=signer.name, gateway=settings.gateway_name, vault=vault)
    entry = log.draft(
        "log.continued",
        moment,
        content={
            "from": {"origin": manifest.origin, "vkey": manifest.vkey, "checkpoint": manifest.checkpoint or None},
            "backup": {"made_at": manifest.made_at, "size": manifest.size, "root": manifest.root},
            "witnessed": seen and {"by": seen.by, "size": seen.checkpoint.size, "checkpoint": seen.note},
            "lost": lost,
            "reason": why,
        },
    )
    # What was signed under the old name stays in the backup, and the newest of it in this entry.
    connection.run("DELETE FROM cosignatures")
    connection.run("DELETE FROM checkpoints")
    _append(connection, Request([entry], [], {}))
    size = manifest.size + 1
    signed = sign_checkpoint(signer, size, tree_root(size, Tree(connection).subtree))
    _append(connection, Request([], [PutCheckpoint(size, signed.root, signed.note, int(time.time()))], {}))
    return signer.verifier, lost, signed


def _append(connection: Connection, request: Request) -> None:
    """The one append, within the transaction that fills the database."""
    state = load(connection, [request])
    take(state, request)
    write(connection, state)
