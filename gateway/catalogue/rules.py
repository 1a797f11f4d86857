"""What must hold of a registration beyond its form: governance's own rules, and that its parts agree.

Categories and levels as the DGA's framework and มสพร. 8-2565 have them: public data is open (01) and holds no
personal data; personal and internal data is 02 or higher, official secrets and security 03 or higher; a mix
takes the highest. Levels 04 and 05 are not exchanged through this gateway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any, Final

import orjson

from gateway.catalogue.form import Form
from gateway.catalogue.hours import hours_findings
from gateway.catalogue.kinds import connector_findings
from gateway.catalogue.problems import Finding, Place
from gateway.catalogue.service_schema import fields_of, schema_findings
from gateway.catalogue.yaml_lines import NO_TEXT
from gateway.model.identifiers import has_valid_check_digit

_FORM: Final = Form(orjson.loads((Path(__file__).parent / "agency.schema.json").read_bytes()))
_LOWEST: Final = {"public": "01", "personal": "02", "internal": "02", "official_secret": "03", "security": "03"}


def registration_findings(body: Any) -> list[Finding]:
    """Everything wrong with a registration (agency.yaml with each service's schema in place of its name)."""
    findings = [*_FORM.findings(body), *_no_text(body)]
    if not isinstance(body, dict) or any(each.place in (("id",), ("services",)) for each in findings):
        return findings
    if not isinstance(body.get("id"), str) or not isinstance(body.get("services"), list):
        return findings
    for i, service in enumerate(body["services"]):
        if isinstance(service, dict):
            broken = {each.place[2] for each in findings if each.place[:2] == ("services", i) and len(each.place) > 2}
            findings.extend(each.under(("services", i)) for each in _service_findings(body, i, service.keys() - broken))
    return findings


def _no_text(body: Any) -> Iterator[Finding]:
    """Texts and keys that hold what is no text: titles are read by those who approve, and shown in catalogues."""
    pending: list[tuple[Place, Any]] = [((), body)]
    while pending:
        place, value = pending.pop()
        if isinstance(value, dict):
            pending.extend(((*place, key), each) for key, each in value.items())
            value = "".join(map(str, value))
        elif isinstance(value, list):
            pending.extend(((*place, i), each) for i, each in enumerate(value))
        if isinstance(value, str) and NO_TEXT.search(value):
            yield Finding(place, "it holds a control character", "มีอักขระควบคุม")


def _service_findings(body: Mapping[str, Any], i: int, sound: Set[str]) -> Iterator[Finding]:
    """What is wrong with one service beyond its form, as far as the parts needed to tell are `sound`."""
    service = body["services"][i]
    if "id" in sound:
        yield from _identity(body, i)
    if "test_identifier" in sound and not has_valid_check_digit(service["test_identifier"]):
        yield Finding(("test_identifier",), "its check digit is wrong", "เลขตรวจสอบไม่ถูกต้อง")
    if sound >= {"category", "level", "metadata"}:
        yield from _classification(service)
    if "hours" in sound:
        yield from (each.under(("hours",)) for each in hours_findings(service["hours"]))
    if "schema" not in sound:
        return
    wrong = [each.under(("schema",)) for each in schema_findings(service["schema"])]
    yield from wrong
    if not wrong and sound >= {"category", "level"}:
        yield from _highest_level(service)
    if not wrong and "connector" in sound:
        given = {name: field.get("x-given", {}) for name, field in service["schema"]["properties"].items()}
        findings = connector_findings(body["id"], service["connector"], given)
        yield from (each.under(("connector",)) for each in findings)


def _identity(body: Mapping[str, Any], i: int) -> Iterator[Finding]:
    service = body["services"][i]
    if service["id"].split(".")[0] != body["id"]:
        yield Finding(
            ("id",),
            "a service's id begins with its agency's",
            "รหัสบริการต้องขึ้นต้นด้วยรหัสหน่วยงาน",
            "<agency>.<dataset>.v1",
            "<หน่วยงาน>.<ชุดข้อมูล>.v1",
        )
    if any(isinstance(other, dict) and other.get("id") == service["id"] for other in body["services"][:i]):
        yield Finding(("id",), "the service is there twice", "มีบริการนี้ซ้ำ")


def _classification(service: Mapping[str, Any]) -> Iterator[Finding]:
    category, level = service["category"], service["level"]
    if service["metadata"]["data_category"] != category:
        yield Finding(
            ("metadata", "data_category"), "it is not the service's `category`", "ไม่ตรงกับ `category` ของบริการ"
        )
    if level in ("04", "05"):
        yield Finding(
            ("level",),
            "data classified 04 or 05 is not exchanged here",
            "ข้อมูลระดับ 04 และ 05 ไม่แลกเปลี่ยนผ่านระบบนี้",
            "leave the service out",
            "ตัดบริการนี้ออก",
        )
    elif level < _LOWEST[category] or (category == "public" and level != "01"):
        yield _contradiction(("level",), category, level)


def _highest_level(service: Mapping[str, Any]) -> Iterator[Finding]:
    """The service's level and category against its fields'."""
    for name, info in fields_of(service["schema"]).items():
        place: Place = ("schema", "properties", name)
        if info.level > int(service["level"]):
            yield Finding(
                (*place, "x-level"),
                "the field is classified higher than its service: a mix takes the highest",
                "รายการข้อมูลมีชั้นสูงกว่าบริการ ข้อมูลที่ปนกันต้องใช้ชั้นสูงสุด",
                "raise the service's `level`",
                "ปรับ `level` ของบริการให้สูงขึ้น",
            )
        if info.pdpa != "none" and (service["category"] == "public" or info.level < 2):
            yield Finding(
                (*place, "x-pdpa"),
                "personal data is neither public nor open (01)",
                "ข้อมูลส่วนบุคคลเป็นข้อมูลสาธารณะหรือชั้นเปิดเผย (01) ไม่ได้",
            )


def _contradiction(place: Place, category: str, level: str) -> Finding:
    only = " only" if category == "public" else " or higher (03 at most here)"
    return Finding(
        place,
        f"category `{category}` and level {level} contradict each other",
        f"ประเภทข้อมูล `{category}` ขัดแย้งกับชั้นข้อมูล {level}",
        f"`{category}` is {_LOWEST[category]}{only}",
        f"`{category}` ต้องเป็นชั้น {_LOWEST[category]}" + ("" if category == "public" else " ขึ้นไป"),
    )
