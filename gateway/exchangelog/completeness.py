"""That a list about one person is all there is: every entry that counts the person, against the newest map.

The document is for whoever asked in the person's name: it shows the entries' `public` and `subject` groups, so the
person's pseudonym and counter, and of the other groups the commitments only.
"""

from __future__ import annotations

from typing import Any

import orjson

from gateway.exchangelog.log import Subject
from gateway.exchangelog.published import Published
from gateway.exchangelog.subjectmap import SubjectMaps
from gateway.store import Connection, Store

FORMAT = "linkage-subject/v1"
SHOWN = ("public", "subject")
MOST = 5000
"""A person who is counted more often than this gets the list without the proof of each entry."""


class Completeness:
    """Makes the documents."""

    def __init__(self, store: Store, maps: SubjectMaps, published: Published) -> None:
        self._store = store
        self.maps = maps
        self._published = published

    async def document(self, person: Subject) -> dict[str, Any] | None:
        """The document; None before the first map, or where there are more than MOST entries. LogUnavailable."""
        placed = await self.maps.places(person.names)
        if placed is None:
            return None
        made, places = placed
        indexes = await self._store.read(lambda c: _counted(c, person.names))
        if len(indexes) > MOST:
            return None
        entries = await self._published.proved(indexes, SHOWN) if indexes else []
        return {
            "format": FORMAT,
            "names": [name.hex() for name in person.names],
            "map": (await self._published.proved([made.index], ("public", "content")))[0],
            "forgotten": await self._store.read(forgotten_through),
            "places": places,
            # Of forgotten months nothing is shown but that they are counted.
            "entries": [entry for entry in entries if entry["groups"] is not None],
        }


def forgotten_through(connection: Connection) -> str | None:
    """The last month (`YYYY-MM`) whose contents two people have had forgotten; None where there is none."""
    rows = connection.rows("SELECT body FROM registers WHERE kind = 'log' AND id = 'contents'")
    through = orjson.loads(rows[0][0])["forgotten"] if rows else None
    return None if through is None else str(through)


def _counted(connection: Connection, names: tuple[bytes, ...]) -> list[int]:
    """The entries that count a person, in order."""
    places = ", ".join("?" * len(names))
    rows = connection.rows(
        f"SELECT opened_idx FROM exchanges e WHERE subject IN ({places}) AND outcome <> 'refused'"  # noqa: S608
        # What was withheld is counted by a later entry, beside.
        " AND NOT EXISTS (SELECT 1 FROM withheld w WHERE w.exchange = e.exchange)"
        f" UNION ALL SELECT idx FROM counted_beside WHERE subject IN ({places}) ORDER BY 1 LIMIT ?",
        (*names, *names, MOST + 1),
    )
    return [int(row[0]) for row in rows]
