"""Folders broken at random: whatever is in them, they are in order or told what is not, with file and line."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.catalogue import CatalogueProblems, read_folder
from gateway.catalogue.ckan import FIELDS
from gateway.catalogue.rules import registration_findings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "connectors/dopa/agency.yaml").read_text(encoding="utf-8")
BODY: dict[str, Any] = yaml.safe_load(TEXT)
REGISTRATION = read_folder(ROOT / "connectors" / "dopa", ROOT / "schemas").as_json()
SECRET = "zq-made-up-secret"
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
MANY = settings(
    deadline=None,
    max_examples=40,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def places(node: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [place, *(below for key, value in items for below in places(value, (*place, key)))]


PLACES = places(REGISTRATION)[1:]


def put(body: Any, place: tuple[Any, ...], value: Any) -> None:
    for key in place[:-1]:
        body = body[key]
    body[place[-1]] = value


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dopa").mkdir()
    (tmp_path / "schemas").symlink_to(ROOT / "schemas")
    return tmp_path / "dopa"


def check(folder: Path, text: str) -> list[str]:
    """What is told of a folder with this agency.yaml; none where it is in order."""
    (folder / "agency.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        read_folder(folder, folder.parent / "schemas")
        return []
    except CatalogueProblems as wrong:
        found = wrong.problems
    assert found
    for problem in found:
        assert problem.line >= 0
        assert problem.en
        assert re.search("[ก-๛]", problem.th)
        assert SECRET not in problem.en + problem.mend_en, "a value is told"
    return [problem.en for problem in found]


@MANY
@given(data=st.data())
def test_lines_lost_doubled_or_turned_about(folder: Path, data: st.DataObject) -> None:
    lines = TEXT.splitlines()
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "twice", "indent", "junk"])):
            case "drop":
                del lines[at]
            case "twice":
                lines.insert(at, lines[at])
            case "indent":
                lines[at] = " " + lines[at]
            case _:
                lines[at] = data.draw(st.text(max_size=30))
    check(folder, "\n".join(lines))


@MANY
@given(place=st.sampled_from(PLACES), value=ANY)
def test_any_value_anywhere_of_a_registration(place: tuple[Any, ...], value: Any) -> None:
    body = deepcopy(REGISTRATION)
    put(body, place, value)
    for finding in registration_findings(body):
        assert finding.en
        assert re.search("[ก-๛]", finding.th)
        assert SECRET not in finding.en + finding.mend_en


@pytest.mark.parametrize("name", FIELDS)
def test_none_of_the_fourteen_mandatory_fields_may_lack(folder: Path, name: str) -> None:
    body = deepcopy(BODY)
    del body["services"][0]["metadata"][name]
    assert f"`{name}` is missing" in check(folder, yaml.safe_dump(body, allow_unicode=True))
