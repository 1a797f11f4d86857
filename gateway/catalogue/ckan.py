"""A service as a package of the government data catalogue: CKAN's package JSON with the 14 mandatory metadata fields
of มรด. 3-1:2565 and the data dictionary. Nothing in it was typed for it: all is the service's own entry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

FIELDS: Final = (
    "data_type",
    "title",
    "owner_org",
    "maintainer",
    "maintainer_email",
    "tags",
    "notes",
    "objective",
    "update_frequency_unit",
    "geo_coverage",
    "data_source",
    "data_format",
    "data_category",
    "license_id",
)
"""The 14, as the catalogue names them."""


def package(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The package of one service, of its public entry (`describe`). Texts in Thai; the English ones are extras."""
    metadata = entry["metadata"]
    body: dict[str, Any] = {name: _thai(metadata[name]) for name in FIELDS}
    english = {name: metadata[name]["en"] for name in FIELDS if _both(metadata[name])}
    interval = metadata.get("update_frequency_interval")
    return {
        "name": re.sub(r"[^a-z0-9_-]+", "-", entry["id"].lower()),
        **body,
        "tags": [{"name": tag} for tag in metadata["tags"]],
        **({"update_frequency_interval": str(interval)} if interval is not None else {}),
        "private": True,
        "extras": [
            {"key": "service_id", "value": entry["id"]},
            {"key": "data_classification", "value": entry["level"]},
            {"key": "access", "value": "under an agreement, one person at a time"},
            *({"key": f"{name}_en", "value": text} for name, text in english.items()),
        ],
        "resources": [
            {
                "name": entry["title_th"],
                "description": _thai(metadata["notes"]),
                "format": metadata["data_format"],
                "resource_type": "api",
                "data_dictionary": [
                    {
                        "name": field["name"],
                        "type": field["type"],
                        "description": field["title_th"],
                        "description_en": field["title"],
                        "classification": field["level"],
                        "pdpa": field["pdpa"],
                    }
                    for field in entry["fields"]
                ],
            }
        ],
    }


def _both(value: Any) -> bool:
    return isinstance(value, Mapping) and value.keys() == {"th", "en"}


def _thai(value: Any) -> Any:
    return value["th"] if _both(value) else value
