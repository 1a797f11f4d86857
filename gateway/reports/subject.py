"""A PDPA s.30 answer: one access to one person's data, in words that the person understands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.model import Service
from gateway.registers import Registers
from gateway.reports.titles import Json, authority_of, fields_titled, releases_of, service_titled, titled


def access(exchange: Mapping[str, Any], registers: Registers, services: Mapping[str, Service]) -> Json:
    """Who asked, of whom, what for, on which law, and what was given.

    The officer is named by agency: the staff code is the agency's own, and someone else's personal data.
    """
    consumer = titled(registers, "agency", exchange["consumer"])
    return {
        "exchange_id": exchange["exchange_id"],
        "time": exchange["decided_at"],
        "outcome": exchange["outcome"],
        "consumer": consumer,
        "officer_of": consumer if exchange["officer"] else None,
        "source": titled(registers, "agency", exchange["source"]),
        "service": service_titled(services, exchange["service"]),
        "purpose": titled(registers, "purpose", exchange["purpose"]),
        "authority": authority_of(registers, exchange),
        "lawful_basis": exchange["lawful_basis"],
        **releases_of(exchange),
        "agreement": exchange["agreement"],
        "case_reference": exchange["case_reference"],
        "fields": fields_titled(services, exchange["service"], exchange["released"]),
        "withheld": exchange.get("withheld"),
        "entries": exchange["entries"],
    }
