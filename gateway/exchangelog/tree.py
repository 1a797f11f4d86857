"""The log's Merkle tree, kept as tiles of 256 hashes and built behind the append.

Tiles are a convenience: what is missing is computed from `log_entries`, so they can be dropped and are built
again. A full tile of level 0 is written once; each row above grows by one hash with every full tile below it.
"""

from __future__ import annotations

from gateway.store import Connection
from gateway.tlog.merkle import Subtree, leaf_hash, perfect_root
from gateway.tlog.tiles import HASH, WIDTH, split, subtree_of

SLICE = 8
"""How many tiles of level 0 one turn builds."""


class LogDamaged(Exception):
    """The log's own rows are not what they were: an entry is missing, or a signed root is no longer theirs."""


def grow(connection: Connection) -> bool:
    """Builds up to SLICE tiles that are not built yet; True if more is left. For the writer's thread.

    Several gateways may share a database: who moves `tiles` first has the slice.
    """
    (built,) = connection.rows("SELECT tiles FROM tree WHERE id = 1")[0]
    first = built * WIDTH
    rows = connection.rows(
        "SELECT idx, entry FROM log_entries WHERE idx >= ? ORDER BY idx LIMIT ?", (first, SLICE * WIDTH)
    )
    count = len(rows) // WIDTH
    if not count or rows[count * WIDTH - 1][0] != first + count * WIDTH - 1:
        return False  # nothing is full yet, or an entry is missing: the verifier says which
    connection.begin()
    if not connection.rows(
        "UPDATE tree SET tiles = ? WHERE id = 1 AND tiles = ? RETURNING tiles", (built + count, built)
    ):
        connection.rollback()
        return True
    for number in range(count):
        hashes = [leaf_hash(bytes(entry)) for _, entry in rows[number * WIDTH : (number + 1) * WIDTH]]
        _put(connection, 0, built + number, b"".join(hashes))
        _raise(connection, 1, built + number, perfect_root(hashes))
    connection.commit()
    return count == SLICE


def _put(connection: Connection, level: int, index: int, hashes: bytes) -> None:
    connection.run(
        "INSERT INTO log_tiles (level, idx, hashes) VALUES (?, ?, ?) "
        "ON CONFLICT (level, idx) DO UPDATE SET hashes = excluded.hashes",
        (level, index, hashes),
    )


def _raise(connection: Connection, level: int, place: int, root: bytes) -> None:
    """Adds a full tile's root to the row above it, and that row's to the next one where it is full now."""
    index, within = divmod(place, WIDTH)
    hashes = (_stored(connection, level, index) or b"")[: within * HASH] + root
    _put(connection, level, index, hashes)
    if within == WIDTH - 1:
        _raise(connection, level + 1, index, perfect_root(split(hashes)))


def _stored(connection: Connection, level: int, index: int) -> bytes | None:
    rows = connection.rows("SELECT hashes FROM log_tiles WHERE level = ? AND idx = ?", (level, index))
    return bytes(rows[0][0]) if rows else None


class Tree:
    """The tree over one connection, for one answer: what it reads it keeps."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._held: dict[tuple[int, int], list[bytes]] = {}

    @property
    def subtree(self) -> Subtree:
        """Its perfect subtrees' roots. Not kept: it holds the tree, which would then be freed by no one but a full
        garbage collection, and each has up to megabytes of hashes."""
        return subtree_of(self.hashes)

    def entries(self, index: int, width: int) -> list[bytes]:
        """The first `width` entries of a bundle, 32 bytes each. LogDamaged where one is missing."""
        rows = self._connection.rows(
            "SELECT entry FROM log_entries WHERE idx >= ? AND idx < ? ORDER BY idx",
            (index * WIDTH, index * WIDTH + width),
        )
        if len(rows) != width:
            raise LogDamaged(f"an entry is missing between {index * WIDTH} and {index * WIDTH + width - 1}")
        return [bytes(row[0]) for row in rows]

    def hashes(self, level: int, index: int, width: int) -> list[bytes]:
        """At least the first `width` hashes of a tile: as stored, or else from what lies below it."""
        held = self._held.get((level, index), [])
        if len(held) < width:
            stored = _stored(self._connection, level, index)
            if stored is not None and len(stored) >= width * HASH:
                held = split(stored)
            elif level == 0:
                held = [leaf_hash(entry) for entry in self.entries(index, width)]
            else:
                below = range(index * WIDTH, index * WIDTH + width)
                held = [perfect_root(self.hashes(level - 1, tile, WIDTH)) for tile in below]
            self._held[level, index] = held
        return held
