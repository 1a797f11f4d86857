"""Backups that were cut off, damaged, tampered with or are another log's, and checkpoints that do not fit."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.backup.rows import tables
from gateway.exchangelog.checkpoints import sign_checkpoint
from gateway.keys import Keys, Master, new_key, write_key
from gateway.store import Connection
from gateway.tlog.note import Signer
from tests.cli.conftest import Ran, run_linkage
from tests.harness import RunningGateway, free_port


@pytest.fixture(scope="module")
def original(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good backup of the shared gateway, with a copy of its keys beside it."""
    gateway: RunningGateway = world[0]
    folder = tmp_path_factory.mktemp("original")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in gateway.environment.items():
            if name.startswith("LINKAGE_"):
                patch.setenv(name, value)
        for number in itertools.count():  # until a checkpoint covers all that is in it
            manifest = run_linkage("backup", folder / f"try-{number}", "--json").json
            if manifest["checkpoint"].split("\n")[1] == str(manifest["size"]):
                (folder / f"try-{number}").rename(folder / "backup")
                break
            time.sleep(0.2)
    shutil.copytree(gateway.state / "gateway" / "keys", folder / "keys")
    (folder / "issuer").write_text(gateway.url)
    return folder


@pytest.fixture
def desk(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to spoil, and settings of a machine that has nothing yet."""
    shutil.copytree(original, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("LINKAGE_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LINKAGE_KEYS_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("LINKAGE_ISSUER", (original / "issuer").read_text())
    (tmp_path / "state").mkdir()
    return tmp_path


def restored(desk: Path, *more: object) -> Ran:
    return run_linkage("restore", desk / "backup", *(more or ("--unwitnessed",)), "--json")


def refused(desk: Path, saying: str, *more: object) -> None:
    ran = restored(desk, *more)
    assert ran.code == 1, ran.out
    assert saying in ran.err
    assert "Traceback" not in ran.err
    file = desk / "state" / "linkage.db"
    if file.exists():
        connection = Connection(f"sqlite:///{file}", read_only=True)
        assert [connection.rows(f"SELECT COUNT(*) FROM {t}")[0][0] for t in ("log_entries", "registers")] == [0, 0]
        connection.close()


def rewritten(desk: Path, change: Callable[[list[bytes]], None]) -> None:
    """The rows changed, and the manifest's digest with them, as somebody would who wants it to pass."""
    file = desk / "backup" / "tables.jsonl.gz"
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    change(lines)
    file.write_bytes(gzip.compress(b"".join(lines)))
    told(desk, sha256=hashlib.sha256(file.read_bytes()).hexdigest())


def told(desk: Path, **changes: Any) -> None:
    manifest = desk / "backup" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), **changes}))


def heading(lines: list[bytes], table: str) -> int:
    return next(n for n, line in enumerate(lines) if line.startswith(b'{"table":"' + table.encode() + b'"'))


def test_a_good_one_for_comparison(desk: Path) -> None:
    ran = restored(desk)
    assert ran.code == 0, ran.err
    assert ran.json["size"] > 0
    again = restored(desk)
    assert again.code == 1
    assert "not empty" in again.err


