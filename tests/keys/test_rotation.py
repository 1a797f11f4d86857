"""One key in another's place, as files and in the log, over each kind of database."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gateway import keyhistory
from gateway.errors import LogUnavailable
from gateway.exchangelog import ExchangeLog
from gateway.exchangelog.checkpoints import Checkpoints
from gateway.exchangelog.vault import UnknownMaster, Vault
from gateway.keyhistory import KeysOutOfDate, published_jwks, take_up, verifier_keys
from gateway.keys import KINDS, BadSuccession, Keys, read_succession
from gateway.keys.ring import discard_masters, rotate
from gateway.observe import Metrics
from gateway.registers import Registers, read_rows
from gateway.store import Connection, Store
from gateway.tlog.note import parse_key
from gateway.verification.database import verify_database
from gateway.verification.keys import followed
from tests.databases import KINDS as DATABASES
from tests.databases import fresh

ORIGIN = "gateway.example/log"
TIME = "2026-11-26T10:00:00.000Z"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    Keys.create(tmp_path / "keys")
    return tmp_path / "keys"


class Machine:
    """A gateway's start on a database: what it reads of the registers, and what it enters of its keys."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url, self.directory = url, directory
        self.store = Store(url)
        self.keys = Keys.load(directory)
        self.vault = Vault(self.keys.master)
        self.log = ExchangeLog(self.store, self.keys, origin=ORIGIN, gateway="gateway-1", vault=self.vault)

    async def registers(self) -> Registers:
        rows, revision = await self.store.read(lambda connection: read_rows(connection, 0))
        return Registers().with_rows(rows, revision)

    async def start(self) -> Machine:
        await self.vault.rewrap(self.store)
        await take_up(self.store, self.log, self.keys, await self.registers())
        return self

    async def sign(self) -> bool:
        """A checkpoint, where this machine's key is the log's."""
        registers = await self.registers()
        own = keyhistory.signs_checkpoints(self.keys, registers)
        checkpoints = Checkpoints(self.store, self.keys, Metrics(), origin=ORIGIN, standing=lambda: {} if own else None)
        return await checkpoints.sign() is not None

    def close(self) -> None:
        self.store.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_key_takes_the_place_and_the_old_one_says_so(directory: Path, kind: str) -> None:
    before = Keys.load(directory)
    step = rotate(directory, kind, TIME)
    after = Keys.load(directory)
    assert before.kids[kind] == step.previous != step.kid == after.kids[kind]
    assert {other: kid for other, kid in after.kids.items() if other != kind} == {
        other: kid for other, kid in before.kids.items() if other != kind
    }
    (retired,) = after.path_from(kind, step.previous) or ()
    log_keys = {before.log["kid"]: before.public("log")}
    assert read_succession(retired.succession, log_keys) == step  # type: ignore[arg-type]
    assert after.path_from(kind, "another") is None
    assert before.path_from(kind, step.kid) is None
    with pytest.raises(BadSuccession):
        read_succession(retired.succession, {"other": after.public("log")})  # type: ignore[dict-item]
    if kind in ("log", "seal", "token"):
        private = str(getattr(before, kind)["d"])
        assert not any(private in path.read_text(errors="replace") for path in directory.rglob("*") if path.is_file())
    assert all(path.stat().st_mode & 0o077 == 0 for path in directory.rglob("*"))


def test_a_rotation_that_broke_off_leaves_the_old_key_in_use(directory: Path, tmp_path: Path) -> None:
    shutil.copytree(directory, tmp_path / "before")
    rotate(directory, "pseudonym", TIME)
    shutil.copy(tmp_path / "before" / "pseudonym.key", directory / "pseudonym.key")  # as if it never got so far
    keys = Keys.load(directory)
    assert keys.pseudonyms == Keys.load(tmp_path / "before").pseudonyms
    assert keys.path_from("pseudonym", keys.kids["pseudonym"]) == []
    rotate(directory, "pseudonym", TIME)
    assert len(Keys.load(directory).pseudonyms) == 2


