"""A stranger's package, installed for real into a folder of its own, and what is done to it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "stranger"


def install(into: Path, build: Path, *, name: str = "sommut_cover", entry: str = "sommut-cover") -> Path:
    """Installs it with pip, from its files alone; the folder that goes onto the path. `name`: another top module."""
    shutil.copytree(SOURCE, build, ignore=shutil.ignore_patterns("__pycache__"))
    if name != "sommut_cover":
        (build / "sommut_cover").rename(build / name)
    project = build / "pyproject.toml"
    text = project.read_text().replace("sommut_cover", name).replace("sommut-cover", entry)
    project.write_text(text)
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--no-compile", "--target", str(into), str(build)], check=True, capture_output=True)
    return into


def tamper(site: Path, name: str = "sommut_cover") -> None:
    """One byte more."""
    with (site / name / "__init__.py").open("a") as file:
        file.write("#\n")
