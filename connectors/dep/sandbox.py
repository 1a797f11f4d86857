"""The Department of Empowerment of Persons with Disabilities, made up: `GET /disability?PERSON_CODE=…`.

It answers 200 to everything, in an envelope {message, status, result}; its dates are Buddhist-era text.
CARD_STATUS and the values of `status` are assumed.
"""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import parse_qs

from connectors.population import Person
from connectors.population_files import files_of
from connectors.sandbox import Dataset, run


def buddhist(day: date) -> str:
    """dd/mm/yyyy of the Buddhist era."""
    return f"{day.day:02}/{day.month:02}/{day.year + 543}"


def disability(one: Person) -> dict[str, Any] | None:
    """A person's card as the department answers, None for who has none."""
    card = files_of(one).disability
    if card is None:
        return None
    born = one.born.buddhist
    return {
        "PERSON_CODE": one.citizen_id,
        "PERSON_NAME": f"{one.first_name}  {one.last_name}",
        "BIRTH_DATE": f"{born % 100:02}/{born // 100 % 100:02}/{born // 10000}",
        "DEFORM_NAME": card.kind,
        "CARD_ISSUE_DATE": buddhist(card.issued),
        "CARD_EXPIRE_DATE": buddhist(card.expires),
        "CARD_STATUS": 1,
        "CARD_STATUS_NAME": "ใช้งานได้",
    }


def _asked(query: bytes, body: bytes) -> str:
    return parse_qs(query.decode("ascii"))["PERSON_CODE"][0]


def _envelope(query: bytes, record: dict[str, Any]) -> dict[str, Any]:
    return {"message": "success", "status": 200, "result": record}


_UNKNOWN = (200, {"message": "ไม่พบข้อมูล", "status": 404, "result": None})
DATASETS = (
    Dataset(
        "disability", "GET", "/disability", _asked, disability, _UNKNOWN, "PERSON_CODE",
        {"PERSON_NAME": "ก" * 500, "DEFORM_NAME": "ก" * 500}, _envelope,
    ),
)  # fmt: skip

if __name__ == "__main__":
    run(DATASETS, key_header="X-Api-Key", key_env="SOURCE_DEP__API_KEY")
