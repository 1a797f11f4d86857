"""A map of counts: members and absences are shown, and nothing else can be."""

from __future__ import annotations

import os
import random
from dataclasses import replace

import pytest

from gateway.tlog.countmap import Place, blind_of, check_absent, check_count, leaf
from gateway.tlog.merkle import ProofError, inclusion_proof, leaf_hash, root_of

SECRET = b"s" * 32


class Tree:
    """A whole map in memory, by RFC 6962's own definition."""

    def __init__(self, counts: dict[bytes, int]) -> None:
        self.counts = dict(sorted(counts.items()))
        self.leaves = [leaf(SECRET, name, count) for name, count in self.counts.items()]
        self.root = root_of(map(leaf_hash, self.leaves))

    def place(self, index: int) -> Place:
        hashes = [leaf_hash(one) for one in self.leaves]

        def subtree(height: int, at: int) -> bytes:
            return root_of(hashes[at << height : (at + 1) << height])

        return Place(index, self.leaves[index], inclusion_proof(index, len(hashes), subtree))

    def neighbours(self, name: bytes) -> tuple[Place | None, Place | None]:
        after = sum(other < name for other in self.counts)
        return (self.place(after - 1) if after else None, self.place(after) if after < len(self.counts) else None)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 33])
def test_who_is_counted_and_who_is_not(size: int) -> None:
    draw = random.Random(size)
    tree = Tree({draw.randbytes(32): draw.randrange(1, 9) for _ in range(size)})
    for index, (name, count) in enumerate(tree.counts.items()):
        place = tree.place(index)
        check_count(place, name, count, blind_of(SECRET, name), tree.root, size)
        for wrong in (count + 1, count - 1):
            with pytest.raises(ProofError):
                check_count(place, name, wrong, blind_of(SECRET, name), tree.root, size)
    for _ in range(5):
        stranger = draw.randbytes(32)
        check_absent(stranger, *tree.neighbours(stranger), tree.root, size)


def test_nobody_who_is_counted_is_shown_absent() -> None:
    names = sorted(os.urandom(32) for _ in range(9))
    tree = Tree(dict.fromkeys(names, 1))
    hidden = names[4]
    around = (tree.place(3), tree.place(5))  # with the one between left out
    ends = [(None, tree.place(5)), (tree.place(3), None), (None, None), (tree.place(3), tree.place(4))]
    for before, after in [around, *ends]:
        with pytest.raises(ProofError):
            check_absent(hidden, before, after, tree.root, 9)
    moved = replace(tree.place(5), index=4)
    with pytest.raises(ProofError):
        check_absent(hidden, tree.place(3), moved, tree.root, 9)
    with pytest.raises(ProofError):
        check_absent(b"\xff" * 32, tree.place(8), None, tree.root, 10)


def test_neighbours_do_not_tell_their_counts() -> None:
    name = os.urandom(32)
    leaves = {leaf(secret, name, 3) for secret in (os.urandom(32), os.urandom(32))}
    assert len(leaves) == 2
    assert all(one[:32] == name for one in leaves)
