"""The search projection: one row an exchange, filled from the log behind the append.

The log is the truth; this can be dropped and filled again. It runs in the writer's thread in slices, so that
it never competes with an append for the database's write lock. What it reads was sealed together with the
entry's 32 bytes; checking the commitments again is the verifier's work, not its own.
"""

from __future__ import annotations

from typing import Any

import orjson

from gateway.exchangelog.entry import BrokenEntry, OpenedEntry, unseal
from gateway.exchangelog.vault import Vault
from gateway.store import Connection

SLICE = 128
OPENERS = ("exchange.decided", "exchange.refused")
"""The kinds of entry that an exchange begins with."""
COLUMNS = (
    "exchange",
    "opened_idx",
    "closed_idx",
    "opened_at",
    "closed_at",
    "outcome",
    "consumer",
    "client",
    "officer",
    "source",
    "service",
    "purpose",
    "case_reference",
    "agreement",
    "subject",
    "body",
)
_INSERT = (
    f"INSERT INTO exchanges ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))}) "  # noqa: S608
    "ON CONFLICT (exchange) DO NOTHING"
)
_CLOSE = "UPDATE exchanges SET closed_idx = ?, closed_at = ?, outcome = ?, body = ? WHERE exchange = ?"
Row = dict[str, Any]


def project(connection: Connection, vault: Vault) -> bool:
    """Reads up to SLICE entries that the projection has not read and stores what they say; True if more is left.

    Several gateways may share a database: who moves `position` first has the slice.
    """
    rows = connection.rows(
        "SELECT idx, entry, month, sealed FROM log_entries WHERE idx >= (SELECT position FROM projected WHERE id = 1)"
        " ORDER BY idx LIMIT ?",
        (SLICE,),
    )
    if not rows:
        return False
    connection.begin()
    moved = connection.rows(
        "UPDATE projected SET position = ? WHERE id = 1 AND position = ? RETURNING position",
        (rows[-1][0] + 1, rows[0][0]),
    )
    if not moved:  # another gateway was faster
        connection.rollback()
        return True
    opened: dict[str, Row] = {}
    for index, entry, month, sealed in rows:
        key = vault.open(connection, month)
        if key is None:
            continue
        try:
            unsealed = unseal(index, bytes(entry), bytes(sealed), key)
        except BrokenEntry:  # it hides itself alone; the verifier says which it is
            continue
        _take(connection, opened, unsealed)
    if opened:
        connection.many(
            _INSERT, [[*(row[column] for column in COLUMNS[:-1]), _text(row["body"])] for row in opened.values()]
        )
    connection.commit()
    return len(rows) == SLICE


def _take(connection: Connection, opened: dict[str, Row], entry: OpenedEntry) -> None:
    """Adds one entry to the rows being made, or to the row that an earlier slice made."""
    public = entry.group("public")
    kind, exchange = public["kind"], public["exchange"]
    if kind in OPENERS:
        opened[exchange] = _row(entry, public)
    elif kind.startswith("exchange."):
        row = opened.get(exchange)
        if row is not None:
            _close(row["body"], entry, kind)
            row["closed_idx"], row["closed_at"] = entry.index, public["time"]
            row["outcome"] = kind.partition(".")[2]
            return
        found = connection.rows("SELECT body FROM exchanges WHERE exchange = ?", (exchange,))
        if found:  # not where its month was forgotten before the projection was filled again
            body = orjson.loads(found[0][0])
            _close(body, entry, kind)
            connection.run(_CLOSE, (entry.index, public["time"], kind.partition(".")[2], _text(body), exchange))


def _row(entry: OpenedEntry, public: dict[str, Any]) -> Row:
    parties, legal, content = entry.group("parties"), entry.group("legal"), entry.group("content")
    refused = public["kind"] == "exchange.refused"
    return {
        "exchange": public["exchange"],
        "opened_idx": entry.index,
        "closed_idx": entry.index if refused else None,
        "opened_at": public["time"],
        "closed_at": public["time"] if refused else None,
        "outcome": content["outcome"],
        "consumer": parties["consumer"],
        "client": parties["client"],
        "officer": parties["officer"],
        "source": parties["source"],
        "service": parties["service"],
        "purpose": legal["purpose"],
        "case_reference": legal["case_reference"],
        "agreement": legal["agreement"],
        "subject": bytes.fromhex(entry.group("subject")["pseudonym"]),
        "body": {
            "term": legal["term"],
            "lawful_basis": legal["lawful_basis"],
            "granted": legal["granted"],
            "released": [],
            "reasons": content["reasons"],
            "fault": None,
            "entries": [_reference(entry, public["kind"])],
        },
    }


def _close(body: dict[str, Any], entry: OpenedEntry, kind: str) -> None:
    content = entry.group("content")
    body["fault"] = content["fault"]
    body["released"] = entry.group("legal")["released"]
    body["reasons"] = body["reasons"] + content["reasons"]
    body["entries"].append(_reference(entry, kind))


def _reference(entry: OpenedEntry, kind: str) -> dict[str, Any]:
    return {"index": entry.index, "entry": entry.entry.hex(), "kind": kind}


def _text(body: dict[str, Any]) -> str:
    return orjson.dumps(body).decode()
