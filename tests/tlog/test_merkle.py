"""The tree against RFC 6962's definitions, read as they stand, and against transparency-dev's published vectors."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.tlog import merkle, tiles

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def mth(entries: tuple[bytes, ...]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while k * 2 < len(entries):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m: int, entries: tuple[bytes, ...]) -> list[bytes]:
    """RFC 6962 section 2.1.1."""
    if len(entries) == 1:
        return []
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def subproof(m: int, entries: tuple[bytes, ...], whole: bool) -> list[bytes]:
    """RFC 6962 section 2.1.2."""
    if m == len(entries):
        return [] if whole else [mth(entries)]
    k = 1
    while k * 2 < len(entries):
        k *= 2
    if m <= k:
        return [*subproof(m, entries[:k], whole), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], False), mth(entries[:k])]


@cache
def entries_of(size: int) -> tuple[bytes, ...]:
    return tuple(f"entry {number}".encode() for number in range(size))


def subtree_over(entries: tuple[bytes, ...]) -> merkle.Subtree:
    """Through tiles, as the log does it: each level's hashes are the roots of the full tiles below."""
    levels = [[merkle.leaf_hash(entry) for entry in entries]]
    while len(levels[-1]) >= tiles.WIDTH:
        below = levels[-1]
        full = range(0, len(below) - tiles.WIDTH + 1, tiles.WIDTH)
        levels.append([merkle.perfect_root(below[at : at + tiles.WIDTH]) for at in full])

    def hashes(level: int, index: int, width: int) -> list[bytes]:
        return levels[level][index * tiles.WIDTH :][:width]

    return tiles.subtree_of(hashes)


def test_roots_of_the_published_leaves() -> None:
    growing = merkle.Range()
    assert growing.root().hex() == ROOTS[0]
    for leaf, root in zip(LEAVES, ROOTS[1:], strict=True):
        growing.add(merkle.leaf_hash(bytes.fromhex(leaf)))
        assert growing.root().hex() == root


@given(st.integers(0, 700), st.data())
@settings(max_examples=60, deadline=None)
def test_every_tree_and_proof_is_what_the_rfc_defines(size: int, data: st.DataObject) -> None:
    entries = entries_of(size)
    subtree = subtree_over(entries)
    root = mth(entries)
    assert merkle.tree_root(size, subtree) == root
    assert merkle.root_of(map(merkle.leaf_hash, entries)) == root
    old = data.draw(st.integers(0, size))  # from nothing, the proof is empty, and shows nothing
    proof = merkle.consistency_proof(old, size, subtree)
    assert proof == (subproof(old, entries, True) if 0 < old < size else [])
    if old:
        merkle.check_consistency(old, size, mth(entries[:old]), root, proof)
    if size:
        index = data.draw(st.integers(0, size - 1))
        proof = merkle.inclusion_proof(index, size, subtree)
        assert proof == path(index, entries)
        merkle.check_inclusion(merkle.leaf_hash(entries[index]), index, size, proof, root)
        with pytest.raises(merkle.ProofError):
            merkle.check_inclusion(merkle.leaf_hash(b"another"), index, size, proof, root)


def test_a_tree_of_three_levels_of_tiles() -> None:
    entries = entries_of(70_000)
    subtree = subtree_over(entries)
    growing = merkle.Range()
    for entry in entries:
        growing.add(merkle.leaf_hash(entry))
    root = growing.root()
    assert merkle.tree_root(70_000, subtree) == root
    for index in (0, 255, 256, 65_535, 65_536, 69_999):
        proof = merkle.inclusion_proof(index, 70_000, subtree)
        merkle.check_inclusion(merkle.leaf_hash(entries[index]), index, 70_000, proof, root)
    for old in (1, 256, 65_535, 65_536, 65_537, 69_999):
        old_root = merkle.tree_root(old, subtree)
        assert old_root == merkle.root_of(map(merkle.leaf_hash, entries[:old]))
        merkle.check_consistency(old, 70_000, old_root, root, merkle.consistency_proof(old, 70_000, subtree))


def _bytes(text: str | None) -> bytes:
    return base64.b64decode(text or "")


@pytest.mark.parametrize("case", VECTORS["inclusion"], ids=lambda case: case["name"])
def test_published_inclusion_vectors(case: dict[str, Any]) -> None:
    check = lambda: merkle.check_inclusion(  # noqa: E731
        _bytes(case["leafHash"]),
        case["leafIdx"],
        case["treeSize"],
        [_bytes(step) for step in case["proof"] or []],
        _bytes(case["root"]),
    )
    if case["wantErr"]:
        with pytest.raises(merkle.ProofError):
            check()
    else:
        check()


@pytest.mark.parametrize("case", VECTORS["consistency"], ids=lambda case: case["name"])
def test_published_consistency_vectors(case: dict[str, Any]) -> None:
    check = lambda: merkle.check_consistency(  # noqa: E731
        case["size1"],
        case["size2"],
        _bytes(case["root1"]),
        _bytes(case["root2"]),
        [_bytes(step) for step in case["proof"] or []],
    )
    if case["wantErr"]:
        with pytest.raises(merkle.ProofError):
            check()
    else:
        check()
