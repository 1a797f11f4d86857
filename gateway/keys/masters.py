"""The master keys: what wraps the log's monthly keys, and steps forward so that a month can be forgotten.

A master key is a chain: of each month's link come that month's wrapping key and the next month's link, and
nothing leads back (a forward-secure pseudorandom generator, Bellare and Yee, CT-RSA 2003).

    wrapping key of a month = HKDF-SHA-256(link of the month, "linkage/v1/month/wrap")
    link of the next month  = HKDF-SHA-256(link of the month, "linkage/v1/month/next")

The file holds the link of the oldest month that can still be opened. To forget a month is to put the next
month's link in its place: then no copy of the database, however old, can be opened for that month. Each
machine steps its own file forward; a backup of an older file has to go as well.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.keys.files import KeyFileError, as_json, read_private, replace_private, write_private

FIRST_MONTH = "2015-01"
"""The month that a new chain begins with: before any gateway's."""
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])", re.ASCII)
_NONCE = 12


def next_month(month: str) -> str:
    """`2026-12` -> `2027-01`."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + 1:04d}-01" if number == 12 else f"{year:04d}-{number + 1:02d}"


def is_month(text: object) -> bool:
    """Whether it is `YYYY-MM` of this century."""
    return isinstance(text, str) and _MONTH.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Master:
    """One chain, from `month` on. `kid` names it in the database."""

    kid: str
    month: str
    link: bytes = field(repr=False)
    path: Path | None = None

    @staticmethod
    def new(path: Path | None = None) -> Master:
        """A fresh chain."""
        return Master(secrets.token_hex(8), FIRST_MONTH, secrets.token_bytes(32), path)

    @staticmethod
    def read(path: Path) -> Master:
        """The chain in a file, or KeyFileError."""
        try:
            body = orjson.loads(read_private(path))
            master = Master(str(body["kid"]), body["month"], bytes.fromhex(body["link"]), path)
        except (ValueError, KeyError, TypeError):
            raise KeyFileError(f"{path} is not a master key") from None
        if len(master.link) != 32 or not is_month(master.month):
            raise KeyFileError(f"{path} is not a master key")
        return master

    def write(self) -> None:
        """Writes it to its file, in an older one's place."""
        if self.path is not None:
            replace_private(self.path, self.content)

    def write_new(self) -> None:
        """Writes it to a file that must not be there yet (FileExistsError)."""
        if self.path is not None:
            write_private(self.path, self.content)

    @property
    def content(self) -> bytes:
        """What the file holds."""
        return as_json({"kid": self.kid, "month": self.month, "link": self.link.hex()})

    def at(self, month: str) -> Master:
        """The chain as it is from `month` on; itself where it has got there already."""
        here, link = self.month, self.link
        while here < month:
            here, link = next_month(here), _derived(link, b"linkage/v1/month/next")
        return replace(self, month=here, link=link)

    def wrapping_key(self, month: str) -> AESGCM | None:
        """The key that wraps a month's; None where the chain has gone past it."""
        if month < self.month or not is_month(month):
            return None
        return AESGCM(_derived(self.at(month).link, b"linkage/v1/month/wrap"))


class Masters:
    """The master keys at hand, the one in use first. Safe to call from any thread."""

    def __init__(self, held: Sequence[Master]) -> None:
        self._held = tuple(held)
        self._lock = threading.Lock()

    @property
    def kid(self) -> str:
        """Which one is in use."""
        return self._held[0].kid

    @property
    def kids(self) -> tuple[str, ...]:
        """All of them, the one in use first."""
        return tuple(master.kid for master in self._held)

    @property
    def oldest(self) -> str:
        """The oldest month that can still be opened."""
        return min(master.month for master in self._held)

    def wrap(self, month: str, key: bytes) -> tuple[str, bytes]:
        """(which master, the month's key wrapped by it). LookupError where the month is forgotten."""
        wrapping = self._held[0].wrapping_key(month)
        if wrapping is None:
            raise LookupError(f"{month} is forgotten")
        nonce = os.urandom(_NONCE)
        return self.kid, nonce + wrapping.encrypt(nonce, key, month.encode())

    def unwrap(self, month: str, kid: str, wrapped: bytes) -> bytes | None:
        """The month's key; None where that master is not held, or has gone past the month."""
        for master in self._held:
            wrapping = master.wrapping_key(month) if master.kid == kid else None
            if wrapping is not None:
                return wrapping.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], month.encode())
        return None

    def forget(self, through: str) -> bool:
        """Steps past `through` and every month before, on disk when this returns; False where that was done before."""
        with self._lock:
            stepped = tuple(master.at(next_month(through)) for master in self._held)
            if stepped == self._held:
                return False
            for master in stepped:
                master.write()
            self._held = stepped
        return True


def _derived(link: bytes, label: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, label).derive(link)
