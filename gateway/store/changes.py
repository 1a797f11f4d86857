"""What an append may change along with its entries, and what its entries must be able to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol


class Draft(Protocol):
    """An entry about to be appended: all but the subject's counter is known.

    `subject`: the pseudonym (32 bytes) whose counter this entry counts, or None. `month`: `YYYY-MM`, whose
    key its contents are sealed under. `seal(count, previous)` -> (the entry's 32 bytes, the sealed contents);
    `previous` is the 32 bytes of the subject's previous counted entry, None for the first.
    """

    @property
    def subject(self) -> bytes | None: ...

    @property
    def month(self) -> str: ...

    def seal(self, count: int | None, previous: bytes | None) -> tuple[bytes, bytes]: ...


@dataclass(frozen=True, slots=True)
class PutRegister:
    """Writes one register record as it is from now on; moves the scope `registers`."""

    kind: str
    id: str
    body: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PutMonth:
    """Stores a month's wrapped content key, unless that month has one."""

    month: str
    wrapped: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reserve:
    """Takes one from a daily counter of at most `limit`; QuotaSpent where none is left."""

    key: str
    day: date
    limit: int


@dataclass(frozen=True, slots=True)
class Once:
    """Marks a keyed digest (32 bytes) as used until `expires` (epoch seconds); AlreadyUsed if it was."""

    digest: bytes
    expires: int


@dataclass(frozen=True, slots=True)
class OpenExchange:
    """An exchange is decided; anyone may close it after `overdue_at` (epoch seconds)."""

    exchange: str
    gateway: str
    boot: str
    overdue_at: int


@dataclass(frozen=True, slots=True)
class CloseExchange:
    """An exchange gets its one outcome; AlreadyClosed if it has one."""

    exchange: str


Change = PutRegister | PutMonth | Reserve | Once | OpenExchange | CloseExchange


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did: the entries' indexes and 32 bytes, in order, and the registers' revision then."""

    indexes: tuple[int, ...]
    entries: tuple[bytes, ...]
    registers_revision: int


class QuotaSpent(Exception):
    """A daily counter named in `Reserve` has nothing left. `used` is what it stands at."""

    def __init__(self, key: str, used: int) -> None:
        super().__init__("the quota is used up")
        self.key = key
        self.used = used


class AlreadyUsed(Exception):
    """A digest named in `Once` was used before."""


class AlreadyClosed(Exception):
    """The exchange named in `CloseExchange` is not open."""