@pytest.mark.parametrize("database", DATABASES)
async def test_every_checkpoint_verifies_by_the_key_of_its_time(database: str, directory: Path, tmp_path: Path) -> None:
    with fresh(database, tmp_path) as url:
        first = await Machine(url, directory).start()
        old = await first.registers()
        assert await first.sign()
        first.close()
        for _ in range(2):
            for kind in KINDS:
                rotate(directory, kind, TIME)
        second = await Machine(url, directory).start()
        registers = await second.registers()
        assert await second.sign()
        history = verifier_keys(ORIGIN, registers)
        assert [item["from_entry"] for item in history] == [0, 1, 1]
        chain = followed(history, parse_key(history[0]["vkey"]))
        assert [str(key) for key in chain] == [item["vkey"] for item in history]
        assert len(followed(history, chain[1])) == 2
        jwks = {key["kid"] for key in published_jwks(second.keys, registers)}
        assert {key["kid"] for key in published_jwks(first.keys, old)} < jwks
        assert len(jwks) == 6  # for these minutes the earlier token keys too
        connection = Connection(url, read_only=True)
        for known in (chain[0], chain[2]):
            report = verify_database(connection, known, second.keys.master)
            assert report.findings == []
            assert (report.counts["checkpoints"], report.counts["keys"]) == (2, 15)
        other = parse_key(str(chain[0])).__class__(ORIGIN, chain[0].kind, bytes(32))
        assert verify_database(connection, other, None).findings[0].place == "register key/log"
        connection.close()
        second.close()


@pytest.mark.parametrize("database", DATABASES)
async def test_a_gateway_with_keys_that_were_replaced(database: str, directory: Path, tmp_path: Path) -> None:
    with fresh(database, tmp_path) as url:
        shutil.copytree(directory, tmp_path / "behind")
        (await Machine(url, directory).start()).close()
        for kind in ("log", "pseudonym"):
            rotate(directory, kind, TIME)
        ahead = await Machine(url, directory).start()
        registers = await ahead.registers()
        behind = Keys.load(tmp_path / "behind")
        assert not keyhistory.signs_checkpoints(behind, registers)
        with pytest.raises(LogUnavailable, match="restarted with the new key files"):
            keyhistory.require_known(behind, registers)
        keyhistory.require_known(ahead.keys, registers)
        with pytest.raises(KeysOutOfDate):
            await take_up(ahead.store, ahead.log, behind, registers)
        with pytest.raises(KeysOutOfDate):
            await take_up(ahead.store, ahead.log, Keys.create(tmp_path / "strange"), registers)
        assert not await take_up(ahead.store, ahead.log, ahead.keys, registers)
        ahead.close()


async def test_a_statement_that_the_logs_key_did_not_sign(directory: Path, tmp_path: Path) -> None:
    with fresh("sqlite", tmp_path) as url:
        (await Machine(url, directory).start()).close()
        other = Keys.create(tmp_path / "strange")
        step = rotate(directory, "seal", TIME)
        file = directory / "retired" / f"seal-{step.previous}.json"
        before = Keys.load(directory).retired[0].succession
        file.write_text(file.read_text().replace(before, step.signed(other.log)))
        machine = Machine(url, directory)
        with pytest.raises(KeysOutOfDate, match="not signed by a key of the log"):
            await machine.start()
        machine.close()


@pytest.mark.parametrize("database", DATABASES)
async def test_months_stay_readable_while_one_master_key_follows_another(
    database: str, directory: Path, tmp_path: Path
) -> None:
    with fresh(database, tmp_path) as url:
        first = await Machine(url, directory).start()
        await first.vault.prepare(first.store, "2026-10")
        shutil.copytree(directory, tmp_path / "behind")
        first.close()
        rotate(directory, "master", TIME)
        second = await Machine(url, directory).start()
        connection = Connection(url)
        assert len(connection.rows("SELECT kid FROM month_keys WHERE month = '2026-10'")) == 2
        behind = Vault(Keys.load(tmp_path / "behind").master)
        assert behind.open(connection, "2026-10") is not None  # a gateway that has not been started anew
        second.close()
        assert discard_masters(directory) == [first.keys.master.kid]
        third = await Machine(url, directory).start()
        assert {row[0] for row in connection.rows("SELECT kid FROM month_keys")} == {third.keys.master.kid}
        assert third.vault.open(connection, "2026-10") is not None
        with pytest.raises(UnknownMaster):
            Vault(first.keys.master).open(connection, "2026-10")
        connection.close()
        third.close()
