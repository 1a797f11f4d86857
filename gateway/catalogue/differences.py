"""What changes from one registration of an agency to another, and which changes break those who ask.

A change breaks consumers if a question that was answered would be refused or answered otherwise than they can read
it, or if they would be given more than was agreed: a field taken away, of another form, with new parts, or classified
higher; a service withdrawn, asked by another identifier, or only for an officer. What makes a promise narrower (a value
fewer, never null any more) breaks nobody who reads it; what is new, and how the source is asked, concerns nobody until
it is agreed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.model.service import FieldInfo

_TOLD: Final = frozenset({"title", "description", "examples", "default", "$comment"})
_LOWER: Final = {"maxLength", "maxItems", "maximum", "maxProperties", "exclusiveMaximum"}
_HIGHER: Final = {"minLength", "minItems", "minimum", "minProperties", "exclusiveMinimum"}
_LIMITS: Final = _LOWER | _HIGHER | {"enum", "items", "pattern", "format", "const"}
_ASKING: Final = ("kind", "endpoint", "settings", "mapping")

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `field`: empty where the whole service is meant. `code` is stable (`field_removed`)."""

    service: str
    code: str
    breaks: bool
    en: str
    th: str
    field: str = ""


def differences(old: Json | None, new: Json) -> list[Change]:
    """The changes from one registration (None: nothing is registered yet) to another, those that break first."""
    before = {service["id"]: service for service in old["services"]} if old is not None else {}
    after = {service["id"]: service for service in new["services"]}
    changes: list[Change] = []
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            changes.append(Change(name, "service_removed", True, "the service is withdrawn", "ถอนบริการ"))
        elif name not in before:
            changes.append(Change(name, "service_added", False, "the service is new", "บริการใหม่"))
        else:
            changes.extend(_of_service(name, before[name], after[name]))
    if old is not None and any(old.get(key) != new.get(key) for key in ("title", "contacts")):
        changes.append(Change("", "agency_told", False, "the agency's title or contacts", "ชื่อหรือผู้ติดต่อของหน่วยงาน"))
    return sorted(changes, key=lambda change: not change.breaks)


def _of_service(name: str, old: Json, new: Json) -> Iterator[Change]:
    def change(code: str, breaks: bool, en: str, th: str) -> Change:
        return Change(name, code, breaks, en, th)

    if old["identifier"] != new["identifier"]:
        words = f"{old['identifier']} → {new['identifier']}"
        yield change("identifier", True, f"asked by another identifier: {words}", f"ถามด้วยเลขชนิดอื่น: {words}")
    if old["level"] != new["level"]:
        words, raised = f"{old['level']} → {new['level']}", new["level"] > old["level"]
        yield change("level", raised, f"classification level: {words}", f"ชั้นข้อมูล: {words}")
    if old["category"] != new["category"]:
        words, secret = f"{old['category']} → {new['category']}", new["category"] in ("official_secret", "security")
        yield change("category", secret, f"data category: {words}", f"ประเภทข้อมูล: {words}")
    if old["officer_required"] != new["officer_required"]:
        must = new["officer_required"]
        yield change(
            "officer_required",
            must,
            "an officer must be named" if must else "no officer need be named",
            "ต้องระบุเจ้าหน้าที่" if must else "ไม่ต้องระบุเจ้าหน้าที่",
        )
    if old.get("hours") != new.get("hours"):
        breaks = new.get("hours") is not None
        yield change("hours", breaks, "the service hours are others", "เวลาให้บริการเปลี่ยนไป")
    if old.get("outages") != new.get("outages"):
        yield change("outages", False, "planned outages are others", "กำหนดปิดระบบเปลี่ยนไป")
    if old["echo"] != new["echo"]:
        en, th = "where the answer names the person is another place", "ตำแหน่งที่คำตอบระบุตัวบุคคลเปลี่ยนไป"
        if new["echo"] == "none":
            en, th = "the answer no longer names the person: another's answer is not caught", "คำตอบไม่ระบุตัวบุคคลอีกต่อไป"
        yield change("echo", False, en, th)
    for key in ("deadline_seconds", "freshness", "concurrency"):
        if old.get(key) != new.get(key):
            words = f"{key}: {old.get(key, '–')} → {new.get(key, '–')}"
            yield change(key, False, words, words)
    asked = [key for key in _ASKING if old["connector"].get(key) != new["connector"].get(key)]
    if asked:
        listed = ", ".join(asked)
        yield change("connector", False, f"how the source is asked: {listed}", f"วิธีถามแหล่งข้อมูล: {listed}")
    if old["title"] != new["title"] or old["metadata"] != new["metadata"]:
        yield change("told", False, "title or metadata", "ชื่อหรือคำอธิบายชุดข้อมูล")
    yield from _of_fields(name, old["schema"], new["schema"])


