"""`make` on a machine that lacks something says so, and goes on from there the next time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def checkout(repository: Path, tmp_path: Path) -> Path:
    """A folder with what `make setup` reads, and nothing installed."""
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy(repository / name, tmp_path / name)
    return tmp_path


def make(folder: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    if path is not None:
        environment["PATH"] = path
    command = [shutil.which("make") or "make", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_without_a_new_enough_python_it_says_which_is_needed(checkout: Path) -> None:
    old = checkout / "old"
    old.mkdir()
    for name in ("python3", "python"):
        (old / name).write_text("#!/bin/sh\nexit 1\n")
        (old / name).chmod(0o755)
    for found in (make(checkout, "setup", f"PYTHON={old}/python3"), make(checkout, "demo", path=f"{old}:/nowhere")):
        assert found.returncode != 0
        assert "Python 3.11" in found.stderr
        assert not (checkout / ".venv").exists()


def test_an_install_that_was_interrupted_is_begun_anew(checkout: Path) -> None:
    half = checkout / ".venv" / "lib" / "half-a-package"
    half.mkdir(parents=True)
    # The lock names a package that is nowhere, so this one is interrupted too, before it is done.
    (checkout / "requirements.lock").write_text(f"no-such-package-here==0 --hash=sha256:{'0' * 64}\n")
    found = make(checkout, "setup", f"PYTHON={sys.executable}", "PIP_NO_INDEX=1")
    assert found.returncode != 0
    assert "Installing into .venv" in found.stdout
    assert not half.exists()
    assert not (checkout / ".venv" / ".installed").exists()


def test_once_installed_it_does_nothing_more(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".installed").touch()
    assert make(checkout, "--question", "setup").returncode == 0
    os.utime(checkout / "pyproject.toml", (4e9, 4e9))
    assert make(checkout, "--question", "setup").returncode == 1
