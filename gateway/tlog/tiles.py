"""C2SP tlog-tiles: the tree's hashes in tiles of 256, entries in bundles of 256, and how they are named."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from gateway.tlog.merkle import Subtree, perfect_root

WIDTH = 256
HEIGHT = 8
HASH = 32
_PATH = re.compile(
    r"tile/(?P<level>entries|0|[1-9][0-9]?)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)
_LENGTH = struct.Struct(">H")


class TileError(Exception):
    """A path is not a tile's, or a tile's bytes are not what they should be."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Which tile: `level` 0 to 63, or None for a bundle of entries; `width` 256 for a full one."""

    level: int | None
    index: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """Below the log's prefix: `tile/0/x001/234.p/17`."""
        digits = f"{self.index:03d}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        groups = [digits[place : place + 3] for place in range(0, len(digits), 3)]
        name = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
        partial = "" if self.width == WIDTH else f".p/{self.width}"
        return f"tile/{'entries' if self.level is None else self.level}/{name}{partial}"


def parse_path(path: str) -> Tile:
    """The tile of a path below the log's prefix, or TileError. One tile has one path only."""
    found = _PATH.fullmatch(path)
    if found is None or len(path) > 80:
        raise TileError("not a tile's path")
    level = None if found["level"] == "entries" else int(found["level"])
    tile = Tile(level, int(re.sub("[x/]", "", found["index"])), int(found["width"] or WIDTH))
    if (found["width"] and tile.width >= WIDTH) or (level or 0) > 63 or tile.path != path:
        raise TileError("not a tile's path")
    return tile


def width_at(tile: Tile, size: int) -> int:
    """How many hashes (or entries) this tile has in a tree of `size` leaves: 0 to 256."""
    return max(0, min(WIDTH, (size >> HEIGHT * (tile.level or 0)) - tile.index * WIDTH))


def bundle(entries: Iterable[bytes]) -> bytes:
    """Entries, each behind its length as a big-endian uint16."""
    return b"".join(_LENGTH.pack(len(entry)) + entry for entry in entries)


def unbundle(data: bytes, count: int) -> list[bytes]:
    """The `count` entries of a bundle, or TileError."""
    entries: list[bytes] = []
    place = 0
    while place < len(data):
        if place + _LENGTH.size > len(data):
            raise TileError("the bundle ends within a length")
        (length,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size + length
        entries.append(data[place - length : place])
    if place != len(data) or len(entries) != count:
        raise TileError("the bundle has not as many entries as it should")
    return entries


def split(data: bytes) -> list[bytes]:
    """The hashes of a tile, or TileError."""
    if len(data) % HASH:
        raise TileError("the tile is not a sequence of hashes")
    return [data[place : place + HASH] for place in range(0, len(data), HASH)]


def subtree_of(hashes: Callable[[int, int, int], Sequence[bytes]]) -> Subtree:
    """Complete subtrees out of tiles; `hashes(level, index, width)` gives at least the tile's first `width` hashes."""

    def subtree(height: int, index: int) -> bytes:
        level, inner = divmod(height, HEIGHT)
        first = index << inner
        start = first % WIDTH
        stop = start + (1 << inner)
        return perfect_root(hashes(level, first // WIDTH, stop)[start:stop])

    return subtree
