"""How often each subject is counted as of a moment, committed to the log: what a citizen's list is complete against.

From time to time all counters are read as of one size of the log, made a sorted Merkle tree of counts
(`gateway.tlog.countmap`), and its root entered (`subjects.mapped`). The newest map's leaves and tiles are kept, so
that one subject's count, or its absence, can be proved; of older maps the entries stay.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import time
from base64 import b64encode
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import LogUnavailable
from gateway.exchangelog.log import ExchangeLog
from gateway.model import now
from gateway.observe import logger
from gateway.store import Connection, Store
from gateway.tlog.countmap import NAME, blind_of, leaf
from gateway.tlog.merkle import Range, inclusion_proof, leaf_hashes, perfect_root
from gateway.tlog.tiles import HASH, HEIGHT, WIDTH, split, subtree_of

PAGE = 4096
ATTEMPTS = 5
TILES = 64
"""So many tiles are written at a time: an append waits no longer for it than for another append."""
MOST_PAUSE = 60.0
_COUNT = struct.Struct(">Q")
_ROW = NAME + _COUNT.size


@dataclass(frozen=True, slots=True)
class Map:
    """A map as it was entered. `size`: the log's size that it is of; `index`: its entry."""

    size: int
    subjects: int
    root: bytes
    secret: bytes = field(repr=False)
    index: int


class SubjectMaps:
    """Makes maps, and proves from the newest. `url`: the database's, for what is not an append."""

    def __init__(self, url: str, store: Store, log: ExchangeLog) -> None:
        self._url = url
        self._store = store
        self._log = log

    async def run(self, every: float) -> None:
        """Makes a map every so many seconds, and the first as soon as anybody is counted, for ever."""
        while True:
            await asyncio.sleep(min(every, MOST_PAUSE))
            try:
                if await self._store.read(lambda c: _due(c, every)):
                    await self.make()
            except Exception as error:
                logger.warning("subjects_not_mapped", kind=type(error).__name__)

    async def make(self) -> Map:
        """A map of now, entered in the log. LogUnavailable; `failures()` where the tiles cannot be written, or another
        gateway has written those of the same moment.
        """
        secret = os.urandom(32)
        size, subjects, root = await asyncio.to_thread(self._write, secret)
        moment = now()
        await self._log.ready(moment)
        content = {"log_size": size, "subjects": subjects, "root": root.hex()}
        appended = await self._store.append([self._log.draft("subjects.mapped", moment, content=content)])
        made = Map(size, subjects, root, secret, appended.indexes[0])
        await asyncio.to_thread(self._keep, made)
        return made

    async def newest(self) -> Map | None:
        """The map that is proved from; None before the first."""
        return await self._store.read(newest_in)

    async def places(self, names: tuple[bytes, ...]) -> tuple[Map, list[dict[str, Any]]] | None:
        """The newest map, and for each name its count with its way to the root, or its neighbours'; None before the
        first map. Once more where the next one takes its place, and its tiles away, meanwhile. LogUnavailable.
        """
        for _ in range(ATTEMPTS):
            made = await self.newest()
            if made is None:
                return None
            with contextlib.suppress(_Replaced):
                return made, await self._store.read(lambda c, of=made: [_place(c, of, name) for name in names])  # type: ignore[misc]
        raise LogUnavailable(retry_after=1)

    def _write(self, secret: bytes) -> tuple[int, int, bytes]:
        reader, writer = Connection(self._url, read_only=True), Connection(self._url)
        try:
            writer.durable(False)
            with reader.one_state():
                (size,) = reader.rows("SELECT size FROM head WHERE id = 1")[0]
                # Tiles that are there already are left: their hashes are of another's secret, whose map they prove.
                # Of a gateway that ended in between they stay until the log has grown.
                tiles = _Tiles(writer, size, secret)
                for page in reader.pages("SELECT subject, count FROM counters WHERE count > 0 ORDER BY subject", PAGE):
                    for name, count in page:
                        tiles.add(bytes(name), count)
                return size, tiles.subjects, tiles.end()
        finally:
            reader.close()
            writer.close()

    def _keep(self, made: Map) -> None:
        connection = Connection(self._url)
        try:
            connection.run(
                "INSERT INTO subject_maps (map, subjects, root, secret, idx, made_at) VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (map) DO NOTHING",
                (made.size, made.subjects, made.root, made.secret, made.index, int(time.time())),
            )
            while connection.rows(
                "DELETE FROM map_tiles WHERE (map, level, idx) IN (SELECT map, level, idx FROM map_tiles WHERE map < ?"
                " LIMIT ?) RETURNING 1",
                (made.size, TILES),
            ):
                pass
        finally:
            connection.close()


class _Replaced(Exception):
    """A map's tiles are gone: a newer one has taken its place."""


