"""A service's JSON Schema: whether it says of each field all that a data dictionary needs, and what it says.

Annotations of a field (a top-level property): `title` and `x-title-th`, `examples`, `x-level` (data
classification "01" to "05", มสพร. 8-2565), `x-pdpa` (`none`, `general`, or a category of PDPA section 26) and
`x-tgix` (the TGIX term) where one is known. A field is released whole, so it has one classification only.
A field that answers yes or no by comparison says what the asker gives for it: `x-given`, {name: {`title`,
`x-title-th`, `form`: `name` or `citizen_id`}}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.catalogue.form import Form, schema_fault
from gateway.catalogue.problems import Finding, Place
from gateway.model.identifiers import FIELD_NAME
from gateway.model.service import FieldInfo, GivenValue

PDPA: Final = (
    "none",
    "general",
    "race",
    "political_opinion",
    "religion",
    "sexual_behaviour",
    "criminal_record",
    "health",
    "disability",
    "trade_union",
    "genetic",
    "biometric",
)
"""PDPA categories: none, general, and those of section 26 (race stands for ethnic origin too, religion for belief)."""
LEVELS: Final = ("01", "02", "03", "04", "05")
_GIVEN: Final = Form(
    {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 10,
        "propertyNames": {"pattern": "^[a-z][a-z0-9_]{0,63}$"},
        "additionalProperties": {
            "type": "object",
            "additionalProperties": False,
            "required": ["title", "x-title-th", "form"],
            "properties": {
                "title": {"type": "string", "pattern": "\\S"},
                "x-title-th": {"type": "string", "pattern": "\\S"},
                "form": {"enum": ["name", "citizen_id"]},
            },
        },
    }
)
_SUBSCHEMAS: Final = frozenset(
    {"items", "contains", "not", "if", "then", "else", "prefixItems", "allOf", "anyOf", "oneOf"}
)
_OPEN_REFERENCES: Final = frozenset({"$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$anchor"})


def schema_findings(schema: Any) -> Iterator[Finding]:
    """What is missing or wrong in a service's schema."""
    fault = schema_fault(schema)
    if fault:
        yield Finding((), f"the schema cannot be used: {fault}", "ใช้ schema นี้ไม่ได้")
        return
    properties = schema.get("properties")
    if schema.get("type") != "object" or schema.get("additionalProperties") is not False or not properties:
        yield Finding(
            (),
            "a service's schema is an object with properties and `additionalProperties: false`",
            "schema ของบริการต้องเป็น object ที่มี properties และ additionalProperties: false",
        )
        return
    for name in schema.get("required", ()):
        if name not in properties:
            yield Finding(("required",), f"`{name}` is required but no property", f"ไม่มีรายการข้อมูล `{name}`")
    for name, field in properties.items():
        place: Place = ("properties", name)
        if FIELD_NAME.fullmatch(name) is None:
            yield Finding(place, "a field's name is snake_case English", "ชื่อรายการข้อมูลต้องเป็น snake_case ภาษาอังกฤษ")
        if not isinstance(field, dict):
            yield Finding(place, "a field must say its type", "รายการข้อมูลต้องระบุชนิด")
            continue
        yield from _field_findings(schema, name, field)
    yield from _open_ends(schema, ())


def fields_of(schema: Mapping[str, Any]) -> dict[str, FieldInfo]:
    """The fields of a schema that has no findings."""
    return {
        name: FieldInfo(
            name=name,
            title_en=field["title"],
            title_th=field["x-title-th"],
            level=int(field["x-level"]),
            pdpa=field["x-pdpa"],
            tgix=field.get("x-tgix", ""),
            given=tuple(
                GivenValue(given, value["title"], value["x-title-th"], value["form"])
                for given, value in field.get("x-given", {}).items()
            ),
        )
        for name, field in schema["properties"].items()
    }


