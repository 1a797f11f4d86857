"""The National Health Security Office, made up: `GET /coverage?PERSON_ID=…`, upper-snake field names.

It answers 200 to everything and says in WS_STATUS what it means (its values are assumed).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from connectors.population import Person, hospitals
from connectors.sandbox import Dataset, run


def coverage(one: Person) -> dict[str, Any] | None:
    """A person's cover as the office's service answers, None for who has none."""
    cover = one.cover
    if cover is None:
        return None
    (hospital, hospital_name), (unit, unit_name) = hospitals(one)
    return {
        "WS_STATUS": "NHSO-000001",
        "PERSON_ID": one.citizen_id,
        "MAININSCL": cover.main,
        "MAININSCL_NAME": cover.main_name,
        "SUBINSCL": cover.sub,
        "SUBINSCL_NAME": cover.sub_name,
        "HMAIN": int(hospital),
        "HMAIN_NAME": hospital_name,
        "HSUB": int(unit),
        "HSUB_NAME": unit_name,
        "HMAIN_OP": int(hospital),
        "STARTDATE": str(cover.start.buddhist),
        "EXPDATE": str(cover.expiry.buddhist) if cover.expiry else "NoExp",
        "CARDID": cover.card,
        "PURCHASEPROVINCE": int(one.house.place[6]) * 100,
    }


def _asked(query: bytes, body: bytes) -> str:
    return parse_qs(query.decode("ascii"))["PERSON_ID"][0]


DATASETS = (
    Dataset(
        "coverage", "GET", "/coverage", _asked, coverage, (200, {"WS_STATUS": "NHSO-000002"}), "PERSON_ID",
        {"MAININSCL": "universal", "SUBINSCL": "??"},
    ),
)  # fmt: skip

if __name__ == "__main__":
    run(DATASETS, key_header="X-Client-Key", key_env="SOURCE_NHSO__API_KEY")
