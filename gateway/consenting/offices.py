"""Which offices a consent concerns: who sees it, who changes it for the citizen, and how the record names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.consenting.rules import Basis
from gateway.consents import Held
from gateway.errors import InsufficientScope
from gateway.model import Agency, Caller
from gateway.registers.acting import refuse

OVERSEERS = ("admin", "dpo")
"""The roles that see every agency's consents, unless they act for one of their own."""
NONE = ("no consent of this id or code", "ไม่พบความยินยอมตามรหัสนี้")


def concerns(caller: Caller, held: Held) -> bool:
    """Whose consents an office sees: those it uses, collected, or answers on; an overseer's without agency, all."""
    if caller.kind == "operator" and caller.role in OVERSEERS and not caller.agency:
        return True
    return caller.agency != "" and caller.agency in (*_keepers(held), held.record["source"]["agency"])


def _keepers(held: Held) -> tuple[str, str]:
    """Who changes it on the citizen's behalf: the consumer and the collector."""
    return held.consumer, str(held.record["collector"]["agency"])


def require_keeper(caller: Caller, held: Held) -> None:
    """The consumer's and the collector's systems and owners, and administrators; a dpo only reads (PDPA s.41)."""
    if caller.kind == "operator" and caller.role not in ("admin", "owner"):
        allowed = False
    else:
        allowed = not caller.agency or caller.agency in _keepers(held)
    if not allowed:
        raise refuse(
            "role_not_allowed",
            "a consent is changed at its consumer or its collector, or with the citizen's code",
            "เปลี่ยนแปลงความยินยอมได้ที่หน่วยงานผู้ใช้ข้อมูลหรือผู้เก็บความยินยอม หรือด้วยรหัสของเจ้าของข้อมูลส่วนบุคคล",
            "ask one of them, or use the code of the printed receipt",
            "ติดต่อหน่วยงานดังกล่าว หรือใช้รหัสในใบรับความยินยอม",
        )


def parties(agencies: Mapping[str, Agency], caller: Caller, basis: Basis) -> dict[str, Any]:
    consumer = {**_party(basis.consumer), "role": basis.form["controller"]["consumer"]}
    return {
        "controller": {**consumer, "contact": basis.form["contacts"]["consumer"]},
        "source": {**_party(basis.source), "role": basis.form["controller"]["source"]},
        "recipients": [_party(basis.consumer)],
        "collector": {**_party(agencies[caller.agency]), "client": caller.id},
    }


def _party(agency: Agency) -> dict[str, Any]:
    return {"agency": agency.id, "title": {"th": agency.title_th, "en": agency.title_en}}


def event_by(caller: Caller) -> dict[str, Any]:
    return {"kind": caller.kind, "id": caller.id, "agency": caller.agency or None}


def require_collector(caller: Caller) -> None:
    """What a citizen says is taken by a registered system, never by an operator."""
    if caller.kind != "client":
        raise InsufficientScope("a registered system collects consents", "ระบบที่ลงทะเบียนเท่านั้นที่เก็บความยินยอมได้")
