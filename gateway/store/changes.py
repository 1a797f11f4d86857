"""What an append may change along with its entries, and what its entries must be able to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol


class Draft(Protocol):
    """An entry about to be appended: all but the subject's counter is known.

    `subject`: the pseudonym (32 bytes) whose counter this entry counts, or None. `month`: `YYYY-MM`, whose
    key its contents are sealed under. `seal(count, previous)` -> (the entry's 32 bytes, the sealed contents);
    `previous` is the 32 bytes of the subject's previous counted entry, None for the first. `earlier`: names that
    the subject may have been counted under before; `moved_from(name)` is the entry that moves its counter from there.
    """

    @property
    def subject(self) -> bytes | None: ...

    @property
    def earlier(self) -> tuple[bytes, ...]: ...

    @property
    def month(self) -> str: ...

    def moved_from(self, earlier: bytes) -> Draft: ...

    def seal(self, count: int | None, previous: bytes | None) -> tuple[bytes, bytes]: ...


@dataclass(frozen=True, slots=True)
class PutRegister:
    """Writes one register record as it is from now on; moves the scope `registers`."""

    kind: str
    id: str
    body: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class PutMonth:
    """Stores a month's content key as the master key `kid` wraps it, unless it is there wrapped by that.

    `first`: a key just drawn, which counts only where the month has none yet.
    """

    month: str
    kid: str
    wrapped: bytes = field(repr=False)
    first: bool = False


@dataclass(frozen=True, slots=True)
class DropWraps:
    """Of every month that the master key `kid` wraps, takes away what earlier ones had wrapped."""

    kid: str


@dataclass(frozen=True, slots=True)
class ForgetMonths:
    """Takes away the content keys of every month up to `through`."""

    through: str


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


@dataclass(frozen=True, slots=True)
class Withhold:
    """The exchange that the first entry decides is withheld from the person until `due_at` (epoch seconds).

    `subject`, `earlier`: as a draft's that would count it; this one counts nobody. `decided_at`: the entry's time.
    """

    exchange: str
    subject: bytes = field(repr=False)
    earlier: tuple[bytes, ...] = field(repr=False)
    decided_at: str
    due_at: int


@dataclass(frozen=True, slots=True)
class Tell:
    """The first entry counts a withheld exchange, to the person whom the table calls `subject`.

    NotWithheld where it is told already; Moved where the person goes by another name by now.
    """

    exchange: str
    subject: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hasten:
    """A withheld exchange is due at once. NotWithheld where it is told already, or never was withheld."""

    exchange: str


@dataclass(frozen=True, slots=True)
class RequireWithheld:
    """NotWithheld where the exchange is told already, or never was withheld."""

    exchange: str


@dataclass(frozen=True, slots=True)
class PutCheckpoint:
    """Keeps a signed checkpoint of the first `size` entries; Outdated unless it is larger than every earlier one."""

    size: int
    root: bytes
    note: str
    signed_at: int


@dataclass(frozen=True, slots=True)
class PutCosignature:
    """Keeps what a witness said of the checkpoint of `size`; its newest line takes an earlier one's place."""

    size: int
    witness: str
    line: str


@dataclass(frozen=True, slots=True)
class PutConsent:
    """Writes one consent as it is from now on, and moves its scope to `revision` (`consent_scope`).

    Moved where its revision is not the one before. `subject`, `code`: 32 bytes, keyed; `sealed`: the record,
    encrypted by who writes it.
    """

    id: str
    revision: int
    subject: bytes = field(repr=False)
    consumer: str
    code: bytes = field(repr=False)
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeepFacts:
    """Keeps what judgements rest on, under its SHA-256: the registers' values alone, nothing of any person asked about.

    `body`: canonical JSON (RFC 8785). Entries name it by its digest; it is written once, however many do.
    """

    digest: bytes
    body: bytes = field(repr=False)


def consent_scope(consent: str) -> str:
    """The scope of `unless` that every change of this consent moves."""
    return f"consent:{consent}"


Change = (
    KeepFacts
    | PutConsent
    | PutRegister
    | PutMonth
    | DropWraps
    | ForgetMonths
    | Reserve
    | Once
    | OpenExchange
    | CloseExchange
    | Withhold
    | Tell
    | Hasten
    | RequireWithheld
    | PutCheckpoint
    | PutCosignature
)


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did: the entries' indexes and 32 bytes, in order."""

    indexes: tuple[int, ...]
    entries: tuple[bytes, ...]


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


class NotWithheld(Exception):
    """The exchange named is not withheld from anybody, or no longer."""


class Outdated(Exception):
    """A checkpoint of this size, or a larger one, has been signed already."""
