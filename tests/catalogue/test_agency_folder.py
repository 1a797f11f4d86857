"""An agency's folder: in order, or every problem at once, with file, line and how to mend it."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from gateway.catalogue import CatalogueProblems, Problem, read_folder

ROOT = Path(__file__).resolve().parents[2]
AGENCIES = sorted(path.parent for path in (ROOT / "connectors").glob("*/agency.yaml"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of an agency's folder and of the schemas, to break."""
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    agency = tmp_path / "dopa"
    agency.mkdir()
    shutil.copy(ROOT / "connectors/dopa/agency.yaml", agency)
    return agency


def problems(folder: Path) -> list[Problem]:
    with pytest.raises(CatalogueProblems) as caught:
        read_folder(folder, folder.parent / "schemas")
    assert caught.value.problems
    for problem in caught.value.problems:
        assert re.search(r"[\u0e00-\u0e7f]", problem.th), "every problem is told in Thai too"
        assert str(problem) in str(caught.value)
    return caught.value.problems


def edit(folder: Path, old: str, new: str, *, count: int = 1) -> int:
    """Replaces text in agency.yaml; the line where it stood."""
    file = folder / "agency.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, count))
    return text[: text.index(old)].count("\n") + 1


def edit_schema(folder: Path, field: str, **changes: object) -> Path:
    file = folder.parent / "schemas/dopa.person.v1.json"
    schema = json.loads(file.read_text())
    for key, value in changes.items():
        name = key.replace("_", "-") if key.startswith("x_") else key
        if value is None:
            del schema["properties"][field][name]
        else:
            schema["properties"][field][name] = value
    file.write_text(json.dumps(schema, ensure_ascii=False, indent=2))
    return file


@pytest.mark.parametrize("agency", AGENCIES, ids=lambda agency: agency.name)
def test_every_agency_in_the_checkout_is_in_order(agency: Path) -> None:
    registration = read_folder(agency, ROOT / "schemas")
    assert registration.agency == agency.name
    assert registration.services
    assert registration.title_en
    assert registration.title_th


def test_every_schema_belongs_to_a_service() -> None:
    services = {name for agency in AGENCIES for name in read_folder(agency, ROOT / "schemas").services}
    files = (ROOT / "schemas").glob("*.json")
    assert services == {file.stem for file in files if "urn:linkage:schema:" in file.read_text()}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("officer_required: false", "officer_required: 'no'", "of type boolean"),
        ("freshness: live", "freshness: now", "must match"),
        ("freshness: live", "freshness: live\n    fresh: yes", "unknown key `fresh`"),
        ("id: dopa.person.v1", "id: nhso.person.v1", "begins with its agency's"),
        ("id: dopa.house.v1", "id: dopa.person.v1", "there twice"),
        ('level: "02"', 'level: "04"', "04 or 05"),
        ('level: "02"', 'level: "05"', "04 or 05"),
        ('level: "02"', 'level: "01"', "contradict"),
        ('level: "02"', "level: 2", "must be one of 01"),
        ('test_identifier: "9111111111114"', 'test_identifier: "9111111111115"', "check digit"),
        ('test_identifier: "9111111111114"', 'test_identifier: "1234567890121"', "must match"),
        ("deadline_seconds: 5", "deadline_seconds: 0", "at least"),
        ("kind: rest", "kind: telex", "no such kind"),
        ("method: POST", "method: PUT", "must be one of GET, POST"),
        ("path: /api/person", "path: api/person", "must match"),
        ("key: {env: SOURCE_DOPA__API_KEY}", "key: made-up-secret", "of type object"),
        ("key: {env: SOURCE_DOPA__API_KEY}", "key: {env: SOURCE_NHSO__API_KEY}", "must hold its agency's"),
        ("key: {env: SOURCE_DOPA__API_KEY}", "key: {env: LINKAGE_DATABASE_URL}", "must match"),
        ("key: {env: SOURCE_DOPA__API_KEY}", "key: {file: nhso/key}", "must hold its agency's"),
        ("key: {env: SOURCE_DOPA__API_KEY}", "key: {file: dopa/../master.key}", "must match"),
        ("endpoint: https://register.dopa.example", "endpoint: http://register.dopa.example", "plain HTTP"),
        ("endpoint: https://register.dopa.example", "endpoint: ftp://register.dopa.example", "must be http(s)"),
        ("endpoint: https://register.dopa.example", "endpoint: https://me:pw@register.dopa.example", "without user"),
        (
            "middle_name: {type: text, path: /middleName}",
            "middle_nam: {type: text, path: /middleName}",
            "no such field",
        ),
        ("middle_name: {type: text, path: /middleName}", "middle_name: {type: text, path: middleName}", "must match"),
        (
            "middle_name: {type: text, path: /middleName}",
            "middle_name: {type: txt, path: /middleName}",
            "must be one of",
        ),
        ("schema: dopa.person.v1.json", "schema: dopa.persn.v1.json", "no such file"),
        ("schema: dopa.person.v1.json", "schema: ../schemas/dopa.person.v1.json", "name of a file"),
        ("identifier: citizen_id", "identifier: passport", "must be one of citizen_id"),
        ("id: dopa.person.v1", "id: dopa.person.v1\n    id: dopa.person.v2", "there twice"),
        ("format: agency/1", "format: agency/2", "must be agency/1"),
        ("echo: /personalID", "echo: personalID", "none of the allowed forms"),
        ("first_name: {path: /firstName, as: name}", "name: {path: /firstName, as: name}", "what the rule compares"),
        ("last_name: {path: /lastName, as: name}", "last_name: {path: /lastName, as: age}", "must be one of name"),
        (
            "owner_status: {type: text, path: /ownerStatusDesc}",
            "owner_status: {type: compare, with: {a: {path: /a, as: name}}}",
            "what the rule compares",
        ),
        ("owner: {email: register-owner@dopa.example}", "owner: {email: nobody}", "must match"),
    ],
)
def test_one_mistake_is_found_at_its_line(folder: Path, old: str, new: str, words: str) -> None:
    line = edit(folder, old, new)
    found = problems(folder)
    matching = [each for each in found if words in each.en]
    assert matching, [str(each) for each in found]
    assert matching[0].file == str(folder / "agency.yaml")
    assert abs(matching[0].line - line) <= 1 or matching[0].line > line, str(matching[0])


