"""The layout holds: imports go one way, modules stay small, the core names no agency."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

LONGEST = 400


def test_imports_go_one_way(repository: Path) -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    run = subprocess.run([linter, "--no-cache"], cwd=repository, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_no_module_is_longer_than_one_thing_needs(repository: Path) -> None:
    long = {
        str(file.relative_to(repository)): lines
        for folder in ("gateway", "connectors")
        for file in (repository / folder).rglob("*.py")
        if (lines := len(file.read_text().splitlines())) > LONGEST
    }
    assert not long


def test_the_core_names_no_agency(repository: Path) -> None:
    agencies = [yaml.safe_load(file.read_text())["id"] for file in (repository / "connectors").glob("*/agency.yaml")]
    assert len(agencies) >= 2
    naming = [
        (str(file.relative_to(repository)), agency)
        for file in (repository / "gateway").rglob("*.py")
        if "demo" not in file.parts and file.name not in ("demo.py",)
        for agency in agencies
        if f'"{agency}"' in file.read_text()
    ]
    assert not naming
