"""The search projection by lines, with counts a day: emptied here, and filled again from the log by the gateway."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes the projection's tables anew."""
    op.drop_table("exchanges")
    op.execute("UPDATE projected SET position = 0")
    op.create_table(
        "exchange_lines",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=False),
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("client", sa.String(length=64), nullable=False),
        sa.Column("officer", sa.String(length=64), nullable=True),
        sa.Column("source", sa.String(length=64), nullable=True),
        sa.Column("service", sa.String(length=96), nullable=False),
        sa.Column("purpose", sa.String(length=192), nullable=False),
        sa.Column("agreement", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("exchange_lines_agreement", "exchange_lines", ["agreement"], unique=False)
    op.create_index("exchange_lines_client", "exchange_lines", ["client", "officer"], unique=False)
    op.create_index("exchange_lines_key", "exchange_lines", ["key"], unique=True)
    op.create_index("exchange_lines_officer", "exchange_lines", ["officer"], unique=False)
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
        sa.Column("reasons", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("exchange"),
    )
    op.create_index("exchanges_case", "exchanges", ["case_reference"], unique=False)
    op.create_index("exchanges_line", "exchanges", ["line", "opened_idx"], unique=False)
    op.create_index("exchanges_opened", "exchanges", ["opened_idx"], unique=False)
    op.create_index("exchanges_subject", "exchanges", ["subject", "opened_idx"], unique=False)
    for name, condition in (("exchanges_open", "closed_idx IS NULL"), ("exchanges_reasons", "reasons IS NOT NULL")):
        where = sa.text(condition)
        op.create_index(name, "exchanges", ["opened_idx"], unique=False, sqlite_where=where, postgresql_where=where)
    op.create_table(
        "exchange_hours",
        sa.Column("hour", sa.String(length=13), nullable=False),
        sa.Column("first_idx", sa.BigInteger(), nullable=False),
        sa.Column("last_idx", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hour"),
    )
    op.create_table(
        "exchange_days",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("line", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("exchanges", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "line", "outcome"),
    )
    op.create_table(
        "exchange_times",
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("service", sa.String(length=96), nullable=False),
        sa.Column("bucket", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("exchanges", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("day", "service", "bucket"),
    )
