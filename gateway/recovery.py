"""Exchanges left open by a gateway that died: found, and closed as `interrupted`, so that none is without an end.

A restart closes its own (same gateway name, an earlier boot); anyone closes those that are overdue, which is
twice the longest deadline after they were decided. Among them are a gateway's own of this boot, whose outcome
could not be written while the log was away.
"""

from __future__ import annotations

import time

from gateway.exchangelog import ExchangeLog
from gateway.model import now
from gateway.observe import logger
from gateway.store import AlreadyClosed, CloseExchange, Connection, Store

SLICE = 500


async def close_interrupted(store: Store, log: ExchangeLog, *, restarted: bool) -> int:
    """Closes what was left open, `restarted`: this gateway's earlier boots' too. Returns how many."""

    def left_open(connection: Connection) -> list[str]:
        rows = connection.rows(
            "SELECT exchange FROM open_exchanges WHERE overdue_at < ? OR (gateway = ? AND boot <> ? AND ? = 1) LIMIT ?",
            (int(time.time()), log.gateway, log.boot, int(restarted), SLICE),
        )
        return [row[0] for row in rows]

    closed = 0
    while found := await store.read(left_open):
        for exchange in found:
            moment = now()
            await log.ready(moment)
            entry = log.closed("interrupted", exchange, fault="gateway_interrupted", at=moment)
            try:
                await store.append([entry], [CloseExchange(exchange)])
                closed += 1
            except AlreadyClosed:  # another gateway was faster, or its own came back
                continue
        if len(found) < SLICE:
            break
    if closed:
        logger.warning("interrupted_exchanges_closed", count=closed)
    return closed