def test_a_field_left_unmapped(folder: Path) -> None:
    edit(folder, "          middle_name: {type: text, path: /middleName}\n", "")
    (found,) = problems(folder)
    assert "`middle_name` is not mapped" in found.en
    assert "add a rule" in found.mend_en


def test_all_problems_at_once_in_the_order_of_the_file(folder: Path) -> None:
    lines = [
        edit(folder, "owner: {email: register-owner@dopa.example}", "owner: {email: nobody}"),
        edit(folder, "freshness: live", "freshness: whenever"),
        edit(folder, "key: {env: SOURCE_DOPA__API_KEY}", "key: plain"),
    ]
    file = folder / "agency.yaml"
    head, second = file.read_text().split("  - id: dopa.house.v1")
    file.write_text(head + "  - id: dopa.house.v1" + second.replace('level: "02"', 'level: "04"'))
    found = problems(folder)
    assert len(found) >= 4
    assert [each.line for each in found] == sorted(each.line for each in found)
    assert set(lines) <= {each.line for each in found} | {line + 1 for line in lines}
    assert any("04 or 05" in each.en for each in found), "a broken service does not hide another's mistake"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_level": "04"}, "higher than its service"),
        ({"x_level": "01"}, "neither public nor open"),
        ({"x_level": "2"}, "must be one of 01"),
        ({"x_level": None}, "must be one of 01"),
        ({"x_pdpa": "secret"}, "must be one of none"),
        ({"x_title_th": None}, "`x-title-th` is missing"),
        ({"title": " "}, "`title` is missing"),
        ({"examples": None}, "example is missing"),
        ({"examples": [7]}, "does not fit its field"),
        ({"type": "nonsense"}, "not JSON Schema"),
        ({"pattern": "("}, "cannot be used"),
        ({"$ref": "https://elsewhere.example/schema"}, "cannot be used"),
        ({"$dynamicRef": "#x"}, "cannot be used"),
        ({"type": "array"}, "what its `items` are"),
        ({"type": "object"}, "additionalProperties: false"),
        (
            {"type": ["object", "null"], "additionalProperties": False, "properties": {"a": {"x-level": "03"}}},
            "mixed classification",
        ),
        (
            {"anyOf": [{"type": "string"}, {"type": "null", "x-pdpa": "health"}]},
            "mixed classification",
        ),
    ],
)
def test_a_schema_that_says_too_little_or_too_much(folder: Path, changes: dict[str, object], words: str) -> None:
    file = edit_schema(folder, "date_of_birth", **changes)
    found = [each for each in problems(folder) if words in each.en]
    assert found, words
    if "cannot be used" not in words and "not JSON Schema" not in words:
        assert found[0].file == str(file)
        lines = file.read_text().splitlines()
        start = next(i for i, line in enumerate(lines, 1) if '"date_of_birth": {' in line)
        assert start <= found[0].line <= start + 40


def test_a_schema_that_leaves_the_door_open(folder: Path) -> None:
    file = folder.parent / "schemas/dopa.person.v1.json"
    schema = json.loads(file.read_text())
    for broken in (
        {**schema, "additionalProperties": True},
        {**schema, "required": ["nobody"]},
        {"type": "object"},
        [],
    ):
        file.write_text(json.dumps(broken))
        assert problems(folder)
    file.write_text("{")
    assert any("not JSON" in each.en for each in problems(folder))


