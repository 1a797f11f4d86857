"""The sandboxes as processes: ready line, state, keys, silence, and that none is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from local_sources import KEYS, ROOT, Process

from connectors.population import population, register_sentinels, story


def gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        if Path(f"/proc/{pid}/stat").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return True
        time.sleep(0.05)
    return False


def test_ready_serving_silent_and_ended(tmp_path: Path) -> None:
    process = Process("nhso", tmp_path / "held")
    assert process.ready == {"ready": True, "port": process.ready["port"], "pid": process.process.pid}
    query = {"PERSON_ID": story("elder")}
    refused = httpx.get(f"{process.url}/coverage", params=query, trust_env=False)
    assert refused.status_code == 401
    assert process.count() == 0
    answered = httpx.get(
        f"{process.url}/coverage",
        params=query,
        headers={"X-Client-Key": KEYS["SOURCE_NHSO__API_KEY"]},
        trust_env=False,
    )
    assert answered.json()["PERSON_ID"] == story("elder")
    assert process.count() == 1
    process.fault("never")
    with pytest.raises(httpx.TimeoutException):
        httpx.get(
            f"{process.url}/coverage",
            params=query,
            headers={"X-Client-Key": KEYS["SOURCE_NHSO__API_KEY"]},
            timeout=0.3,
            trust_env=False,
        )
    out, err = process.stop()
    assert (out, err) == ("", ""), "a sandbox logs nothing"
    assert gone(process.process.pid)
    held = (tmp_path / "held" / "coverage.json").read_text()
    assert story("elder") in held


def test_what_the_agencies_hold_agrees(dopa: Process, nhso: Process) -> None:
    persons = json.loads((dopa.state / "person.json").read_text())
    houses = json.loads((dopa.state / "house.json").read_text())
    covers = json.loads((nhso.state / "coverage.json").read_text())
    assert persons.keys() == houses.keys() == population().keys()
    assert covers.keys() <= persons.keys()
    for citizen_id, one in population().items():
        held = json.dumps([persons[citizen_id], houses[citizen_id], covers.get(citizen_id)], ensure_ascii=False)
        for value in register_sentinels(one):
            assert value in held or str(int(value)) in held
    assert any(len(str(house["houseID"])) < 11 for house in houses.values()), "leading zeros are lost"
    assert not any(person["statusOfPersonCode"] and citizen_id in covers for citizen_id, person in persons.items())


def test_a_sandbox_ends_with_its_parent(tmp_path: Path) -> None:
    code = (
        "import subprocess,sys,time\n"
        f"child=subprocess.Popen([sys.executable,'-m','connectors.dopa.sandbox','--port','0','--state',{str(tmp_path)!r}],"
        "stdout=subprocess.PIPE,text=True)\n"
        "print(child.stdout.readline(),flush=True)\n"
        "time.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **KEYS}, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = json.loads(parent.stdout.readline())["pid"]
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert gone(child)


@pytest.mark.parametrize(
    ("missing", "port", "message"), [(True, "0", "SOURCE_DOPA__API_KEY"), (False, "taken", "port")]
)
def test_it_says_why_it_does_not_start(dopa: Process, tmp_path: Path, missing: bool, port: str, message: str) -> None:
    environment = {**os.environ, **KEYS}
    if missing:
        del environment["SOURCE_DOPA__API_KEY"]
    number = str(dopa.ready["port"]) if port == "taken" else port
    done = subprocess.run(
        [sys.executable, "-m", "connectors.dopa.sandbox", "--port", number, "--state", str(tmp_path)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