def _field_findings(schema: Mapping[str, Any], name: str, field: Mapping[str, Any]) -> Iterator[Finding]:
    place: Place = ("properties", name)
    if not any(key in field for key in ("type", "$ref", "enum", "const")):
        yield Finding(place, "a field must say its type", "รายการข้อมูลต้องระบุชนิด", "add `type`", "เพิ่ม `type`")
    for key in ("title", "x-title-th"):
        if not isinstance(field.get(key), str) or not field[key].strip():
            yield Finding(place, f"`{key}` is missing", f"ขาด `{key}`", f"add `{key}`", f"เพิ่ม `{key}`")
    if field.get("x-level") not in LEVELS:
        yield Finding(place, f"`x-level` must be one of {', '.join(LEVELS)}", "`x-level` ต้องเป็น 01 ถึง 05")
    if field.get("x-pdpa") not in PDPA:
        yield Finding(place, f"`x-pdpa` must be one of {', '.join(PDPA)}", "`x-pdpa` ต้องเป็นประเภทข้อมูลที่กำหนด")
    if not isinstance(field.get("x-tgix", ""), str):
        yield Finding(place, "`x-tgix` must be text", "`x-tgix` ต้องเป็นข้อความ")
    yield from _given_findings(place, field)
    yield from _examples(schema, place, field)
    for inner_place, inner in _inside(field, place):
        for key in ("x-level", "x-pdpa"):
            if key in inner and inner[key] != field.get(key):
                yield Finding(
                    (*inner_place, key),
                    "mixed classification inside one field: a field is released whole",
                    "มีการจัดชั้นข้อมูลต่างกันภายในรายการข้อมูลเดียว ซึ่งถูกเปิดเผยพร้อมกันทั้งรายการ",
                    "make it a field of its own",
                    "แยกเป็นรายการข้อมูลต่างหาก",
                )


def _given_findings(place: Place, field: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with what a field says it is compared with."""
    if "x-given" not in field:
        return
    place = (*place, "x-given")
    yield from (each.under(place) for each in _GIVEN.findings(field["x-given"]))
    types = field.get("type")
    if set(types if isinstance(types, list) else [types]) != {"boolean", "null"}:
        yield Finding(
            place,
            "what is compared is answered true, false, or null where the source does not know",
            "ผลการเปรียบเทียบต้องเป็น true false หรือ null เมื่อแหล่งข้อมูลไม่ทราบ",
            "make its type [boolean, null]",
            "กำหนดชนิดเป็น [boolean, null]",
        )


def _examples(schema: Mapping[str, Any], place: Place, field: Mapping[str, Any]) -> Iterator[Finding]:
    examples = field.get("examples")
    if not isinstance(examples, list) or not examples:
        yield Finding(place, "an example is missing", "ขาดตัวอย่าง", "add `examples`", "เพิ่ม `examples`")
        return
    form = Form({"$defs": schema.get("$defs", {}), **field})
    for i, example in enumerate(examples):
        if not form.fits(example):
            yield Finding((*place, "examples", i), "the example does not fit its field", "ตัวอย่างไม่ตรงกับรายการข้อมูล")


def _inside(node: Any, place: Place) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Every schema below `node`, with its place."""
    for key, value in node.items():
        children: list[tuple[Place, Any]] = []
        if key in ("properties", "patternProperties", "$defs", "dependentSchemas") and isinstance(value, dict):
            children = [((*place, key, name), inner) for name, inner in value.items()]
        elif key in _SUBSCHEMAS:
            items = enumerate(value) if isinstance(value, list) else ()
            children = [((*place, key, i), inner) for i, inner in items] or [((*place, key), value)]
        for inner_place, inner in children:
            if isinstance(inner, dict):
                yield inner_place, inner
                yield from _inside(inner, inner_place)


def _open_ends(schema: Mapping[str, Any], place: Place) -> Iterator[Finding]:
    """Objects through which undescribed values would leave, and references whose meaning can move."""
    for inner_place, inner in (*_inside(schema, place), (place, schema)):
        kinds = inner.get("type", ())
        is_object = "object" in ((kinds,) if isinstance(kinds, str) else kinds) or "properties" in inner
        if is_object and inner.get("additionalProperties") is not False:
            yield Finding(
                inner_place,
                "an object must have `additionalProperties: false`, so that nothing undescribed leaves",
                "object ต้องกำหนด additionalProperties: false",
            )
        if "array" in ((kinds,) if isinstance(kinds, str) else kinds) and "items" not in inner:
            yield Finding(inner_place, "a list must say what its `items` are", "รายการต้องระบุ `items`")
        for key in _OPEN_REFERENCES & inner.keys():
            yield Finding((*inner_place, key), f"`{key}` is not allowed", f"ไม่อนุญาตให้ใช้ `{key}`")
