"""Body bytes to question: the strict reader.

Every key known, none twice, every value of its type and form; nothing of the input is ever quoted back.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any

import orjson
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.errors import MalformedRequest
from gateway.form_texts import in_english, in_thai
from gateway.given import read_given
from gateway.model import (
    CODE,
    FIELD_NAME,
    PURPOSE_CODE,
    REFERENCE,
    SERVICE_ID,
    IdentifierKind,
    Question,
    holds_citizen_id,
    require_identifier,
)

_KEYS = frozenset(
    ("service", "citizen_id", "juristic_id", "purpose", "fields", "given", "consent_id", "officer", "case_reference")
)
_IDENTIFIERS = tuple((kind.value, kind) for kind in IdentifierKind)
_THIRTEEN_DIGITS = re.compile(r"[0-9](?:[._/\s-]*[0-9]){12}", re.ASCII)
_MOST_FIELDS = 200
_DEEPEST = 64
_LARGEST = 2**53 - 1


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object: UTF-8, no key twice, no lone surrogate, nested 64 deep at most, and numbers that every
    reader reads alike (I-JSON, RFC 7493 section 2.2: integers within 2^53, no NaN, no Infinity).

    Raises MalformedRequest, which says what kind of mistake it is and nothing of the content.
    """
    plain = _plain(body)
    if plain is not None:
        return plain
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text, object_pairs_hook=_distinct, parse_int=_integer, parse_float=_finite, parse_constant=_no_constant
        )
    except UnicodeDecodeError:
        raise MalformedRequest("the body is not UTF-8", "เนื้อหาไม่ใช่ UTF-8") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:  # json's own message quotes the document: only its kind goes on
        if isinstance(error, _Repeated):
            raise MalformedRequest("a key stands twice in the body", "มีคีย์ซ้ำในเนื้อหา") from None
        raise MalformedRequest("the body is not JSON", "เนื้อหาไม่ใช่ JSON") from None
    if not isinstance(value, dict):
        raise MalformedRequest("the body is not a JSON object", "เนื้อหาต้องเป็นออบเจกต์ JSON")
    if text.count("[") + text.count("{") > _DEEPEST and _is_deep(value):
        raise _too_deep()
    if "\\u" in text and not _encodable(value):
        raise MalformedRequest("the body holds a lone surrogate", "เนื้อหามีรหัสอักขระที่ไม่สมบูรณ์")
    return value


def _plain(body: bytes) -> dict[str, Any] | None:
    """An object of texts and no escapes, which most questions are, read fast: every quote in it then opens or closes a
    key or a text, and had one key stood twice, there would be more of them. None for all else, good or bad.
    """
    if b"\\" in body:
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if type(value) is not dict or not all(type(text) is str for text in value.values()):
        return None
    return value if body.count(b'"') == 4 * len(value) else None


def read_question(body: bytes, *, sandbox: bool) -> Question:
    """The question in the body. Raises MalformedRequest or InvalidCitizenId."""
    return question_of(read_object(body), sandbox=sandbox)


def question_of(value: dict[str, Any], *, sandbox: bool, about_someone: bool = True) -> Question:
    """The question that a JSON object states. Raises MalformedRequest or InvalidCitizenId.

    `about_someone` False: the identifier may be left out, and is then empty; no one is asked about.
    """
    if not value.keys() <= _KEYS:
        raise MalformedRequest("the body has a key that is not known here", "เนื้อหามีคีย์ที่ไม่รู้จัก")
    kinds = [kind for key, kind in _IDENTIFIERS if key in value]
    if len(kinds) != 1 and (kinds or about_someone):
        raise MalformedRequest(
            "give citizen_id or juristic_id, one of them", "ระบุ citizen_id หรือ juristic_id อย่างใดอย่างหนึ่ง"
        )
    return Question(
        service=_text(value, "service", SERVICE_ID.fullmatch),
        identifier=require_identifier(value[kinds[0].value], kinds[0], sandbox=sandbox) if kinds else "",
        identifier_kind=kinds[0] if kinds else IdentifierKind.CITIZEN,
        purpose=_text(value, "purpose", PURPOSE_CODE.fullmatch),
        fields=_fields(value["fields"]) if "fields" in value else None,
        consent_id=_optional(value, "consent_id", REFERENCE.fullmatch),
        officer=_optional(value, "officer", CODE.fullmatch),
        case_reference=_optional(value, "case_reference", REFERENCE.fullmatch),
        given=read_given(value["given"]) if "given" in value else {},
    )


