"""What must hold of a registration beyond its form: governance's own rules, and that its parts agree.

Categories and levels as the DGA's framework and มสพร. 8-2565 have them: public data is open (01) and holds no
personal data; personal and internal data is 02 or higher, official secrets and security 03 or higher; a mix
takes the highest. Levels 04 and 05 are not exchanged through this gateway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from gateway.catalogue.form import Form
from gateway.catalogue.hours import hours_findings
from gateway.catalogue.kinds import connector_findings
from gateway.catalogue.problems import Finding, Place
from gateway.catalogue.service_schema import fields_of, schema_findings
from gateway.model.identifiers import has_valid_check_digit

_FORM: Final = Form(orjson.loads((Path(__file__).parent / "agency.schema.json").read_bytes()))
_LOWEST: Final = {"public": "01", "personal": "02", "internal": "02", "official_secret": "03", "security": "03"}


def registration_findings(body: Any) -> list[Finding]:
    """Everything wrong with a registration (agency.yaml with each service's schema in place of its name)."""
    findings = list(_FORM.findings(body))
    if findings:
        # The form is broken: say what else can be said of the services that are whole.
        return findings + _of_whole_services(body, findings)
    for i in range(len(body["services"])):
        findings.extend(_service_findings(body, i))
    return findings


def _of_whole_services(body: Any, findings: list[Finding]) -> list[Finding]:
    broken = {each.place[1] for each in findings if each.place[:1] == ("services",) and len(each.place) > 1}
    if not isinstance(body, dict) or not isinstance(body.get("services"), list) or not isinstance(body.get("id"), str):
        return []
    if any(each.place in (("id",), ("services",)) for each in findings):
        return []
    return [each for i in range(len(body["services"])) if i not in broken for each in _service_findings(body, i)]


def _service_findings(body: Mapping[str, Any], i: int) -> Iterator[Finding]:
    service, place = body["services"][i], ("services", i)
    yield from (each.under(place) for each in _identity(body, i))
    yield from (each.under(place) for each in _classification(service))
    if "hours" in service:
        yield from (each.under((*place, "hours")) for each in hours_findings(service["hours"]))
    schema, schema_place = service["schema"], (*place, "schema")
    wrong = list(schema_findings(schema))
    yield from (each.under(schema_place) for each in wrong)
    if wrong:
        return
    yield from (each.under(place) for each in _highest_level(service))
    yield from (
        each.under((*place, "connector"))
        for each in connector_findings(body["id"], service["connector"], schema["properties"])
    )


def _identity(body: Mapping[str, Any], i: int) -> Iterator[Finding]:
    service = body["services"][i]
    if service["id"].split(".")[0] != body["id"]:
        yield Finding(
            ("id",),
            "a service's id begins with its agency's",
            "รหัสบริการต้องขึ้นต้นด้วยรหัสหน่วยงาน",
            f"{body['id']}.<dataset>.v1",
            f"{body['id']}.<ชุดข้อมูล>.v1",
        )
    if any(isinstance(other, dict) and other.get("id") == service["id"] for other in body["services"][:i]):
        yield Finding(("id",), "the service is there twice", "มีบริการนี้ซ้ำ")
    if "test_identifier" in service and not has_valid_check_digit(service["test_identifier"]):
        yield Finding(("test_identifier",), "its check digit is wrong", "เลขตรวจสอบไม่ถูกต้อง")


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
