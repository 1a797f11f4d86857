"""Real witnesses beside a real gateway: cosignatures gathered, demanded, and a rollback that a witness notices."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gateway.tlog.checkpoint import open_checkpoint
from gateway.tlog.note import parse_key
from tests.harness import RunningGateway, end
from tests.witness.processes import Witness, metric, until


@pytest.fixture
def witnesses(tmp_path: Path) -> Iterator[list[Witness]]:
    held = [Witness(tmp_path / f"w{number}", f"witness.example/w{number}") for number in (1, 2)]
    yield held
    for witness in held:
        end(witness.process)


def test_a_witnessed_log(tmp_path: Path, witnesses: list[Witness]) -> None:
    keys = [witness.key for witness in witnesses]
    gateway = RunningGateway(
        tmp_path / "state",
        LINKAGE_WITNESSES=",".join(f"{witness.key} {witness.url}" for witness in witnesses),
        LINKAGE_WITNESSES_WANTED=2,
        LINKAGE_WITNESSES_DEMANDED="true",
        LINKAGE_CHECKPOINT_INTERVAL=0.2,
    )
    try:
        gateway.initialise()
        gateway.start()
        vkey = httpx.get(f"{gateway.url}/log/vkey", trust_env=False).text.strip()

        def cosigned(entries: int = 0) -> int:
            """How many signed the log's last checkpoint, if it covers so many entries."""
            text = httpx.get(f"{gateway.url}/log/checkpoint", trust_env=False).text
            if not text.startswith(vkey[:5]):
                return 0
            checkpoint, signers = open_checkpoint(text, parse_key(vkey), keys)
            return len(signers) if checkpoint.size >= entries else 0

        until(lambda: metric(gateway, "linkage_witness_failures_total") >= 2)
        assert cosigned() == 0  # neither knows the log yet
        assert metric(gateway, "linkage_checkpoint_cosignatures") == 0
        for witness in witnesses:
            witness.watch(vkey)
        until(lambda: cosigned() == 2)
        until(lambda: metric(gateway, "linkage_checkpoint_cosignatures") == 2)

        # The log is rolled back to an old copy, checkpoints and all: the witness knows a larger one.
        gateway.kill()
        database = tmp_path / "state" / "gateway" / "linkage.db"
        shutil.copy(database, tmp_path / "old.db")
        for suffix in ("-wal", "-shm"):
            if database.with_name(database.name + suffix).exists():
                shutil.copy(database.with_name(database.name + suffix), tmp_path / f"old.db{suffix}")
        gateway.start()
        with gateway.as_("admin") as admin:
            for number in range(5):
                admin.act("agency.add", {"id": f"agency-{number}", "title": {"th": "ก", "en": "a"}})
        written = int(metric(gateway, "linkage_log_size"))
        until(lambda: cosigned(written) == 2)
        gateway.kill()
        for file in database.parent.glob("linkage.db*"):
            if not file.name.endswith(".lock"):
                file.unlink()
        for file in tmp_path.glob("old.db*"):
            shutil.copy(file, database.with_name("linkage.db" + file.name.removeprefix("old.db")))
        gateway.start()
        until(lambda: metric(gateway, 'linkage_witness_failures_total{kind="witness_ahead"') >= 2)
        assert cosigned() == 0
    finally:
        gateway.stop()
