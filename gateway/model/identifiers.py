"""Identifiers, codes and times: what the words may look like, and how a made-up person is told from a real one."""

from __future__ import annotations

import os
import re
import time
import unicodedata
from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from operator import mul

from gateway.errors import InvalidCitizenId

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
_WRITTEN = re.compile(r"(?<![0-9])[0-9]([ ./-]?)[0-9]{4}\1[0-9]{5}\1[0-9]{2}\1[0-9](?![0-9])", re.ASCII)
_WEIGHTS = range(13, 1, -1)
_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _CROCKFORD for second in _CROCKFORD]


class IdentifierKind(StrEnum):
    """Which kind of 13 digits a service asks by: the digits alone cannot tell a person from a company."""

    CITIZEN = "citizen_id"
    JURISTIC = "juristic_id"


def check_digit(twelve: str) -> int:
    """The 13th digit for twelve: (11 - sum(d[i] * (13 - i)) mod 11) mod 10. Civil Registration numbering."""
    weighed: int = sum(map(mul, map(int, twelve), _WEIGHTS))
    return (11 - weighed % 11) % 10


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
        raise InvalidCitizenId("a juristic_id starts with 0", "เลขทะเบียนนิติบุคคลต้องขึ้นต้นด้วย 0")
    return value


def holds_citizen_id(text: str) -> bool:
    """Whether any 13 digits in a row in `text`, separators left out, pass as a citizen ID."""
    digits = re.sub(r"[._/\s-]", "", text)
    return any(
        check_digit(digits[i : i + 12]) == int(digits[i + 12])
        for i in range(len(digits) - 12)
        if _THIRTEEN.fullmatch(digits[i : i + 13])
    )


def writes_citizen_id(text: str) -> bool:
    """Whether free text has a citizen ID written in it: bare or as X-XXXX-XXXXX-XX-X, in any script's digits.

    Narrower than `holds_citizen_id`, so that two telephone numbers in a row are not taken for a person.
    """
    ascii_digits = "".join(str(unicodedata.decimal(letter, letter)) for letter in text)
    return any(has_valid_check_digit(re.sub("[^0-9]", "", found[0])) for found in _WRITTEN.finditer(ascii_digits))


def now() -> datetime:
    """The time, UTC, to the microsecond."""
    return datetime.now(UTC)


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-11-20T04:17:08.123Z`."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[:-6] + "Z"


def bangkok_day(moment: datetime) -> date:
    """The Asia/Bangkok calendar day of `moment`: the day that quotas count in."""
    return moment.astimezone(BANGKOK).date()


def new_id(prefix: str) -> str:
    """A fresh id, sortable by time: `<prefix>_` + 10 characters of time + 16 random ones (Crockford base 32)."""
    return f"{prefix}_{_base32(int(time.time() * 1000), 10)}{_base32(int.from_bytes(_ten_random_bytes()), 16)}"


_drawn: list[bytes] = []
os.register_at_fork(after_in_child=_drawn.clear)


def _ten_random_bytes() -> bytes:
    """The system's, drawn for many ids at once: each drawing lets go of the interpreter's lock, and waits for it."""
    try:
        return _drawn.pop()
    except IndexError:
        block = os.urandom(10 * 256)
        _drawn.extend(block[start : start + 10] for start in range(10, len(block), 10))
        return block[:10]


def _base32(value: int, length: int) -> str:
    """Two letters at a time: this runs for every request."""
    pairs = [_PAIRS[(value >> shift) & 1023] for shift in range(5 * length - 10, -10, -10)]
    return "".join(pairs)
