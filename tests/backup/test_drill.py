"""The drill, for real: back up while serving, lose the database, restore, prove, and go on without a fork."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from connectors import population
from gateway.client import Answer
from gateway.keys import Keys, read_key
from gateway.tlog.checkpoint import open_checkpoint
from gateway.tlog.note import Signer, parse_key
from tests.acceptance.trail import ask, entries_since
from tests.cli.conftest import run_linkage
from tests.databases import fresh
from tests.harness import OLD_AGE, PERSON, ROOT, Agency, RunningGateway, end, seed
from tests.witness.processes import LINKAGE, Witness, until

QUESTION = {"service": PERSON, "citizen_id": population.story("elder"), "purpose": OLD_AGE}


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    held = Witness(tmp_path / "witness", "witness.example/w1")
    yield held
    end(held.process)


@pytest.fixture
def gateway(tmp_path: Path, witness: Witness) -> Iterator[RunningGateway]:
    """Seeded, and watched by the witness from its first checkpoint on."""
    agencies = {name: Agency(name, tmp_path / name) for name in ("dopa", "nhso")}
    held = RunningGateway(
        tmp_path / "world",
        LINKAGE_WITNESSES=f"{witness.key} {witness.url}",
        LINKAGE_CHECKPOINT_INTERVAL=0.1,
    )
    try:
        held.initialise()
        witness.watch(str(Signer(name_of_log(held), Keys.load(held.state / "gateway" / "keys").log_key()).verifier))
        held.start()
        seed(held, agencies)
        yield held
    finally:
        held.stop()
        for agency in agencies.values():
            agency.stop()


@pytest.fixture
def at_its_machine(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands run with the gateway's own settings."""
    for name, value in gateway.environment.items():
        if name.startswith("LINKAGE_"):
            monkeypatch.setenv(name, value)


def name_of_log(gateway: RunningGateway) -> str:
    return f"127.0.0.1:{gateway.port}/log"


def vkey_of(gateway: RunningGateway) -> str:
    return httpx.get(f"{gateway.url}/log/vkey", trust_env=False).text.strip()


def cosigned_size(gateway: RunningGateway, witness: Witness) -> int:
    """How large the newest checkpoint is, if the witness has cosigned it."""
    text = httpx.get(f"{gateway.url}/log/checkpoint", trust_env=False).text
    checkpoint, cosigned = open_checkpoint(text, parse_key(vkey_of(gateway)), [witness.key])
    return checkpoint.size if cosigned else 0


def settled(gateway: RunningGateway, witness: Witness) -> int:
    """The log's size, once the witness knows of all of it."""
    size = len(entries_since(gateway, 0))
    return int(until(lambda: (seen := cosigned_size(gateway, witness)) >= size and seen))


def lose(gateway: RunningGateway) -> None:
    """The database is gone; the keys are not."""
    for file in (gateway.state / "gateway").glob("linkage.db*"):
        file.unlink()


def backed_up(folder: Path) -> dict[str, Any]:
    ran = run_linkage("backup", folder, "--json")
    assert ran.code == 0, ran.err
    return dict(ran.json)


