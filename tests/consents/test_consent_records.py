"""Codes, periods, seals, and the revision that every change of a consent moves."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag

from gateway.consents import ConsentBook, Held, draw_code
from gateway.consents.record import for_citizen, period_of, plain_code
from gateway.errors import Moved, TooManyRequests
from gateway.http.by_code import PER_MINUTE, Tries
from gateway.keys import Keys
from gateway.keys.ring import rotate
from gateway.model import now
from gateway.store import Reserve, Store, consent_scope
from gateway.store.migrate import upgrade

RECORD: dict[str, Any] = {
    "id": "cns_01m7wb6qj8t193z10bnff2mwqt",
    "use_limit": {"times": 2, "per": "all"},
    "validity": {"from": "2026-11-01T00:00:00.000Z", "to": "2027-01-31T17:00:00.000Z"},
}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'linkage.db'}"
    upgrade(url)
    opened = Store(url)
    yield opened
    opened.close()


@pytest.fixture
def book(tmp_path: Path, store: Store) -> ConsentBook:
    return ConsentBook(Keys.create(tmp_path / "keys"), store)


def held(revision: int = 1) -> Held:
    return Held(RECORD["id"], revision, b"s" * 32, "city-a", b"c" * 32, RECORD)


def test_codes_are_random_and_read_however_they_are_typed() -> None:
    codes = {draw_code() for _ in range(500)}
    assert len(codes) == 500
    for code in codes:
        assert len(code) == 24
        typed = code.lower().replace("-", " ").replace("0", "o").replace("1", "i")
        assert plain_code(typed) == plain_code(code) == code.replace("-", "")


@pytest.mark.parametrize(
    ("per", "day"),
    [
        ("day", date(2027, 1, 1)),
        ("month", date(2027, 1, 31)),
        ("year", date(2027, 12, 31)),
        ("all", date(2027, 2, 1)),
    ],
)
def test_uses_count_in_bangkoks_periods(per: str, day: date) -> None:
    """An hour after Bangkok's new year it is still the old one in UTC."""
    record = {**RECORD, "use_limit": {"times": 1, "per": per}}
    assert period_of(record, datetime(2026, 12, 31, 18, tzinfo=UTC)) == day


async def test_a_change_needs_the_revision_before_it(store: Store, book: ConsentBook) -> None:
    await store.append([], [book.put(held())], {})
    for wrong in (1, 3):
        with pytest.raises(Moved):
            await store.append([], [book.put(held(wrong))], {})
    await store.append([], [book.put(held(2))], {consent_scope(RECORD["id"]): 1})
    with pytest.raises(Moved):
        await store.append([], [], {consent_scope(RECORD["id"]): 1})
    found = await book.one(RECORD["id"], now())
    assert found is not None
    assert (found.revision, found.record) == (2, RECORD)


async def test_of_changes_at_once_one_holds(store: Store, book: ConsentBook) -> None:
    await store.append([], [book.put(held())], {})
    tries = await asyncio.gather(
        *(store.append([], [book.put(held(2))], {}) for _ in range(20)), return_exceptions=True
    )
    assert sum(not isinstance(one, Exception) for one in tries) == 1
    assert sum(isinstance(one, Moved) for one in tries) == 19


async def test_a_record_that_was_exchanged_for_another_does_not_open(
    store: Store, book: ConsentBook, tmp_path: Path
) -> None:
    await store.append([], [book.put(held())], {})
    other = replace(held(), id="cns_01m7wb6qj8t193z10bnff2mwqx")
    await store.append([], [book.put(other)], {})
    with sqlite3.connect(tmp_path / "linkage.db") as raw:
        raw.execute("UPDATE consents SET sealed = (SELECT sealed FROM consents WHERE id = ?)", (other.id,))
    assert (await book.one(other.id, now())) is not None
    with pytest.raises(InvalidTag):
        await book.one(RECORD["id"], now())


async def test_a_consent_outlives_the_pseudonym_key_that_it_was_given_under(
    store: Store, book: ConsentBook, tmp_path: Path
) -> None:
    citizen, code = ("citizen_id", "9555555555558"), draw_code()
    given = replace(held(), subject=book.subject(*citizen), code=book.code_digest(code))
    await store.append([], [book.put(given), Reserve(consent_scope(given.id), date(2027, 2, 1), 2)], {})
    for _ in range(2):
        rotate(tmp_path / "keys", "pseudonym", "2026-11-26T10:00:00.000Z")
    later = ConsentBook(Keys.load(tmp_path / "keys"), store)
    names = later.names(*citizen)
    assert (len(names), names[-1]) == (3, given.subject)
    assert later.subject(*citizen) == names[0] != given.subject
    (found,) = await later.of_subject(names, now())
    assert (found.record, found.used) == (RECORD, 1)
    assert [one.id for one in await later.of_subject(names, now(), "city-a")] == [given.id]
    assert await later.of_subject(later.names("citizen_id", "9555555555566"), now()) == []
    by_code = await later.by_code(code.lower(), now())
    assert by_code is not None
    await store.append([], [later.put(replace(by_code, revision=2))], {})  # sealed anew, with the key in use
    with pytest.raises(InvalidTag):
        await book.one(given.id, now())
    assert (await later.one(given.id, now())) is not None


def test_pseudonyms_are_of_this_use_alone(book: ConsentBook, tmp_path: Path) -> None:
    from gateway.exchangelog import ExchangeLog

    keys = Keys.load(tmp_path / "keys")
    log = ExchangeLog(None, keys, origin="log", gateway="g")  # type: ignore[arg-type]
    one = book.subject("citizen_id", "9555555555555")
    assert one != log.subject("citizen_id", "9555555555555").pseudonym
    assert one == ConsentBook(keys, None).subject("citizen_id", "9555555555555")  # type: ignore[arg-type]
    assert book.binding("c", one, {"a": 1}) != book.binding("c", one, {"a": 2}) != book.binding("d", one, {"a": 2})


def test_what_a_citizen_is_shown_lacks_what_offices_note() -> None:
    proof = {"method": "id-card", "assurance": 3, "officer": "x", "reference": "r", "binding": "b"}
    by = {"kind": "client", "id": "c", "officer": "x"}
    record = {
        "log_subject": "ff",
        "evidence": proof,
        "guardian": {"relation": "parent", "subject": "ee", **proof},
        "events": [{"kind": "given", "by": by}],
    }
    shown = for_citizen(record)
    assert shown == {
        "evidence": {"method": "id-card", "assurance": 3},
        "guardian": {"relation": "parent", "method": "id-card", "assurance": 3},
        "events": [{"kind": "given", "by": {"kind": "client", "id": "c"}}],
    }
    assert record["events"][0]["by"] is by
    assert by["officer"] == "x"


def test_tries_are_counted_for_each_address_and_subscriber() -> None:
    tries = Tries()
    for _ in range(PER_MINUTE):
        tries.take("2001:db8::1")
    with pytest.raises(TooManyRequests) as refused:
        tries.take("2001:db8::2")
    assert refused.value.retry_after is not None
    assert refused.value.retry_after >= 1
    tries.take("2001:db8:1::1")
    tries.take("192.0.2.1")
    tries.take("not an address")
