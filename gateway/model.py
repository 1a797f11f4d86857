"""The words of the gateway as frozen values: identifiers, services, questions, decisions, answers.

Nothing here does I/O. What is personal (an identifier, an answer's data) never shows in a repr.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

from gateway.errors import InvalidCitizenId, Reason

BANGKOK = timezone(timedelta(hours=7), "Asia/Bangkok")
"""Thailand keeps one offset and no daylight saving time, so no time-zone database is needed."""

CODE = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
"""An officer's staff code."""
REFERENCE = re.compile(r"[A-Za-z0-9._/-]{1,64}", re.ASCII)
"""A case reference of the consumer's own files."""
SERVICE_ID = re.compile(r"[a-z][a-z0-9-]{1,31}\.[a-z][a-z0-9-]{0,47}\.v[1-9][0-9]{0,3}", re.ASCII)
PURPOSE_CODE = re.compile(r"[a-z][a-z0-9-]{0,31}(\.[a-z0-9][a-z0-9-]{0,47}){1,3}", re.ASCII)
FIELD_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}", re.ASCII)
REGISTER_ID = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}", re.ASCII)
"""The id of an agency, group, client, operator or agreement."""

_THIRTEEN = re.compile(r"[0-9]{13}", re.ASCII)
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


class IdentifierKind(StrEnum):
    """Which kind of 13 digits a service asks by: the digits alone cannot tell a person from a company."""

    CITIZEN = "citizen_id"
    JURISTIC = "juristic_id"


def check_digit(twelve: str) -> int:
    """The 13th digit for twelve: (11 - sum(d[i] * (13 - i)) mod 11) mod 10. Civil Registration numbering."""
    return (11 - sum(int(d) * (13 - i) for i, d in enumerate(twelve)) % 11) % 10


def has_valid_check_digit(digits: str) -> bool:
    """Whether `digits` is 13 ASCII digits whose last is the right check digit."""
    return _THIRTEEN.fullmatch(digits) is not None and check_digit(digits[:12]) == int(digits[12])


def require_identifier(value: object, kind: IdentifierKind, *, sandbox: bool) -> str:
    """`value` as a valid identifier of `kind`, or InvalidCitizenId (which never quotes it).

    The first digit 9 is issued to no one and stands for made-up people: accepted in sandbox mode only.
    A juristic person's number starts with 0 (Department of Business Development), or 9 in the sandbox.
    """
    if not isinstance(value, str) or _THIRTEEN.fullmatch(value) is None:
        raise InvalidCitizenId(
            f"{kind.value} must be a string of exactly 13 ASCII digits",
            f"{kind.value} ต้องเป็นตัวเลขอารบิก 13 หลักพอดี",
        )
    if check_digit(value[:12]) != int(value[12]):
        raise InvalidCitizenId(
            f"the check digit of {kind.value} is wrong: look for a mistyped digit",
            f"เลขตรวจสอบของ {kind.value} ไม่ถูกต้อง โปรดตรวจสอบว่าพิมพ์ผิดหรือไม่",
        )
    if value[0] == "9" and not sandbox:
        raise InvalidCitizenId(
            "numbers that start with 9 are for the sandbox only",
            "เลขที่ขึ้นต้นด้วย 9 ใช้ได้เฉพาะในระบบทดสอบ",
        )
    if kind is IdentifierKind.JURISTIC and value[0] not in "09":
        raise InvalidCitizenId(
            "a juristic_id starts with 0", "เลขทะเบียนนิติบุคคลต้องขึ้นต้นด้วย 0"
        )
    return value


def holds_citizen_id(text: str) -> bool:
    """Whether any 13 digits in a row in `text`, separators left out, pass as a citizen ID."""
    digits = re.sub(r"[._/\s-]", "", text)
    return any(
        check_digit(digits[i : i + 12]) == int(digits[i + 12])
        for i in range(len(digits) - 12)
        if _THIRTEEN.fullmatch(digits[i : i + 13])
    )


