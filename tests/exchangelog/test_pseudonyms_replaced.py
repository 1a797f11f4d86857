"""Another pseudonym key: nobody's counter, consents or exchanges are lost, and nobody is counted under two names."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.errors import Moved
from gateway.exchangelog import ExchangeSearch, Search, Subject
from gateway.exchangelog.log import MOVED
from gateway.exchangelog.projection import project
from gateway.exchangelog.vault import Vault
from gateway.keys import Keys
from gateway.keys.ring import rotate
from gateway.model import new_id, now
from gateway.store import Connection
from gateway.tlog.note import Signer
from gateway.verification.database import verify_database
from tests.exchangelog.conftest import Book, _book

ONE, OTHER, NEW = "9111111111114", "9222222222227", "9333333333330"


def rotate_and_open(book: Book, tmp_path: Path) -> Book:
    """The same database under the next key, as a gateway that was started anew has it."""
    book.store.close()
    rotate(tmp_path / "keys", "pseudonym", "2026-11-26T10:00:00.000Z")
    return _book(book.url, Keys.load(tmp_path / "keys"), "gateway-1")


def person(book: Book, citizen: str) -> Subject:
    return book.log.subject("citizen_id", citizen)


async def counter(book: Book, name: bytes) -> tuple[int, bytes] | None:
    rows = await book.store.read(lambda c: c.rows("SELECT count, previous FROM counters WHERE subject = ?", (name,)))
    return (rows[0][0], bytes(rows[0][1])) if rows else None


def faults(book: Book) -> list[str]:
    connection = Connection(book.url, read_only=True)
    try:
        report = verify_database(connection, Signer(book.log.origin, book.keys.log_key()).verifier, book.keys.master)
        return [f"{finding.place}: {finding.what}" for finding in report.findings if "no end" not in finding.what]
    finally:
        connection.close()


async def test_a_counter_goes_on_under_the_next_name(book: Book, tmp_path: Path) -> None:
    for citizen in (ONE, ONE, OTHER):
        await book.decide(citizen)
    old = person(book, ONE)
    later = rotate_and_open(book, tmp_path)
    new = person(later, ONE)
    assert new.earlier == (old.pseudonym,)
    assert new.pseudonym != old.pseudonym
    await later.decide(ONE)
    moved = await counter(later, old.pseudonym)
    assert moved == (0, new.pseudonym)
    assert (await counter(later, new.pseudonym) or (0,))[0] == 4  # the move is counted too
    await later.decide(ONE)
    await later.decide(NEW)
    entries = await later.log.entries(0, 100)
    link = next(entry for entry in entries if entry["public"]["kind"] == "subject.moved")
    assert (link["subject"]["earlier"], link["subject"]["counter"]) == (old.hex, 3)
    assert (await counter(later, person(later, NEW).pseudonym) or (0,))[0] == 1
    assert (await counter(later, person(book, OTHER).pseudonym) or (0,))[0] == 1  # not met again: known as before
    assert faults(later) == []
    later.store.close()


async def test_many_at_once_move_a_person_once(book: Book, tmp_path: Path) -> None:
    await asyncio.gather(*(book.decide(ONE) for _ in range(5)))
    later = rotate_and_open(book, tmp_path)
    await asyncio.gather(*(later.decide(ONE) for _ in range(40)))
    assert (await counter(later, person(later, ONE).pseudonym) or (0,))[0] == 46
    kinds = [entry["public"]["kind"] for entry in await later.log.entries(0, 100)]
    assert kinds.count("subject.moved") == 1
    assert faults(later) == []
    later.store.close()


async def test_over_two_keys_and_back_to_no_earlier_name(book: Book, tmp_path: Path) -> None:
    await book.decide(ONE)
    second = rotate_and_open(book, tmp_path)
    third = rotate_and_open(second, tmp_path)
    await third.decide(ONE)
    assert (await counter(third, person(third, ONE).pseudonym) or (0,))[0] == 3
    fourth = rotate_and_open(third, tmp_path)
    await fourth.decide(ONE)
    names = person(fourth, ONE).names
    assert len(names) == 4
    assert [(await counter(fourth, name) or (None,))[0] for name in names] == [5, 0, None, 0]
    assert (await fourth.log.present(Subject(names[3]))).pseudonym == names[0]
    assert (await fourth.log.present(Subject(names[2]))).pseudonym == names[2]
    assert faults(fourth) == []
    draft = fourth.log.draft(
        "exchange.decided",
        now(),
        exchange=new_id("ex"),
        subject={"pseudonym": names[1].hex()},
        counts=Subject(names[1]),
    )
    with pytest.raises(Moved):  # who still counts under a name that no longer counts
        await fourth.store.append([draft])
    fourth.store.close()


async def test_a_search_finds_what_was_before_and_after(book: Book, tmp_path: Path) -> None:
    found = [await book.decide(ONE), await book.refuse(ONE), await book.refuse(OTHER)]
    later = rotate_and_open(book, tmp_path)
    found += [await later.decide(ONE)]
    connection = Connection(later.url)
    while project(connection, Vault(later.keys.master)):
        pass
    search, who, other = ExchangeSearch(later.store), person(later, ONE), person(later, OTHER)
    exchanges, _ = await search.run(Search({}, subject=who.pseudonym, earlier=who.earlier))
    assert {one["exchange_id"] for one in exchanges} == {found[0], found[1], found[3]}
    exchanges, _ = await search.run(Search({}, subject=other.pseudonym, earlier=other.earlier))
    assert [one["exchange_id"] for one in exchanges] == [found[2]]  # never counted, so never moved
    assert connection.rows("SELECT COUNT(DISTINCT subject) FROM exchanges") == [(2,)]
    assert (await search.counted(who.names))["count"] == 3
    connection.close()
    later.store.close()


async def test_a_counter_that_claims_to_have_moved(book: Book, tmp_path: Path) -> None:
    """A move that no entry tells of is found: the table says that a name went elsewhere, the log does not."""
    await book.decide(ONE)
    connection = Connection(book.url)
    connection.run("UPDATE counters SET count = 0")
    connection.close()
    assert len(faults(book)) == 1
    assert (await book.store.read(lambda c: c.rows(MOVED, (person(book, ONE).pseudonym,)))) != []
