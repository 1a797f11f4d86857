"""The log's archive in a backup: its files, or, where those are backed up by other means, their digests alone.

    DIR/archive.sha256    the SHA-256 of each file, as sha256sum writes and checks them
    DIR/archive/…         the files as they lie in the archive; none with --archive-apart

But for archive.json, which says how far it goes, no file of an archive changes once it is written. So the digests hold
for a folder that has grown since, and a restore never writes over a file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.backup.manifest import BadBackup, HeldArchive
from gateway.backup.manifest import Manifest as Backup
from gateway.exchangelog.archive import MANIFEST, BadArchive, Manifest, archived_from, files_of, read_sealed, write_file
from gateway.exchangelog.checkpoints import Signed
from gateway.exchangelog.tree import Tree
from gateway.keys import write_private
from gateway.store import Connection
from gateway.tlog.merkle import consistency_proof
from gateway.tlog.note import VerifierKey
from gateway.tlog.tiles import WIDTH
from gateway.verification.database import check_archive
from gateway.verification.findings import Report

FOLDER = "archive"
DIGESTS = "archive.sha256"


def take_archive(
    connection: Connection, archive: Path | None, folder: Path, key: VerifierKey, *, apart: bool
) -> HeldArchive | None:
    """Takes the archive of the log that `connection` sees into a backup; None where nothing was archived.

    Called within the state of the rows: what has left the database by then is in the archive. BadBackup, OSError.
    """
    try:
        manifest = Manifest.read(archive) if archive is not None else None
        if archive is None or manifest is None:
            gone = archived_from(connection, 0)
            if gone is not None:
                raise BadBackup(
                    f"the contents of entry {gone} are in the log's archive: name its folder with LINKAGE_LOG_ARCHIVE"
                )
            return None
        (size,) = connection.rows("SELECT size FROM head WHERE id = 1")[0]
        if manifest.entries > size:
            raise BadBackup("the log was archived meanwhile, further than this backup goes: take it again")
        digests, length = [], 0
        for path in files_of(manifest.entries):
            content = (archive / path).read_bytes()
            digests.append(f"{hashlib.sha256(content).hexdigest()}  {path}\n")
            length += len(content)
            if not apart:
                write_private(folder / FOLDER / path, content)
        if not apart:
            manifest.write(folder / FOLDER)  # the one that was read: an archive may grow meanwhile
        kept = archive if apart else folder / FOLDER
        for number in range(manifest.entries // WIDTH):
            read_sealed(kept, number)
        _check(connection, key, kept)
    except BadArchive as bad:
        raise BadBackup(f"the log's archive does not hold: {bad}") from None
    except FileNotFoundError as error:
        raise BadBackup(f"the log's archive lacks {Path(error.filename).name}") from None
    listed = "".join(digests).encode()
    write_private(folder / DIGESTS, listed)
    return HeldArchive(
        manifest.entries, manifest.root.hex(), len(digests), length, hashlib.sha256(listed).hexdigest(), not apart
    )


def archive_to_prove(folder: Path, backup: Backup, archive: Path | None) -> Path | None:
    """Where the archive of a backup lies whole, before it counts: in the backup, or in `archive`, the settings' own.

    BadBackup where a file is missing or another, where there is no folder for it, or where the one that is there is
    another log's or holds entries that the backup lacks.
    """
    there = _there(archive)
    if there is not None and there.origin != backup.origin and backup.archive is not None and not backup.archive.held:
        raise BadBackup(f"the folder of LINKAGE_LOG_ARCHIVE is the archive of another log: {there.origin}")
    if there is not None and there.entries > backup.size:
        raise BadBackup(
            f"the archive in LINKAGE_LOG_ARCHIVE has {there.entries} entries, more than the backup's {backup.size}: "
            "it holds what the backup lacks. Keep it, and name another folder: with the archive as it was then, where "
            "that was backed up apart"
        )
    if backup.archive is None:
        return archive
    if archive is None:
        raise BadBackup(
            f"the contents of its first {backup.archive.entries} entries are in the log's archive: name the folder "
            "where it is to lie with LINKAGE_LOG_ARCHIVE"
        )
    source = folder / FOLDER if backup.archive.held else archive
    for path, digest in _listed(folder, backup.archive):
        if _digest(source / path) != digest:
            where = "its archive" if backup.archive.held else "the archive in LINKAGE_LOG_ARCHIVE"
            raise BadBackup(f"{where} lacks {path}, or has another than was backed up")
    found = _there(source)
    if found is None or found.entries < backup.archive.entries:
        raise BadBackup(f"{source / MANIFEST} is not there, or is older than the backup")
    return source


def place_archive(folder: Path, backup: Backup, archive: Path, connection: Connection, key: VerifierKey) -> None:
    """Puts the files of a backup where the gateway reads them, and proves what lies there then. BadBackup.

    A folder whose archive has grown since keeps what it has.
    """
    held = backup.archive
    if held is None or not held.held:
        return
    for path, digest in _listed(folder, held):
        found = _digest(archive / path)
        if found is None:
            write_file(archive / path, (folder / FOLDER / path).read_bytes())
        elif found != digest:
            raise BadBackup(f"the folder of LINKAGE_LOG_ARCHIVE has another {path}: name a new one")
    there = _there(archive)
    if there is None or there.origin != backup.origin or there.entries < held.entries:
        write_file(archive / MANIFEST, (folder / FOLDER / MANIFEST).read_bytes())
    _check(connection, key, archive)


@contextmanager
def renamed(connection: Connection, archive: Path | None, signed: Signed | None) -> Iterator[None]:
    """Makes an archive the beginning of the log as it goes on under another name, which `signed` is of.

    Undone where what is done within fails, so that it can be tried again.
    """
    there = _there(archive)
    if archive is None or there is None or signed is None:
        yield
        return
    proof = tuple(consistency_proof(there.entries, signed.size, Tree(connection).subtree))
    Manifest(signed.origin, there.entries, there.root, signed.note, proof).write(archive)
    try:
        yield
    except BaseException:
        there.write(archive)
        raise


def _check(connection: Connection, key: VerifierKey, archive: Path) -> None:
    report = Report()
    check_archive(connection, key, archive, report)
    if not report.good:
        first = report.findings[0]
        raise BadBackup(f"the log's archive does not hold: {first.place}: {first.what}")


def _there(archive: Path | None) -> Manifest | None:
    try:
        return Manifest.read(archive) if archive is not None else None
    except BadArchive as bad:
        raise BadBackup(f"{archive} is no archive: {bad}") from None


def _listed(folder: Path, held: HeldArchive) -> Iterator[tuple[str, str]]:
    """Each file that the archive has to have, with its digest. BadBackup."""
    try:
        listed = (folder / DIGESTS).read_bytes()
    except OSError:
        raise BadBackup(f"its {DIGESTS} cannot be read") from None
    lines = listed.decode(errors="replace").splitlines()
    paths = list(files_of(held.entries))
    if hashlib.sha256(listed).hexdigest() != held.sha256 or [line[66:] for line in lines] != paths:
        raise BadBackup(f"its {DIGESTS} is not the one that its manifest tells of")
    return zip(paths, (line[:64] for line in lines), strict=True)


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
