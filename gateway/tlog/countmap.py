"""A sorted Merkle tree over counts: that a name has this count in it, or that it has none.

The leaves are sorted by name, each name once, and hashed as RFC 6962 has it:

    leaf = name (32 bytes) || SHA-256(blind || count as 8 bytes, big-endian)        blind = HMAC-SHA-256(secret, name)

A count is shown with its blind. That a name is absent is shown by its two neighbours, which stand side by side in
the tree: of them the names are seen and not the counts.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.tlog.merkle import ProofError, check_inclusion, leaf_hash

NAME = 32
_COUNT = struct.Struct(">Q")


def blind_of(secret: bytes, name: bytes) -> bytes:
    """What hides a name's count."""
    return hmac.digest(secret, name, "sha256")


def hidden(blind: bytes, count: int) -> bytes:
    """What stands for the count in the leaf."""
    return hashlib.sha256(blind + _COUNT.pack(count)).digest()


def leaf(secret: bytes, name: bytes, count: int) -> bytes:
    """A name's leaf."""
    return name + hidden(blind_of(secret, name), count)


@dataclass(frozen=True, slots=True)
class Place:
    """A leaf with its way to the root, the sibling first."""

    index: int
    leaf: bytes
    path: Sequence[bytes]

    def check(self, root: bytes, size: int) -> None:
        """Raises ProofError unless the leaf is there in the tree of `size` leaves and `root`."""
        if len(self.leaf) != 2 * NAME:
            raise ProofError("not a leaf of a map of counts")
        check_inclusion(leaf_hash(self.leaf), self.index, size, self.path, root)

    @property
    def name(self) -> bytes:
        """Whose leaf it is."""
        return self.leaf[:NAME]


def check_count(place: Place, name: bytes, count: int, blind: bytes, root: bytes, size: int) -> None:
    """Raises ProofError unless `name` has this count in the map."""
    place.check(root, size)
    if place.leaf != name + hidden(blind, count):
        raise ProofError("the leaf is another name's, or hides another count")


def check_absent(name: bytes, before: Place | None, after: Place | None, root: bytes, size: int) -> None:
    """Raises ProofError unless the map has no such name: its neighbours stand side by side, or at an end."""
    for place in (before, after):
        if place is not None:
            place.check(root, size)
    if before is None and after is None:
        good = size == 0
    elif before is None and after is not None:
        good = after.index == 0 and name < after.name
    elif after is None and before is not None:
        good = before.index == size - 1 and before.name < name
    else:
        good = before is not None and after is not None and after.index == before.index + 1
        good = good and before.name < name < after.name  # type: ignore[union-attr]
    if not good:
        raise ProofError("the neighbours do not show that the name is absent")
