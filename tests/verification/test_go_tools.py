"""Go's own note and tlog packages check the same log, where they are installed (Debian: golang-golang-x-mod-dev)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.exchangelog.tree import Tree
from gateway.store import Connection
from gateway.tlog.merkle import consistency_proof, inclusion_proof
from tests.verification.copied_log import CopiedLog

GOPATH = os.environ.get("GOPATH", "/usr/share/gocode")
HERE = Path(__file__).parent

pytestmark = pytest.mark.skipif(
    shutil.which("go") is None or not (Path(GOPATH) / "src/golang.org/x/mod/sumdb/tlog").is_dir(),
    reason="Go with golang.org/x/mod is not installed",
)


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("go") / "check"
    environment = {**os.environ, "GO111MODULE": "off", "GOPATH": GOPATH, "GOCACHE": str(binary.parent / "cache")}
    subprocess.run(["go", "build", "-o", binary, HERE / "check.go"], env=environment, check=True)
    return binary


def asked(checker: Path, what: dict[str, Any]) -> tuple[int, str]:
    run = subprocess.run([checker], input=json.dumps(what), capture_output=True, text=True, check=False)
    return run.returncode, run.stdout


def test_go_agrees(good_log: CopiedLog, checker: Path) -> None:
    note, newest = good_log.latest
    old = good_log.one("SELECT note FROM checkpoints ORDER BY size LIMIT 1 OFFSET 3")
    old_size = int(old.splitlines()[1])
    connection = Connection(good_log.url, read_only=True)
    subtree = Tree(connection).subtree

    def text(steps: list[bytes]) -> list[str]:
        return [base64.b64encode(step).decode() for step in steps]

    records = [
        {
            "Index": index,
            "Entry": good_log.one("SELECT entry FROM log_entries WHERE idx = ?", index).hex(),
            "Proof": text(inclusion_proof(index, newest.size, subtree)),
            "Note": note,
        }
        for index in (0, 1, 255, 256, 511, newest.size - 1)
    ]
    what = {
        "Vkey": str(good_log.key),
        "Old": old,
        "New": note,
        "Consistency": text(consistency_proof(old_size, newest.size, subtree)),
        "Records": records,
    }
    connection.close()
    assert asked(checker, what) == (0, f"good {len(records)} {old_size} {newest.size}\n")
    for broken in (
        {**what, "Records": [{**records[3], "Index": 257}]},
        {**what, "Records": [{**records[3], "Entry": "00" * 32}]},
        {**what, "Consistency": what["Consistency"][:-1]},
        {**what, "New": note.replace(f"\n{newest.size}\n", f"\n{newest.size + 1}\n")},
    ):
        assert asked(checker, broken)[0] == 1
