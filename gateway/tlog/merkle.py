"""The Merkle tree of RFC 6962 section 2.1 (and RFC 9162): hashes, roots, inclusion and consistency proofs.

    leaf hash = SHA-256(0x00 || entry)        node = SHA-256(0x01 || left || right)

A tree of n > 1 leaves has as its left half the largest power of two below n. Every hash is 32 bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

_sha256 = hashlib.sha256
EMPTY_ROOT = _sha256(b"").digest()
"""The root of the tree without leaves."""

Subtree = Callable[[int, int], bytes]
"""(height, index) -> the hash of the complete subtree of 2**height leaves that begins at leaf index * 2**height."""


class ProofError(Exception):
    """A proof does not show what it should."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one leaf."""
    return _sha256(b"\x00" + entry).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """The hashes of many leaves."""
    sha256 = _sha256
    return [sha256(b"\x00" + entry).digest() for entry in entries]


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node over its two halves."""
    return _sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """The root over a power of two of hashes (a full tile's 256, a half of it, …)."""
    sha256 = _sha256
    while len(hashes) > 1:
        pairs = iter(hashes)
        hashes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
    return hashes[0]


class Range:
    """A compact range from leaf 0 on: the roots of the complete subtrees that make up a tree, largest first.

    `add` costs one node hash on average; `root` at most 63.
    """

    __slots__ = ("_roots", "size")

    def __init__(self) -> None:
        self.size = 0
        self._roots: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """One more leaf, by its hash."""
        self.add_subtree(0, leaf)

    def add_subtree(self, height: int, root: bytes) -> None:
        """A complete subtree of 2**height leaves; ValueError where the range does not end at its beginning."""
        if self.size & ((1 << height) - 1):
            raise ValueError("the subtree does not begin where the range ends")
        rest = self.size >> height
        roots = self._roots
        while rest & 1:
            root = _sha256(b"\x01" + roots.pop() + root).digest()
            rest >>= 1
        roots.append(root)
        self.size += 1 << height

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        if not self._roots:
            return EMPTY_ROOT
        root = self._roots[-1]
        for left in reversed(self._roots[:-1]):
            root = node_hash(left, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    whole = Range()
    for leaf in leaves:
        whole.add(leaf)
    return whole.root()


# -- making proofs, from the complete subtrees' hashes ---------------------------------------------------------


def tree_root(size: int, subtree: Subtree) -> bytes:
    """The root of the tree of the first `size` leaves."""
    return _span(0, size, subtree) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, subtree: Subtree) -> list[bytes]:
    """RFC 6962 section 2.1.1: what leads from leaf `index` to the root of `size` leaves, the leaf's sibling first."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    proof: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            proof.append(_span(middle, high, subtree))
            high = middle
        else:
            proof.append(_span(low, middle, subtree))
            low = middle
    return proof[::-1]


def consistency_proof(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """RFC 6962 section 2.1.2: that the tree of `old` leaves is the beginning of the one of `new`."""
    if not 0 <= old <= new:
        raise ValueError("the older tree is not the smaller one")
    if old in (0, new):
        return []
    proof: list[bytes] = []
    low, high, whole = 0, new, True
    while old - low != high - low:
        middle = low + _split(high - low)
        if old <= middle:
            proof.append(_span(middle, high, subtree))
            high = middle
        else:
            proof.append(_span(low, middle, subtree))
            low, whole = middle, False
    if not whole:
        proof.append(_span(low, high, subtree))
    return proof[::-1]


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _span(low: int, high: int, subtree: Subtree) -> bytes:
    """The hash of the leaves [low, high), a span that RFC 6962's recursion makes."""
    count = high - low
    if count & (count - 1) == 0:
        height = count.bit_length() - 1
        return subtree(height, low >> height)
    middle = low + _split(count)
    return node_hash(_span(low, middle, subtree), _span(middle, high, subtree))


# -- checking proofs (RFC 9162 section 2.1.3.2 and 2.1.4.2) ----------------------------------------------------


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Raises ProofError unless `proof` leads from the leaf's hash at `index` to `root` of `size` leaves."""
    if not 0 <= index < size:
        raise ProofError("the index is not in the tree")
    if len(leaf) != len(EMPTY_ROOT):
        raise ProofError("the leaf's hash is not 32 bytes")
    place, last, found = index, size - 1, leaf
    for step in proof:
        if last == 0:
            raise ProofError("the proof is too long")
        if place & 1 or place == last:
            found = node_hash(step, found)
            while place & 1 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, step)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    if found != root:
        raise ProofError("the proof leads to another root")


def check_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raises ProofError unless the tree of `old` leaves and `old_root` is the beginning of the newer one.

    Nothing can be shown of a beginning without leaves: it is refused.
    """
    if not 0 < old <= new:
        raise ProofError("the older tree is not the smaller one, or empty")
    if old == new:
        if proof or old_root != new_root:
            raise ProofError("the trees are of one size and not the same")
        return
    if not proof:
        raise ProofError("the proof is too short")
    steps = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    older = newer = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofError("the proof is too long")
        if place & 1 or place == last:
            older, newer = node_hash(step, older), node_hash(step, newer)
            while place & 1 == 0 and place:
                place, last = place >> 1, last >> 1
        else:
            newer = node_hash(newer, step)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    if older != old_root or newer != new_root:
        raise ProofError("the proof leads to other roots")
