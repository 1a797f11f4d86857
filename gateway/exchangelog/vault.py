"""The log's monthly content keys: made when a month begins, wrapped by the master key, kept in the database.

To forget a month is to destroy its rows here and to step the master key past it (`gateway.keys.masters`): then
that month's contents open in no copy of the database, however old. The 32-byte entries, and every proof about
them, stay as they are.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import LogUnavailable
from gateway.exchangelog.archive import Archive
from gateway.exchangelog.entry import Fresh
from gateway.keys import Masters
from gateway.store import Connection, DropWraps, PutMonth, Store


def month_of(moment: datetime) -> str:
    """The UTC month `YYYY-MM`, whose key seals an entry of that moment."""
    return f"{moment.year:04d}-{moment.month:02d}"


class UnknownMaster(Exception):
    """A month's key is there, wrapped by a master key that is not at hand."""


class Vault:
    """Opens and makes monthly keys. Safe to call from any thread once a month is prepared."""

    def __init__(self, masters: Masters, archive: Path | None = None) -> None:
        """`archive`: where the sealed contents lie that have left the database."""
        self._masters = masters
        self._archive = Archive(archive)
        self._keys: dict[str, AESGCM] = {}
        self.just_sealed = Fresh()

    async def prepare(self, store: Store, month: str) -> AESGCM:
        """The month's key, made and stored if it is the first to ask. LogUnavailable if that cannot be."""
        if month not in self._keys:
            await store.append([], [self.fresh(month)])
            try:
                await store.read(lambda connection: self.open(connection, month))
            except UnknownMaster:
                raise LogUnavailable(
                    "the month's key is wrapped by a master key that this gateway does not hold",
                    "กุญแจของเดือนนี้ห่อด้วยกุญแจหลักที่เกตเวย์นี้ไม่มี",
                    retry_after=60,
                ) from None
        return self._keys[month]

    def fresh(self, month: str) -> PutMonth:
        """A new key for the month, as a change; it is the month's only if the month has none by then."""
        return PutMonth(month, *self._masters.wrap(month, AESGCM.generate_key(256)), first=True)

    def sealed(self, index: int, there: bytes) -> bytes:
        """An entry's sealed contents, as `there` in the database or in the archive. BrokenEntry where in neither."""
        return there or self._archive.sealed(index, there)

    def known(self, month: str) -> AESGCM | None:
        """The month's key if it is at hand."""
        return self._keys.get(month)

    def open(self, connection: Connection, month: str) -> AESGCM | None:
        """The month's key from the database; None where it was destroyed. UnknownMaster, or cryptography's InvalidTag
        where the master key is another.
        """
        if month not in self._keys:
            key = self._unwrapped(connection, month)
            if key is None:
                return None
            self._keys[month] = AESGCM(key)
        return self._keys[month]

    @property
    def oldest(self) -> str:
        """The oldest month that the master key can open."""
        return self._masters.oldest

    def forget(self, through: str) -> bool:
        """Lets go of every month up to `through` and steps the master key past them. False where that was done."""
        for month in [month for month in self._keys if month <= through]:
            del self._keys[month]
        return self._masters.forget(through)

    async def rewrap(self, store: Store) -> int:
        """Every month wrapped by the master key in use; how many were not.

        Rows of an earlier master key go once that is no longer held here. LogUnavailable.
        """

        def read(connection: Connection) -> list[PutMonth]:
            rows = connection.rows(
                "SELECT month, MAX(CASE WHEN kid = ? THEN 1 ELSE 0 END) FROM month_keys GROUP BY month",
                (self._masters.kid,),
            )
            found = []
            for month, wrapped_by_it in rows:
                key = None if wrapped_by_it else self._unwrapped(connection, month)
                if key is not None:
                    found.append(PutMonth(month, *self._masters.wrap(month, key)))
            return found

        fresh = await store.read(read)
        last = [DropWraps(self._masters.kid)] if len(self._masters.kids) == 1 else []
        if fresh or last:
            await store.append([], [*fresh, *last])
        return len(fresh)

    def _unwrapped(self, connection: Connection, month: str) -> bytes | None:
        rows = connection.rows("SELECT kid, wrapped FROM month_keys WHERE month = ?", (month,))
        if not rows or month < self._masters.oldest:
            return None
        for kid, wrapped in rows:
            key = self._masters.unwrap(month, kid, bytes(wrapped))
            if key is not None:
                return key
        raise UnknownMaster(f"the key of {month} is wrapped by another master key")
