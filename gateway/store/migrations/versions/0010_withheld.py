"""Exchanges that are withheld from the person they are about for a time."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Creates the table."""
    op.create_table(
        "withheld",
        sa.Column("exchange", sa.String(length=40), nullable=False),
        sa.Column("idx", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.String(length=24), nullable=False),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("earlier", sa.LargeBinary(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("told_idx", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("exchange"),
    )
    op.create_index("withheld_subject", "withheld", ["subject"], unique=False)
    where = sa.text("told_idx IS NULL")
    op.create_index("withheld_due", "withheld", ["due_at"], unique=False, sqlite_where=where, postgresql_where=where)
