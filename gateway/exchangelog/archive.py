"""The log's older part outside the database: whole tiles and bundles as anyone may read them, and the sealed contents.

    DIR/archive.json          how far it goes; a checkpoint of the log, and the proof that this is its beginning
    DIR/tile/entries/<N>      256 entries (C2SP tlog-tiles), DIR/tile/0/<N> their hashes
    DIR/sealed/<N>            what the database held of these 256 entries' contents, each behind its length (uint32)

Moved are the sealed contents, by far the most of a database, and the lowest row of tiles, which is made again from
the entries when asked for. The 32-byte entries stay in the database too, so that every proof is made without the
archive. Nothing is taken out of the database before what was written is read back, from disk, and proved whole.
"""

from __future__ import annotations

import os
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.exchangelog.entry import BrokenEntry
from gateway.store import Connection
from gateway.tlog.checkpoint import open_checkpoint
from gateway.tlog.merkle import check_consistency, leaf_hashes, root_of
from gateway.tlog.note import NoteError, VerifierKey
from gateway.tlog.tiles import WIDTH, Tile, unbundle

FORMAT = "linkage-archive/1"
MANIFEST = "archive.json"
_LENGTH = struct.Struct(">I")


class BadArchive(Exception):
    """A folder is not an archive of this log, or not whole. Says which file."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """How far an archive goes. `checkpoint`: of more entries, signed; `consistency`: from the archive's root to its."""

    origin: str
    entries: int
    root: bytes
    checkpoint: str
    consistency: tuple[bytes, ...]

    @staticmethod
    def read(folder: Path) -> Manifest | None:
        """The folder's; None where there is none yet. BadArchive."""
        try:
            body = orjson.loads((folder / MANIFEST).read_bytes())
            if body["format"] != FORMAT:
                raise ValueError
            steps = tuple(b64decode(step) for step in body["consistency"])
            return Manifest(
                body["origin"], int(body["entries"]), bytes.fromhex(body["root"]), body["checkpoint"], steps
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            raise BadArchive(f"{MANIFEST} cannot be read") from None

    def write(self, folder: Path) -> None:
        """Puts it in an earlier one's place."""
        body: dict[str, Any] = {
            "format": FORMAT,
            "origin": self.origin,
            "entries": self.entries,
            "root": self.root.hex(),
            "checkpoint": self.checkpoint,
            "consistency": [b64encode(step).decode() for step in self.consistency],
        }
        write_file(folder / MANIFEST, orjson.dumps(body, option=orjson.OPT_INDENT_2) + b"\n")

    def check(self, root: bytes, key: VerifierKey) -> None:
        """BadArchive unless the archive's `root` is the beginning of a checkpoint that the log's key signed."""
        try:
            checkpoint, _ = open_checkpoint(self.checkpoint, key)
            check_consistency(self.entries, checkpoint.size, root, checkpoint.root, self.consistency)
        except NoteError as error:
            raise BadArchive(f"{MANIFEST}: {error}") from None


class Archive:
    """Reads the sealed contents that are not in the database any more. `folder`: None where nothing was archived."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._held: tuple[int, list[bytes]] = (-1, [])

    def sealed(self, index: int, there: bytes) -> bytes:
        """An entry's sealed contents: as the database has them, or else from the archive. BrokenEntry."""
        if there or self._folder is None:
            return there
        number, within = divmod(index, WIDTH)
        held = self._held
        if held[0] != number:
            try:
                held = self._held = (number, read_sealed(self._folder, number))
            except BadArchive as error:
                raise BrokenEntry(f"entry {index} is archived, and {error}") from None
        return held[1][within]


def sealed_path(folder: Path, number: int) -> Path:
    """The file of a bundle's sealed contents."""
    return folder / _sealed(Tile(None, number).path)


def _sealed(bundle: str) -> str:
    return bundle.replace("tile/entries/", "sealed/")


def files_of(entries: int) -> Iterator[str]:
    """The paths, within its folder, of all the files that an archive of so many entries has beside its manifest."""
    for number in range(entries // WIDTH):
        bundle = Tile(None, number).path
        yield from (bundle, Tile(0, number).path, _sealed(bundle))


def read_sealed(folder: Path, number: int) -> list[bytes]:
    """A bundle's 256 sealed contents. BadArchive."""
    path = sealed_path(folder, number)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadArchive(f"{path.name} cannot be read: {error.strerror}") from None
    found, place = [], 0
    while place + _LENGTH.size <= len(data):
        (length,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size + length
        found.append(data[place - length : place])
    if place != len(data) or len(found) != WIDTH:
        raise BadArchive(f"{path.name} is not {WIDTH} sealed entries")
    return found


def sealed_file(blobs: list[bytes]) -> bytes:
    """How a bundle's sealed contents stand in their file."""
    return b"".join(_LENGTH.pack(len(blob)) + blob for blob in blobs)


def read_entries(folder: Path, number: int) -> list[bytes]:
    """A bundle's 256 entries, whose hashes are those of the tile beside it. BadArchive."""
    bundle, tile = Tile(None, number).path, Tile(0, number).path
    try:
        entries = unbundle((folder / bundle).read_bytes(), WIDTH)
        hashes = (folder / tile).read_bytes()
    except Exception:
        raise BadArchive(f"{bundle} and {tile} cannot be read") from None
    if b"".join(leaf_hashes(entries)) != hashes:
        raise BadArchive(f"{tile} is not of the entries of {bundle}")
    return entries


def root_of_archive(folder: Path, entries: int) -> bytes:
    """The root over all that the folder's bundles hold, each compared with its tile. BadArchive."""
    return root_of(leaf for number in range(entries // WIDTH) for leaf in leaf_hashes(read_entries(folder, number)))


def write_file(path: Path, content: bytes) -> None:
    """Whole or not at all, on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def archived_from(connection: Connection, begin: int) -> int | None:
    """The first entry from `begin` on whose sealed contents are not in the database; None where all are."""
    rows = connection.rows(
        "SELECT idx FROM log_entries WHERE idx >= ? AND length(sealed) = 0 ORDER BY idx LIMIT 1", (begin,)
    )
    return int(rows[0][0]) if rows else None
