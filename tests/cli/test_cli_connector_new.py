"""`linkage connector new`: what it writes passes its own checks; what is there already stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("kind", ["rest", "soap", "sql"])
def test_a_new_folder_passes_its_own_checks(linkage: Any, tmp_path: Path, kind: str) -> None:
    ran = linkage("connector", "new", "my-agency", "--kind", kind, "--into", tmp_path / "connectors", "--json")
    assert (ran.code, ran.err) == (0, "")
    told = json.loads(ran.out)
    assert all(Path(file).is_file() for file in told["files"])
    checked = linkage("connector", "check", tmp_path / "connectors" / "my-agency", "--json")
    assert checked.code == 0
    assert json.loads(checked.out)["digest"] == told["digest"]
    example = json.loads((tmp_path / "connectors" / "my-agency" / "examples" / "person.json").read_text())
    assert example["record"] == {"full_name": "สมมุติ จำลอง", "date_of_birth": "1957-03"}
    again = linkage("connector", "new", "my-agency", "--kind", kind, "--into", tmp_path / "connectors")
    assert again.code == 1
    assert "__init__.py" in again.err


@pytest.mark.parametrize("agency", ["a-rest", "municipality-of-the-northern-twn"])
def test_whatever_begins_a_services_id_is_an_agencys_id(linkage: Any, tmp_path: Path, agency: str) -> None:
    ran = linkage("connector", "new", agency, "--kind", "rest", "--into", tmp_path / "connectors")
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("X", "--kind", "rest"),
        ("ok", "--kind", "telex"),
        ("../up", "--kind", "sql"),
        ("ok",),
        ("a--b", "--kind", "rest"),
        ("municipality-of-the-northern-town", "--kind", "rest"),
    ],
)
def test_wrong_use(linkage: Any, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ran = linkage("connector", "new", *arguments, "--into", tmp_path / "connectors")
    assert ran.code == 2
    assert not (tmp_path / "connectors").exists()
