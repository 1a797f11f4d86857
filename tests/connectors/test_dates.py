"""Buddhist-era days: the April years, the nine months of BE 2483, unknown parts."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.dates import NotADate, partial_date


def buddhist(day: date) -> int:
    """The Buddhist-era year of a day, told from when its year began."""
    if day >= date(1941, 1, 1):
        return day.year + 543
    return day.year + (543 if (day.month, day.day) >= (4, 1) else 542)


@given(st.dates(date(1800, 1, 1), date(2150, 12, 31)))
def test_every_day_comes_back(day: date) -> None:
    written = f"{buddhist(day):04}{day.month:02}{day.day:02}"
    assert partial_date(written, form="yyyymmdd", buddhist=True) == day.isoformat()
    assert partial_date(f"{day.day}/{day.month}/{buddhist(day)}", form="dd/mm/yyyy", buddhist=True) == day.isoformat()
    assert partial_date(day.isoformat(), form="yyyy-mm-dd", buddhist=False) == day.isoformat()


@pytest.mark.parametrize(
    ("written", "day"),
    [
        ("24750624", "1932-06-24"),  # the change of government
        ("24770302", "1935-03-02"),  # the abdication of King Prajadhipok, still in BE 2477
        ("24831231", "1940-12-31"),
        ("24840101", "1941-01-01"),  # the first year that began in January
        ("25000229", None),
        ("24990229", "1956-02-29"),
        ("25000300", "1957-03"),
        ("25000000", "1957"),
        ("24770200", "1935-02"),
        ("24770000", "1934"),
        ("00000000", ""),
        ("24830215", None),  # BE 2483 ended with December
        ("25001301", None),
        ("25000432", None),
        ("25000015", None),  # a day in no month
        ("19570301", None),  # a year of the other era
        ("2500", None),
        ("25000301x", None),
        ("٢٥٠٠٠٣٠١", None),
    ],
)
def test_buddhist_days(written: str, day: str | None) -> None:
    if day is None:
        with pytest.raises(NotADate) as caught:
            partial_date(written, form="yyyymmdd", buddhist=True)
        assert written not in str(caught.value)
    else:
        assert partial_date(written, form="yyyymmdd", buddhist=True) == (day or None)


@given(st.text(), st.sampled_from(["yyyymmdd", "ddmmyyyy", "yyyy-mm-dd", "dd/mm/yyyy"]), st.booleans())
def test_anything_else_is_refused(written: str, form: str, era: bool) -> None:
    try:
        day = partial_date(written, form=form, buddhist=era)
    except NotADate:
        return
    assert day is None or re.fullmatch(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?", day)


@given(st.integers(0, 99_999_999))
def test_any_eight_digits_make_a_real_day_or_none(number: int) -> None:
    try:
        day = partial_date(f"{number:08}", form="yyyymmdd", buddhist=True)
    except NotADate:
        return
    if day is None:
        assert number == 0
    else:
        whole = day + "-01-01"[len(day) - 4 :] if len(day) < 10 else day
        assert 1757 <= date.fromisoformat(whole).year <= 2157
