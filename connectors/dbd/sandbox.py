"""The Department of Business Development, made up: `GET /juristic?JuristicID=…`.

Field names follow the juristic semantic standard of 22 Nov 2564; the frame and its status codes are assumed.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from connectors.population_companies import Company, companies
from connectors.sandbox import Dataset, run

_ID = "cd:OrganizationJuristicID"


def juristic(one: Company) -> dict[str, Any]:
    """A company as the register answers."""
    return {
        _ID: one.juristic_id,
        "cd:OrganizationJuristicNameTH": one.name_th,
        "cd:OrganizationJuristicNameEN": one.name_en,
        "cd:OrganizationJuristicType": one.kind,
        "cd:OrganizationJuristicRegisterDate": f"{one.registered:%Y%m%d}",
        "cd:OrganizationJuristicStatus": "ยังดำเนินกิจการอยู่" if one.open else "เลิก",
        "cd:OrganizationJuristicRegisterCapital": f"{one.capital}.00",
        "cd:OrganizationJuristicAddress": {
            "cr:AddressType": {
                "cd:CountrySubDivision": {
                    "cr:CountrySubDivisionCode": f"TH-{one.place[6]}",
                    "cr:CountrySubDivisionTextTH": one.place[7],
                }
            }
        },
    }


def _asked(query: bytes, body: bytes) -> str:
    return parse_qs(query.decode("ascii"))["JuristicID"][0]


def _frame(query: bytes, record: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": {"code": "1000", "description": "Success"},
        "data": [{"cd:OrganizationJuristicPerson": record}],
    }


_UNKNOWN = (200, {"status": {"code": "1004", "description": "Data not found"}, "data": []})
DATASETS = (
    Dataset(
        "juristic", "GET", "/juristic", _asked, juristic, _UNKNOWN, _ID,
        {"cd:OrganizationJuristicNameTH": "ก" * 500}, _frame, companies,
    ),
)  # fmt: skip

if __name__ == "__main__":
    run(DATASETS, key_header="X-API-Key", key_env="SOURCE_DBD__API_KEY")
