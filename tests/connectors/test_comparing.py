"""Names and numbers as people write them, held against what a register has."""

from __future__ import annotations

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from connectors.comparing import same_citizen_id, same_name
from connectors.mapping import compile_mapping
from connectors.population import population

ALIKE = (
    ("สมชาย", " สม ชาย "),
    ("สมชาย", "นายสมชาย"),
    ("วิภา", "น.ส. วิภา"),
    ("นางสาววิภา", "น.ส.วิภา"),
    ("ฤดี", "ม.ล.ฤดี"),
    ("น้ำฝน", "นํ้าฝน"),
    ("แก้ว", "เเก้ว"),
    ("ณ อยุธยา", "ณอยุธยา"),
    ("รามา ๙", "รามา9"),
    ("Somchai", "MR. SOMCHAI"),
    ("Smith-Jones", "smith jones"),
    ("\u200bสมชาย", "สมชาย"),
)
UNLIKE = (
    ("สมชาย", "สมชัย"),
    ("สมชาย", "สมชา"),
    ("สมชาย", ""),
    ("มลฤดี", "ฤดี"),
    ("นางนวล", "วล"),
    ("Drake", "ake"),
    ("นายิกา", "ิกา"),
    ("...", "-"),
)


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_written_otherwise_and_the_same_name(one: str, other: str) -> None:
    assert same_name(one, other)
    assert same_name(other, one)


@pytest.mark.parametrize(("one", "other"), UNLIKE)
def test_another_name(one: str, other: str) -> None:
    assert not same_name(one, other)
    assert not same_name(other, one)


@drawn(st.text(max_size=30), st.text(max_size=30))
def test_any_text_is_compared_without_a_fault(one: str, other: str) -> None:
    assert same_name(one, other) == same_name(other, one)
    assert same_citizen_id(one, other) == same_citizen_id(other, one)


def test_no_two_people_of_the_population_have_names_that_pass_for_each_other() -> None:
    names = sorted({person.first_name for person in population().values()})[:150]
    alike = [(one, other) for one in names for other in names if one < other and same_name(one, other)]
    assert alike == []


def test_a_number_that_lost_its_zeros_is_the_same() -> None:
    assert same_citizen_id("12345678901", "0012345678901")
    assert same_citizen_id("๙๑๑๑๑๑๑๑๑๑๑๑๔", "9-1111-11111-11-4")
    assert not same_citizen_id("9111111111114", "9111111111122")
    assert not same_citizen_id("", "")
    assert not same_citizen_id("91111111111140", "9111111111114")


def test_yes_no_or_nothing_to_say() -> None:
    rule = {"type": "compare", "with": {"first": {"path": "/f", "as": "name"}, "last": {"path": "/l", "as": "name"}}}
    mapper = compile_mapping({"missing": ["-"], "fields": {"matches": rule}})

    def answer(source: dict[str, str], **given: str) -> object:
        return mapper.record(source, {"matches"}, given).data["matches"]

    assert answer({"f": "ก", "l": "ข"}, first="ก", last="ข") is True
    assert answer({"f": "ก", "l": "ข"}, first="ก", last="ค") is False
    assert answer({"f": "ก", "l": "-"}, first="ก", last="ข") is None
    assert answer({"f": "ก", "l": "-"}, first="ค", last="ข") is False
    assert answer({}, first="ก", last="ข") is None
    assert answer({"f": "ก", "l": "ข"}, first="ก") is None
    assert mapper.record({"f": "ก"}, set(), {"first": "ก"}).data == {}
