"""The migrations make exactly the tables that the code knows, on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from gateway.model.identifiers import PURPOSE_CODE, SERVICE_ID
from gateway.store import tables
from gateway.store.migrate import engine_for, standing, upgrade
from tests.databases import KINDS


def shape(inspector: Any, table: str) -> dict[str, Any]:
    return {
        "columns": {c["name"]: c["nullable"] for c in inspector.get_columns(table)},
        "key": inspector.get_pk_constraint(table)["constrained_columns"],
        "indexes": {i["name"]: i["column_names"] for i in inspector.get_indexes(table)},
    }


def test_the_migrated_database_is_what_the_tables_say(database_url: str) -> None:
    engine = engine_for(database_url)
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, tables.metadata) == []
            inspector = inspect(connection)
            for table in tables.metadata.sorted_tables:
                assert shape(inspector, table.name) == {
                    "columns": {column.name: column.nullable for column in table.columns},
                    "key": [column.name for column in table.primary_key.columns],
                    "indexes": {index.name: [c.name for c in index.columns] for index in table.indexes},
                }, table.name
    finally:
        engine.dispose()


def test_an_upgrade_of_what_is_current_changes_nothing(database_url: str) -> None:
    assert standing(database_url) == "current"
    upgrade(database_url)
    assert standing(database_url) == "current"


def test_an_empty_database_is_not_current(tmp_path: Path) -> None:
    assert standing(f"sqlite:///{tmp_path / 'empty.db'}") == "behind"


@pytest.mark.parametrize(
    ("column", "longest"),
    [
        ("purpose", "a" * 32 + ("." + "b" * 48) * 3),
        ("service", "a" * 32 + "." + "b" * 48 + ".v9999"),
    ],
)
def test_a_column_takes_the_longest_that_the_form_allows(column: str, longest: str) -> None:
    """PostgreSQL refuses what is too long, and the projection would stand still there."""
    form = PURPOSE_CODE if column == "purpose" else SERVICE_ID
    assert form.fullmatch(longest)
    assert not form.fullmatch(longest + "9" if column == "service" else longest + ".c")
    assert tables.exchange_lines.c[column].type.length >= len(longest)


def test_both_kinds_of_database_are_tested() -> None:
    assert KINDS == ("sqlite", "postgresql")
