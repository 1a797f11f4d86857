"""The Department of Lands, made up: a database with one table, for an agency that has no service. All assumed."""

from __future__ import annotations

from collections.abc import Sequence

from connectors.population import Person
from connectors.population_files import files_of
from connectors.sandbox_sql import Row, Table, run_database


def deeds(one: Person) -> Sequence[Row]:
    """A person's deeds, a row each."""
    return [
        (one.citizen_id, deed.number, deed.land, deed.survey, int(one.house.place[6]), deed.rai, deed.ngan, deed.wah)
        for deed in files_of(one).deeds
    ]


TABLES = (
    Table(
        "land_deed",
        "pid char(13), deed_no varchar(20), land_no varchar(20), survey_no varchar(40), province_code integer, "
        "rai integer, ngan integer, wah varchar(10)",
        deeds,
    ),
)

if __name__ == "__main__":
    run_database("dol", TABLES)
