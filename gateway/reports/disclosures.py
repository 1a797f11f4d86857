"""One line of a source's register of disclosures (Official Information Act B.E. 2540 s.24; PDPA s.27)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.model import Service
from gateway.registers import Registers
from gateway.reports.titles import Json, authority_of, fields_titled, releases_of, service_titled, term_of, titled


def disclosure(exchange: Mapping[str, Any], registers: Registers, services: Mapping[str, Service]) -> Json:
    """To whom, of whom (as pseudonym), what, when, what for, and on which exception of section 24."""
    term = term_of(registers, exchange["agreement"], exchange["term"])
    return {
        "exchange_id": exchange["exchange_id"],
        "time": exchange["closed_at"],
        "consumer": titled(registers, "agency", exchange["consumer"]),
        "client": exchange["client"],
        "officer": exchange["officer"],
        "service": service_titled(services, exchange["service"]),
        "purpose": titled(registers, "purpose", exchange["purpose"]),
        "authority": authority_of(registers, exchange),
        "lawful_basis": exchange["lawful_basis"],
        **releases_of(exchange),
        "oia_ground": term["oia_ground"] if term else None,
        "agreement": exchange["agreement"],
        "case_reference": exchange["case_reference"],
        "fields": fields_titled(services, exchange["service"], exchange["released"]),
        "subject": exchange["subject"],
    }