def _of_fields(name: str, old: Json, new: Json) -> Iterator[Change]:
    before, after = old["properties"], new["properties"]
    for field in (*before, *(added for added in after if added not in before)):
        if field not in after:
            yield Change(name, "field_removed", True, "the field is taken away", "ตัดรายการข้อมูล", field)
        elif field not in before:
            yield Change(name, "field_added", False, "the field is new", "รายการข้อมูลใหม่", field)
        else:
            yield from _of_field(name, field, old, new)


def _of_field(name: str, field: str, old: Json, new: Json) -> Iterator[Change]:
    def change(code: str, breaks: bool, en: str, th: str) -> Change:
        return Change(name, code, breaks, en, th, field)

    before, after = old["properties"][field], new["properties"][field]
    if before["x-level"] != after["x-level"]:
        words = f"{before['x-level']} → {after['x-level']}"
        yield change("level", after["x-level"] > before["x-level"], f"level: {words}", f"ชั้นข้อมูล: {words}")
    if before["x-pdpa"] != after["x-pdpa"]:
        words = f"{before['x-pdpa']} → {after['x-pdpa']}"
        breaks = FieldInfo(field, "", "", 0, after["x-pdpa"]).sensitive
        yield change("pdpa", breaks, f"PDPA category: {words}", f"ประเภทตาม PDPA: {words}")
    if set(before.get("x-given", {})) != set(after.get("x-given", {})):
        given = ", ".join(sorted(after.get("x-given", {}))) or "–"
        yield change("given", True, f"compared with other values: {given}", f"เปรียบเทียบกับค่าอื่น: {given}")
    missing = field in old.get("required", ()), field in new.get("required", ())
    if missing == (True, False):
        yield change("not_always_there", True, "the field may be missing", "อาจไม่มีรายการข้อมูลนี้")
    elif missing == (False, True):
        yield change("always_there", False, "the field is always there", "มีรายการข้อมูลนี้เสมอ")
    form = _form(before, old.get("$defs", {})), _form(after, new.get("$defs", {}))
    if form[0] != form[1]:
        if _within(form[1], form[0]):
            yield change("narrower", False, "its values are fewer than before", "ค่าที่เป็นไปได้น้อยลง")
        else:
            yield change("form", True, "its values have another form", "รูปแบบของค่าเปลี่ยนไป")
    told = {key for key in (_TOLD | {"x-title-th", "x-tgix"}) if before.get(key) != after.get(key)}
    if told:
        yield change("told", False, "its title, example or term", "ชื่อ ตัวอย่าง หรือคำมาตรฐาน")


def _form(schema: Any, definitions: Json, depth: int = 0) -> Any:
    """What a schema says of values, without what it only tells; references within it followed."""
    if isinstance(schema, list):
        return [_form(item, definitions, depth) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/$defs/") and depth < 20:
        target = definitions.get(reference.removeprefix("#/$defs/"), {})
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _form({**target, **beside}, definitions, depth + 1)
    named = {"properties", "patternProperties"}
    return {
        key: {name: _form(inner, definitions, depth) for name, inner in value.items()}
        if key in named
        else _form(value, definitions, depth)
        for key, value in schema.items()
        if key not in _TOLD and not key.startswith("x-")
    }


def _within(new: Any, old: Any) -> bool:
    """Whether each value of the form `new` is one of the form `old`, as far as can be seen without doubt."""
    if not isinstance(new, Mapping) or not isinstance(old, Mapping):
        return bool(new == old)
    return all(
        new.get(key) == old.get(key) or _narrower(key, new.get(key), old.get(key)) for key in new.keys() | old.keys()
    )


def _narrower(key: str, new: Any, old: Any) -> bool:  # noqa: PLR0911 - one return a keyword
    """Whether a keyword allows less than before. None: it is not there, and allows everything."""
    if key == "required":
        return set(old or ()) <= set(new or ())
    if new is None:
        return False
    if old is None:
        return key in _LIMITS
    if key == "type":
        return _as_set(new) <= _as_set(old)
    if key == "enum":
        return all(value in old for value in new)
    if key == "items":
        return _within(new, old)
    if key == "properties":
        return bool(new.keys() == old.keys()) and all(_within(new[name], old[name]) for name in new)
    return bool(new <= old) if key in _LOWER else bool(new >= old) if key in _HIGHER else False


def _as_set(value: Any) -> set[Any]:
    return set(value) if isinstance(value, list) else {value}
