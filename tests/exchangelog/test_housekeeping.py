"""What is swept behind the append, on both databases: what expired goes, what is needed stays."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest

from gateway.exchangelog.housekeeping import DAY, HOUR, Housekeeping
from gateway.model import bangkok_day, now
from gateway.store import AlreadyUsed, Connection, Once, PutRegister, Reserve
from tests.exchangelog.conftest import Book


def swept(book: Book, at: float) -> int:
    """Runs the broom until it has nothing left to do; how many turns it took."""
    connection, sweep, turns = Connection(book.url), Housekeeping(lambda: at), 1
    try:
        while sweep(connection):
            turns += 1
            assert turns < 100
    finally:
        connection.close()
    return turns


async def test_what_expired_goes_and_nothing_else(book: Book) -> None:
    moment, today = int(time.time()), bangkok_day(now())
    spent = [Once(index.to_bytes(32, "big"), moment - 100) for index in range(1200)]
    days = [today - timedelta(days=age) for age in (40, 3, 1, 0)] + [today + timedelta(days=20)]
    await book.store.append([], [*spent, Once(b"l" * 32, moment + 300), *(Reserve("term", day, 5) for day in days)])
    assert swept(book, moment) > 2
    assert await book.store.read(lambda c: c.rows("SELECT COUNT(*) FROM once")) == [(1,)]
    with pytest.raises(AlreadyUsed):
        await book.store.append([], [Once(b"l" * 32, moment + 300)])
    kept = await book.store.read(lambda c: c.rows("SELECT day FROM quotas ORDER BY day"))
    assert [str(row[0]) for row in kept] == [str(day) for day in sorted(days)[2:]]


async def test_checkpoints_are_thinned_with_age(book: Book) -> None:
    moment = 4_000_000 * HOUR // DAY * DAY
    ages = [(200 * DAY, 3), (100 * DAY, 40), (30 * DAY, 900), (29 * DAY, 2), (3 * DAY, 50), (0, 1)]
    signed: list[tuple[int, int]] = []
    for age, count in ages:
        signed += [(len(signed) + place + 1, moment - age + place) for place in range(count)]
    connection = Connection(book.url)
    connection.many(
        "INSERT INTO checkpoints (size, root, note, signed_at) VALUES (?, ?, ?, ?)",
        [(size, bytes(32), "note", at) for size, at in signed],
    )
    cosigned = 43 + 417  # in the middle of an hour of 900
    connection.many(
        "INSERT INTO cosignatures (size, witness, line) VALUES (?, ?, ?)",
        [(cosigned, "w1", "line"), (cosigned - 300, "w1", "line"), (cosigned, "w2", "line")],
    )
    swept(book, moment)
    kept = [row[0] for row in connection.rows("SELECT size FROM checkpoints ORDER BY size")]
    recent = [size for size, at in signed if at >= moment - 7 * DAY]
    assert kept == [3, 43, cosigned, 945, *recent]
    assert connection.rows("SELECT size, witness FROM cosignatures ORDER BY witness") == [
        (cosigned, "w1"),
        (cosigned, "w2"),
    ]
    connection.close()


async def test_the_newest_checkpoint_stays_however_old(book: Book) -> None:
    connection = Connection(book.url)
    connection.many(
        "INSERT INTO checkpoints (size, root, note, signed_at) VALUES (?, ?, ?, ?)",
        [(size, bytes(32), "note", 1000 + size) for size in (5, 6, 7)],
    )
    swept(book, 10**9)
    assert connection.rows("SELECT size FROM checkpoints ORDER BY size") == [(6,), (7,)]
    connection.close()


async def test_what_the_search_knew_of_forgotten_months_goes(book: Book) -> None:
    connection = Connection(book.url)
    for line, month in ((1, "2024-11"), (2, "2024-12"), (3, "2025-01")):
        for place in range(600 if month == "2024-12" else 3):
            index = int(month[:4] + month[5:]) * 1000 + place
            connection.run(
                "INSERT INTO exchanges (exchange, opened_idx, opened_at, subject, outcome, line, body)"
                " VALUES (?, ?, ?, ?, 'released', ?, '{}')",
                (f"ex_{month}-{place}", index, f"{month}-28T00:00:00.000Z", b"s" * 32, line),
            )
            connection.run("INSERT INTO exchange_reasons (reason, opened_idx) VALUES ('failed', ?)", (index,))
        connection.run(
            "INSERT INTO exchange_lines (id, key, consumer, client, officer, service, purpose)"
            " VALUES (?, ?, 'city', 'city-1', ?, 'dopa.person.v1', 'welfare')",
            (line, bytes([line]) * 32, f"C-{line}"),
        )
        connection.run(
            "INSERT INTO log_entries (idx, entry, month, sealed) VALUES (?, ?, ?, ?)", (line, b"e", month, b"s")
        )
        connection.run("INSERT INTO counted_beside (subject, idx) VALUES (?, ?)", (b"s" * 32, line))
        connection.run(
            "INSERT INTO exchange_days (day, line, outcome, exchanges) VALUES (?, ?, 'released', 3)",
            (f"{month}-28", line),
        )
        connection.run("INSERT INTO exchange_hours (hour, first_idx, last_idx) VALUES (?, 1, 2)", (f"{month}-28T00",))
    # the last evening of 2024, in Bangkok of the year after
    connection.run("INSERT INTO exchange_days (day, line, outcome, exchanges) VALUES ('2025-01-01', 2, 'released', 3)")
    swept(book, 10**9)
    assert connection.rows("SELECT COUNT(*) FROM exchanges") == [(606,)]
    assert connection.rows("SELECT COUNT(*) FROM exchange_lines") == [(3,)]
    record = PutRegister("log", "contents", {"forgotten": "2024-12"})
    await book.store.append([], [record])
    assert swept(book, 10**9) == 2
    assert connection.rows("SELECT MIN(opened_at), COUNT(*) FROM exchanges") == [("2025-01-28T00:00:00.000Z", 3)]
    assert connection.rows("SELECT hour FROM exchange_hours") == [("2025-01-28T00",)]
    assert connection.rows("SELECT COUNT(*) FROM exchange_reasons") == [(3,)]
    assert connection.rows("SELECT id, officer FROM exchange_lines") == [(3, "C-3")]
    assert connection.rows("SELECT day, line FROM exchange_days") == [("2025-01-28", 3)]
    assert connection.rows("SELECT idx FROM counted_beside") == [(3,)]
    connection.close()
