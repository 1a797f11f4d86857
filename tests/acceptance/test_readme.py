"""What the README shows with curl and openssl is run as it stands there, against a running demonstration."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import run_linkage

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("openssl")), reason="this machine has no curl or no openssl"
)


def blocks_of(readme: Path) -> list[str]:
    section = re.search(r"<!-- begin: curl -->(.*)<!-- end: curl -->", readme.read_text(encoding="utf-8"), re.DOTALL)
    assert section is not None
    return re.findall(r"^```sh\n(.*?)^```$", section[1], re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """(its folder, the gateway's URL) of a demonstration that serves."""
    folder = tmp_path_factory.mktemp("demo-state")
    command = [str(Path(sys.executable).with_name("linkage")), "demo", "--port", "0", "--state-dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8")
    assert process.stdout is not None
    try:
        assert any("Ctrl-C" in line for line in process.stdout)
        yield folder, json.loads((folder / "demo.json").read_text())["gateway_url"]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_the_question_by_curl_is_answered_as_the_readme_says(
    repository: Path, demonstration: tuple[Path, str], tmp_path: Path
) -> None:
    folder, url = demonstration
    blocks = blocks_of(repository / "README.md")
    assert len(blocks) == 4
    (tmp_path / ".venv").symlink_to(sys.prefix)
    shell = subprocess.run(
        ["sh", "-eu"],
        input="\n".join(blocks),
        cwd=tmp_path,
        env={**os.environ, "GATEWAY": url, "DEMO": str(folder), "no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert shell.returncode == 0, shell.stderr
    answer = json.loads(shell.stdout.splitlines()[-1])
    assert answer["service"] == "dopa.person.v1"
    assert answer["data"]["date_of_birth"] == "1957-03"
    assert set(answer["data"]) == {"date_of_birth", "nationality", "life_status"}
    assert answer["decision"]["agreement"] == "municipalities-person"
    assert answer["receipt"]["entry"]


def commands_of(readme: Path) -> list[list[str]]:
    """The commands by which an agency is added, without what they are said to do."""
    found = re.search(r"^```sh\n(linkage connector new .*?)^```$", readme.read_text(encoding="utf-8"), re.DOTALL | re.M)
    assert found is not None
    return [shlex.split(line, comments=True) for line in found[1].splitlines()]


def test_an_agency_is_added_by_the_commands_that_the_readme_gives(
    repository: Path, demonstration: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, url = demonstration
    commands = commands_of(repository / "README.md")
    assert commands == commands_of(repository / "README.th.md")
    for part in ("connectors", "schemas", "demo"):
        shutil.copytree(repository / part, tmp_path / part)
    monkeypatch.chdir(tmp_path)
    for _, *command in commands:
        match command[:2]:
            case ["connector", "new" | "check"]:
                ran = run_linkage(*command)
                assert ran.code == 0, ran.err
            case ["agreement", act]:
                who = {"propose": "dlt.boon", "approve": "dlt.jai"}[act]
                key = folder / "desk" / "keys" / f"{who}.jwk"
                yes = ["--yes"] if act == "approve" else []
                ran = run_linkage(*command, *yes, "--url", url, "--as", who, "--key", key, "--json")
                assert ran.code == 0, ran.err
                assert ran.json["record"]["id"] == "dcy-vehicle"
                status = ran.json["record"]["status"]
    assert status == "active"


def test_both_readmes_show_the_same_commands(repository: Path) -> None:
    assert blocks_of(repository / "README.md") == blocks_of(repository / "README.th.md")


def test_what_the_readmes_point_to_is_there(repository: Path) -> None:
    for name in ("README.md", "README.th.md"):
        targets = re.findall(r"\]\(([^)#:]+)\)", (repository / name).read_text(encoding="utf-8"))
        assert len(targets) > 8
        assert [target for target in targets if not (repository / target).exists()] == []
