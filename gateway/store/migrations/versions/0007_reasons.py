"""Why exchanges ended otherwise, each code a row: the rarest is found at once. The projection is filled anew."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Makes the table, and empties what is filled again from the log."""
    op.create_table(
        "exchange_reasons",
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("opened_idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("reason", "opened_idx"),
    )
    op.drop_index("exchanges_reasons", "exchanges")
    op.drop_column("exchanges", "reasons")
    for table in ("exchanges", "exchange_lines", "exchange_hours", "exchange_days", "exchange_times"):
        op.execute(f"DELETE FROM {table}")  # noqa: S608 - the names are ours
    op.execute("UPDATE projected SET position = 0")
