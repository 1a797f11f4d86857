"""The tables, for SQLite and PostgreSQL alike. Alembic's migrations make them; a test holds the two equal.

`log_entries` and the registers are the truth. `exchanges` is a projection: it can be dropped and filled
again from the log. A person is a keyed pseudonym everywhere.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)

metadata = MetaData()

head = Table(
    "head",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("size", BigInteger, nullable=False),
)
"""One row: how many entries the log has. Locked for each batch, so that all writers append in turn."""

log_entries = Table(
    "log_entries",
    metadata,
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary(32), nullable=False),
    Column("month", String(7), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""`entry`: the 32 public bytes. `sealed`: secret and contents under the key of `month` (YYYY-MM)."""

log_months = Table(
    "log_months",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)
"""Each month's content key, wrapped by the master key, which is not in the database."""

revisions = Table(
    "revisions",
    metadata,
    Column("scope", String(96), primary_key=True),
    Column("revision", BigInteger, nullable=False),
)
"""What `unless` is compared with: a number for each scope (`registers`), one higher at each change."""

registers = Table(
    "registers",
    metadata,
    Column("kind", String(24), primary_key=True),
    Column("id", String(160), primary_key=True),
    Column("revision", BigInteger, nullable=False, index=True),
    Column("body", Text, nullable=False),
)

counters = Table(
    "counters",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("previous", LargeBinary(32), nullable=False),
)
"""Per subject: how many entries count it, and the latest of them."""

quotas = Table(
    "quotas",
    metadata,
    Column("key", String(320), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("used", BigInteger, nullable=False),
)

once = Table(
    "once",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("expires", BigInteger, nullable=False, index=True),
)
"""Keyed digests of what may be used once only (an assertion's jti, an act's nonce), until they expire."""

open_exchanges = Table(
    "open_exchanges",
    metadata,
    Column("exchange", String(40), primary_key=True),
    Column("gateway", String(32), nullable=False),
    Column("boot", String(40), nullable=False),
    Column("idx", BigInteger, nullable=False),
    Column("overdue_at", BigInteger, nullable=False),
)
"""Decided and not yet closed. `overdue_at`: seconds since the epoch from when on anyone may close it."""

consents = Table(
    "consents",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("subject", LargeBinary(32), nullable=False),
    Column("consumer", String(64), nullable=False),
    Column("code", LargeBinary(32), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Index("consents_subject", "subject", "consumer"),
    Index("consents_code", "code"),
)
"""Consents as they are now; how they came to be so is in `sealed`, and in the log. `code`: keyed digest of the
withdrawal code."""

exchanges = Table(
    "exchanges",
    metadata,
    Column("exchange", String(40), primary_key=True),
    Column("opened_idx", BigInteger, nullable=False),
    Column("closed_idx", BigInteger),
    Column("opened_at", String(24), nullable=False),
    Column("closed_at", String(24)),
    Column("outcome", String(16), nullable=False),
    Column("consumer", String(64), nullable=False),
    Column("client", String(64), nullable=False),
    Column("officer", String(64)),
    Column("source", String(64)),
    Column("service", String(96), nullable=False),
    Column("purpose", String(192), nullable=False),
    Column("case_reference", String(64)),
    Column("agreement", String(64)),
    Column("subject", LargeBinary(32), nullable=False),
    Column("body", Text, nullable=False),
    Index("exchanges_opened", "opened_idx"),
    Index("exchanges_consumer", "consumer", "opened_idx"),
    Index("exchanges_source", "source", "opened_idx"),
    Index("exchanges_subject", "subject", "opened_idx"),
    Index("exchanges_case", "case_reference"),
)
"""The search projection. `body`: the rest of what a search shows, as JSON. Never a field's value."""

projected = Table(
    "projected",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("position", BigInteger, nullable=False),
)
"""One row: the first entry that the projection has not read yet."""

log_tiles = Table(
    "log_tiles",
    metadata,
    Column("level", SmallInteger, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
)
"""The Merkle tree's hashes as tiles of 256 (C2SP tlog-tiles), built behind the append and rebuildable from it.

Level 0 holds full tiles only; above, a row grows with each full tile below it.
"""

tree = Table(
    "tree",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("tiles", BigInteger, nullable=False),
)
"""One row: how many tiles of level 0 are built."""

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", Text, nullable=False),
    Column("signed_at", BigInteger, nullable=False),
)
"""Checkpoints that were signed, older ones thinned. `note`: as signed (C2SP); `signed_at`: seconds since the epoch."""

cosignatures = Table(
    "cosignatures",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("witness", String(256), primary_key=True),
    Column("line", Text, nullable=False),
)
"""What witnesses said of a checkpoint: `witness` their verifier key's name and id, `line` their signature line."""
