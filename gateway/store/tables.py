"""The tables, for SQLite and PostgreSQL alike. Alembic's migrations make them; a test holds the two equal.

`log_entries` and the registers are the truth. `exchanges` and the tables beside it are a projection: they can be
emptied and filled again from the log. A person is a keyed pseudonym everywhere.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Date,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
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
"""What `month_keys` took the place of; not read or written any more."""

month_keys = Table(
    "month_keys",
    metadata,
    Column("month", String(7), primary_key=True),
    Column("kid", String(16), primary_key=True),
    Column("wrapped", LargeBinary, nullable=False),
)
"""Each month's content key, wrapped by the master key `kid`, which is not in the database.

A month has one key; it stands here more than once only while one master key takes another's place.
"""

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
"""Per subject: how many entries count it, and the latest of them. A count of 0: counted under the name `previous` since
another pseudonym key took the place of this name's."""

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

withheld = Table(
    "withheld",
    metadata,
    Column("exchange", String(40), primary_key=True),
    Column("idx", BigInteger, nullable=False),
    Column("decided_at", String(24), nullable=False),
    Column("subject", LargeBinary(32), nullable=False),
    Column("earlier", LargeBinary, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("told_idx", BigInteger),
    Index("withheld_subject", "subject"),
    Index("withheld_due", "due_at", sqlite_where=text("told_idx IS NULL"), postgresql_where=text("told_idx IS NULL")),
)
"""Exchanges that their person is told of later: `idx` decided each and counts nobody, `told_idx` counts it.

`subject`, `earlier`: who is then counted, and under which names before (one after another, 32 bytes each). `due_at`:
epoch seconds; 0 where two people had it told sooner.
"""

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

exchange_lines = Table(
    "exchange_lines",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("key", LargeBinary(32), nullable=False),
    Column("consumer", String(64), nullable=False),
    Column("client", String(64), nullable=False),
    Column("officer", String(64)),
    Column("source", String(64)),
    Column("service", String(96), nullable=False),
    Column("purpose", String(192), nullable=False),
    Column("agreement", String(64)),
    Index("exchange_lines_key", "key", unique=True),
    Index("exchange_lines_client", "client", "officer"),
    Index("exchange_lines_officer", "officer"),
    Index("exchange_lines_agreement", "agreement"),
)
"""Who asked whom for what, on which agreement: each combination once. `key`: SHA-256 over its seven values.

There are few of them beside the exchanges, and hardly ever a new one: so one index on the exchanges finds by any
of the seven, and by several at once.
"""

exchanges = Table(
    "exchanges",
    metadata,
    Column("exchange", String(40), primary_key=True),
    Column("opened_idx", BigInteger, nullable=False),
    Column("closed_idx", BigInteger),
    Column("opened_at", String(24), nullable=False),
    Column("closed_at", String(24)),
    Column("outcome", String(16), nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("case_reference", String(64)),
    Column("subject", LargeBinary(32), nullable=False),
    Column("body", Text, nullable=False),
    Index("exchanges_opened", "opened_idx"),
    Index("exchanges_line", "line", "opened_idx"),
    Index("exchanges_subject", "subject", "opened_idx"),
    Index("exchanges_case", "case_reference"),
    Index(
        "exchanges_open",
        "opened_idx",
        sqlite_where=text("closed_idx IS NULL"),
        postgresql_where=text("closed_idx IS NULL"),
    ),
)
"""The search projection. `body`: the rest of what a search shows, as JSON. Never a field's value."""

exchange_reasons = Table(
    "exchange_reasons",
    metadata,
    Column("reason", String(64), primary_key=True),
    Column("opened_idx", BigInteger, primary_key=True, autoincrement=False),
)
"""Why nothing was released: each code of an exchange that ended otherwise, and its outcome too. Most have none."""

exchange_hours = Table(
    "exchange_hours",
    metadata,
    Column("hour", String(13), primary_key=True),
    Column("first_idx", BigInteger, nullable=False),
    Column("last_idx", BigInteger, nullable=False),
)
"""Between which indexes the exchanges decided in an hour (UTC, `YYYY-MM-DDTHH`) begin: a time as part of the log."""

exchange_days = Table(
    "exchange_days",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("line", BigInteger, primary_key=True, autoincrement=False),
    Column("outcome", String(16), primary_key=True),
    Column("exchanges", BigInteger, nullable=False),
)
"""How many exchanges each line had on a day (Asia/Bangkok), by outcome."""

exchange_times = Table(
    "exchange_times",
    metadata,
    Column("day", String(10), primary_key=True),
    Column("service", String(96), primary_key=True),
    Column("bucket", SmallInteger, primary_key=True, autoincrement=False),
    Column("exchanges", BigInteger, nullable=False),
)
"""How long a service's exchanges took from decision to outcome, as a histogram (`gateway.exchangelog.times`)."""

judged_facts = Table(
    "judged_facts",
    metadata,
    Column("digest", LargeBinary(32), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
"""What judgements rest on, by SHA-256: values of registers, the same for thousands of exchanges. No person's."""

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

gateways = Table(
    "gateways",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("boot", String(40), nullable=False),
    Column("owner", String(40), nullable=False),
    Column("host", String(255), nullable=False),
    Column("beat", BigInteger, nullable=False),
)
"""Which gateways live (`gateway.store.lease`). `beat`: milliseconds since the epoch, by the database's clock."""

counted_beside = Table(
    "counted_beside",
    metadata,
    Column("subject", LargeBinary(32), primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
)
"""Entries that count a subject and begin no exchange: of consents, and of moves to another name. Of the projection."""

subject_maps = Table(
    "subject_maps",
    metadata,
    Column("map", BigInteger, primary_key=True, autoincrement=False),
    Column("subjects", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("secret", LargeBinary(32), nullable=False),
    Column("idx", BigInteger, nullable=False),
    Column("made_at", BigInteger, nullable=False),
)
"""Maps of subjects to counts. `map`: the log's size that it is of; `secret`: hides its counts; `idx`: its entry."""

map_tiles = Table(
    "map_tiles",
    metadata,
    Column("map", BigInteger, primary_key=True, autoincrement=False),
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)
"""The newest map: at level 0 names and counts, 256 a row; above, hashes."""
