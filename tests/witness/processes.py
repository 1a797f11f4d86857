"""Witnesses as processes of their own, and waiting for what they and a gateway do."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from gateway.tlog.note import VerifierKey, parse_key
from tests.harness import ROOT, RunningGateway, free_port

SECONDS = 15.0
LINKAGE = (sys.executable, "-c", "from gateway.cli import main; main()")


class Witness:
    """One witness process."""

    def __init__(self, state: Path, name: str) -> None:
        self.state, self.port = state, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.name = name
        self.key = self.start()

    def start(self) -> VerifierKey:
        command = ["witness", "serve", "--state", str(self.state), "--port", str(self.port), "--name", self.name]
        self.process = subprocess.Popen([*LINKAGE, *command, "--json"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            line = self.process.stdout.readline()
            assert line, "the witness ended"
            text += line
        return parse_key(json.loads(text)["vkey"])

    def watch(self, vkey: str) -> None:
        subprocess.run(
            [*LINKAGE, "witness", "add", vkey, "--state", str(self.state)],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )


def until(what: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.1)
    raise TimeoutError("it did not happen in time")


def metric(gateway: RunningGateway, name: str) -> float:
    lines = httpx.get(f"{gateway.url}/metrics", trust_env=False).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))
