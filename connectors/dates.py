"""Days as Thai registers write them, turned into `YYYY[-MM[-DD]]` of the common era, as precise as known.

Buddhist-era years count from 543 BC. Until BE 2483 the year began on 1 April, so January to March of BE
year y fell in CE y - 542; BE 2483 had nine months only, and from 1 January BE 2484 (CE 1941) on the years run
together: CE = BE - 543 (Calendar Act B.E. 2483). A register writes 00 for a month or day that nobody knows.
Where only a year before 2484 is known, its first day counts (Civil and Commercial Code s.16), which lies in
CE y - 543.
"""

from __future__ import annotations

import re
from calendar import monthrange
from typing import Final

_FORMS: Final = {
    "yyyymmdd": re.compile(r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})", re.ASCII),
    "ddmmyyyy": re.compile(r"(?P<d>[0-9]{2})(?P<m>[0-9]{2})(?P<y>[0-9]{4})", re.ASCII),
    "yyyy-mm-dd": re.compile(r"(?P<y>[0-9]{4})-(?P<m>[0-9]{1,2})-(?P<d>[0-9]{1,2})", re.ASCII),
    "dd/mm/yyyy": re.compile(r"(?P<d>[0-9]{1,2})/(?P<m>[0-9]{1,2})/(?P<y>[0-9]{4})", re.ASCII),
}
_NEW_YEAR_MOVED: Final = 2484
"""The first Buddhist-era year that began on 1 January."""
_BUDDHIST_YEARS: Final = range(2300, 2701)
_COMMON_YEARS: Final = range(1757, 2158)
"""Four centuries on either calendar: a year of the one, read as the other, falls outside."""


class NotADate(ValueError):
    """What the source wrote is no day of the calendar it is said to use. Never quotes it."""

    def __init__(self) -> None:
        super().__init__("not a date of the form and calendar declared")


def partial_date(written: str, *, form: str, buddhist: bool) -> str | None:
    """`written` as `YYYY`, `YYYY-MM` or `YYYY-MM-DD` (CE), or None where it says that nothing is known (all zeros).

    `form`: one of yyyymmdd, ddmmyyyy, yyyy-mm-dd, dd/mm/yyyy. ASCII digits. Raises NotADate.
    """
    match = _FORMS[form].fullmatch(written)
    if match is None:
        raise NotADate
    year, month, day = int(match["y"]), int(match["m"]), int(match["d"])
    if year == month == day == 0:
        return None
    if year not in (_BUDDHIST_YEARS if buddhist else _COMMON_YEARS) or month > 12 or (month == 0 and day != 0):
        raise NotADate
    if buddhist:
        year = _common_year(year, month)
    if month == 0:
        return f"{year:04}"
    if day == 0:
        return f"{year:04}-{month:02}"
    if day > monthrange(year, month)[1]:
        raise NotADate
    return f"{year:04}-{month:02}-{day:02}"


def _common_year(year: int, month: int) -> int:
    if year < _NEW_YEAR_MOVED and 1 <= month <= 3:
        if year == _NEW_YEAR_MOVED - 1:  # BE 2483 ended with December: it had no January to March
            raise NotADate
        return year - 542
    return year - 543