def test_one_that_was_interrupted_or_cut_off(desk: Path) -> None:
    whole = (desk / "backup" / "tables.jsonl.gz").read_bytes()
    (desk / "backup" / "tables.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    refused(desk, "not the one that manifest.json tells of")
    told(desk, sha256=hashlib.sha256(whole[: len(whole) // 2]).hexdigest())
    refused(desk, "cannot be read to the end")
    (desk / "backup" / "tables.jsonl.gz").unlink()
    refused(desk, "cannot be read")
    for text in ("{", "[]", '{"format": "linkage-backup/v2"}', '{"format": "linkage-backup/v1"}'):
        (desk / "backup" / "manifest.json").write_text(text)
        refused(desk, "manifest.json")
    (desk / "backup" / "manifest.json").unlink()
    refused(desk, "interrupted")


def test_one_entry_changed_missing_or_added(desk: Path) -> None:
    def changed(lines: list[bytes]) -> None:
        at = heading(lines, "log_entries") + 5
        row = json.loads(lines[at])
        row[1] = json.loads(lines[at + 1])[1]
        lines[at] = json.dumps(row).encode() + b"\n"

    rewritten(desk, changed)
    refused(desk, "entry 4")
    rewritten(desk, lambda lines: lines.pop(heading(lines, "log_entries") + 8))
    refused(desk, "entry 7")


def test_the_tail_cut_off_with_care(desk: Path) -> None:
    """Head, entries and manifest agree; the checkpoints in it do not."""

    def cut(lines: list[bytes]) -> None:
        at = heading(lines, "log_entries")
        end = next(n for n in range(at + 1, len(lines)) if lines[n].startswith(b"{"))
        del lines[end - 3 : end]
        head = heading(lines, "head") + 1
        lines[head] = json.dumps([1, json.loads(lines[head])[1] - 3]).encode() + b"\n"

    rewritten(desk, cut)
    told(desk, size=json.loads((desk / "backup" / "manifest.json").read_text())["size"] - 3)
    refused(desk, "it was signed, and the log has only")


def test_rows_that_are_none(desk: Path) -> None:
    for spoilt in (b"[1]\n", b'[1, "x", "y", "z"]\n', b"nonsense\n", b'["?", "?", "?", "?"]\n'):
        shutil.copytree(desk / "backup", desk / "kept", dirs_exist_ok=True)
        rewritten(desk, lambda lines, row=spoilt: lines.insert(heading(lines, "log_entries") + 1, row))
        refused(desk, "cannot be read to the end")
        shutil.copytree(desk / "kept", desk / "backup", dirs_exist_ok=True)
    rewritten(desk, lambda lines: lines.__setitem__(heading(lines, "head"), b'{"table":"head","columns":["id"]}\n'))
    refused(desk, "not those of this version")


def test_other_keys_than_those_of_then(desk: Path) -> None:
    (desk / "keys" / "pseudonym.key").write_bytes(b"p" * 32)
    refused(desk, "pseudonym.key")
    (desk / "keys" / "log.jwk").unlink()
    write_key(desk / "keys" / "log.jwk", new_key("EdDSA"))
    refused(desk, "log.jwk")


def test_another_master_key(desk: Path) -> None:
    Master.new(desk / "keys" / "master.key").write()
    refused(desk, "master.key")


def test_a_backup_of_other_tables(desk: Path) -> None:
    told(desk, migration="9999", program="99.0")
    refused(desk, "99.0")


def test_without_a_witness_it_says_what_cannot_be_known(desk: Path) -> None:
    ran = run_linkage("restore", desk / "backup", "--json")
    assert ran.code == 1
    assert "--unwitnessed" in ran.err


def test_a_witness_that_does_not_answer_may_know_more(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = Signer("witness.example/w1", Keys.load(desk / "keys").log_key(), 0x04).verifier
    monkeypatch.setenv("LINKAGE_WITNESSES", f"{key} http://127.0.0.1:{free_port()}")
    ran = run_linkage("restore", desk / "backup", "--json")
    assert ran.code == 1
    assert "does not answer" in ran.err
    assert restored(desk, "--unwitnessed").code == 0


def test_a_checkpoint_from_a_file(desk: Path) -> None:
    manifest = json.loads((desk / "backup" / "manifest.json").read_text())
    signer = Signer(manifest["origin"], Keys.load(desk / "keys").log_key())
    size, file = manifest["size"], desk / "kept.txt"
    file.write_text(sign_checkpoint(signer, size + 7, b"r" * 32).note)
    ran = restored(desk, "--checkpoint", file)
    assert json.loads(ran.err)["error"]["lost"] == {"first": size, "last": size + 6, "count": 7}
    file.write_text(sign_checkpoint(signer, size - 1, b"r" * 32).note)
    refused(desk, "a fork", "--checkpoint", file)
    file.write_text(sign_checkpoint(Signer("other.example/log", signer.key), size, b"r" * 32).note)
    refused(desk, "no checkpoint of this log", "--checkpoint", file)
    file.write_text(manifest["checkpoint"])
    assert restored(desk, "--checkpoint", file).code == 0


def test_a_folder_that_holds_something_is_not_written_into(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert restored(desk).code == 0
    assert run_linkage("backup", desk / "backup").code == 1
    assert run_linkage("backup", desk / "fresh").code == 0
    assert (desk / "fresh").stat().st_mode & 0o077 == 0
    assert all(file.stat().st_mode & 0o077 == 0 for file in (desk / "fresh").iterdir())
    monkeypatch.setenv("LINKAGE_STATE_DIR", str(desk / "nothing"))
    ran = run_linkage("backup", desk / "another", "--json")
    assert ran.code == 1
    assert json.loads(ran.err)["error"]["code"] in ("refused", "database")


def test_every_column_has_a_form_in_the_file() -> None:
    kinds = {type(column.type).__name__ for table in tables() for column in table.columns}
    assert kinds <= {"BigInteger", "SmallInteger", "Integer", "String", "Text", "LargeBinary", "Date"}


def test_key_files_that_took_the_place_of_those_of_then_are_the_logs_own(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vkey = json.loads((desk / "backup" / "manifest.json").read_text())["vkey"]
    for _ in range(2):
        assert run_linkage("keys", "rotate", "log").code == 0
    assert restored(desk).code == 0
    # No gateway has taken the key up: what is signed is signed with the one before, and so is a backup of it.
    doctor = run_linkage("doctor", "--json").json["findings"]
    assert [one["state"] for one in doctor if one["check"] == "log"] == ["ok"]
    assert any("rotated" in one["title"] for one in doctor if one["check"] == "keys")
    assert run_linkage("log", "verify", "--json").json["good"]
    again = run_linkage("backup", desk / "again", "--json").json
    assert again["vkey"] == vkey
    (desk / "other").mkdir()
    monkeypatch.setenv("LINKAGE_STATE_DIR", str(desk / "other"))
    assert run_linkage("restore", desk / "again", "--unwitnessed").code == 0


def test_a_checkpoint_signed_with_the_key_that_came_after_says_how_large_the_log_was(desk: Path) -> None:
    manifest = json.loads((desk / "backup" / "manifest.json").read_text())
    assert run_linkage("keys", "rotate", "log").code == 0
    signer = Signer(manifest["origin"], Keys.load(desk / "keys").log_key())
    (desk / "seen").write_text(sign_checkpoint(signer, manifest["size"] + 7, bytes(32)).note)
    ran = restored(desk, "--checkpoint", desk / "seen")
    assert ran.code == 1
    assert json.loads(ran.err)["error"]["lost"]["count"] == 7


def test_a_key_that_took_no_ones_place_is_another_logs(desk: Path) -> None:
    assert run_linkage("keys", "rotate", "log").code == 0
    (desk / "keys" / "log.jwk").unlink()
    write_key(desk / "keys" / "log.jwk", new_key("EdDSA"))
    refused(desk, "not the key that signed this log")


def test_a_log_goes_on_under_another_name_with_the_key_files_of_then_only(
    desk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_linkage("keys", "rotate", "log").code == 0
    monkeypatch.setenv("LINKAGE_LOG_ORIGIN", "gateway.example/log-2")
    refused(desk, "key files of then", "--unwitnessed", "--reason", "a drill")
