"""The version after this one, as far as the database is concerned: one more migration, of all that one may do."""

from __future__ import annotations

import shutil
from pathlib import Path

from gateway.store import migrate

MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "9000"
down_revision = "{before}"


def upgrade() -> None:
    op.create_table("novelties", sa.Column("id", sa.BigInteger(), primary_key=True))
    op.add_column("log_entries", sa.Column("remark", sa.Text(), nullable=True))
    op.add_column("open_exchanges", sa.Column("kind", sa.String(8), nullable=False, server_default="one"))
    op.add_column("once", sa.Column("place", sa.SmallInteger(), nullable=False, server_default="0"))
    op.create_index("open_exchanges_gateway", "open_exchanges", ["gateway"])
"""


def next_version(folder: Path) -> Path:
    """A copy of the migrations with one more."""
    copied = folder / "migrations"
    shutil.copytree(migrate._HERE, copied, ignore=shutil.ignore_patterns("__pycache__"))
    (copied / "versions" / "9000_next.py").write_text(MIGRATION.format(before=migrate.newest()))
    return copied
