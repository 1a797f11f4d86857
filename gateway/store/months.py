"""The part of a batch that is about the log's monthly content keys: rare, and never on the way of an exchange."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from gateway.store.changes import Change, DropWraps, ForgetMonths, PutMonth
from gateway.store.connection import Connection


@dataclass(slots=True)
class Months:
    """`begun`: of the months named, those that have a key."""

    begun: set[str] = field(default_factory=set)
    _put: list[tuple[str, str, bytes]] = field(default_factory=list)
    _gone: list[DropWraps | ForgetMonths] = field(default_factory=list)

    @staticmethod
    def load(connection: Connection, named: Collection[str]) -> Months:
        """What is there of the months that a batch names."""
        if not named:
            return Months()
        places = ", ".join("?" * len(named))
        rows = connection.rows(f"SELECT month FROM month_keys WHERE month IN ({places})", list(named))  # noqa: S608
        return Months({row[0] for row in rows})

    def take(self, change: Change) -> None:
        """One change, in its turn; none but those of months is taken up."""
        if isinstance(change, DropWraps | ForgetMonths):
            self._gone.append(change)
        elif isinstance(change, PutMonth) and not (change.first and change.month in self.begun):
            self.begun.add(change.month)
            self._put.append((change.month, change.kid, change.wrapped))

    def write(self, connection: Connection) -> None:
        """Writes what was taken."""
        if self._put:
            connection.many(
                "INSERT INTO month_keys (month, kid, wrapped) VALUES (?, ?, ?) ON CONFLICT (month, kid) DO NOTHING",
                self._put,
            )
        for gone in self._gone:
            if isinstance(gone, ForgetMonths):
                connection.run("DELETE FROM month_keys WHERE month <= ?", (gone.through,))
            else:
                connection.run(
                    "DELETE FROM month_keys WHERE kid <> ? AND month IN (SELECT month FROM month_keys WHERE kid = ?)",
                    (gone.kid, gone.kid),
                )
