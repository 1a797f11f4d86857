"""The Department of Provincial Administration, made up: `POST /api/person`, `/house`, `/name-change`, `/marriage`.

Its answers have the register's own field names and habits: numbers that lost their leading zeros, Buddhist-era
dates as integers with 00 for an unknown day or month, codes beside their descriptions.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import orjson

from connectors.population import Day, Person, population
from connectors.population_files import files_of, marriages
from connectors.sandbox import Dataset, run

_TITLES = {
    (False, False): (3, "นาย", "Mr."),
    (True, False): (4, "นางสาว", "Miss"),
    (False, True): (1, "เด็กชาย", "Master"),
    (True, True): (2, "เด็กหญิง", "Miss"),
}
"""(female, under 15) -> code, title, English title."""
_NOT_FOUND = (404, {"errorNumber": 90404, "errorMessage": "ไม่พบข้อมูล"})


def person(one: Person) -> dict[str, Any]:
    """A person as the register's service answers."""
    today = datetime.now(UTC).date()
    code, title, english = _TITLES[one.female, one.age(today) < 15]
    return {
        "personalID": int(one.citizen_id),
        "titleCode": code,
        "titleDesc": title,
        "titleName": title,
        "titleSex": 2 if one.female else 1,
        "firstName": one.first_name,
        "middleName": "",
        "lastName": one.last_name,
        "fullnameAndRank": f"{title}{one.first_name}  {one.last_name}",
        "englishTitleDesc": english,
        "englishFirstName": one.english_first_name,
        "englishMiddleName": one.english_middle_name,
        "englishLastName": one.english_last_name,
        "genderCode": 2 if one.female else 1,
        "genderDesc": "หญิง" if one.female else "ชาย",
        "dateOfBirth": one.born.buddhist,
        "age": one.age(today),
        "nationalityCode": int(one.nation[0]),
        "nationalityDesc": one.nation[1],
        "ownerStatusDesc": "เจ้าบ้าน" if one.owner else "ผู้อาศัย",
        "statusOfPersonCode": 1 if one.dead else 0,
        "statusOfPersonDesc": "ถึงแก่กรรม" if one.dead else "มีชีวิตอยู่",
        "dateOfMoveIn": one.moved_in.buddhist,
        **_parent("father", one.father, one.father_name),
        **_parent("mother", one.mother, one.mother_name),
    }


def house(one: Person) -> dict[str, Any]:
    """The house where a person is registered, as the register's service answers."""
    home = one.house
    rcode, rcode_name, tambon, tambon_name, amphoe, amphoe_name, province, province_name = home.place
    return {
        "houseID": int(home.id),
        "houseNo": home.number,
        "houseType": 1,
        "houseTypeDesc": "บ้าน",
        "villageNo": home.village,
        "alleyWay": "-",
        "alley": home.alley,
        "road": home.road,
        "subdistrictCode": int(tambon),
        "subdistrictDesc": tambon_name,
        "districtCode": int(amphoe),
        "districtDesc": amphoe_name,
        "provinceCode": int(province),
        "provinceDesc": province_name,
        "rcodeCode": int(rcode),
        "rcodeDesc": rcode_name,
        "dateOfTerminate": 0,
    }


def name_change(one: Person) -> dict[str, Any] | None:
    """A person's last changes of name, None for who never changed one."""
    files = files_of(one)
    changes = {"firstName": files.first_name, "lastName": files.last_name}
    if not any(changes.values()):
        return None
    answer: dict[str, Any] = {"personalID": int(one.citizen_id)}
    for name, change in changes.items():
        answer[name] = change and {
            "oldValue": change.old,
            "newValue": change.new,
            "dateOfChange": _day(change.on),
            "rcodeCode": int(one.house.place[0]),
            "rcodeDesc": one.house.place[1],
        }
    return answer


def marriage(one: Person) -> dict[str, Any]:
    """A person's registered marriages as the register answers: a total of nought where there is none."""
    held = [
        {
            "marryID": each.id,
            "marryDate": _day(each.on),
            "marryPlaceDesc": one.house.place[1],
            **_spouse("male", each.husband),
            **_spouse("female", each.wife),
        }
        for each in marriages().get(one.citizen_id, ())
    ]
    return {"total": len(held), "allMarry": held}


def _spouse(which: str, one: Person) -> dict[str, Any]:
    return {
        f"{which}PID": int(one.citizen_id),
        f"{which}FirstName": one.first_name,
        f"{which}FullnameAndRank": f"{one.first_name}  {one.last_name}",
        f"{which}DateOfBirth": one.born.buddhist,
    }


def _day(day: date) -> int:
    return Day(day.year, day.month, day.day).buddhist


def _parent(which: str, identifier: str, name: str) -> dict[str, Any]:
    found = population().get(identifier)
    code, label = found.nation if found else ("099", "ไทย")
    return {
        f"{which}PersonalID": int(identifier or 0),
        f"{which}Name": name,
        f"{which}NationalityCode": int(code),
        f"{which}NationalityDesc": label,
    }


def _asked(query: bytes, body: bytes) -> str:
    return str(orjson.loads(body)["personalID"])


DATASETS = (
    Dataset(
        "person", "POST", "/api/person", _asked, person, _NOT_FOUND, "personalID",
        {"firstName": "ก" * 500, "nationalityCode": "ABC", "statusOfPersonDesc": "ก" * 500},
    ),
    Dataset(
        "house", "POST", "/api/house", _asked, house, _NOT_FOUND, "",
        {"rcodeCode": "ABCD", "road": "ก" * 500},
    ),
    Dataset(
        "name-change", "POST", "/api/name-change", _asked, name_change, _NOT_FOUND, "personalID",
        {"firstName": {"oldValue": "ก" * 500}},
    ),
    Dataset(
        "marriage", "POST", "/api/marriage", _asked, marriage, _NOT_FOUND, "", {"total": 9999},
    ),
)  # fmt: skip

if __name__ == "__main__":
    run(DATASETS, key_header="X-API-Key", key_env="SOURCE_DOPA__API_KEY")
