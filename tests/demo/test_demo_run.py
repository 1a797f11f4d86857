"""`linkage demo` as a user runs it: a process of its own, with real agencies and a real gateway."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.client import Gateway
from gateway.keys import read_key

LINKAGE = Path(sys.executable).with_name("linkage")
STEPS = 26
PROCESSES = 12
"""The gateway, ten agencies, and a witness."""


def demo(*arguments: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(LINKAGE), "demo", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **more},
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=100)
    return process.returncode, out, err


def children(pid: int) -> list[int]:
    rows = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = [tuple(map(int, row.split())) for row in rows.splitlines()]
    return [child for child, parent in pairs if parent == pid and runs(child)]


def runs(pid: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.strip().startswith("Z")


def until(happens: Any, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
    process.communicate(timeout=30)


def stopped_on_the_way(folder: Path) -> None:
    """SIGTERM while it starts: it says so by its exit code, and leaves no process."""
    process = demo("--port", "0", "--state-dir", str(folder))
    until(lambda: len(children(process.pid)) == PROCESSES)
    held = children(process.pid)
    process.terminate()
    code, _, said = finished(process)
    assert code == 128 + signal.SIGTERM
    assert "Traceback" not in said
    until(lambda: not any(map(runs, held)))


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, Mapping[str, Any]]:
    """One whole demonstration, where another was ended on its way before: its folder, what it told, its result."""
    folder = tmp_path_factory.mktemp("once")
    stopped_on_the_way(folder)
    # Settings of another gateway on this machine must not reach this one.
    foreign = {"LINKAGE_DATABASE_URL": f"sqlite:///{folder}/foreign.db", "LINKAGE_MAX_BODY": "nonsense"}
    code, out, told = finished(demo("--once", "--json", "--port", "0", "--state-dir", str(folder), **foreign))
    assert code == 0, told
    assert not (folder / "foreign.db").exists()
    return folder, told, json.loads(out)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A demonstration that serves, and its folder."""
    folder = tmp_path_factory.mktemp("serving")
    process = demo("--port", "0", "--state-dir", str(folder))
    assert process.stdout is not None
    for line in process.stdout:
        if "Ctrl-C" in line:
            break
    else:
        pytest.fail(process.communicate()[1])
    yield process, folder
    end(process)


def test_every_step_turns_out_as_it_should(once: Any) -> None:
    _, told, result = once
    assert [step["faults"] for step in result["steps"]] == [[]] * (STEPS + 3)
    for shown in (
        '"date_of_birth": "1935-02-14"',
        "field_not_covered",
        '"remedy_th"',
        "unknown_purpose",
        "agreement_expired",
        "invalid_citizen_id",
        "citizen_not_found",
        "agency_unavailable",
        '"mother_matches": true',
        '"name_matches": false',
        "officer_required",
        "consent_required",
        "consent_withdrawn",
        "เป็นไปตามที่ควร / as it should be",
    ):
        assert shown in told


def test_everything_is_registered_by_command_and_approved_by_another(once: Any) -> None:
    _, told, _ = once
    given = [line.split(" $ ") for line in told.splitlines() if " $ linkage " in line]
    by = {command.split(" --")[0].strip(): who.strip() for who, command in given}
    assert by["linkage connector approve dopa"] != by["linkage connector register connectors/dopa"]
    proposed = {name: who for name, who in by.items() if name.startswith("linkage agreement propose")}
    assert len(proposed) == 11
    for name, who in proposed.items():
        agreement = name.removeprefix("linkage agreement propose ").removesuffix(".yaml")
        assert by[f"linkage agreement approve {agreement}"] != who


