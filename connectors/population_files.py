"""What the other agencies hold of the made-up people: cards, vehicles, schooling, land, and so on.

Drawn for each person from the seed and their citizen ID alone, so that nothing here moves anyone's family or
birthday. All of it agrees: who has a child's parents as a couple is married, who is covered as disabled has a
card, who drives is grown up, and nobody who has died draws an allowance.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from connectors.population import SEED, THAI, TODAY, Person, population, story
from connectors.population_names import FAMILY, FAMILY_END, FEMALE, FIRST, MALE

_LETTERS: Final = "BCDFGHJKLMNPQRSTVWXZ"
_DEFORMS: Final = ("ทางการเห็น", "ทางการได้ยินหรือสื่อความหมาย", "ทางการเคลื่อนไหวหรือทางร่างกาย", "ทางสติปัญญา", "ออทิสติก")
_BRANDS: Final = (("มายาคาร์", "MY-1"), ("เสมือนยนต์", "SM-7"), ("จำลองมอเตอร์", "JL-3"), ("นิรนามออโต้", "NN-9"))
_GRADES: Final = (
    "ประถมศึกษาปีที่ 1", "ประถมศึกษาปีที่ 2", "ประถมศึกษาปีที่ 3", "ประถมศึกษาปีที่ 4", "ประถมศึกษาปีที่ 5", "ประถมศึกษาปีที่ 6",
    "มัธยมศึกษาปีที่ 1", "มัธยมศึกษาปีที่ 2", "มัธยมศึกษาปีที่ 3", "มัธยมศึกษาปีที่ 4", "มัธยมศึกษาปีที่ 5", "มัธยมศึกษาปีที่ 6",
)  # fmt: skip
_CRIMES: Final = ("ฉ้อโกง", "ลักทรัพย์", "ยักยอกทรัพย์")


@dataclass(frozen=True, slots=True)
class NameChange:
    """A changed first or last name: the old one, the new one, when."""

    old: str
    new: str
    on: date


@dataclass(frozen=True, slots=True)
class Marriage:
    """A registered marriage of two people of the population."""

    id: str
    on: date
    husband: Person
    wife: Person


@dataclass(frozen=True, slots=True)
class DisabilityCard:
    """A disabled person's card of the Department of Empowerment of Persons with Disabilities."""

    kind: str
    issued: date
    expires: date


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A registered vehicle. `body` and `engine` occur once in the whole population."""

    plate: tuple[str, str]
    brand: tuple[str, str]
    body: str
    engine: str
    cc: int
    registered: date
    expires: date


@dataclass(frozen=True, slots=True)
class Licence:
    """A driving licence; its number occurs once."""

    number: str
    kind: str
    issued: date
    expires: date


@dataclass(frozen=True, slots=True)
class Insured:
    """An insured person's standing: section 33, 39 or 40 of the Social Security Act B.E. 2533."""

    section: int
    employer: str
    active: bool


@dataclass(frozen=True, slots=True)
class Schooling:
    """A pupil: grade (1 to 12) now, and the average of each semester, newest first: (BE year, semester, gpax)."""

    grade: int
    school: tuple[str, str]
    terms: tuple[tuple[int, int, str], ...]

    @property
    def grade_name(self) -> str:
        """The grade as schools write it."""
        return _GRADES[self.grade - 1]


@dataclass(frozen=True, slots=True)
class Deed:
    """A title deed. `survey` (the sheet) occurs once."""

    number: str
    land: str
    survey: str
    rai: int
    ngan: int
    wah: str


@dataclass(frozen=True, slots=True)
class Warrant:
    """An arrest warrant; its number occurs once."""

    number: str
    case: str
    crime_number: str
    complained: date


@dataclass(frozen=True, slots=True)
class Files:
    """What the other agencies hold of one person; None or empty where they hold nothing."""

    first_name: NameChange | None
    last_name: NameChange | None
    disability: DisabilityCard | None
    vehicle: Vehicle | None
    licence: Licence | None
    insured: Insured | None
    schooling: Schooling | None
    deeds: tuple[Deed, ...]
    allowance: int
    """Baht a month of the old-age allowance: 600, 700, 800 or 1,000 by age, 0 where none is drawn."""
    warrants: tuple[Warrant, ...]


