"""What is swept behind the append: what has expired or is forgotten, and checkpoints closer together than anyone needs.

Kept of the checkpoints are: every one of the last week; before that, one an hour for ninety days; before that, one
a day (UTC) for ever; and the newest always. Of an hour's or a day's, the one with the most cosignatures, the later
one where they are alike. A proof holds its own checkpoint, so none that was given out needs ours; a consistency
proof is made from the tree, between any two sizes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

from gateway.exchangelog.completeness import forgotten_through
from gateway.keys.masters import next_month
from gateway.model import bangkok_day, now
from gateway.store import Connection

SLICE = 500
EXPIRY_SECONDS = 60.0
THINNING_SECONDS = 3600.0
HOUR, DAY = 3600, 86400
EVERY_ONE, ONE_AN_HOUR = 7 * DAY, 90 * DAY
"""Ages in seconds up to which every checkpoint is kept, and one an hour."""


class Housekeeping:
    """One gateway's broom. Called in the writer's thread; several gateways may sweep one database."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._expiry_due = self._thinning_due = 0.0
        self._after = -1
        self._swept: str | None = None

    def __call__(self, connection: Connection) -> bool:
        """A slice of what is due; True if more is left."""
        moment = self._clock()
        if moment >= self._expiry_due:
            if _expire(connection, int(moment)) | self._forget(connection):
                return True
            self._expiry_due = moment + EXPIRY_SECONDS
        if moment >= self._thinning_due:
            if self._thin(connection, int(moment)):
                return True
            self._thinning_due, self._after = moment + THINNING_SECONDS, -1
        return False

    def _forget(self, connection: Connection) -> bool:
        """The search projection's oldest rows, where they are of months that are forgotten, and then what only they
        had: lines, with the officers' codes, and what else counts a person."""
        through = forgotten_through(connection)
        if through is None:
            return False
        oldest = connection.rows("SELECT opened_idx, opened_at FROM exchanges ORDER BY opened_idx LIMIT ?", (SLICE,))
        gone = [(index,) for index, opened_at in oldest if opened_at[:7] <= through]
        if not gone and self._swept == through:
            return False
        connection.begin()
        # The projection's place, locked: whoever fills it may be about to give an exchange one of these lines.
        connection.run("UPDATE projected SET position = position WHERE id = 1")
        for table in ("exchanges", "exchange_reasons"):
            connection.many(f"DELETE FROM {table} WHERE opened_idx = ?", gone)  # noqa: S608 - the names are ours
        end = f"{next_month(through)}-01"
        for table, column in (("exchange_hours", "hour"), ("exchange_days", "day"), ("exchange_times", "day")):
            connection.run(f"DELETE FROM {table} WHERE {column} < ?", (end,))  # noqa: S608 - the names are ours
        more = len(gone) == SLICE
        if not more:
            more = _bare(connection, through)
        connection.commit()
        if not more:
            self._swept = through
        return more

    def _thin(self, connection: Connection, moment: int) -> bool:
        """Up to SLICE checkpoints after the last that were looked at; all of one hour or day at once."""
        rows = connection.rows(
            "SELECT c.size, c.signed_at, (SELECT COUNT(*) FROM cosignatures s WHERE s.size = c.size) FROM checkpoints c"
            " WHERE c.size > ? AND c.signed_at < ? AND c.size < (SELECT MAX(size) FROM checkpoints)"
            " ORDER BY c.size LIMIT ?",
            (self._after, moment - EVERY_ONE, SLICE),
        )
        buckets: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for size, signed_at, cosigned in rows:
            length = HOUR if signed_at >= moment - ONE_AN_HOUR else DAY
            buckets.setdefault((length, signed_at // length), []).append((cosigned, size))
        surplus = [size for held in buckets.values() for _, size in sorted(held)[:-1]]
        if surplus:
            connection.begin()
            for table in ("cosignatures", "checkpoints"):
                connection.many(f"DELETE FROM {table} WHERE size = ?", [(size,) for size in surplus])  # noqa: S608
            connection.commit()
        if len(rows) < SLICE:
            return False
        # The last hour may go on in the next slice: the one of it that stays is looked at again.
        _, stays = max(list(buckets.values())[-1])
        self._after = stays - 1
        return True


def _expire(connection: Connection, moment: int) -> bool:
    """Digests of what may be used once and could not be used any more; counters of days that are over."""
    day = (bangkok_day(now()) - timedelta(days=2)).isoformat()
    more = False
    for statement, before in (
        ("DELETE FROM once WHERE digest IN (SELECT digest FROM once WHERE expires < ? LIMIT ?) RETURNING 1", moment),
        ("DELETE FROM quotas WHERE (key, day) IN (SELECT key, day FROM quotas WHERE day < ? LIMIT ?) RETURNING 1", day),
    ):
        more |= len(connection.rows(statement, (before, SLICE))) == SLICE
    return more


def _bare(connection: Connection, through: str) -> bool:
    """What no exchange has any more. True if more is left."""
    connection.run(
        "DELETE FROM exchange_lines WHERE NOT EXISTS (SELECT 1 FROM exchanges e WHERE e.line = exchange_lines.id)"
    )
    connection.run("DELETE FROM withheld WHERE told_idx IS NOT NULL AND decided_at < ?", (f"{next_month(through)}-01",))
    # A forgotten month's last evening is counted on the first day of the next one in Bangkok.
    connection.run("DELETE FROM exchange_days WHERE line NOT IN (SELECT id FROM exchange_lines)")
    beside = connection.rows(
        "DELETE FROM counted_beside WHERE (subject, idx) IN (SELECT b.subject, b.idx FROM counted_beside b"
        " JOIN log_entries l ON l.idx = b.idx WHERE l.month <= ? LIMIT ?) RETURNING 1",
        (through, SLICE),
    )
    return len(beside) == SLICE
