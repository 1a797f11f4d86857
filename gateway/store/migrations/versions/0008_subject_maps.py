"""Maps of subjects to counts; and what counts a subject beside exchanges, for which the projection is filled again."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Creates the tables, and empties the projection."""
    op.create_table(
        "counted_beside",
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("subject", "idx"),
    )
    op.create_table(
        "subject_maps",
        sa.Column("map", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subjects", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("secret", sa.LargeBinary(length=32), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("map"),
    )
    op.create_table(
        "map_tiles",
        sa.Column("map", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("map", "level", "idx"),
    )
    op.execute("DELETE FROM exchanges")
    op.execute("DELETE FROM exchange_reasons")
    op.execute("DELETE FROM exchange_lines")
    op.execute("DELETE FROM exchange_hours")
    op.execute("DELETE FROM exchange_days")
    op.execute("DELETE FROM exchange_times")
    op.execute("UPDATE projected SET position = 0")
