"""Checkpoints and the tree behind the append, on both databases and with two gateways."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from gateway.exchangelog.checkpoints import Checkpoints
from gateway.exchangelog.published import Published
from gateway.exchangelog.tree import LogDamaged, Tree, grow
from gateway.exchangelog.vault import Vault
from gateway.model import now
from gateway.observe import Metrics
from gateway.store import Connection, Outdated, PutCheckpoint
from gateway.tlog import merkle, tiles
from gateway.tlog.checkpoint import open_checkpoint
from gateway.verification.database import verify_database


async def append(book: Any, count: int) -> None:
    moment = now()
    await book.log.ready(moment)
    for _ in range(0, count, 200):
        drafts = [book.log.draft("gateway.started", moment, content={"version": "1"}) for _ in range(min(count, 200))]
        await book.store.append(drafts)


def checkpoints_of(book: Any) -> Checkpoints:
    return Checkpoints(book.store, book.keys, Metrics(), origin="gateway.example/log")


def built(book: Any) -> int:
    connection = Connection(book.url)
    try:
        turns = 1
        while grow(connection):
            turns += 1
        return turns
    finally:
        connection.close()


async def entries(book: Any) -> list[bytes]:
    rows = await book.store.read(lambda c: c.rows("SELECT entry FROM log_entries ORDER BY idx"))
    return [bytes(row[0]) for row in rows]


async def test_a_checkpoint_is_of_the_entries_and_verifies(book: Any) -> None:
    checkpoints = checkpoints_of(book)
    assert await checkpoints.latest() is None
    await append(book, 5)
    signed = await checkpoints.sign()
    assert signed is not None
    assert await checkpoints.sign() is None  # nothing was added
    checkpoint, cosigned = open_checkpoint(signed.note, checkpoints.verifier)
    assert (checkpoint.size, checkpoint.root) == (5, merkle.root_of(map(merkle.leaf_hash, await entries(book))))
    assert cosigned == {}


async def test_tiles_are_a_convenience(book: Any) -> None:
    """Roots and tiles are the same before they are built, built, and dropped again."""
    await append(book, 2600)
    leaves = [merkle.leaf_hash(entry) for entry in await entries(book)]
    expected = merkle.root_of(leaves)

    def looked(connection: Connection) -> tuple[bytes, list[bytes], list[bytes]]:
        tree = Tree(connection)
        return merkle.tree_root(2600, tree.subtree), tree.hashes(1, 0, 10)[:10], tree.hashes(0, 9, 256)

    before = await book.store.read(looked)
    assert built(book) == 2
    after = await book.store.read(looked)
    assert before == after
    assert before[0] == expected
    assert before[2] == leaves[9 * 256 : 10 * 256]
    rows = await book.store.read(lambda c: c.rows("SELECT level, idx, LENGTH(hashes) FROM log_tiles ORDER BY 1, 2"))
    assert [tuple(row) for row in rows] == [*((0, index, 8192) for index in range(10)), (1, 0, 320)]
    await append(book, 200)
    built(book)
    root = await book.store.read(lambda c: merkle.tree_root(2800, Tree(c).subtree))
    assert root == merkle.root_of(merkle.leaf_hash(entry) for entry in await entries(book))


async def test_what_a_signature_reads_of_the_tree_is_let_go_at_once(book: Any) -> None:
    """Each second one is made, and the collector, which would find a cycle, hardly ever runs."""
    await append(book, 600)
    read: list[weakref.ref[Tree]] = []

    def looked(connection: Connection) -> int:
        tree = Tree(connection)
        read.append(weakref.ref(tree))
        return len(merkle.tree_root(600, tree.subtree))

    gc.disable()
    try:
        assert await book.store.read(looked) == 32
        assert [each() for each in read] == [None]
    finally:
        gc.enable()


async def test_two_gateways_sign_one_row_of_checkpoints(book: Any) -> None:
    other = book.again("gateway-2") if not book.url.startswith("sqlite") else book
    signers = [checkpoints_of(book), checkpoints_of(other)]
    try:
        for _ in range(12):
            await append(book, 3)
            await asyncio.gather(*(signer.sign() for signer in signers), append(other, 2))
        rows = await book.store.read(lambda c: c.rows("SELECT size, root, note FROM checkpoints ORDER BY size"))
        every = await entries(book)
        for size, root, note in rows:
            found = open_checkpoint(note, signers[0].verifier)[0]
            assert (found.size, found.root) == (size, bytes(root))
            assert found.root == merkle.root_of(map(merkle.leaf_hash, every[:size]))
        assert len(rows) >= 12
    finally:
        if other is not book:
            other.store.close()


async def test_a_checkpoint_never_goes_back_nor_ahead(book: Any) -> None:
    await append(book, 4)
    await book.store.append([], [PutCheckpoint(3, bytes(32), "note", 0)])
    for size in (2, 3, 5):
        with pytest.raises(Outdated):
            await book.store.append([], [PutCheckpoint(size, bytes(32), "note", 0)])
    with pytest.raises(LogDamaged):  # what was signed of three entries is not their root
        await checkpoints_of(book).sign()


async def test_a_missing_entry_stops_the_tree(book: Any) -> None:
    await append(book, 600)
    connection = Connection(book.url)
    connection.run("DELETE FROM log_entries WHERE idx = 300")
    assert grow(connection) is False
    with pytest.raises(LogDamaged, match="missing between 256"):
        Tree(connection).hashes(0, 1, 256)
    connection.close()


async def test_proofs_of_one_exchange_stand_on_one_checkpoint(book: Any) -> None:
    checkpoints = checkpoints_of(book)
    published = Published(book.store, checkpoints, Vault(book.keys.master))
    exchange = await book.decide()
    await book.close(exchange)
    task = asyncio.create_task(
        published.proof(exchange, [{"index": 0, "kind": "exchange.decided"}, {"index": 1, "kind": "exchange.released"}])
    )
    await asyncio.sleep(0.2)
    assert not task.done()  # it waits for a checkpoint that covers both
    await checkpoints.sign()
    document = await task
    notes = {entry["proof"].partition("\n\n")[2] for entry in document["entries"]}
    assert len(notes) == 1
    assert await published.consistency(1, 2) == [merkle.leaf_hash((await entries(book))[1])]
    assert await published.tile(tiles.Tile(0, 0, 2)) == b"".join(map(merkle.leaf_hash, await entries(book)))


async def test_a_forgotten_month_keeps_its_place(book: Any) -> None:
    checkpoints = checkpoints_of(book)
    exchange = await book.decide()
    await checkpoints.sign()
    connection = Connection(book.url)
    connection.run("DELETE FROM month_keys")
    connection.close()
    document = await Published(book.store, checkpoints, Vault(book.keys.master)).proof(exchange, [{"index": 0}])
    assert document["entries"][0]["groups"] is None
    assert document["entries"][0]["proof"].startswith("c2sp.org/tlog-proof@v1\nindex 0\n")


async def test_the_verifier_reads_both_databases(book: Any) -> None:
    checkpoints = checkpoints_of(book)
    first, second = await book.decide(), await book.decide()
    await book.close(first)
    await append(book, 400)
    await checkpoints.sign()
    built(book)
    connection = Connection(book.url, read_only=True)
    report = verify_database(connection, checkpoints.verifier, book.keys.master)
    assert report.findings == []
    assert (report.counts["counted"], report.counts["tiles"]) == (2, 2)
    assert [note for note in report.notes if second in note]  # still open, and said so
    connection.close()
    connection = Connection(book.url)
    connection.run("DELETE FROM log_entries WHERE idx = 100")
    report = verify_database(connection, checkpoints.verifier, book.keys.master)
    assert report.findings[0].place == "entry 100"
    connection.close()
