"""The log's older part outside the database: nothing lost, read as before, and found where it was tampered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import archiving
from gateway.archiving import archive
from gateway.exchangelog.archive import BadArchive, Manifest, sealed_path
from gateway.exchangelog.checkpoints import Checkpoints
from gateway.exchangelog.published import Published
from gateway.exchangelog.tree import grow
from gateway.exchangelog.vault import Vault
from gateway.model import now
from gateway.observe import Metrics
from gateway.store import Connection
from gateway.tlog.note import VerifierKey
from gateway.tlog.tiles import Tile
from gateway.verification.database import verify_database
from tests.exchangelog.conftest import Book

LATER = "2999-12"


class Shelf:
    """A log of some bundles, and an archive beside it."""

    def __init__(self, book: Book, folder: Path) -> None:
        self.book, self.folder = book, folder
        self.checkpoints = Checkpoints(book.store, book.keys, Metrics(), origin=book.log.origin)
        self.connection = Connection(book.url)

    @property
    def key(self) -> VerifierKey:
        return self.checkpoints.verifier

    async def grow(self, entries: int) -> None:
        await self.book.log.ready(now())
        drafts = [self.book.log.draft("gateway.started", now(), content={"version": "1"}) for _ in range(entries)]
        await self.book.store.append(drafts)
        await self.checkpoints.sign()
        while grow(self.connection):
            pass

    def move(self, through: str = LATER) -> archiving.Archived:
        return archive(self.connection, self.folder, self.key, self.vault, through)

    @property
    def vault(self) -> Vault:
        return Vault(self.book.keys.master, self.folder)

    def faults(self) -> list[str]:
        connection = Connection(self.book.url, read_only=True)
        try:
            report = verify_database(connection, self.key, self.book.keys.master, archive=self.folder)
            return [finding.place for finding in report.findings]
        finally:
            connection.close()

    def left(self) -> int:
        """How many entries' contents are still in the database."""
        return int(self.connection.rows("SELECT COUNT(*) FROM log_entries WHERE length(sealed) > 0")[0][0])


@pytest.fixture
async def shelf(book: Book, tmp_path: Path) -> Shelf:
    shelf = Shelf(book, tmp_path / "archive")
    await shelf.grow(600)
    return shelf


async def test_what_is_moved_is_read_as_before(shelf: Shelf) -> None:
    before = await shelf.book.log.entries(0, 600)
    assert shelf.move("2000-01").entries == 0
    done = shelf.move()
    assert (done.entries, done.moved, shelf.left()) == (512, 512, 88)
    assert shelf.faults() == []
    log = type(shelf.book.log)(
        shelf.book.store, shelf.book.keys, origin=shelf.book.log.origin, gateway="g", vault=shelf.vault
    )
    assert await log.entries(0, 600) == before
    published = Published(shelf.book.store, shelf.checkpoints, shelf.vault)
    (shown,) = await published.proved([300])
    assert shown["groups"] is not None
    assert (await published.tile(Tile(0, 1))) == (shelf.folder / Tile(0, 1).path).read_bytes()
    assert (await published.tile(Tile(None, 1))) == (shelf.folder / Tile(None, 1).path).read_bytes()
    await shelf.grow(300)
    again = shelf.move()
    assert (again.entries, again.moved, shelf.left()) == (768, 256, 132)
    assert shelf.faults() == []
    assert shelf.move().moved == 0


async def test_nothing_leaves_the_database_that_was_not_proved(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = archiving.write_file

    def spoilt(path: Path, content: bytes) -> None:
        whole(path, content if path.parent.name != "sealed" or path.name != "001" else content[:-1] + b"x")

    monkeypatch.setattr(archiving, "write_file", spoilt)
    with pytest.raises(BadArchive, match="entry 511"):
        shelf.move()
    assert (shelf.left(), Manifest.read(shelf.folder)) == (600, None)
    monkeypatch.setattr(
        archiving, "write_file", lambda path, content: None if path.name == "001" else whole(path, content)
    )
    (shelf.folder / Tile(0, 1).path).unlink()
    with pytest.raises(BadArchive):
        shelf.move()
    assert shelf.left() == 600
    monkeypatch.undo()
    shelf.connection.run("UPDATE log_entries SET sealed = ? WHERE idx = 5", (b"",))
    with pytest.raises(BadArchive, match="entry 5"):
        shelf.move()
    assert shelf.faults() == ["entry 5", "entry 5"]


async def test_interrupted_after_it_was_proved(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    def died(*_: object) -> tuple[int, int]:
        raise OSError("no power")

    monkeypatch.setattr(archiving, "_take_out", died)
    with pytest.raises(OSError, match="no power"):
        shelf.move()
    monkeypatch.undo()
    assert shelf.faults() == []
    assert (shelf.move("2000-01").moved, shelf.left()) == (512, 88)
    assert shelf.faults() == []


async def test_an_archive_that_was_tampered_with(shelf: Shelf) -> None:
    shelf.move()
    for path, place in (
        (sealed_path(shelf.folder, 1), "entry 256"),
        (shelf.folder / Tile(None, 1).path, "archive"),
        (shelf.folder / Tile(0, 0).path, "archive"),
        (shelf.folder / "archive.json", "archive"),
    ):
        kept = path.read_bytes()
        at = 20 if path.name != "archive.json" else kept.index(b'"root": "') + 12
        path.write_bytes(kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :])
        found = shelf.faults()
        assert place in found, path
        path.unlink()
        assert shelf.faults() != []
        path.write_bytes(kept)
    assert shelf.faults() == []
