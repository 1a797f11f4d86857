"""Exchanges withheld from the person they are about, in one batch: what is told, what is due sooner, who is renamed.

Of a batch that has to do with none, and with no earlier pseudonym key, nothing is read and nothing written here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.errors import Moved
from gateway.store.changes import Change, Draft, Hasten, NotWithheld, RequireWithheld, Tell, Withhold
from gateway.store.connection import Connection

_PENDING = "SELECT exchange, subject FROM withheld WHERE told_idx IS NULL AND {column} IN ({places})"


_OWN = (Withhold, Tell, Hasten, RequireWithheld)


@dataclass(slots=True)
class Withholding:
    """`pending`: of those asked about, exchange -> its person's name. `named`: the earlier names that have any."""

    pending: dict[str, bytes] = field(default_factory=dict)
    named: set[bytes] = field(default_factory=set)
    new: list[tuple[str, int, str, bytes, bytes, int]] = field(default_factory=list)
    told: list[tuple[int, str]] = field(default_factory=list)
    hastened: list[tuple[str]] = field(default_factory=list)
    renamed: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)

    @classmethod
    def load(cls, connection: Connection, changes: Sequence[Change], earlier: set[bytes]) -> Withholding:
        """What the batch's changes are to be checked against, and persons that are met with `earlier` names."""
        found, own = cls(), [change for change in changes if isinstance(change, _OWN)]
        asked = [change.exchange for change in own if not isinstance(change, Withhold)]
        earlier = earlier.union(*(change.earlier for change in own if isinstance(change, Withhold)))
        if asked:
            found.pending = {exchange: bytes(name) for exchange, name in _rows(connection, "exchange", asked)}
        if earlier:
            found.named = {bytes(name) for _, name in _rows(connection, "subject", list(earlier))}
        return found

    def check(self, change: Change) -> None:
        """Raises NotWithheld, Moved; a change that is about nothing withheld passes."""
        if not isinstance(change, Tell | Hasten | RequireWithheld):
            return
        held = self.pending.get(change.exchange)
        if held is None:
            raise NotWithheld("the exchange is not withheld, or no longer")
        if isinstance(change, Tell) and (held != change.subject or any(held == name for *_, name in self.renamed)):
            raise Moved("subject")

    def take(self, change: Change, first: int) -> None:
        """One change of a request whose first entry is at `first`; none but these is taken up."""
        match change:
            case Withhold(exchange, subject, earlier, decided_at, due_at):
                self.new.append((exchange, first, decided_at, subject, b"".join(earlier), due_at))
                self._rename(subject, earlier)
            case Tell(exchange):
                del self.pending[exchange]
                self.told.append((first, exchange))
            case Hasten(exchange):
                self.hastened.append((exchange,))
            case _:
                pass

    def meet(self, drafts: Sequence[Draft]) -> None:
        """Persons who are counted under a later name: what is withheld from them goes by it too."""
        if not self.named:
            return
        for draft in drafts:
            if draft.subject is not None:
                self._rename(draft.subject, draft.earlier)

    def _rename(self, present: bytes, earlier: Sequence[bytes]) -> None:
        for name in self.named.intersection(earlier):
            self.renamed.append((present, b"".join(earlier), name))
            self.named.discard(name)

    def write(self, connection: Connection) -> None:
        """Within the batch's transaction."""
        for statement, values in (
            ("UPDATE withheld SET subject = ?, earlier = ? WHERE subject = ? AND told_idx IS NULL", self.renamed),
            ("UPDATE withheld SET told_idx = ? WHERE exchange = ?", self.told),
            ("UPDATE withheld SET due_at = 0 WHERE exchange = ? AND told_idx IS NULL", self.hastened),
            (
                "INSERT INTO withheld (exchange, idx, decided_at, subject, earlier, due_at) VALUES (?, ?, ?, ?, ?, ?)",
                self.new,
            ),
        ):
            if values:
                connection.many(statement, values)


def _rows(connection: Connection, column: str, values: Sequence[str | bytes]) -> list[tuple[str, bytes]]:
    places = ", ".join("?" * len(values))
    return connection.rows(_PENDING.format(column=column, places=places), values)
