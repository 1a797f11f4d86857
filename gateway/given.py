"""The values that a question gives to be compared with what the source knows: answered yes or no, never told.

    {"given": {"first_name": "…", "last_name": "…"}}      for the field name_matches
    {"given": {"mother_citizen_id": "9…"}}                for the field mother_matches

Which values a field is compared with stands in the service's schema (`x-given`). They travel from the question to the
connector and no further: no entry, log line, error or repr holds one; an entry says which were given, by name.
A value that no field asked for needs is refused as well (PDPA s.22: no more than the purpose needs).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from gateway.errors import MalformedRequest, UnknownField
from gateway.model import FIELD_NAME, Decision, GivenValue, Question, Service, has_valid_check_digit

LONGEST: Final = 200
"""Characters of one value."""
_MOST: Final = 20
_LETTER: Final = re.compile(r"[^\W\d_]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def read_given(value: Any) -> dict[str, str]:
    """`given` of a question's body: a few names, each with a text. Raises MalformedRequest."""
    if (
        not isinstance(value, dict)
        or not 0 < len(value) <= _MOST
        or not all(FIELD_NAME.fullmatch(name) for name in value)
        or not all(isinstance(text, str) and 0 < len(text) <= LONGEST for text in value.values())
    ):
        raise MalformedRequest(
            f"given must be an object of names and texts, none empty or longer than {LONGEST} characters",
            f"given ต้องเป็นออบเจกต์ของชื่อและข้อความ ที่ไม่ว่างและยาวไม่เกิน {LONGEST} อักขระ",
        )
    return dict(value)


def require_known(service: Service, given: Mapping[str, str]) -> None:
    """That each value is one that a field of the service is compared with, and of its form.

    Raises UnknownField, MalformedRequest. What is named in them stands in the service's schema.
    """
    if not given:
        return
    known = {value.name: value for info in service.fields.values() for value in info.given}
    if not given.keys() <= known.keys():
        raise UnknownField(
            "given holds a name that no field of the service is compared with: see its schema",
            "given มีชื่อที่ไม่มีรายการข้อมูลใดของบริการใช้เปรียบเทียบ",
        )
    for name, text in given.items():
        _require_form(known[name], text)


def require_used(service: Service, question: Question, decision: Decision) -> None:
    """That every granted field that compares has its values, and that no value is given for nothing.

    Raises MalformedRequest, which says what is missing or too much, by name.
    """
    needs = {name: needed(service, name) for name in decision.fields}
    missing = {name: keys - question.given.keys() for name, keys in needs.items() if keys - question.given.keys()}
    if missing:
        said = "; ".join(f"{name} needs {_listed(keys)}" for name, keys in sorted(missing.items()))
        said_th = " ".join(f"{name} ต้องมี {_listed(keys)}" for name, keys in sorted(missing.items()))
        raise MalformedRequest(f"a value to compare with is missing: {said}", f"ขาดค่าที่จะใช้เปรียบเทียบ: {said_th}")
    unused = question.given.keys() - set().union(*needs.values())
    if unused:
        raise MalformedRequest(
            f"no field that is asked for and granted is compared with {_listed(unused)}: leave it out",
            f"ไม่มีรายการข้อมูลที่ขอและได้รับอนุญาตใช้ {_listed(unused)} โปรดอย่าส่งมา",
        )


def needed(service: Service, field: str) -> set[str]:
    """The names of the values that a field is compared with; none for a field that is simply told."""
    info = service.fields.get(field)
    return {value.name for value in info.given} if info is not None else set()


def _require_form(value: GivenValue, text: str) -> None:
    place = f"given.{value.name}"
    if value.form == "citizen_id" and not has_valid_check_digit(text):
        raise MalformedRequest(
            f"{place} must be 13 ASCII digits with the right check digit: look for a mistyped one",
            f"{place} ต้องเป็นตัวเลขอารบิก 13 หลักที่เลขตรวจสอบถูกต้อง",
        )
    if value.form == "name" and (_CONTROL.search(text) or not _LETTER.search(text)):
        raise MalformedRequest(f"{place} must be a name in letters", f"{place} ต้องเป็นชื่อที่เป็นตัวอักษร")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"given.{name}" for name in sorted(names))
