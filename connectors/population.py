"""A made-up population for the sandboxes: some 1,300 people in families, the same for every agency.

All of it follows from a seed. Every citizen ID leads with 9, which is issued to no one, and has a right check
digit. Some are dead, some minors, some foreigners; some were born on a day or in a month that nobody knows,
some before BE 2484 between January and March, when the year had not yet turned. Parents are in the population
where they live with their children.

Each person carries values that occur nowhere else (`sentinels`), so that a search of bytes finds a leak.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from typing import Final

from connectors.population_names import FAMILY, FAMILY_END, FEMALE, FIRST, HOSPITALS, MALE, NATIONS, PLACES
from gateway.model.identifiers import check_digit

SEED: Final = 2569
TODAY: Final = date(2026, 1, 1)
"""Ages are drawn as of this day, so that the same seed gives the same people for ever."""
THAI: Final = ("099", "ไทย")
_HOUSEHOLDS: Final = 300
_ALONE: Final = 60
"""Old people who live on their own."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the common era as well as it is known: month and day 0 where they are not."""

    year: int
    month: int = 0
    day: int = 0

    def __str__(self) -> str:
        text = f"{self.year:04}"
        if self.month:
            text += f"-{self.month:02}"
        return text + (f"-{self.day:02}" if self.day else "")

    @property
    def buddhist(self) -> int:
        """yyyymmdd of the Buddhist era as a number. Before 2484 (CE 1941) the year began in April."""
        before_april = self.year <= 1940 and 1 <= self.month <= 3
        year = self.year + (542 if before_april else 543)
        return year * 10000 + self.month * 100 + self.day


@dataclass(frozen=True, slots=True)
class House:
    """A house of the register. `place`: a row of PLACES."""

    id: str
    number: str
    village: int
    alley: str
    road: str
    place: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cover:
    """A person's health cover at the NHSO."""

    main: str
    main_name: str
    sub: str
    sub_name: str
    start: Day
    expiry: Day | None
    card: str


@dataclass(frozen=True, slots=True)
class Person:
    """One made-up person. `father`, `mother`: citizen IDs, empty where the register has none."""

    citizen_id: str = field(repr=False)
    female: bool
    first_name: str
    last_name: str
    english_first_name: str
    english_middle_name: str
    english_last_name: str
    born: Day
    house: House
    nation: tuple[str, str] = THAI
    dead: bool = False
    owner: bool = False
    moved_in: Day = field(default=Day(2001, 7, 15))
    father: str = field(default="", repr=False)
    father_name: str = ""
    mother: str = field(default="", repr=False)
    mother_name: str = ""
    cover: Cover | None = None

    def age(self, day: date) -> int:
        """Whole years on `day`; an unknown month or day counts as the first (Civil and Commercial Code s.16)."""
        born = (self.born.month or 1, self.born.day or 1)
        return day.year - self.born.year - ((day.month, day.day) < born)


@dataclass(frozen=True, slots=True)
class StoryPerson:
    """A pinned person of the stories. `key`: what the story calls them."""

    key: str
    citizen_id: str = field(repr=False)
    about_en: str
    about_th: str


_STORIES: Final = (
    ("elder", "911111111111", "aged 60 or over, alive, lives in the municipality; the day of birth is not known",
     "ผู้สูงอายุ ยังมีชีวิตอยู่ อยู่ในเขตเทศบาล ไม่ทราบวันที่เกิด"),
    ("dead", "922222222222", "aged 60 or over, has died", "ผู้สูงอายุที่ถึงแก่กรรมแล้ว"),
    ("minor", "933333333333", "a child", "ผู้เยาว์"),
    ("before_2484", "944444444444", "born in February of BE 2477, which was 1935",
     "เกิดเดือนกุมภาพันธ์ พ.ศ. 2477 (ค.ศ. 1935)"),
    ("adult", "955555555555", "an adult of working age", "ผู้ใหญ่วัยทำงาน"),
    ("foreigner", "966666666666", "an adult who is not Thai", "ผู้ใหญ่ซึ่งไม่มีสัญชาติไทย"),
    ("elsewhere", "977777777777", "aged 60 or over, lives in another municipality; the month of birth is not known",
     "ผู้สูงอายุซึ่งอยู่นอกเขตเทศบาล ไม่ทราบเดือนและวันที่เกิด"),
    ("unknown", "999999999999", "a valid number that no source knows", "เลขที่ถูกต้องแต่ไม่มีในฐานข้อมูลใด"),
)  # fmt: skip


