"""Made-up companies for the sandbox of the company register: their numbers lead with 9, and none is a person's."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Final

from connectors.population import SEED, population
from connectors.population_names import FAMILY, FAMILY_END, PLACES
from gateway.model.identifiers import check_digit

_COUNT: Final = 60
_PINNED: Final = "988888888888"
_KINDS: Final = (
    ("บริษัทจำกัด", "บริษัท ", " จำกัด", " Company Limited"),
    ("ห้างหุ้นส่วนจำกัด", "ห้างหุ้นส่วนจำกัด ", "", " Limited Partnership"),
)


@dataclass(frozen=True, slots=True)
class Company:
    """A juristic person. `name_en` occurs once. `place`: a row of PLACES."""

    juristic_id: str = field(repr=False)
    kind: str
    name_th: str
    name_en: str
    registered: date
    capital: int
    open: bool
    place: tuple[str, ...]


def story_company() -> str:
    """The juristic number of the pinned company."""
    return _PINNED + str(check_digit(_PINNED))


@lru_cache(maxsize=2)
def companies(seed: int = SEED) -> dict[str, Company]:
    """Every company, by juristic number; the pinned one first."""
    draw = random.Random(f"{seed}:companies")  # noqa: S311
    people = population(seed)
    names = draw.sample([(a + c, b + d) for a, b in FAMILY for c, d in FAMILY_END], _COUNT)
    held: dict[str, Company] = {}
    for i, (name_th, name_en) in enumerate(names):
        number = story_company()
        while (i and number == story_company()) or number in people or number in held:
            twelve = f"9{draw.randrange(10**11):011}"
            number = twelve + str(check_digit(twelve))
        kind, before, after, english = draw.choice(_KINDS)
        held[number] = Company(
            number,
            kind,
            f"{before}{name_th}ค้าจำลอง{after}",
            f"{name_en} {''.join(draw.choice('bcdfghjklmnpqrstvwxz') for _ in range(8)).upper()}{english}",
            date(draw.randint(1990, 2025), draw.randint(1, 12), draw.randint(1, 28)),
            draw.choice((100_000, 1_000_000, 5_000_000, 20_000_000)),
            i == 0 or draw.random() < 0.8,
            draw.choice(PLACES),
        )
    return held
