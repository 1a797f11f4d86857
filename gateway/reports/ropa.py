"""The record of processing activities of one agency (PDPA s.39): what is exchanged, on what, with whom, and how often.

It covers what the agency exchanges through this gateway; what it does besides is its own to add.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.model import Service
from gateway.registers import Registers
from gateway.reports.titles import Json, fields_titled, service_titled, titled

SECURITY = (
    {
        "th": "ทุกคำถามถูกวินิจฉัยตามข้อตกลงและกติกา ผ่านเฉพาะรายการข้อมูลที่ได้รับอนุญาต",
        "en": "Every question is judged by agreement and rules; only the granted fields pass",
    },
    {
        "th": "เกตเวย์ไม่เก็บค่าของข้อมูลใด ๆ บุคคลปรากฏเป็นรหัสแฝงที่ใช้กุญแจเท่านั้น",
        "en": "The gateway keeps no field's value; a person appears only as a keyed pseudonym",
    },
    {
        "th": "บันทึกทุกรายการในบันทึกแบบเพิ่มได้อย่างเดียวที่ตรวจสอบได้ เนื้อหาเข้ารหัสด้วยกุญแจรายเดือน",
        "en": "Every exchange is in an append-only log that can be verified; its contents are encrypted by the month",
    },
    {
        "th": "ระบบและผู้ปฏิบัติงานยืนยันตัวด้วยกุญแจส่วนตัว การเปลี่ยนทะเบียนลงลายมือชื่อ และงานสำคัญต้องใช้สองคน",
        "en": "Systems and operators prove themselves by keys; acts are signed, and the weightier take two people",
    },
)
"""PDPA s.37(1), as far as this gateway sees to it."""


def record_of_processing(
    agency: str,
    registers: Registers,
    services: Mapping[str, Service],
    counts: Mapping[str, Iterable[Mapping[str, Any]]],
) -> Json:
    """`counts`: "consumer" and "source" -> the agency's exchanges by agreement, purpose and outcome."""
    own = registers.agencies[agency]
    agreements = registers.records["agreement"].values()
    asked = [
        record
        for record in agreements
        if record["version"]
        and (record["consumer"].get("agency") == agency or record["consumer"].get("group") in own.groups)
    ]
    answered = [record for record in agreements if record["version"] and record["source"] == agency]
    record = registers.record("agency", agency) or {}
    rights = registers.records["rights"].values()
    requests = [one for one in rights if one["agency"] == agency]
    notices = [one["notice"]["status"] for one in rights if one["source"] == agency and one.get("notice")]
    return {
        "agency": {"id": agency, "title": record["title"], "contact": record.get("contact")},
        "as_consumer": [line for one in asked for line in _activities(one, registers, services, counts["consumer"])],
        "as_source": [line for one in answered for line in _activities(one, registers, services, counts["source"])],
        "disclosed_to": _disclosed(registers, counts["source"]),
        "rights_requests": {
            "received": len(requests),
            "open": sum(one["status"] == "open" for one in requests),
            "answered": sum(one["status"] == "answered" for one in requests),
            "rejected": [
                {name: one[name] for name in ("id", "right", "received", "closed_at", "ground")}
                for one in sorted(requests, key=lambda one: str(one["id"]))
                if one["status"] == "rejected"
            ],
        },
        "notices_of_requests": {"received": len(notices), **Counter(sorted(notices))},
        "security": list(SECURITY),
    }


def _activities(
    agreement: Mapping[str, Any],
    registers: Registers,
    services: Mapping[str, Service],
    counts: Iterable[Mapping[str, Any]],
) -> Iterable[Json]:
    """One a term: purpose x data x basis."""
    outcomes: Counter[tuple[str, str]] = Counter()
    for one in counts:
        if one["agreement"] == agreement["id"]:
            outcomes[one["purpose"], one["outcome"]] += one["exchanges"]
    party = agreement["consumer"]
    consumer = "agency" if party.get("agency") else "group"
    for term in agreement["terms"]:
        yield {
            "agreement": agreement["id"],
            "version": agreement["version"],
            "status": agreement["status"],
            "period": agreement["period"],
            "consumer": titled(registers, consumer, party[consumer]),
            "source": titled(registers, "agency", agreement["source"]),
            "controller": agreement["controller"],
            "service": service_titled(services, agreement["service"]),
            "purpose": titled(registers, "purpose", term["purpose"]),
            "data": fields_titled(services, agreement["service"], term["fields"]),
            "authority": term["authority"],
            "lawful_basis": term["lawful_basis"],
            "sensitive_basis": term.get("sensitive_basis"),
            "pdpa_exemption": term.get("pdpa_exemption"),
            "withheld_from_subject": term.get("withheld_from_subject"),
            "oia_ground": term["oia_ground"],
            "notice": term["notice"],
            "cross_border": term["cross_border"],
            "retention": agreement["retention"],
            "onward_sharing": agreement["onward_sharing"],
            "contacts": agreement["contacts"],
            "exchanges": {
                outcome: number for (purpose, outcome), number in sorted(outcomes.items()) if purpose == term["purpose"]
            },
        }


def _disclosed(registers: Registers, counts: Iterable[Mapping[str, Any]]) -> list[Json]:
    """PDPA s.39(6), s.27: to whom the agency's data was disclosed, and how often."""
    to: Counter[str] = Counter()
    for one in counts:
        if one["outcome"] == "released":
            to[one["consumer"]] += one["exchanges"]
    return [{"consumer": titled(registers, "agency", name), "exchanges": number} for name, number in sorted(to.items())]
