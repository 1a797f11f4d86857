"""The Ministry of Education, made up: `GET /students?personID=…&page=N`, one row a semester, two rows a page.

The rows' field names are the ministry's; the page around them is assumed.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs

from connectors.population import Person
from connectors.population_files import files_of
from connectors.sandbox import Dataset, run

_ROWS: Final = 2
"""Rows a page."""


def student(one: Person) -> dict[str, Any] | None:
    """A pupil's rows, newest first; None for who is no pupil."""
    schooling = files_of(one).schooling
    if schooling is None:
        return None
    newest = schooling.terms[0][0]
    rows = [
        {
            "prefixName": "เด็กหญิง" if one.female else "เด็กชาย",
            "firstName": one.first_name,
            "lastName": one.last_name,
            "schoolID": int(schooling.school[0]),
            "schoolName": schooling.school[1],
            "academicYear": str(year),
            "semester": semester,
            "gradeLevelName": schooling.grade_name if year == newest else "-",
            "gpax": gpax,
            "studentStatusName": "กำลังศึกษา",
        }
        for year, semester, gpax in schooling.terms
    ]
    return {"personID": one.citizen_id, "rows": rows}


def _asked(query: bytes, body: bytes) -> str:
    return parse_qs(query.decode("ascii"))["personID"][0]


def _page(query: bytes, record: dict[str, Any]) -> dict[str, Any]:
    """The page that the query names, each row with the pupil's number."""
    whose = {"personID": record["personID"]} if "personID" in record else {}
    rows = record["rows"]
    number = int(parse_qs(query.decode("ascii")).get("page", ["1"])[0])
    shown = rows[(number - 1) * _ROWS : number * _ROWS]
    return {
        "page": number,
        "totalPages": -(-len(rows) // _ROWS),
        "data": [{**whose, **row} if isinstance(row, dict) else row for row in shown],
    }


DATASETS = (
    Dataset(
        "student", "GET", "/students", _asked, student, (404, {"message": "ไม่พบข้อมูลนักเรียน"}), "personID",
        {"rows": [{"gpax": "9.99"}]}, _page,
    ),
)  # fmt: skip

if __name__ == "__main__":
    run(DATASETS, key_header="X-API-Key", key_env="SOURCE_MOE__API_KEY")
