"""A search finds what a plain look through everything would, however it goes about it, and in whatever pages."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gateway.exchangelog import ExchangeSearch, Search
from gateway.exchangelog.search import EQUALS
from gateway.model import now
from tests.exchangelog.conftest import Book
from tests.exchangelog.varied import history, write


def fits(one: dict[str, Any], search: Search) -> bool:
    return (
        all(one[name] == value for name, value in search.equals.items())
        and (search.since is None or one["decided_at"] >= search.since)
        and (search.until is None or one["decided_at"] < search.until)
        and (search.subject is None or one["subject"] == search.subject)
        and (search.reason is None or search.reason in one["codes"])
        and (search.cases is None or one["case_reference"] in search.cases)
    )


def drawn(draw: random.Random, written: list[dict[str, Any]]) -> Search:
    """Some conditions, mostly those of one exchange so that something is found."""
    model = draw.choice(written)
    names = [name for name in EQUALS if model[name] is not None and draw.random() < 0.25]
    times = sorted(draw.choice(written)["decided_at"] for _ in range(2))
    return Search(
        equals={name: model[name] for name in names},
        since=times[0] if draw.random() < 0.4 else None,
        until=times[1] if draw.random() < 0.4 else None,
        subject=model["subject"] if draw.random() < 0.2 else None,
        reason=next(iter(model["codes"]), "no_agreement") if draw.random() < 0.2 else None,
        cases=(model["case_reference"] or "C/0", "C/1", "nothing") if draw.random() < 0.15 else None,
        limit=draw.choice((2, 7, 50)),
    )


@pytest.mark.parametrize("most_lines", [500, 2])
async def test_every_search_is_what_a_plain_look_finds(
    book: Book, monkeypatch: pytest.MonkeyPatch, most_lines: int
) -> None:
    monkeypatch.setattr("gateway.exchangelog.search.MOST_LINES", most_lines)
    monkeypatch.setattr("gateway.exchangelog.search.COUNTED", 50)
    written = await history(book, 100)
    book.store.work_behind(book.log.behind)
    looking, draw, found_some = ExchangeSearch(book.store), random.Random(11), 0
    for _ in range(40):
        search = drawn(draw, written)
        expected = [one["exchange_id"] for one in reversed(written) if fits(one, search)]
        seen, cursor = [], None
        while True:
            page, cursor = await looking.run(Search(**{**_fields(search), "cursor": cursor}))
            assert len(page) <= search.limit
            seen += [one["exchange_id"] for one in page]
            if cursor is None or len(seen) > 300:
                break
        assert seen == expected, search
        count, fixed = await looking.counted_now(search)
        assert count == len(expected), search
        streamed = [one["exchange_id"] async for page in looking.stream(fixed, count) for one in page]
        assert streamed == expected
        found_some += bool(expected)
    assert found_some > 15


async def test_an_export_is_what_was_counted_whatever_comes_meanwhile(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.exchangelog.search.PAGE", 10)
    written = await history(book, 35)
    book.store.work_behind(book.log.behind)
    looking = ExchangeSearch(book.store)
    count, fixed = await looking.counted_now(Search({}))
    sizes, seen = [], []
    async for page in looking.stream(fixed, count):
        sizes.append(len(page))
        seen += [one["exchange_id"] for one in page]
        await write(book, now(), consumer="city-a", source="dopa", purpose="late.one", outcome="released")
    assert count == 35
    assert sizes == [10, 10, 10, 5]
    assert seen == [one["exchange_id"] for one in reversed(written)]
    more, _ = await looking.counted_now(Search({}))
    assert more == 39


async def test_a_code_is_searched_as_it_is_written(book: Book) -> None:
    """`_` and `%` are letters here, not patterns; and a part of a code is not the code."""
    await history(book, 30)
    book.store.work_behind(book.log.behind)
    looking = ExchangeSearch(book.store)
    for text in ("agency%", "agencyXtimeout", "agency", "%", "_" * 14, "agency_timeout !"):
        assert (await looking.run(Search({}, reason=text)))[0] == [], text
    assert (await looking.run(Search({}, reason="agency_timeout")))[0]


def _fields(search: Search) -> dict[str, Any]:
    return {name: getattr(search, name) for name in Search.__dataclass_fields__}
