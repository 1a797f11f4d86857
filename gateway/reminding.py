"""Reminders that an agreement ends: at ninety, thirty and seven days, an entry in the log and a record beside it.

Every gateway looks, whenever the registers or the Bangkok day have moved; one of them writes, as the record must not
be there yet. Who comes late (an agreement of three weeks) is reminded at the nearest mark only. What is written is a
record of its own: an agreement itself is changed by nobody's hand but its two sides' (their signed acts).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from typing import Any

from gateway.current import Current
from gateway.errors import Moved
from gateway.exchangelog import ExchangeLog
from gateway.model import bangkok_day, now, timestamp
from gateway.observe import Metrics, logger
from gateway.registers import Record, Registers, record_digest
from gateway.store import REGISTERS, PutRegister, Store

MARKS = (90, 30, 7)
"""Days before an agreement's last day."""
AT_ONCE = 100
"""Agreements that one entry reminds of: a template's thousands may end on one day."""


class Reminders:
    """One gateway's look at what ends soon."""

    def __init__(self, current: Current, store: Store, log: ExchangeLog, metrics: Metrics) -> None:
        self._current = current
        self._store = store
        self._log = log
        self._metrics = metrics
        self._looked_at: tuple[int, date] | None = None

    async def run(self, every: float) -> None:
        """Looks every so many seconds, for ever."""
        while True:
            try:
                await self.look()
            except Exception as error:  # the database is away: what is due is still due at the next look
                logger.warning("reminding_failed", kind=type(error).__name__)
            await asyncio.sleep(every)

    async def look(self) -> None:
        """Writes what is due, if anything has moved since the last look. Raises LogUnavailable."""
        moment = now()
        seen = (self._current.holding.registers.revision, bangkok_day(moment))
        if seen == self._looked_at:
            return
        registers, today = self._current.holding.registers, seen[1]
        self._count(registers, today)
        found = list(due(registers, today, timestamp(moment)))
        for first in range(0, len(found), AT_ONCE):
            try:
                await self._write(found[first : first + AT_ONCE])
            except Moved:  # another gateway writes, or an act was faster: looked at again, on what then holds
                await self._current.refresh()
                return
        self._looked_at = seen

    async def _write(self, records: list[Record]) -> None:
        moment = now()
        await self._log.ready(moment)
        names = ("agreement", "version", "consumer", "source", "ends", "days")
        legal = {
            "reminded": [{name: record[name] for name in names} for record in records],
            "record_digests": {f"reminder/{record['id']}": record_digest(record) for record in records},
        }
        entry = self._log.draft("agreement.reminded", moment, legal=legal)
        changes = [PutRegister("reminder", record["id"], record) for record in records]
        await self._store.append([entry], changes, {REGISTERS: self._current.holding.registers.revision})
        await self._current.refresh()

    def _count(self, registers: Registers, today: date) -> None:
        left = [days for _, days in ending(registers, today)]
        for mark in MARKS:
            self._metrics.agreements_ending.labels(str(mark)).set(sum(days <= mark for days in left))
        waiting = ("open", "acknowledged")
        notices = [one.get("notice") or {} for one in registers.records["rights"].values()]
        self._metrics.notices_open.set(sum(one.get("status") in waiting for one in notices))


def ending(registers: Registers, today: date) -> Iterator[tuple[Record, int]]:
    """Every agreement in force (or suspended) with the days until its last day; negative once it has passed."""
    for record in registers.records["agreement"].values():
        if record["version"] and record["status"] in ("active", "suspended"):
            yield record, (date.fromisoformat(record["period"]["to"]) - today).days


def due(registers: Registers, today: date, moment: str) -> Iterator[Record]:
    """The reminders that are to be written now, as the records they become."""
    for agreement, days in ending(registers, today):
        reached = [mark for mark in MARKS if 0 <= days <= mark]
        if not reached:
            continue
        ends, name = agreement["period"]["to"], agreement["id"]
        written = {f"{name}:{ends}:{mark}" for mark in MARKS if mark <= min(reached)}
        if written.isdisjoint(registers.records["reminder"]):
            yield _record(agreement, ends, min(reached), moment)


def _record(agreement: Record, ends: str, mark: int, moment: str) -> dict[str, Any]:
    party = agreement["consumer"]
    return {
        "kind": "reminder",
        "id": f"{agreement['id']}:{ends}:{mark}",
        "agreement": agreement["id"],
        "version": agreement["version"],
        "service": agreement["service"],
        "source": agreement["source"],
        "consumer": party.get("agency") or f"group {party['group']}",
        "ends": ends,
        "days": mark,
        "status": "reminded",
        "at": moment,
    }
