"""Ids with their titles, as a reader of paper needs them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.model import Service
from gateway.registers import Registers

Json = dict[str, Any]
NO_TITLE = {"th": "", "en": ""}


def titled(registers: Registers, kind: str, name: str | None) -> Json | None:
    """{"id", "title"} of a record; None for none."""
    if name is None:
        return None
    record = registers.record(kind, name)
    return {"id": name, "title": record["title"] if record else NO_TITLE}


def service_titled(services: Mapping[str, Service], name: str) -> Json:
    """{"id", "title"} of a service."""
    service = services.get(name)
    return {"id": name, "title": {"th": service.title_th, "en": service.title_en} if service else NO_TITLE}


def fields_titled(services: Mapping[str, Service], service: str, names: list[str]) -> list[Json]:
    """Each field with its title and its category under the PDPA (`none`, `general`, or one of s.26)."""
    held = services.get(service)
    known = held.fields if held else {}
    return [
        {
            "name": name,
            "title": {"th": known[name].title_th, "en": known[name].title_en} if name in known else NO_TITLE,
            "pdpa": known[name].pdpa if name in known else "unclassified",
        }
        for name in names
    ]


def term_of(registers: Registers, agreement: str | None, term: str | None) -> Json | None:
    """The agreement's term as it is now; None where it has gone since."""
    record = registers.record("agreement", agreement) if agreement else None
    return next((own for own in (record or {}).get("terms", ()) if own["id"] == term), None)


def releases_of(exchange: Mapping[str, Any]) -> Json:
    """What a use stood on beside its basis, as its entry says: an exemption from the PDPA, a release of a secret."""
    return {name: exchange.get(name) for name in ("pdpa_exemption", "secrecy_release")}


def authority_of(registers: Registers, exchange: Mapping[str, Any]) -> Json:
    """The law that an exchange rested on: its term's, or its purpose's where the term has gone since."""
    term = term_of(registers, exchange["agreement"], exchange["term"])
    purpose = registers.record("purpose", exchange["purpose"])
    found: Json = (term or purpose or {}).get("authority", NO_TITLE)
    return found
