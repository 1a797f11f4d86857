"""Monthly keys say which master key wraps them: a month may be wrapped by two while one takes the other's place."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Creates the table that is used in place of `log_months`."""
    op.create_table(
        "month_keys",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("kid", sa.String(length=16), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("month", "kid"),
    )