def files_of(one: Person, seed: int = SEED) -> Files:
    """What the other agencies hold of `one`."""
    return _drawn(one.citizen_id, seed)


@lru_cache(maxsize=2)
def marriages(seed: int = SEED) -> dict[str, tuple[Marriage, ...]]:
    """Each person's registered marriages, by citizen ID: the parents of a child of the population."""
    people = population(seed)
    eldest: dict[tuple[str, str], date] = {}
    for one in people.values():
        if one.father and one.mother:
            born = date(one.born.year, one.born.month or 1, one.born.day or 1)
            couple = (one.father, one.mother)
            eldest[couple] = min(born, eldest.get(couple, born))
    held: dict[str, tuple[Marriage, ...]] = {}
    for (husband, wife), born in eldest.items():
        draw = random.Random(f"{seed}:{husband}:{wife}")  # noqa: S311
        marriage = Marriage(
            _code(draw, "ค.ร.", 9), born - timedelta(days=draw.randint(200, 1500)), people[husband], people[wife]
        )
        for spouse in (husband, wife):
            held[spouse] = (*held.get(spouse, ()), marriage)
    return held


@lru_cache(maxsize=2)
def pupil(seed: int = SEED) -> Person:
    """The pupil of the stories: 15 years old at the start of 2026, at school, with a mother in the population."""
    return next(
        one
        for one in population(seed).values()
        if one.age(TODAY) == 15 and one.mother and one.nation == THAI and files_of(one, seed).schooling
    )


def file_sentinels(one: Person, seed: int = SEED) -> tuple[str, ...]:
    """Values of these files that occur nowhere but with `one` (a marriage's id: with both spouses)."""
    files = files_of(one, seed)
    found = [marriage.id for marriage in marriages(seed).get(one.citizen_id, ())]
    if files.vehicle:
        found += [files.vehicle.body, files.vehicle.engine]
    if files.licence:
        found.append(files.licence.number)
    if files.insured and files.insured.employer:
        found.append(files.insured.employer)
    found += [deed.survey for deed in files.deeds]
    found += [warrant.number for warrant in files.warrants]
    return tuple(found)


@lru_cache(maxsize=4096)
def _drawn(citizen_id: str, seed: int) -> Files:
    one = population(seed)[citizen_id]
    draw = random.Random(f"{seed}:{citizen_id}")  # noqa: S311
    age = one.age(TODAY)
    grown = age >= 20 and not one.dead
    return Files(
        first_name=_first_name(draw, one) if (draw.random() < 0.08 or _pinned(one)) and age >= 20 else None,
        last_name=_last_name(draw, one) if draw.random() < (0.3 if one.female else 0.03) and age >= 20 else None,
        disability=_card(draw, one),
        vehicle=_vehicle(draw) if draw.random() < 0.5 and grown and age < 80 else None,
        licence=_licence(draw) if draw.random() < 0.6 and 20 <= age < 75 and not one.dead else None,
        insured=_insured(draw, one),
        schooling=_schooling(draw, one, age) if 7 <= age <= 18 and not one.dead else None,
        deeds=tuple(_deed(draw) for _ in range(draw.choice((0, 0, 1, 2)) if one.owner and grown else 0)),
        allowance=_allowance(draw, one, age),
        warrants=tuple(_warrant(draw) for _ in range(draw.choice((1, 1, 2)) if draw.random() < 0.02 and grown else 0)),
    )


def _pinned(one: Person) -> bool:
    """The adult of the stories, whose files the agencies are sure to hold."""
    return one.citizen_id == story("adult")


def _first_name(draw: random.Random, one: Person) -> NameChange:
    old = draw.choice(FIRST)[0] + draw.choice(FEMALE if one.female else MALE)[0]
    return NameChange(old, one.first_name, _day(draw, 2012, 2024))


