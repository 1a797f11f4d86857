"""Body bytes to question: the strict reader.

Every key known, none twice, every value of its type and form; nothing of the input is ever quoted back.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from gateway.errors import MalformedRequest
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
    ("service", "citizen_id", "juristic_id", "purpose", "fields", "consent_id", "officer", "case_reference")
)
_MOST_FIELDS = 200


def read_object(body: bytes) -> dict[str, Any]:
    """A JSON object: UTF-8, no key twice, no NaN or Infinity, no lone surrogate, not too deep.

    Raises MalformedRequest, which says what kind of mistake it is and nothing of the content.
    """
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_distinct, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise MalformedRequest("the body is not UTF-8", "เนื้อหาไม่ใช่ UTF-8") from None
    except RecursionError:
        raise MalformedRequest("the body is nested too deeply", "เนื้อหาซ้อนลึกเกินไป") from None
    except ValueError as error:  # json's own message quotes the document: only its kind goes on
        if isinstance(error, _Repeated):
            raise MalformedRequest("a key stands twice in the body", "มีคีย์ซ้ำในเนื้อหา") from None
        raise MalformedRequest("the body is not JSON", "เนื้อหาไม่ใช่ JSON") from None
    if not isinstance(value, dict):
        raise MalformedRequest("the body is not a JSON object", "เนื้อหาต้องเป็นออบเจกต์ JSON")
    if "\\u" in text and not _encodable(value):
        raise MalformedRequest("the body holds a lone surrogate", "เนื้อหามีรหัสอักขระที่ไม่สมบูรณ์")
    return value


def read_question(body: bytes, *, sandbox: bool) -> Question:
    """The question in the body. Raises MalformedRequest or InvalidCitizenId."""
    value = read_object(body)
    if not value.keys() <= _KEYS:
        raise MalformedRequest("the body has a key that is not known here", "เนื้อหามีคีย์ที่ไม่รู้จัก")
    kinds = [kind for kind in IdentifierKind if kind.value in value]
    if len(kinds) != 1:
        raise MalformedRequest(
            "give citizen_id or juristic_id, one of them", "ระบุ citizen_id หรือ juristic_id อย่างใดอย่างหนึ่ง"
        )
    return Question(
        service=_text(value, "service", SERVICE_ID.fullmatch),
        identifier=require_identifier(value[kinds[0].value], kinds[0], sandbox=sandbox),
        identifier_kind=kinds[0],
        purpose=_text(value, "purpose", PURPOSE_CODE.fullmatch),
        fields=_fields(value["fields"]) if "fields" in value else None,
        consent_id=_optional(value, "consent_id", REFERENCE.fullmatch),
        officer=_optional(value, "officer", CODE.fullmatch),
        case_reference=_optional(value, "case_reference", REFERENCE.fullmatch),
    )


def mistakes(error: ValidationError) -> tuple[str, str]:
    """(English, Thai): where a form is wrong and how, at most ten places, with no value in it.

    The messages are pydantic's fixed ones or our own; a key that the sender chose is not repeated.
    """
    found = error.errors(include_input=False, include_context=False, include_url=False)[:10]
    known = "; ".join(f"{'.'.join(_place(part) for part in one['loc']) or 'body'}: {one['msg']}" for one in found)
    return known, f"ข้อมูลไม่ถูกต้องที่ {known}"


def _place(part: int | str) -> str:
    return str(part) if isinstance(part, int) or part.isidentifier() else "?"


class _Repeated(ValueError):
    """A key stands twice."""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Repeated
    return value


def _no_constant(_: str) -> Any:
    raise ValueError("not a JSON value")


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
    return text


def _optional(value: dict[str, Any], key: str, form: Callable[[str], object]) -> str | None:
    if key not in value:
        return None
    text = _text(value, key, form)
    if holds_citizen_id(text):
        raise MalformedRequest(f"{key} must not be or hold a citizen ID", f"{key} ต้องไม่เป็นหรือมีเลขประจำตัวประชาชน")
    return text


def _fields(value: Any) -> tuple[str, ...]:
    if (
        not isinstance(value, list)
        or not 0 < len(value) <= _MOST_FIELDS
        or not all(isinstance(name, str) and FIELD_NAME.fullmatch(name) for name in value)
    ):
        raise MalformedRequest("fields must be a list of field names", "fields ต้องเป็นรายการชื่อข้อมูล")
    if len(set(value)) != len(value):
        raise MalformedRequest("fields names a field twice", "fields ระบุชื่อข้อมูลซ้ำ")
    return tuple(value)
