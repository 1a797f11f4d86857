"""The log's archive, made by `linkage log archive`, in backups and out of them again."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.app import initialise
from gateway.backup import archived
from gateway.exchangelog import ExchangeLog
from gateway.exchangelog.archive import Manifest, files_of, sealed_path
from gateway.exchangelog.checkpoints import Checkpoints
from gateway.exchangelog.tree import grow
from gateway.exchangelog.vault import Vault
from gateway.keys import Keys
from gateway.model import now
from gateway.observe import Metrics
from gateway.settings import Settings
from gateway.store import Connection, Store
from gateway.tlog.tiles import Tile
from tests.cli.conftest import Ran, run_linkage
from tests.databases import KINDS, fresh
from tests.harness import ROOT


class Machine:
    """A gateway's machine, and another that has nothing but the copy of its keys."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, kind: str) -> None:
        self.folder, self.patch, self.kind = folder, patch, kind
        self.archive = folder / "archive"
        self.set(LINKAGE_KEYS_DIR=folder / "keys", LINKAGE_ISSUER="http://127.0.0.1:9")

    def set(self, **values: object) -> None:
        for name, value in values.items():
            self.patch.setenv(name, str(value))

    def use(self, name: str, url: str) -> None:
        """The database at `url`, and an archive folder of its own."""
        self.archive = self.folder / name / "archive"
        self.set(LINKAGE_STATE_DIR=self.folder / name, LINKAGE_DATABASE_URL=url, LINKAGE_LOG_ARCHIVE=self.archive)

    async def grow(self, entries: int) -> None:
        settings = Settings()
        keys, store = Keys.load(settings.keys), Store(settings.database)
        log = ExchangeLog(store, keys, origin=settings.origin, gateway="g", vault=Vault(keys.master, self.archive))
        await log.ready(now())
        await store.append([log.draft("gateway.started", now(), content={"version": "1"}) for _ in range(entries)])
        await Checkpoints(store, keys, Metrics(), origin=settings.origin).sign()
        await asyncio.to_thread(store.close)
        connection = Connection(settings.database)
        while grow(connection):
            pass
        connection.close()

    def moved(self) -> int:
        return int(done("log", "archive", self.archive, "--through", "2099-12").json["entries"])

    def contents(self, first: int, count: int) -> list[dict[str, object]]:
        """Entries with what they hold, as the gateway reads them."""

        async def read() -> list[dict[str, object]]:
            settings = Settings()
            keys, store = Keys.load(settings.keys), Store(settings.database)
            vault = Vault(keys.master, settings.log_archive)
            log = ExchangeLog(store, keys, origin=settings.origin, gateway="g", vault=vault)
            try:
                return list(await log.entries(first, count))
            finally:
                await asyncio.to_thread(store.close)

        return asyncio.run(read())


def done(*arguments: object) -> Ran:
    ran = run_linkage(*arguments, "--json")
    assert ran.code == 0, ran.err
    return ran


def refused(saying: str, *arguments: object) -> None:
    ran = run_linkage(*arguments, "--json")
    assert ran.code == 1, ran.out
    assert saying in ran.err
    assert "Traceback" not in ran.err


