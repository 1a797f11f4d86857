"""What everyone with a token may know of a service: its catalogue entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.catalogue.hours import outages_told
from gateway.model.service import GivenValue, Service

_OURS: Final = frozenset({"freshness", "contacts"})
"""What `Service.metadata` carries beside the 14 fields of มรด. 3-1:2565."""


def describe(service: Service) -> dict[str, Any]:
    """The public entry of `service`: no endpoint, no settings, no mapping.

    `echo`: `checked` where another person's answer is caught by the identifier in it, `none` where the source
    names none. `level` as written in มสพร. 8-2565 (`02`).
    """
    metadata = service.metadata
    return {
        "id": service.id,
        "agency": service.agency,
        "title": service.title_en,
        "title_th": service.title_th,
        "identifier": service.identifier_kind.value,
        "category": service.category,
        "level": f"{service.level:02}",
        "officer_required": service.officer_required,
        "deadline_seconds": service.deadline,
        "freshness": metadata["freshness"],
        "hours": service.hours,
        "outages": outages_told(service),
        "echo": "checked" if service.echo else "none",
        "contacts": metadata["contacts"],
        "metadata": {key: value for key, value in metadata.items() if key not in _OURS},
        "fields": [
            {
                "name": field.name,
                "type": _type(service.schema, service.schema["properties"][field.name]),
                "title": field.title_en,
                "title_th": field.title_th,
                "level": f"{field.level:02}",
                "pdpa": field.pdpa,
                "sensitive": field.sensitive,
                **({"tgix": field.tgix} if field.tgix else {}),
                **({"given": [_given(value) for value in field.given]} if field.given else {}),
            }
            for field in service.fields.values()
        ],
        "digest": service.digest,
    }


def _type(schema: Mapping[str, Any], field: Mapping[str, Any]) -> str:
    """What a field is where it is known, as JSON Schema names it (`string`); `any` where values alone are named."""
    reference = field.get("$ref", "").removeprefix("#/$defs/")
    kinds = {**schema.get("$defs", {}).get(reference, {}), **field}.get("type", ())
    return ", ".join(kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null") or "any"


def _given(value: GivenValue) -> dict[str, str]:
    """What an asker gives to have it compared."""
    return {"name": value.name, "title": value.title_en, "title_th": value.title_th, "form": value.form}
