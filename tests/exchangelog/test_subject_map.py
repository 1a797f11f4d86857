"""How often each is counted, in the log; and a person's list held against it, on both databases."""

from __future__ import annotations

import asyncio
import copy
import random
import threading
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.exchangelog import Subject
from gateway.exchangelog.checkpoints import Checkpoints
from gateway.exchangelog.completeness import Completeness
from gateway.exchangelog.projection import project
from gateway.exchangelog.published import Published
from gateway.exchangelog.subjectmap import Map, SubjectMaps
from gateway.exchangelog.vault import Vault
from gateway.keys import Keys
from gateway.keys.ring import rotate
from gateway.model import now
from gateway.observe import Metrics
from gateway.store import Connection
from gateway.tlog.note import VerifierKey
from gateway.verification.database import verify_database
from gateway.verification.document import NotADocument
from gateway.verification.subject import Unproved, read_report, verify_report
from tests.exchangelog.conftest import Book, _book

ONE, OTHER, NOBODY = "9111111111114", "9222222222227", "9444444444443"
NEVER = "9000000000012"


class Desk:
    """A log with its maps and proofs, and reports as the gateway makes them."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.checkpoints = Checkpoints(book.store, book.keys, Metrics(), origin=book.log.origin)
        self.maps = SubjectMaps(book.url, book.store, book.log)
        published = Published(book.store, self.checkpoints, Vault(book.keys.master))
        self.completeness = Completeness(book.store, self.maps, published)

    @property
    def key(self) -> VerifierKey:
        return self.checkpoints.verifier

    async def consent(self, citizen: str) -> None:
        subject = self.book.log.subject("citizen_id", citizen)
        await self.book.log.ready(now())
        entry = self.book.log.draft("consent.given", now(), subject={"pseudonym": subject.hex}, counts=subject)
        await self.book.store.append([entry])

    async def report(self, citizen: str, **span: str) -> dict[str, Any]:
        """As `report subject` gives it."""
        connection = Connection(self.book.url)
        while project(connection, Vault(self.book.keys.master)):
            pass
        await self.checkpoints.sign()
        person = self.book.log.subject("citizen_id", citizen)
        names = [name.hex() for name in person.names]
        exchanges = connection.rows("SELECT exchange, subject, outcome FROM exchanges ORDER BY opened_idx")
        connection.close()
        listed = [{"exchange_id": row[0]} for row in exchanges if bytes(row[1]).hex() in names and row[2] != "refused"]
        head = {"report": "subject", "from": span.get("since"), "to": None, "subject": person.hex, "accesses": listed}
        return orjson.loads(orjson.dumps({**head, "completeness": await self.completeness.document(person)}))

    def faults(self, report: dict[str, Any]) -> list[str]:
        return [finding.place for finding in verify_report(read_report(orjson.dumps(report)), self.key).findings]

    def log_faults(self) -> list[str]:
        connection = Connection(self.book.url, read_only=True)
        try:
            report = verify_database(connection, self.key, self.book.keys.master)
            assert report.counts["subjects in the map"] > 0
            return [finding.place for finding in report.findings if "no end" not in finding.what]
        finally:
            connection.close()


class Held(SubjectMaps):
    """Stops where its tiles are written and its entry is not, until it may go on."""

    def __init__(self, book: Book) -> None:
        super().__init__(book.url, book.store, book.log)
        self.written, self.may = threading.Event(), threading.Event()

    def _write(self, secret: bytes) -> tuple[int, int, bytes]:
        try:
            return super()._write(secret)
        finally:
            self.written.set()
            assert self.may.wait(20)


@pytest.fixture
def desk(book: Book) -> Desk:
    return Desk(book)


async def test_a_list_that_is_complete(desk: Desk) -> None:
    for citizen in (ONE, OTHER, ONE):
        await desk.book.decide(citizen)
    await desk.book.refuse(ONE)
    await desk.consent(ONE)
    made = await desk.maps.make()
    assert (made.size, made.subjects) == (5, 2)
    await desk.book.decide(ONE)  # after the map
    report = await desk.report(ONE)
    assert desk.faults(report) == []
    assert [place["count"] for place in report["completeness"]["places"]] == [3]
    assert len(report["completeness"]["entries"]) == 4
    assert desk.faults(await desk.report(NOBODY)) == []
    assert desk.log_faults() == []
    assert orjson.loads(orjson.dumps(report)) == report


async def test_a_list_that_leaves_something_out(desk: Desk) -> None:
    for _ in range(3):
        await desk.book.decide(ONE)
    await desk.book.decide(OTHER)
    await desk.maps.make()
    good = await desk.report(ONE)
    assert desk.faults(good) == []
    proof = good["completeness"]

    def changed(**more: Any) -> list[str]:
        return desk.faults({**good, "completeness": {**copy.deepcopy(proof), **more}})

    assert desk.faults({**good, "accesses": good["accesses"][1:]}) == ["entry 0"]
    assert changed(entries=proof["entries"][:-1]) == ["entries"]
    assert changed(entries=[proof["entries"][0], proof["entries"][2]]) != []
    assert "map" in changed(places=[{**proof["places"][0], "count": 2}])
    absent = (await desk.report(NOBODY))["completeness"]
    assert "map" in changed(places=[{**absent["places"][0], "name": proof["names"][0]}])
    other = (await desk.report(OTHER))["completeness"]
    assert changed(entries=other["entries"]) != []
    assert changed(map=other["entries"][0]) != []
    for wrong in ({}, {**good, "subject": "00"}):
        with pytest.raises(NotADocument):
            read_report(orjson.dumps(wrong))
    with pytest.raises(Unproved):
        read_report(orjson.dumps({**good, "completeness": None}))


async def test_a_person_known_by_an_earlier_name(desk: Desk, tmp_path: Path) -> None:
    for citizen in (ONE, ONE, OTHER):
        await desk.book.decide(citizen)
    await desk.maps.make()
    desk.book.store.close()
    rotate(tmp_path / "keys", "pseudonym", "2026-11-26T10:00:00.000Z")
    later = Desk(_book(desk.book.url, Keys.load(tmp_path / "keys"), "gateway-1"))
    assert later.faults(await later.report(ONE)) == []  # not met again yet: in the map under the earlier name
    await later.book.decide(ONE)
    report = await later.report(ONE)
    assert later.faults(report) == []
    await later.maps.make()
    report = await later.report(ONE)
    assert later.faults(report) == []
    assert [place["count"] for place in report["completeness"]["places"]] == [4, 0]
    link = next(one for one in report["completeness"]["entries"] if "subject.moved" in str(one["groups"]["public"]))
    report["completeness"]["entries"].remove(link)
    assert later.faults(report) != []
    assert later.log_faults() == []
    later.book.store.close()


async def test_many_subjects_over_several_tiles(desk: Desk) -> None:
    draw = random.Random(7)
    names = [draw.randbytes(32) for _ in range(70_000)]
    connection = Connection(desk.book.url)
    connection.begin()
    connection.many(
        "INSERT INTO counters (subject, count, previous) VALUES (?, ?, ?)",
        [(name, 1 + place % 5, bytes(32)) for place, name in enumerate(names)] + [(b"\x00" * 32, 0, bytes(32))],
    )
    connection.commit()
    made = await desk.maps.make()
    assert made.subjects == 70_000
    person = Subject(names[0], (draw.randbytes(32), min(names), max(names), b"\xff" * 32, b"\x00" * 32))
    from gateway.tlog.countmap import check_count
    from gateway.verification.subject import _place

    placed = await desk.maps.places(person.names)
    assert placed is not None
    of, places = placed
    assert of == made
    assert [place["count"] > 0 for place in places] == [True, False, True, True, False, False]
    for name, place in zip(person.names, places, strict=True):
        if place["count"]:
            blind = bytes.fromhex(place["blind"])
            check_count(_place(place["at"]), name, place["count"], blind, made.root, made.subjects)
    levels = connection.rows("SELECT level, COUNT(*) FROM map_tiles GROUP BY level ORDER BY level")
    assert levels == [(0, 274), (1, 2), (2, 1)]
    await desk.book.decide(ONE)
    again = await desk.maps.make()
    assert connection.rows("SELECT DISTINCT map FROM map_tiles") == [(again.size,)]
    connection.close()


async def test_a_map_that_is_replaced_while_it_is_proved_from(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.book.decide(ONE)
    first = await desk.maps.make()
    await desk.book.decide(ONE)
    second = await desk.maps.make()  # takes the first one's tiles away
    newest, told = desk.maps.newest, [first]

    async def overtaken() -> Map | None:
        return told.pop() if told else await newest()

    monkeypatch.setattr(desk.maps, "newest", overtaken)
    report = await desk.report(ONE)
    assert told == []
    assert desk.faults(report) == []
    assert report["completeness"]["map"]["index"] == second.index
    assert [place["count"] for place in report["completeness"]["places"]] == [2]


async def test_maps_are_made_in_time_and_once(desk: Desk) -> None:
    await desk.book.decide(ONE)
    tasks = [asyncio.create_task(desk.maps.run(0.05)) for _ in range(2)]
    deadline = asyncio.get_running_loop().time() + 20
    while await desk.maps.newest() is None and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.02)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await desk.maps.newest() is not None


async def test_a_map_that_is_not_the_logs(desk: Desk) -> None:
    for citizen in (ONE, OTHER):
        await desk.book.decide(citizen)
    made = await desk.maps.make()
    connection = Connection(desk.book.url)
    connection.run("UPDATE subject_maps SET root = ?", (bytes(32),))
    assert desk.log_faults() == [f"entry {made.index}"] * 2
    connection.close()


async def test_of_two_gateways_that_map_the_same_moment_neither_spoils_the_others_map(desk: Desk) -> None:
    await desk.book.log.ready(now())
    await asyncio.gather(*(desk.consent(f"9{number:012}") for number in range(300)))  # hashes above the leaves too
    await desk.consent(ONE)
    first, second = Held(desk.book), Held(desk.book)
    makings = []
    for maps in (first, second):
        makings.append(asyncio.create_task(maps.make()))
        assert await asyncio.to_thread(maps.written.wait, 20)
    for maps, making in zip((first, second), makings, strict=True):
        maps.may.set()
        await asyncio.wait([making])
    assert desk.faults(await desk.report(ONE)) == []
    assert desk.faults(await desk.report(NEVER)) == []
    assert [making.exception() is None for making in makings] == [True, False]
