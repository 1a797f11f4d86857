"""The declarative mapping, rule by rule, and whatever JSON a source may send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.mapping import MAPPING_SCHEMA, compile_mapping, identifier_of
from connectors.pointers import pointer
from gateway.catalogue import read_folder, services_of
from gateway.catalogue.form import Form
from gateway.plugin import AgencyMisbehaved

ROOT = Path(__file__).resolve().parents[2]
FORM = Form(MAPPING_SCHEMA)


def mapped(rule: dict[str, Any], answer: Any, **more: Any) -> Any:
    mapping = {"fields": {"field": rule}, **more}
    assert list(FORM.findings(mapping)) == []
    return compile_mapping(mapping).record(answer, {"field"}).data["field"]


def unmapped(rule: dict[str, Any], answer: Any, **more: Any) -> None:
    with pytest.raises(AgencyMisbehaved) as caught:
        mapped(rule, answer, **more)
    assert caught.value.fault == "unmapped"
    assert str(caught.value) == AgencyMisbehaved.title_en


@pytest.mark.parametrize(
    ("rule", "value", "wanted"),
    [
        ({"type": "text"}, "  a\u00a0 b\n", "a b"),
        ({"type": "text"}, 12, "12"),
        ({"type": "text"}, " ", None),
        ({"type": "text", "default": "x"}, None, "x"),
        ({"type": "text", "missing": ["-"]}, " - ", None),
        ({"type": "text", "thai_digits": "arabic"}, "๑๒/๓", "12/3"),
        ({"type": "text"}, "๑๒", "๑๒"),
        ({"type": "digits", "length": 11, "pad": True}, 1234, "00000001234"),
        ({"type": "digits", "length": 4}, "๐๑-๒ ๓", "0123"),
        ({"type": "digits"}, "0042", "0042"),
        ({"type": "integer"}, "๔๒", 42),
        ({"type": "integer"}, 3.0, 3),
        ({"type": "integer"}, "9007199254740991", 2**53 - 1),
        ({"type": "number"}, 1e300, 1e300),
        ({"type": "integer", "default": 0}, "", 0),
        ({"type": "number"}, "3.25", 3.25),
        ({"type": "number"}, "-7", -7),
        ({"type": "boolean"}, False, False),
        ({"type": "boolean", "true": ["Y", 1], "false": ["N", 0]}, 0, False),
        ({"type": "boolean", "true": ["Y", 1], "false": ["N", 0]}, "Y", True),
        ({"type": "boolean", "default": False}, None, False),
        ({"type": "date", "calendar": "buddhist", "form": "yyyymmdd"}, 25000300, "1957-03"),
        ({"type": "date", "calendar": "buddhist", "form": "ddmmyyyy"}, 1032500, "1957-03-01"),
        ({"type": "date", "calendar": "common", "form": "yyyy-mm-dd"}, "2024-2-9", "2024-02-09"),
        ({"type": "date", "calendar": "buddhist", "form": "yyyymmdd"}, 0, None),
        ({"type": "code", "codes": {"1": "one", "2": None}}, 1, "one"),
        ({"type": "code", "codes": {"1": "one", "2": None}}, "2", None),
        ({"type": "list", "items": {"type": "digits", "path": "/n", "length": 2, "pad": True}}, [{"n": 1}], ["01"]),
        ({"type": "list", "items": {"type": "text", "path": "/n"}}, {"n": "one"}, ["one"]),
        ({"type": "list", "items": {"type": "text", "path": "/n"}}, [], []),
        ({"type": "object", "fields": {"a": {"type": "text", "path": "/b"}}}, {"b": "x"}, {"a": "x"}),
        ({"type": "object", "fields": {"a": {"type": "text", "path": "/b"}}}, None, None),
    ],
)
def test_rules(rule: dict[str, Any], value: Any, wanted: Any) -> None:
    got = mapped({**rule, "path": "/v"}, {"v": value})
    assert got == wanted
    assert type(got) is type(wanted)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"type": "text"}, True),
        ({"type": "text"}, 1.5),
        ({"type": "text"}, {"a": 1}),
        ({"type": "text"}, "a\x00b"),
        ({"type": "text", "required": True}, "  "),
        ({"type": "digits", "length": 4}, "123"),
        ({"type": "digits", "length": 2, "pad": True}, 123),
        ({"type": "digits"}, -5),
        ({"type": "digits"}, "12a"),
        ({"type": "digits"}, "١٢"),
        ({"type": "integer"}, 1.5),
        ({"type": "integer"}, "1e5"),
        ({"type": "integer"}, True),
        ({"type": "integer"}, 2**53),
        ({"type": "integer"}, "-9007199254740992"),
        ({"type": "integer"}, 1.8446744073709552e19),
        ({"type": "number"}, 2**64),
        ({"type": "number"}, "NaN"),
        ({"type": "boolean"}, "true"),
        ({"type": "boolean", "true": [1], "false": [0]}, "1"),
        ({"type": "date", "calendar": "buddhist", "form": "yyyymmdd"}, "1957-03-01"),
        ({"type": "date", "calendar": "buddhist", "form": "yyyymmdd"}, 19570301),
        ({"type": "code", "codes": {"1": "one"}}, 2),
        ({"type": "list", "items": {"type": "integer", "path": "/n"}}, [{"n": "x"}]),
        ({"type": "object", "fields": {"a": {"type": "text", "path": "/b"}}}, [1]),
    ],
)
def test_what_does_not_fit(rule: dict[str, Any], value: Any) -> None:
    unmapped({**rule, "path": "/v"}, {"v": value})


def test_code_and_label() -> None:
    rule = {"type": "coded", "code": "/c", "label": "/l", "length": 3}
    assert mapped(rule, {"c": 99, "l": " ไทย "}) == {"code": "099", "label": "ไทย"}
    assert mapped(rule, {"c": "099"}) == {"code": "099", "label": None}
    assert mapped(rule, {"l": "ไทย"}) is None
    unmapped(rule, {"c": 1234})
    listed = {
        "type": "coded",
        "code": "/c",
        "label": "/l",
        "codes": {"1": {"code": "a", "label": "A"}, "2": {"code": "b"}},
    }
    assert mapped(listed, {"c": 1, "l": "x"}) == {"code": "a", "label": "A"}
    assert mapped(listed, {"c": "2", "l": "x"}) == {"code": "b", "label": "x"}
    unmapped(listed, {"c": 3})


def test_composed() -> None:
    rule = {
        "type": "composed",
        "parts": [
            {"path": "/t"},
            {"path": "/f", "joined": True},
            {"path": "/m"},
            {"path": "/l", "before": "(", "after": ")"},
        ],
    }
    assert mapped(rule, {"t": "นาย", "f": "ก", "m": " ", "l": "ข"}) == "นายก (ข)"
    assert mapped(rule, {"m": "x"}) == "x"
    assert mapped(rule, {}) is None
    unmapped({**rule, "required": True}, {})


def test_root_as_of_and_echo() -> None:
    mapping = {
        "root": "/data/0",
        "echo": "/data/0/id",
        "as_of": {"type": "date", "path": "/day", "calendar": "buddhist", "form": "yyyymmdd"},
        "missing": ["?"],
        "fields": {"a": {"type": "text", "path": "/a~1b"}},
    }
    assert list(FORM.findings(mapping)) == []
    mapper = compile_mapping(mapping)
    record = mapper.record({"data": [{"id": "๙-๑๑๑๑-๑๑๑๑๑-๑๑-๔", "day": 25690101, "a/b": "x"}]}, {"a"})
    assert (record.echo, record.as_of, record.data) == ("9111111111114", "2026-01-01", {"a": "x"})
    assert mapper.record({"data": [{"id": 1, "a/b": "?"}]}, {"a"}).data == {"a": None}
    assert "9111111111114" not in repr(record)
    for answer in ({"data": []}, {"data": [{}]}, [], None, {"data": [{"id": "x"}]}, {"data": [{"id": "1" * 14}]}):
        with pytest.raises(AgencyMisbehaved) as caught:
            mapper.record(answer, {"a"})
        assert caught.value.fault == "no_echo"


def test_only_the_granted_fields_are_mapped() -> None:
    mapper = compile_mapping(
        {"fields": {"good": {"type": "text", "path": "/g"}, "bad": {"type": "integer", "path": "/b", "required": True}}}
    )
    assert mapper.record({"g": "x", "b": "not a number"}, frozenset({"good", "elsewhere"})).data == {"good": "x"}


@pytest.mark.parametrize(
    ("value", "identifier"),
    [
        (9111111111114, "9111111111114"),
        ("9-1111-11111-11-4", "9111111111114"),
        (105500000013, "0105500000013"),
        ("๙๑๑๑๑๑๑๑๑๑๑๑๔", "9111111111114"),
        (True, None),
        (-5, None),
        ("", None),
        ("x", None),
        (1.0, None),
        ("12345678901234", None),
    ],
)
def test_identifiers_as_sources_write_them(value: Any, identifier: str | None) -> None:
    assert identifier_of(value) == identifier


@given(st.lists(st.text(max_size=5), min_size=1, max_size=4), st.integers())
def test_pointers_lead_back(steps: list[str], value: int) -> None:
    node: Any = value
    for step in reversed(steps):
        node = {step: node}
    text = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    assert pointer(text)(node) == value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


def _services() -> list[Any]:
    folders = sorted(path.parent for path in (ROOT / "connectors").glob("*/agency.yaml"))
    return [each for folder in folders for each in services_of(read_folder(folder, ROOT / "schemas").as_json())]


@pytest.mark.parametrize("service", _services(), ids=lambda service: service.id)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_a_source_sends(service: Any, data: st.DataObject) -> None:
    """Every agency's own mapping answers any JSON with a record that is JSON, or with a fault that says nothing."""
    mapping = service.connector["mapping"]
    keys = sorted(_paths(mapping))
    answer: Any = data.draw(st.fixed_dictionaries({}, optional=dict.fromkeys(keys, JSON)) | JSON)
    mapper = compile_mapping(mapping)
    try:
        record = mapper.record(answer, frozenset(service.fields))
    except AgencyMisbehaved as error:
        told = (error.fault, str(error))
    else:
        assert set(record.data) == set(service.fields)
        orjson.dumps(record.data, option=orjson.OPT_STRICT_INTEGER)
        return
    assert told in (("unmapped", AgencyMisbehaved.title_en), ("no_echo", AgencyMisbehaved.title_en))


def _paths(node: Any) -> set[str]:
    if isinstance(node, dict):
        own = {node[key][1:] for key in ("path", "code", "label") if isinstance(node.get(key), str)}
        return own.union(*(_paths(value) for value in node.values())) - {""}
    if isinstance(node, list):
        return set().union(*(_paths(value) for value in node))
    return set()