@pytest.mark.usefixtures("at_its_machine")
def test_the_drill(gateway: RunningGateway, witness: Witness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Backed up while questions keep coming in.
    stop, answers = threading.Event(), []

    def keep_asking() -> None:
        while not stop.is_set():
            answers.append(ask(gateway, **QUESTION))

    asking = threading.Thread(target=keep_asking)
    asking.start()
    until(lambda: len(answers) > 5)
    early = backed_up(tmp_path / "early")
    before = len(answers)
    until(lambda: len(answers) > before + 5)
    stop.set()
    asking.join()
    assert all(isinstance(answer, Answer) for answer in answers)
    known = settled(gateway, witness)
    assert 0 < early["size"] < known
    no_key_is_in(tmp_path / "early", gateway)

    # Lost altogether: the backup is behind what the witness has seen, and nothing of it is restored.
    gateway.kill()
    late = backed_up(tmp_path / "late")
    assert late["size"] == known
    lose(gateway)
    ran = run_linkage("restore", tmp_path / "early", "--json")
    assert ran.code == 1
    error = json.loads(ran.err)["error"]
    assert error["lost"] == {"first": early["size"], "last": known - 1, "count": known - early["size"]}
    assert error["witnessed"] == {"by": "witness.example/w1", "size": known}
    gateway.start(wait=False)
    assert gateway.process is not None
    assert gateway.process.wait(timeout=30) != 0  # empty as it is, it does not serve
    gateway.process = None

    # With the later backup nothing is lost: the log is proved, goes on, and the witness cosigns it further.
    ran = run_linkage("restore", tmp_path / "late", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["lost"] == 0
    assert ran.json["witnessed"]["size"] == known
    gateway.start()
    assert isinstance(ask(gateway, **QUESTION), Answer)
    further = settled(gateway, witness)
    assert further > known
    assert run_linkage("log", "verify", "--json").json["good"]

    # The later one is gone too: the log goes on under another name, and says what is lost.
    gateway.kill()
    lose(gateway)
    old, new = name_of_log(gateway), f"127.0.0.1:{gateway.port}/log-2"
    monkeypatch.setenv("LINKAGE_LOG_ORIGIN", new)
    assert run_linkage("restore", tmp_path / "early").code == 2  # not without a reason
    assert run_linkage("restore", tmp_path / "early", "--reason", f"for {QUESTION['citizen_id']}").code == 2
    ran = run_linkage("restore", tmp_path / "early", "--reason", "the disk and its newer backups burnt", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["lost"] == further - early["size"]
    assert ran.json["origin"] == new
    assert ran.json["continued_from"] == early["origin"] == old
    monkeypatch.delenv("LINKAGE_LOG_ORIGIN")  # under the old name, which would fork it, it does not serve
    refused = subprocess.run(
        [*LINKAGE, "serve"], check=False, env=gateway.environment, cwd=ROOT, capture_output=True, text=True
    )
    assert refused.returncode == 1
    assert new in refused.stderr
    monkeypatch.setenv("LINKAGE_LOG_ORIGIN", new)
    gateway.extra["LINKAGE_LOG_ORIGIN"] = new
    gateway.start()
    assert vkey_of(gateway) == ran.json["vkey"]
    witness.watch(ran.json["vkey"])
    assert isinstance(ask(gateway, **QUESTION), Answer)
    assert settled(gateway, witness) > early["size"]
    assert run_linkage("log", "verify", "--json").json["good"]
    on_record(gateway, early, further)


@pytest.mark.skipif(os.environ.get("DRILL") != "whole", reason="`make drill`; test_archived has its parts")
@pytest.mark.usefixtures("at_its_machine")
def test_the_drill_with_an_archive(
    gateway: RunningGateway, witness: Witness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine is lost with its archive; a fresh one has the backup and the keys, and serves what was archived."""
    archive = gateway.state / "gateway" / "archive"
    gateway.extra["LINKAGE_LOG_ARCHIVE"] = str(archive)
    monkeypatch.setenv("LINKAGE_LOG_ARCHIVE", str(archive))
    first = ask(gateway, **QUESTION)
    while len(entries_since(gateway, 0)) < 300:
        assert isinstance(ask(gateway, **QUESTION), Answer)
    settled(gateway, witness)
    before = entries_since(gateway, 0)[:256]
    gateway.stop()
    ran = run_linkage("log", "archive", archive, "--through", "2099-12", "--json")
    assert (ran.code, ran.json["entries"]) == (0, 256), ran.err
    gateway.start()
    assert isinstance(ask(gateway, **QUESTION), Answer)
    settled(gateway, witness)
    held = backed_up(tmp_path / "backup")["archive"]
    assert (held["entries"], held["held"]) == (256, True)
    no_key_is_in(tmp_path / "backup", gateway)

    gateway.kill()
    lose(gateway)
    shutil.rmtree(archive)
    ran = run_linkage("restore", tmp_path / "backup", "--json")
    assert ran.code == 0, ran.err
    gateway.start()
    assert entries_since(gateway, 0)[:256] == before
    with gateway.as_("auditor") as auditor:
        shown = auditor.audited(first.exchange_id)["contents"]
    assert [entry["public"]["kind"] for entry in shown] == ["exchange.decided", "exchange.released"]
    assert max(entry["index"] for entry in shown) < 256
    assert run_linkage("log", "verify", "--json").json["counts"]["archived entries"] == 256


def on_record(gateway: RunningGateway, early: dict[str, Any], further: int) -> None:
    """The first entry under the new name tells of the old log, as documented."""
    entry = entries_since(gateway, early["size"])[0]
    assert entry["public"]["kind"] == "log.continued"
    content = entry["content"]
    assert content["lost"] == further - early["size"]
    assert content["from"]["origin"] == early["origin"]
    key = parse_key(content["from"]["vkey"])
    assert open_checkpoint(content["witnessed"]["checkpoint"], key)[0].size == further
    schema = json.loads((Path(__file__).resolve().parents[2] / "schemas" / "log-entry.v1.json").read_text())
    assert jsonschema_rs.validator_for(schema).is_valid(entry)


def no_key_is_in(folder: Path, gateway: RunningGateway) -> None:
    """Neither a raw key nor a private number of any key file, as it is, in base64 or in hex; packed or unpacked."""
    import gzip

    written = gzip.decompress((folder / "tables.jsonl.gz").read_bytes())
    names = {"manifest.json", "tables.jsonl.gz"}
    assert {file.name for file in folder.iterdir()} in (names, names | {"archive.sha256", "archive"})
    written += b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    secrets: list[bytes] = []
    for file in [*(gateway.state / "gateway" / "keys").iterdir(), *gateway.keys.iterdir()]:
        if file.suffix == ".jwk":
            number = read_key(file)["d"]
            secrets += [number.encode(), base64.urlsafe_b64decode(number + "=" * (-len(number) % 4))]
        else:
            secrets.append(file.read_bytes())
    assert len(secrets) > 10
    for secret in secrets:
        for form in (secret, secret.hex().encode(), base64.b64encode(secret), base64.urlsafe_b64encode(secret)):
            assert form.rstrip(b"=") not in written


def test_a_backup_moves_the_gateway_to_postgresql(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway: RunningGateway = world[0]
    for name, value in gateway.environment.items():
        if name.startswith("LINKAGE_"):
            monkeypatch.setenv(name, value)
    made = backed_up(tmp_path / "backup")
    assert made["database"] == "sqlite"
    with fresh("postgresql", tmp_path) as url:
        monkeypatch.setenv("LINKAGE_DATABASE_URL", url)
        ran = run_linkage("restore", tmp_path / "backup", "--unwitnessed", "--json")
        assert ran.code == 0, ran.err
        verified = run_linkage("log", "verify", "--json").json
        assert verified["good"]
        assert verified["counts"]["entries"] == made["size"]
        again = backed_up(tmp_path / "again")
        assert again["database"] == "postgresql"
        assert {name: again[name] for name in ("size", "root", "rows", "vkey", "checkpoint")} == {
            name: made[name] for name in ("size", "root", "rows", "vkey", "checkpoint")
        }
        ran = run_linkage("restore", tmp_path / "again", "--unwitnessed", "--json")
        assert ran.code == 1  # the database holds something
        assert "not empty" in ran.err