def _last_name(draw: random.Random, one: Person) -> NameChange:
    return NameChange(draw.choice(FAMILY)[0] + draw.choice(FAMILY_END)[0], one.last_name, _day(draw, 2008, 2024))


def _card(draw: random.Random, one: Person) -> DisabilityCard | None:
    covered = one.cover is not None and one.cover.sub == "74"
    if one.dead or not (covered or _pinned(one)):
        return None
    issued = _day(draw, 2019, 2024)
    return DisabilityCard(draw.choice(_DEFORMS), issued, issued.replace(year=issued.year + 8))


def _vehicle(draw: random.Random) -> Vehicle:
    plate = (f"{draw.randint(1, 9)}{draw.choice('กขคงจฉ')}{draw.choice('กขคงจฉ')}", str(draw.randint(1, 9999)))
    registered = _day(draw, 2008, 2024)
    return Vehicle(
        plate,
        draw.choice(_BRANDS),
        _code(draw, "MJ", 13),
        _code(draw, "EN", 10),
        draw.choice((125, 1200, 1500, 2400)),
        registered,
        registered.replace(year=2026),
    )


def _licence(draw: random.Random) -> Licence:
    issued = _day(draw, 2022, 2024)
    kind = draw.choice(("ใบอนุญาตขับรถยนต์ส่วนบุคคล", "ใบอนุญาตขับรถจักรยานยนต์ส่วนบุคคล"))
    return Licence(_code(draw, "ZD", 8), kind, issued, issued.replace(year=issued.year + 5))


def _insured(draw: random.Random, one: Person) -> Insured | None:
    if one.cover is not None and one.cover.main == "SSS":
        return Insured(33, f"{draw.randrange(10**10):010}", True)
    if one.cover is not None and 20 <= one.age(TODAY) < 65 and draw.random() < 0.1:
        return Insured(draw.choice((39, 40)), "", draw.random() < 0.9)
    return None


def _schooling(draw: random.Random, one: Person, age: int) -> Schooling:
    grade, province = min(age - 6, 12), one.house.place[6]
    terms = [(2568, 2), (2568, 1), (2567, 2), (2567, 1), (2566, 2), (2566, 1)][: min(6, 2 * grade)]
    return Schooling(
        grade,
        (f"{province}{draw.randint(10, 40):02}0{draw.randint(100, 999)}", f"โรงเรียน{one.house.place[7]}วิทยาสมมุติ"),
        tuple((year, semester, f"{draw.uniform(2.0, 4.0):.2f}") for year, semester in terms),
    )


def _deed(draw: random.Random) -> Deed:
    return Deed(
        str(draw.randint(10_000, 99_999)),
        str(draw.randint(1, 999)),
        f"{draw.randint(4000, 5999)} {draw.choice(('I', 'II', 'III', 'IV'))} {_code(draw, 'S', 8)}",
        draw.randint(0, 30),
        draw.randint(0, 3),
        f"{draw.randint(0, 999) / 10:.1f}",
    )


def _allowance(draw: random.Random, one: Person, age: int) -> int:
    """The rates by age of the Interior Ministry's regulation on old-age allowances."""
    if one.dead or age < 60 or one.nation != THAI or (one.cover is not None and one.cover.main == "OFC"):
        return 0
    if draw.random() < 0.1 and one.citizen_id not in (story("elder"), story("elsewhere"), story("before_2484")):
        return 0
    return {6: 600, 7: 700, 8: 800}.get(age // 10, 1000)


def _warrant(draw: random.Random) -> Warrant:
    return Warrant(
        f"จ.{draw.randint(1, 999)}/{_code(draw, 'W', 7)}",
        draw.choice(_CRIMES),
        f"{draw.randint(1, 900)}/{draw.randint(2560, 2568)}",
        _day(draw, 2019, 2024),
    )


def _day(draw: random.Random, first: int, last: int) -> date:
    return date(draw.randint(first, last), draw.randint(1, 12), draw.randint(1, 28))


def _code(draw: random.Random, prefix: str, count: int) -> str:
    return prefix + "".join(draw.choice(_LETTERS) for _ in range(count))
