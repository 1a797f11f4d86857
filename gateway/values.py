"""The values that forms are made of: ids, codes, texts, days, moments. None of them may be or hold a citizen ID.

What a form takes is stored, logged and served as it is, and ids stand in URLs. The refusals say what is
wrong and never what was sent.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from gateway.model import holds_citizen_id, writes_citizen_id

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What terminals obey, and what turns the direction of writing: an approver reads what was proposed, in its order."""
LAST_YEAR = 2299
"""A later year is a Buddhist-era one, written where the common era is meant."""


def no_person(value: str) -> str:
    """Ids stand in URLs, in the log and in the search tables: none may be a person's."""
    if holds_citizen_id(value):
        raise ValueError("must not be or hold a citizen ID")
    return value


def plain(value: str) -> str:
    """A text as it was written, if it holds no citizen ID and nothing but letters, signs, tabs and line ends."""
    if writes_citizen_id(value):
        raise ValueError("must not hold a citizen ID")
    if _CONTROL.search(value):
        raise ValueError("must not hold control characters, or any that turn the direction of writing")
    return value


def _day(value: object) -> date:
    if not isinstance(value, str) or _DAY.fullmatch(value) is None:
        raise ValueError("a day is YYYY-MM-DD")
    try:
        day = date.fromisoformat(value)
    except ValueError:  # which would quote it
        raise ValueError("there is no such day") from None
    return _common_era(day)


def moment(value: object) -> datetime | None:
    """An RFC 3339 text as a time in UTC; one without its offset could be meant in Bangkok or in UTC. None stays."""
    if value is None:
        return None
    if not isinstance(value, str) or _RFC_3339.fullmatch(value) is None:
        raise ValueError("a time is written as RFC 3339 has it, with its offset")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # which would quote it
        raise ValueError("there is no such time") from None


def _ahead(value: object) -> datetime | None:
    at = moment(value)
    return _common_era(at) if at is not None else None


D = TypeVar("D", bound=date)


def _common_era(day: D) -> D:
    if day.year > LAST_YEAR:
        raise ValueError("write the year in the common era: 543 less than the Thai one")
    return day


Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{1,63}$"), AfterValidator(no_person)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$"), AfterValidator(no_person)]
Kid = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,128}$"), AfterValidator(no_person)]
PurposeCode = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}(\.[a-z0-9][a-z0-9-]{0,47}){1,3}$"),
    AfterValidator(no_person),
]
ServiceId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,31}\.[a-z][a-z0-9-]{0,47}\.v[1-9][0-9]{0,3}$")]
Method = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,31}$"), AfterValidator(no_person)]
"""How a citizen was identified: a code that the agreement chooses (`id-card-at-counter`, `thaid`)."""
FieldName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True), AfterValidator(plain)]
Day = Annotated[date, BeforeValidator(_day)]
Moment = Annotated[datetime, BeforeValidator(moment), WithJsonSchema({"type": "string", "format": "date-time"})]
MomentAhead = Annotated[datetime, BeforeValidator(_ahead), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A moment that is agreed on: never centuries ahead, where the Buddhist era was meant."""
Quota = Annotated[int, Field(ge=1, le=1_000_000_000)]


class Form(BaseModel):
    """Strict: no unknown key, no coercion between types (dates are given as text)."""

    # What pydantic makes of a form is made when it is first read: a start would else make all of them.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True, defer_build=True)


class Title(Form):
    """A text in Thai and English."""

    th: Text
    en: Text