class _Tiles:
    """The tree's tiles as leaves come in order: rows of names and counts below, of hashes above."""

    def __init__(self, writer: Connection, size: int, secret: bytes) -> None:
        self._writer = writer
        self._size = size
        self._secret = secret
        self._tree = Range()
        self._leaves: list[tuple[bytes, int]] = []
        self._above: dict[int, list[bytes]] = {}
        self._waiting: list[tuple[int, int, int, bytes]] = []
        self.subjects = 0

    def add(self, name: bytes, count: int) -> None:
        self._leaves.append((name, count))
        self.subjects += 1
        if len(self._leaves) == WIDTH:
            root = perfect_root(self._flush())
            self._tree.add_subtree(HEIGHT, root)
            self._raise(1, self.subjects // WIDTH - 1, root)

    def end(self) -> bytes:
        """Writes what is not full, and gives the root."""
        for hashed in self._flush():
            self._tree.add(hashed)
        for level, hashes in self._above.items():
            if hashes:
                self._put(level, (self.subjects >> HEIGHT * level) // WIDTH, b"".join(hashes))
        self._write()
        return self._tree.root()

    def _flush(self) -> list[bytes]:
        leaves, self._leaves = self._leaves, []
        if leaves:
            index = (self.subjects - 1) // WIDTH
            self._put(0, index, b"".join(name + _COUNT.pack(count) for name, count in leaves))
        return leaf_hashes(leaf(self._secret, name, count) for name, count in leaves)

    def _raise(self, level: int, place: int, root: bytes) -> None:
        hashes = self._above.setdefault(level, [])
        hashes.append(root)
        if len(hashes) == WIDTH:
            self._above[level] = []
            self._put(level, place // WIDTH, b"".join(hashes))
            self._raise(level + 1, place // WIDTH, perfect_root(hashes))

    def _put(self, level: int, index: int, body: bytes) -> None:
        self._waiting.append((self._size, level, index, body))
        if len(self._waiting) == TILES:
            self._write()

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if waiting:
            self._writer.begin()
            self._writer.many("INSERT INTO map_tiles (map, level, idx, body) VALUES (?, ?, ?, ?)", waiting)
            self._writer.commit()


def newest_in(connection: Connection) -> Map | None:
    """The newest map in a database; None before the first."""
    rows = connection.rows("SELECT map, subjects, root, secret, idx FROM subject_maps ORDER BY map DESC LIMIT 1")
    return Map(rows[0][0], rows[0][1], bytes(rows[0][2]), bytes(rows[0][3]), rows[0][4]) if rows else None


def _due(connection: Connection, every: float) -> bool:
    """Whether it is time, and there is something that the newest map does not have."""
    rows = connection.rows("SELECT map, made_at FROM subject_maps ORDER BY map DESC LIMIT 1")
    if rows and time.time() < rows[0][1] + every:
        return False
    (size,) = connection.rows("SELECT size FROM head WHERE id = 1")[0]
    counted = connection.rows("SELECT 1 FROM counters LIMIT 1")
    return bool(counted) and (not rows or size > rows[0][0] + 1)


def _leaves(connection: Connection, made: Map, tile: int) -> list[tuple[bytes, int]]:
    rows = connection.rows("SELECT body FROM map_tiles WHERE map = ? AND level = 0 AND idx = ?", (made.size, tile))
    if not rows:
        raise _Replaced
    body = bytes(rows[0][0])
    return [(body[at : at + NAME], _COUNT.unpack_from(body, at + NAME)[0]) for at in range(0, len(body), _ROW)]


def _place(connection: Connection, made: Map, name: bytes) -> dict[str, Any]:
    low, high = 0, -(-made.subjects // WIDTH)
    while high - low > 1:  # the last tile that begins at the name or before
        middle = (low + high) // 2
        low, high = (middle, high) if _leaves(connection, made, middle)[0][0] <= name else (low, middle)
    leaves = _leaves(connection, made, low) if made.subjects else []
    inner = bisect_left(leaves, (name, 0))
    index = low * WIDTH + inner
    if inner < len(leaves) and leaves[inner][0] == name:
        found = {"count": leaves[inner][1], "blind": blind_of(made.secret, name).hex()}
        return {"name": name.hex(), **found, "at": _way(connection, made, index)}
    neighbours = {"before": index - 1 if index else None, "after": index if index < made.subjects else None}
    return {
        "name": name.hex(),
        "count": 0,
        **{side: None if at is None else _way(connection, made, at) for side, at in neighbours.items()},
    }


def _way(connection: Connection, made: Map, index: int) -> dict[str, Any]:
    """A leaf with its way to the root."""

    def hashes(level: int, tile: int, width: int) -> list[bytes]:
        if level == 0:
            return leaf_hashes(leaf(made.secret, *row) for row in _leaves(connection, made, tile))
        rows = connection.rows(
            "SELECT body FROM map_tiles WHERE map = ? AND level = ? AND idx = ?", (made.size, level, tile)
        )
        if rows and len(bytes(rows[0][0])) >= width * HASH:
            return split(bytes(rows[0][0]))
        return [perfect_root(hashes(level - 1, below, WIDTH)) for below in range(tile * WIDTH, tile * WIDTH + width)]

    path = inclusion_proof(index, made.subjects, subtree_of(hashes))
    row = _leaves(connection, made, index // WIDTH)[index % WIDTH]
    return {
        "index": index,
        "leaf": leaf(made.secret, *row).hex(),
        "path": [b64encode(step).decode() for step in path],
    }