def story_people() -> list[StoryPerson]:
    """The pinned people of the stories, the one whom no source knows last."""
    return [StoryPerson(key, _whole(twelve), en, th) for key, twelve, en, th in _STORIES]


def story(key: str) -> str:
    """The citizen ID of a pinned person."""
    return next(each.citizen_id for each in story_people() if each.key == key)


@lru_cache(maxsize=2)
def population(seed: int = SEED) -> dict[str, Person]:
    """Everyone, by citizen ID."""
    return {person.citizen_id: person for person in _Maker(seed).everyone()}


def sentinels(person: Person) -> tuple[str, ...]:
    """Values of `person` that occur nowhere but with them (or with their household, or their spouse)."""
    from connectors.population_files import file_sentinels  # drawn from the population, so it imports this

    return (*register_sentinels(person), *file_sentinels(person))


def register_sentinels(person: Person) -> tuple[str, ...]:
    """Those that the population register and the health cover hold."""
    card = (person.cover.card,) if person.cover else ()
    return (
        person.english_middle_name,
        person.first_name,
        person.last_name,
        person.house.road,
        person.house.id,
        *card,
    )


def _whole(twelve: str) -> str:
    return twelve + str(check_digit(twelve))


class _Maker:
    """Draws people, one family after the other."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311
        pinned = {_whole(twelve) for _, twelve, _, _ in _STORIES}
        self._used = set(pinned)
        draw = self._random
        self._names = {
            False: draw.sample([(a + c, b + d) for a, b in FIRST for c, d in MALE], len(FIRST) * len(MALE)),
            True: draw.sample([(a + c, b + d) for a, b in FIRST for c, d in FEMALE], len(FIRST) * len(FEMALE)),
        }
        families = [(a + c, b + d) for a, b in FAMILY for c, d in FAMILY_END]
        self._families = draw.sample(families, len(families))

    def everyone(self) -> Iterator[Person]:
        yield from self._story_family()
        for _ in range(_HOUSEHOLDS):
            yield from self._family()
        for _ in range(_ALONE):
            yield self._person(
                self._random.random() < 0.6,
                self._families.pop(),
                self._random.randint(66, 100),
                self._house(self._random.choice(PLACES)),
                owner=True,
            )

    def _family(self) -> Iterator[Person]:
        draw = self._random
        house = self._house(draw.choice(PLACES))
        family = self._families.pop()
        age = draw.randint(24, 62)
        father = mother = None
        if draw.random() < 0.45:
            older = min(age + draw.randint(20, 34), 99)
            father = self._person(False, family, older, house, dead=draw.random() < 0.2)
            mother = self._person(True, family, max(older - draw.randint(0, 8), age + 18), house)
            yield from (father, mother)
        man = self._person(False, family, age, house, father=father, mother=mother, owner=True)
        foreign = draw.choice(NATIONS) if draw.random() < 0.08 else THAI
        woman = self._person(True, family, max(20, age - draw.randint(-3, 6)), house, nation=foreign)
        yield from (man, woman)
        for _ in range(draw.choice((0, 1, 1, 2, 2, 3))):
            child_age = draw.randint(0, max(0, min(age, woman.age(TODAY)) - 20))
            yield self._person(draw.random() < 0.5, family, child_age, house, father=man, mother=woman)

    def _story_family(self) -> Iterator[Person]:
        """The pinned people: four generations under one roof of the demo's municipality, and one elsewhere."""
        house, family = self._house(PLACES[0]), self._families.pop()
        old = replace(self._person(False, family, 90, house), citizen_id=story("before_2484"), born=Day(1935, 2, 14))
        elder = self._person(True, family, 68, house, father=old, owner=True)
        elder = replace(elder, citizen_id=story("elder"), born=Day(1957, 3), dead=False)
        dead = replace(
            self._person(False, family, 70, house, dead=True), citizen_id=story("dead"), born=Day(1955, 8, 9)
        )
        adult = self._person(False, family, 40, house, father=dead, mother=elder)
        adult = replace(adult, citizen_id=story("adult"), born=Day(1985, 11, 30))
        foreigner = self._person(True, family, 37, house, nation=NATIONS[1])
        foreigner = replace(foreigner, citizen_id=story("foreigner"), born=Day(1988, 5, 4))
        minor = self._person(True, family, 6, house, father=adult, mother=foreigner)
        minor = replace(minor, citizen_id=story("minor"), born=Day(2019, 6, 21))
        away = self._person(True, self._families.pop(), 77, self._house(PLACES[3]), owner=True)
        away = replace(away, citizen_id=story("elsewhere"), born=Day(1948))
        for person in (old, elder, dead, adult, foreigner, minor, away):
            yield replace(person, cover=self._cover(person))

    def _person(
        self,
        female: bool,
        family: tuple[str, str],
        age: int,
        house: House,
        *,
        nation: tuple[str, str] = THAI,
        dead: bool = False,
        owner: bool = False,
        father: Person | None = None,
        mother: Person | None = None,
    ) -> Person:
        first, english = self._names[female].pop()
        born = self._birthday(age)
        person = Person(
            citizen_id=self._citizen_id(),
            female=female,
            first_name=first,
            last_name=family[0],
            english_first_name=english,
            english_middle_name=self._letters("Zq", 9),
            english_last_name=family[1],
            born=born,
            house=house,
            nation=nation,
            dead=dead,
            owner=owner,
            moved_in=self._since(born),
            father=father.citizen_id if father else "",
            father_name=father.first_name if father else self._random.choice(FIRST)[0] + self._random.choice(MALE)[0],
            mother=mother.citizen_id if mother else "",
            mother_name=mother.first_name if mother else self._random.choice(FIRST)[0] + self._random.choice(FEMALE)[0],
        )
        return replace(person, cover=self._cover(person))

    def _birthday(self, age: int) -> Day:
        draw = self._random
        year, month, day = TODAY.year - 1 - age, draw.randint(1, 12), draw.randint(1, 28)
        if age >= 60 and draw.random() < 0.12:
            return Day(year, month) if draw.random() < 0.5 else Day(year)
        return Day(year, month, day)

    def _since(self, born: Day) -> Day:
        year = max(born.year + 1, self._random.randint(1957, 2025))
        return Day(min(year, 2025), self._random.randint(1, 12), self._random.randint(1, 28))

    def _house(self, place: tuple[str, ...]) -> House:
        draw = self._random
        number = str(draw.randint(1, 999)) + (f"/{draw.randint(1, 60)}" if draw.random() < 0.5 else "")
        if draw.random() < 0.2:
            number = number.translate(str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙"))
        return House(
            id=f"{place[0]}{draw.randint(0, 9_999_999):07}",
            number=number,
            village=0 if "เทศบาล" in place[1] else draw.randint(1, 15),
            alley=f"ซอยสมมุติ {draw.randint(1, 40)}" if draw.random() < 0.4 else "",
            road=self._letters("ถนนจำลอง ", 8).upper(),
            place=place,
        )

    def _cover(self, person: Person) -> Cover | None:
        """Whom the NHSO covers: no one who has died, not every foreigner, everyone else under some scheme."""
        draw, age = self._random, person.age(TODAY)
        if person.dead or (person.nation != THAI and draw.random() < 0.5):
            return None
        universal = ("UCS", "สิทธิหลักประกันสุขภาพแห่งชาติ")
        chance = draw.random()
        expiry = None
        if age <= 12:
            main, sub = universal, ("71", "เด็กอายุไม่เกิน 12 ปีบริบูรณ์")
            expiry = Day(person.born.year + 13, person.born.month or 1, person.born.day or 1)
        elif chance < 0.04:
            main, sub = universal, ("74", "บุคคลผู้พิการ")
        elif chance < 0.06 and not person.female:
            main, sub = universal, ("76", "พระภิกษุ สามเณร")
        elif age >= 60:
            main, sub = universal, ("77", "บุคคลอายุเกิน 60 ปีบริบูรณ์")
        elif chance < 0.3 and age >= 20:
            main, sub = ("SSS", "สิทธิประกันสังคม"), ("S1", "ผู้ประกันตน")
        elif chance < 0.4 and age >= 20:
            main, sub = ("OFC", "สิทธิสวัสดิการข้าราชการ"), ("O1", "ข้าราชการ")
        else:
            main, sub = universal, ("89", "ช่วงอายุ 12-59 ปี")
        start = Day(max(person.born.year + 1, draw.randint(2002, 2025)), draw.randint(1, 12), draw.randint(1, 28))
        return Cover(*main, *sub, start, expiry, self._letters("QN", 9).upper())

    def _citizen_id(self) -> str:
        while True:
            made = _whole(f"9{self._random.randrange(10**11):011}")
            if made not in self._used:
                self._used.add(made)
                return made

    def _letters(self, prefix: str, count: int) -> str:
        return prefix + "".join(self._random.choice("bcdfghjkmnpqrstvwxz") for _ in range(count))


def hospitals(person: Person) -> tuple[tuple[str, str], tuple[str, str]]:
    """(hospital, primary care unit) of a person's province, each code and name."""
    return HOSPITALS[person.house.place[6]]
