"""The local authorities' allowance payments, made up: a database with two tables. All assumed."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.population import Person, story
from connectors.population_files import files_of
from connectors.population_names import PLACES
from connectors.sandbox_sql import Row, Table, run_database


def allowance(one: Person) -> Sequence[Row]:
    """A person's allowance: drawn since the October after they turned sixty; the day is not kept."""
    amount = files_of(one).allowance
    if not amount:
        return []
    since = f"{one.born.year + 60 + (one.born.month > 9) + 543}1000"
    return [(int(one.citizen_id), amount, "P", int(one.house.place[0]), since)]


def authorities(one: Person) -> Sequence[Row]:
    """The authorities themselves, which are nobody's: told once, with the first of the stories' people."""
    return [(int(place[0]), place[1]) for place in PLACES] if one.citizen_id == story("elder") else []


TABLES = (
    Table(
        "old_age_allowance",
        "pid bigint, monthly_amount integer, payment_status char(1), local_authority_code integer, drawn_since char(8)",
        allowance,
    ),
    Table("local_authority", "code integer, name varchar(100)", authorities),
)

if __name__ == "__main__":
    run_database("lao", TABLES)
