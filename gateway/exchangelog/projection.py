"""The search projection: one row an exchange, filled from the log behind the append.

The log is the truth; this can be dropped and filled again. It runs in the writer's thread when nothing
waits, so that it never competes with an append for the database's write lock.
"""

from __future__ import annotations

from typing import Any

import orjson

from gateway.exchangelog.entry import OpenedEntry, open_entry
from gateway.exchangelog.vault import Vault
from gateway.store import Connection

SLICE = 128
_OPENERS = ("exchange.decided", "exchange.refused")
_INSERT = (
    "INSERT INTO exchanges (exchange, opened_idx, closed_idx, opened_at, closed_at, outcome, consumer, client, officer,"
    " source, service, purpose, case_reference, agreement, subject, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (exchange) DO NOTHING"
)
_CLOSE = "UPDATE exchanges SET closed_idx = ?, closed_at = ?, outcome = ?, body = ? WHERE exchange = ?"


def project(connection: Connection, vault: Vault) -> bool:
    """Reads up to SLICE entries that the projection has not read and stores what they say; True if more is left.

    PostgreSQL: the row lock on `projected` keeps two gateways from projecting the same entries.
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
    for index, entry, month, sealed in rows:
        key = vault.open(connection, month)
        if key is not None:
            _store(connection, open_entry(index, bytes(entry), bytes(sealed), key))
    connection.commit()
    return len(rows) == SLICE


def _store(connection: Connection, opened: OpenedEntry) -> None:
    public = opened.group("public")
    kind = public["kind"]
    if kind in _OPENERS:
        parties, legal, content = opened.group("parties"), opened.group("legal"), opened.group("content")
        refused = kind == "exchange.refused"
        body = {
            "term": legal["term"],
            "lawful_basis": legal["lawful_basis"],
            "granted": legal["granted"],
            "released": [],
            "reasons": content["reasons"],
            "fault": None,
            "entries": [_reference(opened, kind)],
        }
        connection.run(
            _INSERT,
            (
                public["exchange"],
                opened.index,
                opened.index if refused else None,
                public["time"],
                public["time"] if refused else None,
                content["outcome"],
                parties["consumer"],
                parties["client"],
                parties["officer"],
                parties["source"],
                parties["service"],
                legal["purpose"],
                legal["case_reference"],
                legal["agreement"],
                bytes.fromhex(opened.group("subject")["pseudonym"]),
                _text(body),
            ),
        )
    elif kind.startswith("exchange."):
        found = connection.rows("SELECT body FROM exchanges WHERE exchange = ?", (public["exchange"],))
        if not found:  # its month was forgotten before the projection was filled again
            return
        content = opened.group("content")
        body = orjson.loads(found[0][0])
        body["fault"] = content["fault"]
        body["released"] = opened.group("legal")["released"]
        body["reasons"] = body["reasons"] + content["reasons"]
        body["entries"].append(_reference(opened, kind))
        connection.run(_CLOSE, (opened.index, public["time"], content["outcome"], _text(body), public["exchange"]))


def _reference(opened: OpenedEntry, kind: str) -> dict[str, Any]:
    return {"index": opened.index, "entry": opened.entry.hex(), "kind": kind}


def _text(body: dict[str, Any]) -> str:
    return orjson.dumps(body).decode()
