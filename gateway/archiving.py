"""`linkage log archive`: the log's older part moved from the database into a folder, in this order:

    1 choose   whole bundles whose entries are all of months up to the one given, and in a signed checkpoint
    2 write    entries, hashes and sealed contents, each file on disk before the next
    3 prove    all of it read back: the entries make a root that is the beginning of the checkpoint; every sealed
               content is, byte by byte, what the database has, and opens to what its entry commits to
    4 note     how far the archive goes, with the proof
    5 take out the sealed contents and the lowest row of tiles, in slices

Interrupted anywhere, it is run again: nothing is taken out that was not proved.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.exchangelog.archive import (
    BadArchive,
    Manifest,
    read_sealed,
    root_of_archive,
    sealed_file,
    sealed_path,
    write_file,
)
from gateway.exchangelog.checkpoints import latest_in
from gateway.exchangelog.entry import BrokenEntry, open_entry
from gateway.exchangelog.tree import Tree
from gateway.exchangelog.vault import Vault
from gateway.store import Connection
from gateway.tlog.merkle import consistency_proof, leaf_hashes, tree_root
from gateway.tlog.note import VerifierKey
from gateway.tlog.tiles import WIDTH, Tile, bundle

SLICE = 16
"""So many bundles are taken out of the database at a time."""


@dataclass(frozen=True, slots=True)
class Archived:
    """What was done: entries in the archive now, how many of them are new, and the bytes that left the database."""

    entries: int
    moved: int
    size: int


def archive(connection: Connection, folder: Path, key: VerifierKey, vault: Vault, through: str) -> Archived:
    """Archives whole bundles of months up to `through` (YYYY-MM). BadArchive where something does not hold."""
    before = Manifest.read(folder)
    if before is not None and before.origin != key.name:
        raise BadArchive(f"the folder is an archive of another log: {before.origin}")
    begin = before.entries if before is not None else 0
    signed = latest_in(connection)
    end = _end(connection, through, signed.size if signed is not None else 0)
    if signed is not None and end > begin:
        for number in range(begin // WIDTH, end // WIDTH):
            _write(connection, folder, number)
        root = root_of_archive(folder, end)
        tree = Tree(connection).subtree
        if root != tree_root(end, tree):
            raise BadArchive("what was written is not the beginning of the log: nothing was taken out of the database")
        for number in range(begin // WIDTH, end // WIDTH):
            _prove(connection, folder, number, vault)
        proof = tuple(consistency_proof(end, signed.size, tree))
        manifest = Manifest(key.name, end, root, signed.note, proof)
        manifest.check(root, key)
        manifest.write(folder)
    kept = Manifest.read(folder)
    moved, size = _take_out(connection, kept.entries) if kept is not None else (0, 0)
    return Archived(kept.entries if kept is not None else 0, moved, size)


def _end(connection: Connection, through: str, signed: int) -> int:
    """The end of the last whole bundle that may go."""
    rows = connection.rows("SELECT idx FROM log_entries WHERE month > ? ORDER BY idx LIMIT 1", (through,))
    (size,) = connection.rows("SELECT size FROM head WHERE id = 1")[0]
    return min(int(rows[0][0] if rows else size), signed) // WIDTH * WIDTH


def _rows(connection: Connection, number: int) -> list[tuple[int, bytes, str, bytes]]:
    rows = connection.rows(
        "SELECT idx, entry, month, sealed FROM log_entries WHERE idx >= ? AND idx < ? ORDER BY idx",
        (number * WIDTH, (number + 1) * WIDTH),
    )
    if len(rows) != WIDTH:
        raise BadArchive(f"an entry is missing between {number * WIDTH} and {(number + 1) * WIDTH - 1}")
    return [(index, bytes(entry), month, bytes(sealed)) for index, entry, month, sealed in rows]


def _write(connection: Connection, folder: Path, number: int) -> None:
    rows = _rows(connection, number)
    entries = [entry for _, entry, _, _ in rows]
    write_file(folder / Tile(None, number).path, bundle(entries))
    write_file(folder / Tile(0, number).path, b"".join(leaf_hashes(entries)))
    write_file(sealed_path(folder, number), sealed_file([sealed for _, _, _, sealed in rows]))


def _prove(connection: Connection, folder: Path, number: int, vault: Vault) -> None:
    """That every sealed content is there, as it was, and opens where its month can be opened."""
    for (index, entry, month, there), kept in zip(_rows(connection, number), read_sealed(folder, number), strict=True):
        key = vault.open(connection, month)
        try:
            if key is not None:
                open_entry(index, entry, kept, key)
        except BrokenEntry as broken:
            raise BadArchive(f"{broken}: nothing was taken out of the database") from None
        if kept != there:
            raise BadArchive(f"entry {index} is not in the archive as it is in the database")


def _take_out(connection: Connection, entries: int) -> tuple[int, int]:
    """(how many entries' sealed contents left the database, how many bytes)."""
    moved = size = 0
    for begin, end in _slices(entries):
        connection.begin()
        rows = connection.rows(
            "SELECT COUNT(*), COALESCE(SUM(length(sealed)), 0) FROM log_entries"
            " WHERE idx >= ? AND idx < ? AND length(sealed) > 0",
            (begin, end),
        )
        moved, size = moved + rows[0][0], size + int(rows[0][1])
        connection.run("UPDATE log_entries SET sealed = ? WHERE idx >= ? AND idx < ?", (b"", begin, end))
        connection.run("DELETE FROM log_tiles WHERE level = 0 AND idx >= ? AND idx < ?", (begin // WIDTH, end // WIDTH))
        connection.commit()
    return moved, size


def _slices(entries: int) -> Iterator[tuple[int, int]]:
    for begin in range(0, entries, SLICE * WIDTH):
        yield begin, min(begin + SLICE * WIDTH, entries)
