"""Unauthenticated and malformed requests: counted for each address and minute, written as counts.

So a flood cannot fill the log: a minute's entry names at most MOST addresses and sums up the rest.
"""

from __future__ import annotations

import asyncio
from collections import Counter

from gateway.exchangelog import ExchangeLog
from gateway.model import now
from gateway.observe import Metrics, logger

MOST = 64
SECONDS = 60.0


class TurnedAway:
    """One gateway's counts since the last entry."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counts: dict[str, Counter[str]] = {}
        self._others: Counter[str] = Counter()

    def count(self, address: str, code: str) -> None:
        """One more request from `address` that ended with `code` (invalid_token, malformed_request, …)."""
        self._metrics.turned_away.labels(code).inc()
        held = self._counts.get(address)
        if held is None and len(self._counts) < MOST:
            held = self._counts[address] = Counter()
        (self._others if held is None else held)[code] += 1

    async def flush(self, log: ExchangeLog) -> None:
        """One `requests.counted` entry with what was counted, if anything was. LogUnavailable keeps the counts."""
        if not self._counts:
            return
        counts, others = self._counts, self._others
        self._counts, self._others = {}, Counter()
        try:
            moment = now()
            await log.ready(moment)
            addresses = [{"address": address, "counts": dict(held)} for address, held in sorted(counts.items())]
            content = {"addresses": addresses, "others": dict(others)}
            await log.store.append([log.draft("requests.counted", moment, content=content)])
        except Exception:
            for address, held in counts.items():
                if address in self._counts or len(self._counts) < MOST:
                    self._counts.setdefault(address, Counter()).update(held)
                else:
                    self._others.update(held)
            self._others.update(others)
            raise

    async def run(self, log: ExchangeLog) -> None:
        """Flushes every minute, for ever."""
        while True:
            await asyncio.sleep(SECONDS)
            try:
                await self.flush(log)
            except Exception as error:
                logger.warning("counts_not_written", kind=type(error).__name__)