def now() -> datetime:
    """The time, UTC, to the microsecond."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-11-20T04:17:08.123Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def bangkok_day(moment: datetime) -> date:
    """The Asia/Bangkok calendar day of `moment`: the day that quotas count in."""
    return moment.astimezone(BANGKOK).date()


def new_id(prefix: str) -> str:
    """A fresh id, sortable by time: `<prefix>_` + 10 characters of time + 16 random ones (Crockford base 32)."""
    value = (int(time.time() * 1000) << 80) | secrets.randbits(80)
    letters = [_CROCKFORD[(value >> shift) & 31] for shift in range(125, -5, -5)]
    return f"{prefix}_{''.join(letters)}"


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One field of a service's schema: its titles and how it is classified.

    `level`: 1 to 5, the data classification of มสพร. 8-2565 (open … top secret). `pdpa`: `none`, `general`
    or a section 26 category (`health`, `disability`, …). `tgix`: the TGIX semantic term where one is known.
    """

    name: str
    title_en: str
    title_th: str
    level: int
    pdpa: str
    tgix: str = ""

    @property
    def sensitive(self) -> bool:
        """Whether PDPA section 26 covers the field."""
        return self.pdpa not in ("none", "general")


@dataclass(frozen=True, slots=True)
class Service:
    """A service as registered: everything the pipeline needs to know of it.

    `level`: classification of the whole, 1 to 3 here. `deadline`: seconds the source has to answer.
    `echo`: whether the source's answer names the identifier, so that another person's answer is caught.
    `connector`: {"kind", "endpoint", "settings", "mapping"}; `digest`: SHA-256 (hex) of the registration.
    """

    id: str
    agency: str
    title_en: str
    title_th: str
    identifier_kind: IdentifierKind
    level: int
    category: str
    officer_required: bool
    deadline: float
    echo: bool
    schema: Mapping[str, Any] = field(repr=False)
    fields: Mapping[str, FieldInfo] = field(repr=False)
    metadata: Mapping[str, Any] = field(repr=False)
    connector: Mapping[str, Any] = field(repr=False)
    hours: Mapping[str, Any] | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who holds the token: a client of an agency, or an operator. `key_id` is the key it proved itself with."""

    id: str
    agency: str
    kind: str
    role: str
    scopes: frozenset[str]
    key_id: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question, as read from a request's body and found well formed.

    `fields` is None where the asker left it out: the agreement term's fields are then meant.
    """

    service: str
    identifier: str = field(repr=False)
    identifier_kind: IdentifierKind
    purpose: str
    fields: tuple[str, ...] | None = None
    consent_id: str | None = None
    officer: str | None = None
    case_reference: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Permit or deny, and by which rules. `fields` are the granted ones (empty on a denial)."""

    permit: bool
    reasons: tuple[Reason, ...]
    agreement: str | None
    term: str | None
    lawful_basis: str | None
    authority: str | None
    consent_id: str | None
    fields: tuple[str, ...]
    policies: tuple[str, ...]
    policy_digest: str
    quota: tuple[str, int] | None = None
    """(key, limit): the daily counter this exchange takes one from, and its limit."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Which log, which entry (hex of its 32 bytes), and its index where it is already known."""

    log: str
    entry: str
    index: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What leaves: the granted fields with their decision and receipt. `data` never shows in a repr."""

    exchange_id: str
    service: str
    agency: str
    retrieved_at: str
    as_of: str | None
    data: Mapping[str, Any] = field(repr=False)
    decision: Decision
    receipt: Receipt

    def as_json(self) -> dict[str, Any]:
        """The body of a 200 as the contract gives it."""
        d = self.decision
        return {
            "exchange_id": self.exchange_id,
            "service": self.service,
            "source": {"agency": self.agency, "retrieved_at": self.retrieved_at, "as_of": self.as_of},
            "data": dict(self.data),
            "decision": {
                "agreement": d.agreement,
                "term": d.term,
                "lawful_basis": d.lawful_basis,
                "consent_id": d.consent_id,
                "policies": list(d.policies),
                "policy_digest": d.policy_digest,
            },
            "receipt": {"log": self.receipt.log, "entry": self.receipt.entry, "index": self.receipt.index},
        }