def test_nothing_of_a_demonstration_that_ended_goes_on(once: Any) -> None:
    folder, _, result = once
    pid = json.loads((folder / "demo.json").read_text())["pid"]
    assert children(pid) == []
    with socket.socket() as probe:
        port = int(result["gateway_url"].rpartition(":")[2])
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_file_for_scripts_holds_what_they_need(once: Any) -> None:
    folder, _, result = once
    file = folder / "demo.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    body = json.loads(file.read_text())
    assert set(body) == {"gateway_url", "pid", "clients", "operators", "citizens", "grants"}
    assert body["gateway_url"] == result["gateway_url"]
    clients = {client["client_id"] for client in body["clients"]}
    for holder in (*body["clients"], *body["operators"]):
        jwk = read_key(Path(holder["key_file"]))
        assert jwk["kid"]
        assert stat.S_IMODE(Path(holder["key_file"]).stat().st_mode) == 0o600
    assert all(set(client) == {"client_id", "agency", "key_file"} for client in body["clients"])
    assert all(set(operator) == {"client_id", "name", "role", "key_file"} for operator in body["operators"])
    assert {operator["role"] for operator in body["operators"]} == {"admin", "owner", "auditor", "dpo"}
    assert all(citizen["citizen_id"].startswith("9") and citizen["about"] for citizen in body["citizens"])
    for grant in body["grants"]:
        assert set(grant) - {"officer"} == {"client_id", "service", "purpose", "fields"}
        assert grant["client_id"] in clients


def test_every_grant_in_the_file_is_answered_with_exactly_its_fields(serving: Any) -> None:
    _, folder = serving
    body = json.loads((folder / "demo.json").read_text())
    keys = {client["client_id"]: client["key_file"] for client in body["clients"]}
    adult = next(citizen["citizen_id"] for citizen in body["citizens"] if "working age" in citizen["about"])
    assert len(body["grants"]) >= 11
    assert {grant["service"].partition(".")[0] for grant in body["grants"]} == {"dopa", "dep", "nhso"}
    for grant in body["grants"]:
        question = {name: value for name, value in grant.items() if name not in ("client_id", "fields")}
        with Gateway(body["gateway_url"], grant["client_id"], keys[grant["client_id"]]) as gateway:
            answer = gateway.exchange(citizen_id=adult, **question)
        assert sorted(answer.data) == sorted(grant["fields"])


def test_every_service_of_every_agency_is_on_offer(serving: Any) -> None:
    _, folder = serving
    body = json.loads((folder / "demo.json").read_text())
    auditor = next(operator for operator in body["operators"] if operator["role"] == "auditor")
    with Gateway(body["gateway_url"], auditor["client_id"], auditor["key_file"]) as gateway:
        offered = {service["id"] for service in gateway.services()}
    assert len(offered) == 14
    assert len({service.partition(".")[0] for service in offered}) == 10


def test_a_folder_or_port_that_is_taken_is_told_and_leaves_the_other_alone(serving: Any, tmp_path: Path) -> None:
    process, folder = serving
    url = json.loads((folder / "demo.json").read_text())["gateway_url"]
    code, _, said = finished(demo("--once", "--port", "0", "--state-dir", str(folder)))
    assert code == 1
    assert "another demonstration is running" in said
    assert "มีการสาธิตอื่น" in said
    code, _, said = finished(demo("--once", "--port", url.rpartition(":")[2], "--state-dir", str(tmp_path)))
    assert code == 1
    assert "is in use by another program" in said
    assert "พอร์ต" in said
    assert not (tmp_path / "demo.json").exists()
    assert process.poll() is None


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("no folder")
    code, _, said = finished(demo("--once", "--port", "0", "--state-dir", str(tmp_path / "a-file" / "below")))
    assert code == 1
    assert "cannot be written" in said
    assert "Traceback" not in said


def test_files_that_are_not_ours_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "linkage.db").write_text("someone's")
    code, _, said = finished(demo("--once", "--port", "0", "--state-dir", str(tmp_path)))
    assert code == 1
    assert "not a demonstration's" in said
    assert (tmp_path / "gateway" / "linkage.db").read_text() == "someone's"


def test_a_port_that_is_no_port_is_told(tmp_path: Path) -> None:
    code, _, said = finished(demo("--once", "--port", "70000", "--state-dir", str(tmp_path)))
    assert code == 1
    assert "65535" in said


def test_even_a_killed_demonstration_leaves_no_process(tmp_path: Path) -> None:
    process = demo("--port", "0", "--state-dir", str(tmp_path))
    until(lambda: len(children(process.pid)) == PROCESSES)
    held = children(process.pid)
    process.kill()
    process.communicate(timeout=30)
    until(lambda: not any(map(runs, held)))


def test_ctrl_c_ends_a_serving_demonstration_in_order(serving: Any) -> None:
    """The last test here: the demonstration that served the others ends with it."""
    process, _ = serving
    held = children(process.pid)
    assert len(held) == PROCESSES
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert not any(map(runs, held))
