"""Why exchanges ended otherwise, each code a row: the rarest is found at once. The projection is filled anew."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Makes the table, `exchanges` anew, and empties what is filled again from the log."""
    op.create_table(
        "exchange_reasons",
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("opened_idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("reason", "opened_idx"),
    )
    op.drop_table("exchanges")
    op.create_table(
        "exchanges",
        sa.Column("exchange", sa.String(length=40), nullable=False),
        sa.Column("opened_idx", sa.BigInteger(), nullable=False),
        sa.Column("closed_idx", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.String(length=24), nullable=False),
        sa.Column("closed_at", sa.String(length=24), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("line", sa.BigInteger(), nullable=False),
        sa.Column("case_reference", sa.String(length=64), nullable=True),
        sa.Column("subject", sa.LargeBinary(length=32), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("exchange"),
    )
    op.create_index("exchanges_case", "exchanges", ["case_reference"], unique=False)
    op.create_index("exchanges_line", "exchanges", ["line", "opened_idx"], unique=False)
    op.create_index("exchanges_opened", "exchanges", ["opened_idx"], unique=False)
    op.create_index("exchanges_subject", "exchanges", ["subject", "opened_idx"], unique=False)
    where = sa.text("closed_idx IS NULL")
    op.create_index(
        "exchanges_open", "exchanges", ["opened_idx"], unique=False, sqlite_where=where, postgresql_where=where
    )
    op.execute("DELETE FROM exchange_lines")
    op.execute("DELETE FROM exchange_hours")
    op.execute("DELETE FROM exchange_days")
    op.execute("DELETE FROM exchange_times")
    op.execute("UPDATE projected SET position = 0")