def test_categories_and_levels(folder: Path) -> None:
    text = (folder / "agency.yaml").read_text()
    for category, level, good in (
        ("personal", "03", True),
        ("internal", "02", True),
        ("internal", "01", False),
        ("security", "02", False),
        ("security", "03", True),
        ("official_secret", "02", False),
        ("public", "02", False),
        ("public", "01", False),  # its fields are personal
    ):
        (folder / "agency.yaml").write_text(
            text.replace("category: personal", f"category: {category}").replace('level: "02"', f'level: "{level}"')
        )
        if good:
            read_folder(folder, folder.parent / "schemas")
        else:
            assert problems(folder)
    (folder / "agency.yaml").write_text(text.replace("data_category: personal", "data_category: internal", 1))
    assert any("`category`" in each.en for each in problems(folder))


def test_public_data_without_people_is_open(folder: Path) -> None:
    text = (folder / "agency.yaml").read_text()
    (folder / "agency.yaml").write_text(text.replace("category: personal", "category: public").replace('"02"', '"01"'))
    for file in (folder.parent / "schemas").glob("dopa.*.json"):
        file.write_text(
            file.read_text()
            .replace('"x-pdpa": "general"', '"x-pdpa": "none"')
            .replace('"x-level": "02"', '"x-level": "01"')
        )
    assert read_folder(folder, folder.parent / "schemas").agency == "dopa"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("a: [", "not YAML"),
        ("a: b: c", "not YAML"),
        ("- 1", "of type object"),
        ("a: !!python/object:os.system x", "tag"),
        ("1: x", "key must be text"),
        ("a: 1\na: 2", "there twice"),
        ("x: " + "[" * 60 + "]" * 60, "too deeply"),
        (
            "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
            + "".join(f"{n}: &{n} [" + ",".join([f"*{chr(ord(n) - 1)}"] * 10) + "]\n" for n in "bcdefg"),
            "too many",
        ),
        ("x: " + "y" * 600_000, "too large"),
        ("a: *b", "not YAML"),
        ("a: &a [*a]", "too deeply"),
        ('a: "\\ud800"', "half a character"),
        ('"\\ud800": a', "half a character"),
        ('a: "\\e[31m"', "control character"),
        ('a: "\\0"', "control character"),
    ],
)
def test_what_is_no_agency_file(folder: Path, text: str, words: str) -> None:
    (folder / "agency.yaml").write_text(text)
    assert any(words in each.en for each in problems(folder)), words


def test_not_utf8_and_not_there(folder: Path) -> None:
    (folder / "agency.yaml").write_bytes("format: กรม".encode("tis_620"))
    assert any("UTF-8" in each.en for each in problems(folder))
    (folder / "agency.yaml").unlink()
    (found,) = problems(folder)
    assert found.line == 0
    assert "missing" in found.en


def test_what_may_never_end_is_not_read(folder: Path) -> None:
    """A folder comes from elsewhere: a pipe in it, or a link to a device, holds nobody up."""
    schema = folder.parent / "schemas/dopa.person.v1.json"
    schema.unlink()
    schema.symlink_to("/dev/zero")
    assert any("no such file" in each.en for each in problems(folder))
    (folder / "agency.yaml").unlink()
    os.mkfifo(folder / "agency.yaml")
    (found,) = problems(folder)
    assert "missing or cannot be read" in found.en
    (folder / "agency.yaml").unlink()
    (folder / "agency.yaml").symlink_to("/dev/zero")
    (found,) = problems(folder)
    assert "missing or cannot be read" in found.en


def test_yaml_does_not_guess(folder: Path) -> None:
    """`no` is no boolean, 02 no number, a day no date: they stay the text that was written."""
    text = (folder / "agency.yaml").read_text()
    (folder / "agency.yaml").write_text(text.replace('level: "02"', "level: 02"))
    assert read_folder(folder, folder.parent / "schemas").as_json()["services"][0]["level"] == "02"
    (folder / "agency.yaml").write_text(text.replace("officer_required: false", "officer_required: no"))
    assert any("boolean" in each.en for each in problems(folder))


def test_hours(folder: Path) -> None:
    text = (folder / "agency.yaml").read_text()

    def with_hours(hours: str) -> None:
        (folder / "agency.yaml").write_text(text.replace("freshness: live", f"freshness: live\n    hours: {hours}", 1))

    with_hours('{weekly: {mon: ["08:30-12:00", "13:00-16:30"], sun: ["00:00-24:00"]}, closed: [2026-12-31]}')
    read_folder(folder, folder.parent / "schemas")
    for hours in (
        '{weekly: {mon: ["22:00-02:00"]}}',
        '{weekly: {mon: ["08:00-12:00", "11:00-13:00"]}}',
        '{weekly: {mon: ["25:00-26:00"]}}',
        "{weekly: {}}",
        '{weekly: {monday: ["08:00-12:00"]}}',
        '{weekly: {mon: ["08:00-12:00"]}, closed: [2026-02-30]}',
        '{weekly: {mon: ["08:00-12:00"]}, zone: UTC}',
    ):
        with_hours(hours)
        assert problems(folder), hours
