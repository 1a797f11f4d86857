"""The Royal Thai Police, made up: `POST /warrants/search`. A person without warrants has a count of nought."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.population import Person
from connectors.population_files import files_of
from connectors.sandbox import Dataset, run


def warrants(one: Person) -> dict[str, Any]:
    """A person's warrants as the police answer."""
    held = files_of(one).warrants
    return {
        "id_no": one.citizen_id,
        "total": len(held),
        "warrants": [
            {
                "id_no": one.citizen_id,
                "warrant_no": each.number,
                "crime_case": each.case,
                "crime_number": each.crime_number,
                "complain_date": f"{each.complained:%d/%m}/{each.complained.year + 543}",
                "org": f"สถานีตำรวจ{one.house.place[5]}",
            }
            for each in held
        ],
    }


def _asked(query: bytes, body: bytes) -> str:
    return str(orjson.loads(body)["id_no"])


DATASETS = (
    Dataset(
        "warrant", "POST", "/warrants/search", _asked, warrants,
        (404, {"errorNumber": 404, "errorMessage": "ไม่พบข้อมูลบุคคล"}), "id_no", {"total": 9999},
    ),
)  # fmt: skip

if __name__ == "__main__":
    run(DATASETS, key_header="X-API-Key", key_env="SOURCE_POLICE__API_KEY")
