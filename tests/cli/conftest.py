"""Runs `linkage` in this process, with what it prints and how it ends."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest

from gateway.cli import run


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


Linkage = Callable[..., Ran]


def run_linkage(*arguments: object, stdin: str = "") -> Ran:
    """One command, with nothing of the environment's LINKAGE_* variables but what the test set itself."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", io.StringIO(stdin)):
        code = run([str(argument) for argument in arguments])
    return Ran(code, out.getvalue(), err.getvalue())


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("LINKAGE_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def linkage() -> Linkage:
    """`linkage("agency", "list", stdin="…")`."""
    return run_linkage
