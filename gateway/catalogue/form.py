"""A document held against a JSON Schema (2020-12): what does not fit, in our own words, never quoting a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import jsonschema_rs

from gateway.catalogue.problems import Finding

_MASK: Final = "(value)"
_TYPES_TH: Final = {
    "string": "ข้อความ",
    "object": "ออบเจกต์",
    "array": "รายการ",
    "integer": "จำนวนเต็ม",
    "number": "ตัวเลข",
    "boolean": "true หรือ false",
    "null": "null",
}


class Form:
    """A compiled JSON Schema that answers with findings. Fetches nothing: a reference outside is an error."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._validator = jsonschema_rs.Draft202012Validator(
            dict(schema), mask=_MASK, offline=True, validate_formats=True
        )

    def findings(self, document: Any) -> Iterator[Finding]:
        """What of `document` does not fit, place by place."""
        seen: set[Finding] = set()
        for error in self._validator.iter_errors(document):
            for finding in _findings(error):
                if finding not in seen:
                    seen.add(finding)
                    yield finding

    def fits(self, document: Any) -> bool:
        """Whether `document` fits."""
        return self._validator.is_valid(document)


def schema_fault(schema: Any) -> str:
    """Empty if `schema` is a JSON Schema 2020-12 without references outside itself; else what is wrong, in brief."""
    if not isinstance(schema, dict):
        return "not an object"
    if not _meta().is_valid(schema):
        return "not JSON Schema 2020-12"
    try:
        Form(schema)
    except (ValueError, jsonschema_rs.ReferencingError):
        return "a reference or pattern in it cannot be used"
    return ""


@cache
def _meta() -> jsonschema_rs.Draft202012Validator:
    """What every JSON Schema 2020-12 has to fit. Compiled when first needed: a gateway that only serves never is."""
    return jsonschema_rs.Draft202012Validator({"$ref": "https://json-schema.org/draft/2020-12/schema"}, offline=True)


def _findings(error: jsonschema_rs.ValidationError) -> Iterator[Finding]:
    place = tuple(error.instance_path)
    kind = error.kind
    keyword = kind.name
    unexpected = getattr(kind, "unexpected", ())
    if unexpected:
        for key in unexpected:
            yield Finding(
                place,
                "unknown key",
                "ไม่รู้จักคีย์",
                "remove it, or correct its spelling",
                "ลบออก หรือแก้ตัวสะกด",
                key,
            )
    elif keyword == "required":
        name = getattr(kind, "property", "")
        yield Finding(place, f"`{name}` is missing", f"ขาด `{name}`", f"add `{name}`", f"เพิ่ม `{name}`")
    else:
        en, th = _wanted(kind)
        yield Finding(
            place,
            f"does not fit: {_ENGLISH.get(keyword, 'this is not allowed here')}{en}",
            f"ไม่ถูกต้อง: {_THAI.get(keyword, 'ไม่อนุญาตตรงนี้')}{th}",
        )


_ENGLISH: Final = {
    "type": "it must be of type",
    "enum": "it must be one of",
    "const": "it must be",
    "pattern": "it must match",
    "minimum": "it must be at least",
    "maximum": "it must be at most",
    "minLength": "too short; characters at least",
    "maxLength": "too long; characters at most",
    "minItems": "too few; items at least",
    "maxItems": "too many; items at most",
    "minProperties": "too few; keys at least",
    "maxProperties": "too many; keys at most",
    "format": "it must be a",
    "uniqueItems": "an item is there twice",
    "propertyNames": "the name of a key is not allowed",
    "not": "this combination is not allowed",
    "anyOf": "none of the allowed forms",
    "oneOf": "none of the allowed forms, or more than one",
    "dependentRequired": "another key is needed with it",
    "falseSchema": "this is not allowed here",
}
_THAI: Final = {
    "type": "ต้องเป็นชนิด",
    "enum": "ต้องเป็นหนึ่งใน",
    "const": "ต้องเป็น",
    "pattern": "ต้องตรงกับรูปแบบ",
    "minimum": "ต้องไม่น้อยกว่า",
    "maximum": "ต้องไม่เกิน",
    "minLength": "สั้นเกินไป จำนวนอักขระอย่างน้อย",
    "maxLength": "ยาวเกินไป จำนวนอักขระไม่เกิน",
    "minItems": "น้อยเกินไป จำนวนรายการอย่างน้อย",
    "maxItems": "มากเกินไป จำนวนรายการไม่เกิน",
    "minProperties": "น้อยเกินไป จำนวนคีย์อย่างน้อย",
    "maxProperties": "มากเกินไป จำนวนคีย์ไม่เกิน",
    "format": "ต้องเป็นรูปแบบ",
    "uniqueItems": "มีรายการซ้ำ",
    "propertyNames": "ชื่อคีย์นี้ใช้ไม่ได้",
    "not": "ใช้ร่วมกันไม่ได้",
    "anyOf": "ไม่ตรงกับรูปแบบที่อนุญาต",
    "oneOf": "ไม่ตรงกับรูปแบบที่อนุญาต หรือตรงมากกว่าหนึ่งรูปแบบ",
    "dependentRequired": "ต้องมีคีย์อื่นประกอบ",
    "falseSchema": "ไม่อนุญาตตรงนี้",
}


def _wanted(kind: jsonschema_rs.ValidationErrorKind) -> tuple[str, str]:
    """What the schema (not the document) says is wanted, in English and Thai."""
    types = getattr(kind, "types", None)
    if types:
        names = [str(name) for name in types]
        return " " + " or ".join(names), " " + " หรือ ".join(_TYPES_TH.get(name, name) for name in names)
    options = getattr(kind, "options", None)
    if isinstance(options, list):
        text = " " + ", ".join(map(str, options))
        return text, text
    for attribute in ("expected_value", "pattern", "limit", "format"):
        value = getattr(kind, attribute, None)
        if isinstance(value, (str, int, float)):
            return f" {value}", f" {value}"
    return "", ""