def mistakes(error: ValidationError) -> tuple[str, str]:
    """(English, Thai): where a form is wrong and how, at most ten places, with no value in it.

    The messages are pydantic's fixed ones or our own; a key that the sender chose is not repeated.
    """
    found = error.errors(include_input=False, include_context=False, include_url=False)[:10]
    said = [(_place(one), in_english(one), in_thai(one)) for one in found]
    english = "; ".join(f"{place}: {text}" for place, text, _ in said)
    return english, "ข้อมูลไม่ถูกต้องที่ " + "; ".join(f"{place}: {text}" for place, _, text in said)


def _place(mistake: ErrorDetails) -> str:
    """`terms.0.fields.2`; a key that the form does not have is the sender's own word, and left out."""
    *above, last = mistake["loc"] or ("body",)
    return ".".join(str(part) for part in (*above, "?" if mistake["type"] == "extra_forbidden" else last))


class _Repeated(ValueError):
    """A key stands twice."""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Repeated
    return value


def _no_constant(_: str) -> Any:
    raise ValueError("not a JSON value")


def _integer(text: str) -> int:
    """Beyond 64 bits a number could be read here and not be written again."""
    if len(text) > 17 or abs(value := int(text)) > _LARGEST:
        raise ValueError("not an integer that every reader reads alike")
    return value


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError("not a finite number")
    return value


def _too_deep() -> MalformedRequest:
    return MalformedRequest("the body is nested too deeply", "เนื้อหาซ้อนลึกเกินไป")


def _is_deep(value: Any) -> bool:
    """Level by level, so that no depth exhausts the stack."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [inner for outer in level for inner in (outer.values() if isinstance(outer, dict) else outer)]
        level = [inner for inner in level if isinstance(inner, dict | list)]
        if not level:
            return False
    return True


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(value: dict[str, Any], key: str, form: Callable[[str], object]) -> str:
    text = value.get(key)
    if not isinstance(text, str) or not form(text):
        raise MalformedRequest(f"{key} is missing or has not the documented form", f"{key} ขาดหายหรือรูปแบบไม่ถูกต้อง")
    # All of these are recorded as they are, the purpose of a refused question too.
    if _identifies(text):
        raise MalformedRequest(f"{key} must not be or hold a citizen ID", f"{key} ต้องไม่เป็นหรือมีเลขประจำตัวประชาชน")
    return text


def _optional(value: dict[str, Any], key: str, form: Callable[[str], object]) -> str | None:
    return _text(value, key, form) if key in value else None


def _identifies(text: str) -> bool:
    """`holds_citizen_id`, with a first look that costs little: this runs for every question."""
    return _THIRTEEN_DIGITS.search(text) is not None and holds_citizen_id(text)


def _fields(value: Any) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or not 0 < len(value) <= _MOST_FIELDS
        or not all(isinstance(name, str) and FIELD_NAME.fullmatch(name) for name in value)
    ):
        raise MalformedRequest("fields must be a list of field names", "fields ต้องเป็นรายการชื่อข้อมูล")
    if any(_identifies(name) for name in value):
        raise MalformedRequest("fields must not hold a citizen ID", "fields ต้องไม่มีเลขประจำตัวประชาชน")
    if len(set(value)) != len(value):
        raise MalformedRequest("fields names a field twice", "fields ระบุชื่อข้อมูลซ้ำ")
    return tuple(value)