@pytest.fixture(params=KINDS)
def machine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A log of 600 entries and some, 512 of them archived."""
    held = Machine(tmp_path, monkeypatch, request.param)
    (tmp_path / "first").mkdir()
    with fresh(request.param, tmp_path / "first") as url:
        held.use("first", url)
        initialise(Settings(), first_admin="admin", policies=ROOT / "policies")
        asyncio.run(held.grow(600))
        assert held.moved() == 512
        yield held


@pytest.fixture
def elsewhere(machine: Machine) -> Iterator[str]:
    """The URL of an empty database on a fresh machine."""
    (machine.folder / "second").mkdir()
    with fresh(machine.kind, machine.folder / "second") as url:
        yield url


def restore(machine: Machine, *more: object) -> tuple[object, ...]:
    return ("restore", machine.folder / "backup", "--unwitnessed", *more)


def test_a_fresh_machine_has_all_of_it_again(machine: Machine, elsewhere: str) -> None:
    before, first = machine.contents(0, 600), machine.archive
    held = done("backup", machine.folder / "backup").json["archive"]
    assert (held["entries"], held["files"], held["held"]) == (512, 6, True)
    assert held["bytes"] == sum(
        file.stat().st_size for file in first.rglob("*") if file.is_file() and file.name != "archive.json"
    )
    machine.patch.delenv("LINKAGE_LOG_ARCHIVE")
    machine.set(LINKAGE_STATE_DIR=machine.folder / "second", LINKAGE_DATABASE_URL=elsewhere)
    refused("first 512 entries", *restore(machine))
    machine.use("second", elsewhere)
    done(*restore(machine))
    assert machine.contents(0, 600) == before
    counts = done("log", "verify").json["counts"]
    assert counts["archived entries"] == 512
    names = sorted(file.relative_to(first) for file in first.rglob("*") if file.is_file())
    assert names == sorted(file.relative_to(machine.archive) for file in machine.archive.rglob("*") if file.is_file())
    assert all((first / name).read_bytes() == (machine.archive / name).read_bytes() for name in names)
    asyncio.run(machine.grow(300))
    assert machine.moved() == 768
    assert done("log", "verify").json["counts"]["archived entries"] == 768


def test_backed_up_apart_it_is_checked_and_demanded(machine: Machine, elsewhere: str) -> None:
    before, first = machine.contents(0, 600), machine.archive
    held = done("backup", machine.folder / "backup", "--archive-apart").json["archive"]
    assert (held["entries"], held["held"]) == (512, False)
    assert sorted(file.name for file in (machine.folder / "backup").iterdir()) == [
        "archive.sha256",
        "manifest.json",
        "tables.jsonl.gz",
    ]
    asyncio.run(machine.grow(10))
    machine.use("second", elsewhere)
    refused("lacks tile/entries/000", *restore(machine))
    shutil.copytree(first, machine.archive)
    spoilt = sealed_path(machine.archive, 1)
    whole = spoilt.read_bytes()
    spoilt.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused("lacks sealed/001, or has another", *restore(machine))
    spoilt.write_bytes(whole)
    (machine.archive / "archive.json").unlink()
    refused("archive.json is not there", *restore(machine))
    shutil.copy(first / "archive.json", machine.archive)
    done(*restore(machine))
    assert machine.contents(0, 600) == before
    assert done("log", "verify").json["good"]


def test_where_only_the_database_was_lost_the_archive_stays(machine: Machine, elsewhere: str) -> None:
    """It has grown since the backup, by entries that the backup still holds in its rows; what it has is kept."""
    asyncio.run(machine.grow(300))
    done("backup", machine.folder / "backup")
    assert machine.moved() == 768
    first = machine.archive
    machine.use("second", elsewhere)
    machine.set(LINKAGE_LOG_ARCHIVE=first)
    done(*restore(machine))
    kept = Manifest.read(first)
    assert kept is not None
    assert kept.entries == 768
    assert done("log", "verify").json["counts"]["archived entries"] == 768


@pytest.mark.parametrize("how", [(), ("--archive-apart",)])
def test_an_archive_that_grows_while_it_is_backed_up(
    machine: Machine, elsewhere: str, how: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(machine.grow(300))
    before, first = machine.contents(0, 900), machine.archive

    def growing(entries: int) -> Iterator[str]:
        yield from files_of(entries)
        assert machine.moved() == 768

    with monkeypatch.context() as patch:
        patch.setattr(archived, "files_of", growing)
        assert done("backup", machine.folder / "backup", *how).json["archive"]["entries"] == 512
    machine.use("second", elsewhere)
    if how:
        shutil.copytree(first, machine.archive)
    done(*restore(machine))
    assert machine.contents(0, 900) == before
    assert done("log", "verify").json["good"]


def test_an_archive_that_has_what_the_backup_lacks_is_left_alone(machine: Machine, elsewhere: str) -> None:
    done("backup", machine.folder / "backup")
    asyncio.run(machine.grow(300))
    assert machine.moved() == 768
    first = machine.archive
    machine.use("second", elsewhere)
    machine.set(LINKAGE_LOG_ARCHIVE=first)
    before = {file: file.read_bytes() for file in first.rglob("*") if file.is_file()}
    refused("more than the backup's", *restore(machine))
    assert {file: file.read_bytes() for file in first.rglob("*") if file.is_file()} == before
    machine.use("second", elsewhere)
    done(*restore(machine))
    assert done("log", "verify").json["good"]


@pytest.mark.parametrize("how", [(), ("--archive-apart",)])
def test_under_another_name_it_is_the_beginning_of_that_log(
    machine: Machine, elsewhere: str, how: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    done("backup", machine.folder / "backup", *how)
    first = machine.archive
    machine.use("second", elsewhere)
    if how:
        shutil.copytree(first, machine.archive)
    machine.set(LINKAGE_LOG_ORIGIN="127.0.0.1:9/log-2")
    committed = Connection.commit

    def lost(_: Connection) -> None:
        raise OSError("the line is down")

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "commit", lost)
        assert run_linkage(*restore(machine, "--reason", "the disk burnt")).code == 1
    assert Connection.commit is committed
    assert Manifest.read(machine.archive) == Manifest.read(first)
    done(*restore(machine, "--reason", "the disk burnt"))
    assert done("log", "verify").json["counts"]["archived entries"] == 512
    asyncio.run(machine.grow(300))
    assert machine.moved() == 768
    assert done("log", "verify").json["good"]


def test_no_backup_is_made_of_an_archive_that_is_not_whole(machine: Machine) -> None:
    first = machine.archive
    for path, saying in (
        (sealed_path(first, 1), "is not 256 sealed entries"),
        (first / Tile(None, 0).path, "tile/0/000 is not of the entries"),
        (first / "archive.json", "archive.json"),
    ):
        whole = path.read_bytes()
        flipped = whole[:20] + bytes([whole[20] ^ 1]) + whole[21:]
        path.write_bytes(flipped if path.parent.name == "entries" else whole[:-9])
        for number, how in enumerate(((), ("--archive-apart",))):
            into = machine.folder / f"{path.name}-{path.parent.name}-{number}"
            refused(saying, "backup", into, *how)
            assert not (into / "manifest.json").exists()
        path.write_bytes(whole)
    sealed_path(first, 0).rename(machine.folder / "aside")
    refused("lacks 000", "backup", machine.folder / "lacking")
    (machine.folder / "aside").rename(sealed_path(first, 0))
    machine.patch.delenv("LINKAGE_LOG_ARCHIVE")
    refused("LINKAGE_LOG_ARCHIVE", "backup", machine.folder / "unnamed")
    machine.set(LINKAGE_LOG_ARCHIVE=machine.folder / "empty")
    refused("LINKAGE_LOG_ARCHIVE", "backup", machine.folder / "elsewhere")


def test_a_backup_whose_archive_was_spoilt(machine: Machine, elsewhere: str) -> None:
    done("backup", machine.folder / "good")
    good = machine.folder / "good"
    machine.use("second", elsewhere)

    def spoil(name: str, change: object) -> Path:
        backup = machine.folder / "backup"
        shutil.rmtree(backup, ignore_errors=True)
        shutil.copytree(good, backup)
        path = backup / name
        content = path.read_bytes()
        path.unlink()
        if isinstance(change, bytes):
            path.write_bytes(content.replace(*change.split(b">", 1)))
        return path

    spoil("archive/sealed/000", None)
    refused("its archive lacks sealed/000", *restore(machine))
    spoil("archive.sha256", None)
    refused("archive.sha256 cannot be read", *restore(machine))
    spoil("archive.sha256", b"sealed/000>sealed/009")
    refused("archive.sha256 is not the one", *restore(machine))
    spoil("archive/archive.json", b'"entries": 512>"entries": 256')
    refused("older than the backup", *restore(machine))
    spoil("archive/archive.json", b'"root": "> "root": "')
    for other in ("entries", "held", "sha256"):
        path = spoil("manifest.json", b"{>{")
        body = json.loads(path.read_text())
        body["archive"][other] = None
        path.write_text(json.dumps(body))
        refused("manifest.json", *restore(machine))
    assert not machine.archive.exists()
    # Spoilt with care: another backup's contents, and every digest made to fit. The entries tell.
    sealed = good / "archive" / "sealed" / "001"
    content = bytearray(sealed.read_bytes())
    content[-1] ^= 1
    path = spoil("archive/sealed/001", None)
    path.write_bytes(bytes(content))
    backup = machine.folder / "backup"
    listed = "".join(
        f"{archived._digest(backup / 'archive' / line[66:])}  {line[66:]}\n"
        for line in (backup / "archive.sha256").read_text().splitlines()
    )
    (backup / "archive.sha256").write_text(listed)
    body = json.loads((backup / "manifest.json").read_text())
    body["archive"]["sha256"] = archived._digest(backup / "archive.sha256")
    (backup / "manifest.json").write_text(json.dumps(body))
    refused("entry 511", *restore(machine))
    assert not machine.archive.exists()
