"""The summary's numbers are those of a plain count, and who stands out is who was made to."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from gateway.exchangelog import ExchangeSearch
from gateway.exchangelog.summary import Thresholds, Wanted, summary
from gateway.exchangelog.times import bucket_of, percentiles, top_of
from gateway.model import BANGKOK, bangkok_day
from tests.exchangelog.conftest import Book
from tests.exchangelog.varied import CONSUMERS, history, write

MONDAY = datetime(2026, 11, 16, 10, 0, tzinfo=BANGKOK)


def day_of(one: dict[str, Any]) -> str:
    return bangkok_day(datetime.fromisoformat(one["decided_at"])).isoformat()


async def made(book: Book, **more: Any) -> dict[str, Any]:
    book.store.work_behind(book.log.behind)
    await ExchangeSearch(book.store).caught_up()
    return await summary(book.store, Wanted(**more))


async def test_counts_are_those_of_a_plain_count(book: Book) -> None:
    written = await history(book, 90, days=5)
    days = sorted({day_of(one) for one in written})
    first, last = (datetime.fromisoformat(day).date() for day in (days[1], days[-2]))
    body = await made(book, first=first, last=last)
    within = [one for one in written if days[1] <= day_of(one) <= days[-2]]
    assert body["exchanges"] == len(within) > 20
    assert body["outcomes"] == dict(Counter(one["outcome"] for one in within))
    for name in ("consumer", "source", "service", "purpose"):
        assert {one["id"]: one["exchanges"] for one in body[f"by_{name}"]} == Counter(one[name] for one in within)
    refused = Counter(one["consumer"] for one in within if one["outcome"] == "refused")
    assert {one["id"]: one["outcomes"].get("refused", 0) for one in body["by_consumer"]} == {
        consumer: refused[consumer] for consumer in CONSUMERS
    }
    assert [(one["day"], one["exchanges"]) for one in body["by_day"]] == sorted(Counter(map(day_of, within)).items())
    assert {one["reason"]: one["exchanges"] for one in body["by_reason"]} == Counter(
        code for one in within for code in one["codes"]
    )
    only = await made(book, first=first, last=last, only={"consumer": "city-b"})
    assert only["exchanges"] == sum(one["consumer"] == "city-b" for one in within)
    assert [one["id"] for one in only["by_consumer"]] == ["city-b"]
    for times in body["times"]:
        took = sorted(
            one["took_ms"]
            for one in within
            if one["service"] == times["service"] and one["outcome"] not in ("refused", "decided")
        )
        assert times["exchanges"] == len(took)
        for share in (50, 95, 99):
            exact = took[-(-len(took) * share // 100) - 1]
            assert exact <= times[f"p{share}_ms"] <= exact * 1.0625


def test_a_histogram_is_never_low_and_hardly_high() -> None:
    for value in (*range(3000), 65_535, 65_536, 10**6, 2**40):
        bucket = bucket_of(value)
        assert value <= top_of(bucket) <= max(value, value * 1.0625)
    buckets = [bucket_of(value) for value in range(5000)]
    assert buckets == sorted(buckets)
    assert bucket_of(-5) == 0
    assert percentiles([]) == {"p50_ms": None, "p95_ms": None, "p99_ms": None}
    assert percentiles([(1, 50), (2, 45), (3, 5)]) == {"p50_ms": 1, "p95_ms": 2, "p99_ms": 3}


async def test_who_stands_out(book: Book) -> None:
    """Each officer does one thing in excess; one does all of them just below what is asked for."""
    common = {"consumer": "city-a", "source": "dopa", "purpose": "welfare.old-age", "outcome": "released"}

    async def ask(officer: str | None, citizen: int, moment: datetime, **more: Any) -> None:
        chosen = {**common, "officer": officer, "citizen": f"9{citizen:012}", **more}
        await write(book, moment, **chosen)

    for number in range(6):
        await ask("many", number, MONDAY + timedelta(minutes=number))
        await ask("again", 7, MONDAY + timedelta(minutes=number)) if number < 4 else None
        await ask("night", 1 + number % 2, MONDAY.replace(hour=3)) if number < 3 else None
        moment = MONDAY + timedelta(seconds=20 * number)
        await ask(None, number, moment, outcome="refused", codes=["no_agreement"]) if number < 4 else None
    for number in range(2):
        await ask("usual", number, MONDAY.replace(hour=18, minute=59) + timedelta(seconds=number))
        await ask("usual", 9, MONDAY.replace(hour=7))
        await ask("usual", 9, MONDAY + timedelta(hours=number), outcome="refused", codes=["no_agreement"])
    await ask("night", 3, MONDAY - timedelta(days=1))  # a Sunday, at ten in the morning
    limits = Thresholds(people_factor=1.5, people_least=5, same_person=4, out_of_hours_least=4, refusals=3)
    body = await made(book, first=(MONDAY - timedelta(days=1)).date(), last=MONDAY.date(), thresholds=limits)
    who = {"consumer": "city-a", "client": "city-a-system"}
    assert body["many_people"] == [{**who, "officer": "many", "people": 6, "peers_median": 3, "peers": 3}]
    (again, usual) = body["same_person"]
    assert (again["officer"], again["exchanges"]) == ("again", 4)
    assert again["subject"] == book.log.subject("citizen_id", "9000000000007").hex
    assert (usual["officer"], usual["exchanges"]) == ("usual", 4)
    assert body["out_of_hours"] == [{**who, "officer": "night", "exchanges": 4, "of": 4}]
    (burst,) = body["refusals"]
    assert (burst["officer"], burst["exchanges"], burst["of"]) == (None, 4, 4)
    assert body["parameters"]["same_person"] == 4
    assert all(basis["th"] and basis["en"] for basis in body["basis"].values())
    assert {"many_people", "same_person", "out_of_hours", "refusals", "times", "counts"} == body["basis"].keys()
    assert not (await made(book, first=MONDAY.date(), last=MONDAY.date()))["many_people"]
