"""What leaves: the granted fields, as the schema has them, of the person asked about; nothing else."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from gateway import release
from gateway.model import FieldInfo, IdentifierKind, Service
from gateway.plugin import AgencyMisbehaved, Record
from gateway.release import Minimiser

CITIZEN = "9111111111114"
SCHEMA = {
    "type": "object",
    "required": ["status"],
    "$defs": {"day": {"type": "string", "format": "date"}},
    "properties": {
        "status": {"enum": ["alive", "dead"]},
        "born": {"$ref": "#/$defs/day"},
        "name": {"type": "string", "maxLength": 20},
        "children": {"type": "integer", "minimum": 0},
        "house": {"type": "object", "properties": {"no": {"type": "string"}}, "additionalProperties": False},
    },
}


def service(*, echo: bool = True) -> Service:
    fields = {name: FieldInfo(name, "", "", 2, "general") for name in SCHEMA["properties"]}
    return Service(
        "dopa.person.v1",
        "dopa",
        "",
        "",
        IdentifierKind.CITIZEN,
        2,
        "personal",
        False,
        5.0,
        echo,
        SCHEMA,
        fields,
        {},
        {},
    )


def minimised(data: dict[str, Any], granted: tuple[str, ...], **record: Any) -> dict[str, Any]:
    return Minimiser().minimise(Record(data, **{"echo": CITIZEN, **record}), service(), granted, CITIZEN)


def fault(data: dict[str, Any], granted: tuple[str, ...], **record: Any) -> str:
    with pytest.raises(AgencyMisbehaved) as told:
        minimised(data, granted, **record)
    assert told.value.__cause__ is None
    assert "secret" not in str(told.value)
    return told.value.fault


def test_what_is_not_granted_does_not_leave() -> None:
    whole = {"status": "alive", "born": "1957-03-01", "name": "secret", "house": {"no": "1"}}
    assert minimised(whole, ("status",)) == {"status": "alive"}
    assert list(minimised(whole, ("name", "status"))) == ["name", "status"]


@given(
    st.dictionaries(
        st.sampled_from([*SCHEMA["properties"], "x", "father"]), st.sampled_from(["alive", "1957-03-01", 3, {}])
    ),
    st.sets(st.sampled_from(sorted(SCHEMA["properties"])), min_size=1),
)
def test_whatever_the_source_says_no_more_than_the_granted_fields_leave(
    data: dict[str, Any], granted: set[str]
) -> None:
    try:
        left = minimised(data, tuple(sorted(granted)))
    except AgencyMisbehaved:
        return
    assert left.keys() <= granted
    assert all(left[name] == data[name] for name in left)


@pytest.mark.parametrize(
    ("data", "granted"),
    [
        ({"name": "secret"}, ("status", "name")),
        ({"status": "secret"}, ("status",)),
        ({"status": "alive", "born": "secret"}, ("status", "born")),
        ({"status": "alive", "born": "2569-02-30"}, ("status", "born")),
        ({"status": "alive", "name": "secret" * 9}, ("status", "name")),
        ({"status": "alive", "house": {"no": "1", "owner": "secret"}}, ("status", "house")),
        ({"status": "alive", "born": date(1957, 3, 1)}, ("status", "born")),
        ({"status": "alive", "name": b"secret"}, ("status", "name")),
        ({"status": "alive", "house": {1: "secret"}}, ("status", "house")),
        ({"status": "alive", "house": {"no": {"secret"}}}, ("status", "house")),
        ({"status": "alive", "name": "\ud800"}, ("status", "name")),
        ({"status": "alive", "children": 2**53}, ("status", "children")),
    ],
)
def test_what_the_schema_does_not_promise_is_the_sources_fault(data: dict[str, Any], granted: tuple[str, ...]) -> None:
    assert fault(data, granted) == "schema"


def test_a_fault_in_what_is_not_granted_is_nobodys_business() -> None:
    assert minimised({"status": "alive", "born": "secret"}, ("status",)) == {"status": "alive"}


@pytest.mark.parametrize("echo", [None, "", "9222222222225", f"{CITIZEN} ", f"0{CITIZEN}"])
def test_another_persons_answer_or_nobodys_is_refused(echo: str | None) -> None:
    assert fault({"status": "alive"}, ("status",), echo=echo) == "wrong_person"
    record = Record({"status": "alive"}, echo=echo)
    assert Minimiser().minimise(record, service(echo=False), ("status",), CITIZEN) == {"status": "alive"}


@pytest.mark.parametrize(
    "moment", ["2026", "2026-11", "2026-11-20", "2026-11-20T04:17:08Z", "2026-11-20T04:17:08.5+07:00"]
)
def test_the_day_or_time_of_a_record_passes(moment: str) -> None:
    assert minimised({"status": "alive"}, ("status",), as_of=moment)


@pytest.mark.parametrize(
    "moment", ["", "secret", f"2026 {CITIZEN}", "2026-11-20\n", "20 พ.ย. 2569", CITIZEN, 20261120, "๒๕๖๙"]
)
def test_anything_else_in_its_place_does_not(moment: Any) -> None:
    assert fault({"status": "alive"}, ("status",), as_of=moment) == "as_of"


def test_validators_are_kept_for_what_was_released_last_and_for_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any part of a term's fields can be asked for, and each has a validator of its own: memory is bounded."""
    compiled: list[list[str]] = []

    def compile_one(schema: dict[str, Any], **options: Any) -> Draft202012Validator:
        compiled.append([*schema["properties"]])
        return Draft202012Validator(schema, **options)

    monkeypatch.setattr(release, "Draft202012Validator", compile_one)
    monkeypatch.setattr(release, "_MOST_REMEMBERED", 2)
    of, record = Minimiser(), Record({"status": "alive", "name": "Somsri", "children": 2}, echo=CITIZEN)
    for field in ("status", "name", "status", "children", "status", "name"):
        assert of.minimise(record, service(), (field,), CITIZEN).keys() == {field}
    assert compiled == [["status"], ["name"], ["children"], ["name"]]
