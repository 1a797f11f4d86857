"""The log's monthly content keys: made when a month begins, wrapped by the master key, kept in the database.

Destroying a month's row forgets that month's contents, in every copy of the database too, as the master key
is in none of them; the 32-byte entries, and every proof about them, stay as they are.
"""

from __future__ import annotations

import os
from datetime import datetime

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.store import Connection, PutMonth, Store

_NONCE = 12


def month_of(moment: datetime) -> str:
    """The UTC month `YYYY-MM`, whose key seals an entry of that moment."""
    return f"{moment.year:04d}-{moment.month:02d}"


class Vault:
    """Opens and makes monthly keys. Safe to call from any thread once a month is prepared."""

    def __init__(self, master: bytes) -> None:
        self._master = AESGCM(master)
        self._keys: dict[str, AESGCM] = {}

    async def prepare(self, store: Store, month: str) -> AESGCM:
        """The month's key, made and stored if it is the first to ask. LogUnavailable if that cannot be."""
        if month not in self._keys:
            await store.append([], [self.fresh(month)])
            await store.read(lambda connection: self.open(connection, month))
        return self._keys[month]

    def fresh(self, month: str) -> PutMonth:
        """A new key for the month, as a change; it is the month's only if the month has none by then."""
        nonce = os.urandom(_NONCE)
        return PutMonth(month, nonce + self._master.encrypt(nonce, AESGCM.generate_key(256), month.encode()))

    def known(self, month: str) -> AESGCM | None:
        """The month's key if it is at hand."""
        return self._keys.get(month)

    def open(self, connection: Connection, month: str) -> AESGCM | None:
        """The month's key from the database; None where it was destroyed."""
        if month not in self._keys:
            rows = connection.rows("SELECT wrapped FROM log_months WHERE month = ?", (month,))
            if not rows:
                return None
            wrapped = bytes(rows[0][0])
            self._keys[month] = AESGCM(self._master.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], month.encode()))
        return self._keys[month]
