"""Exchanges withheld from the person they are about: in no list and no count until they are told, on both databases."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from gateway.exchangelog import Search
from gateway.exchangelog.housekeeping import Housekeeping
from gateway.exchangelog.projection import project
from gateway.exchangelog.search import ExchangeSearch
from gateway.exchangelog.vault import Vault
from gateway.keys import Keys
from gateway.keys.ring import rotate
from gateway.model import now
from gateway.store import Connection, Hasten, NotWithheld, PutRegister, RequireWithheld, Tell
from gateway.telling import tell
from gateway.verification.database import verify_database
from tests.exchangelog.conftest import Book, _book
from tests.exchangelog.test_subject_map import ONE, OTHER, Desk

DAY = 86400


@pytest.fixture
def desk(book: Book) -> Desk:
    return Desk(book)


def counted(desk: Desk, citizen: str) -> int:
    names = desk.book.log.subject("citizen_id", citizen).names
    connection = Connection(desk.book.url)
    rows = connection.rows("SELECT subject, count FROM counters WHERE count > 0")
    connection.close()
    return sum(count for name, count in rows if bytes(name) in names)


async def reported(desk: Desk, citizen: str) -> dict[str, Any]:
    """The report as it is made for the person: what is withheld is left out of the list."""
    report = await desk.report(citizen)
    withheld = await ExchangeSearch(desk.book.store).withheld(desk.book.log.subject("citizen_id", citizen).names)
    report["accesses"] = [one for one in report["accesses"] if one["exchange_id"] not in withheld]
    return report


def listed(report: dict[str, Any]) -> set[str]:
    return {one["exchange_id"] for one in report["accesses"]}


def log_faults(desk: Desk) -> list[str]:
    """What the verifier finds, but for exchanges that these tests leave open."""
    connection = Connection(desk.book.url, read_only=True)
    try:
        report = verify_database(connection, desk.key, desk.book.keys.master)
        return [f"{finding.place}: {finding.what}" for finding in report.findings if "no end" not in finding.what]
    finally:
        connection.close()


async def test_it_counts_when_it_is_told_and_not_before(desk: Desk) -> None:
    seen = await desk.book.decide(ONE)
    hidden = await desk.book.withhold(ONE, days=30)
    await desk.maps.make()
    assert counted(desk, ONE) == 1
    report = await reported(desk, ONE)
    assert (desk.faults(report), listed(report)) == ([], {seen})
    assert [place["count"] for place in report["completeness"]["places"]] == [1]
    assert hidden not in str(report)
    found, _ = await ExchangeSearch(desk.book.store).run(
        Search({}, subject=desk.book.log.subject("citizen_id", ONE).pseudonym)
    )
    held = next(one for one in found if one["exchange_id"] == hidden)  # an auditor sees it at once
    assert held["withheld"]["authority"]["en"] == "Act on investigations"
    assert log_faults(desk) == []

    assert await tell(desk.book.store, desk.book.log, time.time() + 30 * DAY - 60) == 0
    assert await tell(desk.book.store, desk.book.log, time.time() + 30 * DAY + 60) == 1
    assert counted(desk, ONE) == 2
    await desk.maps.make()
    report = await reported(desk, ONE)
    assert (desk.faults(report), listed(report)) == ([], {seen, hidden})
    assert [place["count"] for place in report["completeness"]["places"]] == [2]
    left_out = {**report, "accesses": [one for one in report["accesses"] if one["exchange_id"] != hidden]}
    assert len(desk.faults(left_out)) == 1
    entries = [one for one in report["completeness"]["entries"] if "subject.told" not in str(one["groups"]["public"])]
    assert desk.faults({**report, "completeness": {**report["completeness"], "entries": entries}}) != []
    # The log's own time has not come: told early, and no two people said so.
    assert len(faults := log_faults(desk)) == 1
    assert "before its time" in faults[0]


async def test_its_entries_are_as_documented(desk: Desk) -> None:
    document = json.loads((Path(__file__).resolve().parents[2] / "schemas" / "log-entry.v1.json").read_text())
    schema: Any = jsonschema_rs.validator_for(document)
    await desk.book.withhold(ONE)
    await tell(desk.book.store, desk.book.log, time.time() + 31 * DAY)
    decided, told = await desk.book.log.entries(0, 10)
    for entry in (decided, told):
        assert [error.message for error in schema.iter_errors(entry)] == []
    counted = {"counter": 1, "previous": None}
    for group, changed in (
        ("subject", {**decided["subject"], **counted}),
        ("legal", {name: value for name, value in decided["legal"].items() if name != "withheld"}),
        ("legal", {**decided["legal"], "withheld": {"until": "2030-01-01T00:00:00.000Z"}}),
    ):
        assert not schema.is_valid({**decided, group: changed})
    assert not schema.is_valid({**told, "subject": {**told["subject"], "decided": None}})


async def test_told_in_its_time_nothing_is_found(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.book.decide(ONE)
    hidden = await desk.book.withhold(ONE, days=2)
    later = now() + timedelta(days=2, seconds=1)
    monkeypatch.setattr("gateway.telling.now", lambda: later)
    await desk.book.log.ready(later)
    assert await tell(desk.book.store, desk.book.log, later.timestamp() + 1) == 1
    assert log_faults(desk) == []
    assert hidden in listed(await reported(desk, ONE))


async def test_a_person_of_whom_nothing_else_is_known_has_no_place_in_the_map(desk: Desk) -> None:
    await desk.book.decide(OTHER)
    await desk.book.withhold(ONE)
    made = await desk.maps.make()
    assert made.subjects == 1
    report = await reported(desk, ONE)
    assert (desk.faults(report), listed(report)) == ([], set())
    assert report["completeness"]["entries"] == []
    assert report["completeness"]["places"][0]["count"] == 0


async def test_two_people_open_it_sooner(desk: Desk) -> None:
    hidden = await desk.book.withhold(ONE)
    store, log = desk.book.store, desk.book.log
    await store.append([], [RequireWithheld(hidden)])
    assert await tell(store, log) == 0
    await store.append([], [Hasten(hidden)])
    assert await tell(store, log) == 1
    for change in (Hasten(hidden), RequireWithheld(hidden), Hasten("ex_of_nobody")):
        with pytest.raises(NotWithheld):
            await store.append([], [change])
    assert counted(desk, ONE) == 1


async def test_two_gateways_tell_it_once(desk: Desk) -> None:
    for _ in range(5):
        await desk.book.withhold(ONE)
    second = desk.book if desk.book.url.startswith("sqlite") else desk.book.again("gateway-2")
    both = [desk.book, second]
    later = time.time() + 31 * DAY
    told = await asyncio.gather(*(tell(one.store, one.log, later) for one in both))
    assert sum(told) == 5
    assert counted(desk, ONE) == 5
    if second is not desk.book:
        second.store.close()


async def test_it_is_counted_under_the_name_that_the_person_goes_by_then(desk: Desk, tmp_path: Path) -> None:
    """Under another pseudonym key: of one person there are counts already, of the other only what is withheld."""
    await desk.book.decide(ONE)
    await desk.book.withhold(ONE)
    await desk.book.withhold(OTHER)
    desk.book.store.close()
    rotate(tmp_path / "keys", "pseudonym", "2026-11-26T10:00:00.000Z")
    later = Desk(_book(desk.book.url, Keys.load(tmp_path / "keys"), "gateway-1"))
    await later.book.decide(OTHER)  # met again; the log moves nothing, as nothing counted
    await later.book.withhold(ONE)  # met again, and not counted
    assert await tell(later.book.store, later.book.log, time.time() + 31 * DAY) == 3
    await later.maps.make()
    for citizen, number in ((ONE, 4), (OTHER, 2)):  # of ONE with the move
        report = await reported(later, citizen)
        assert later.faults(report) == []
        assert counted(later, citizen) == number
    assert all("before its time" in fault for fault in log_faults(later))
    later.book.store.close()


async def test_a_person_who_moved_before_is_told_under_the_later_name(desk: Desk, tmp_path: Path) -> None:
    await desk.book.decide(ONE)
    await desk.book.withhold(ONE)
    desk.book.store.close()
    rotate(tmp_path / "keys", "pseudonym", "2026-11-26T10:00:00.000Z")
    later = Desk(_book(desk.book.url, Keys.load(tmp_path / "keys"), "gateway-1"))
    await later.book.decide(ONE)
    assert await tell(later.book.store, later.book.log, time.time() + 31 * DAY) == 1
    await later.maps.make()
    assert later.faults(await reported(later, ONE)) == []
    assert counted(later, ONE) == 4
    later.book.store.close()


async def test_what_the_verifier_finds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs the log withholds without a law, hides for ever, or counts nobody."""
    from gateway.exchangelog import log as drafts

    with monkeypatch.context() as patched:  # a decision that counts nobody, and no authority named
        patched.setattr(
            drafts, "_withheld", lambda *_: {"authority": {"en": "", "th": ""}, "until": "2030-01-01T00:00:00Z"}
        )
        await desk.book.withhold(ONE)
    assert "without a legal authority" in "".join(log_faults(desk))

    past = now().replace(year=now().year - 1)
    with monkeypatch.context() as patched:
        patched.setattr(drafts, "now", lambda: past)
        await desk.book.log.ready(past)
        overdue = await desk.book.withhold(ONE)
    await desk.book.decide(OTHER)
    assert any(f"{overdue} was to be told" in fault for fault in log_faults(desk))
    connection = Connection(desk.book.url)
    connection.run("DELETE FROM withheld WHERE exchange = ?", (overdue,))
    assert any(f"{overdue} is withheld, and nothing will tell it" in fault for fault in log_faults(desk))
    connection.close()


async def test_told_twice_or_of_another_entry(desk: Desk) -> None:
    hidden = await desk.book.withhold(ONE)
    subject = desk.book.log.subject("citizen_id", ONE)
    other = desk.book.log.subject("citizen_id", OTHER)
    await desk.book.store.append([], [Hasten(hidden)])
    await desk.book.store.append(
        [desk.book.log.told(hidden, other, 7, bytes(32), "2026-01-01T00:00:00.000Z", early=False)],
        [Tell(hidden, subject.pseudonym)],
    )
    with pytest.raises(NotWithheld):
        await desk.book.store.append(
            [desk.book.log.told(hidden, subject, 0, bytes(32), "", early=False)], [Tell(hidden, b"")]
        )
    await desk.book.store.append([desk.book.log.told(hidden, subject, 0, bytes(32), "", early=False)])
    found = "".join(log_faults(desk))
    assert "another entry than the one that decided it" in found
    assert "told twice" in found


async def test_the_projection_filled_again_is_the_same(desk: Desk) -> None:
    from gateway.exchangelog.projection import empty

    seen, hidden = await desk.book.decide(ONE), await desk.book.withhold(ONE)
    await tell(desk.book.store, desk.book.log, time.time() + 31 * DAY)
    await desk.maps.make()
    connection = Connection(desk.book.url)
    connection.begin()
    empty(connection)
    connection.commit()
    while project(connection, Vault(desk.book.keys.master)):
        pass
    connection.close()
    report = await reported(desk, ONE)
    assert (desk.faults(report), listed(report)) == ([], {seen, hidden})


async def test_told_of_a_month_that_is_forgotten_since(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from gateway.exchangelog import log as drafts

    past = now() - timedelta(days=70)
    with monkeypatch.context() as patched:
        patched.setattr(drafts, "now", lambda: past)
        await desk.book.log.ready(past)
        hidden = await desk.book.withhold(ONE, days=1)
    await tell(desk.book.store, desk.book.log)
    await desk.maps.make()
    month = past.isoformat()[:7]
    report = await reported(desk, ONE)
    assert (desk.faults(report), listed(report)) == ([], {hidden})
    assert desk.faults({**report, "accesses": []}) == ["entry 1"]
    await desk.book.store.append([], [PutRegister("log", "contents", {"forgotten": month})])
    connection = Connection(desk.book.url)
    while Housekeeping()(connection):
        pass
    assert connection.rows("SELECT COUNT(*) FROM exchanges") == [(0,)]
    assert connection.rows("SELECT COUNT(*) FROM withheld") == [(0,)]
    connection.close()
    report = await reported(desk, ONE)
    assert (desk.faults(report), listed(report)) == ([], set())
    lie = {**report["completeness"], "forgotten": now().isoformat()[:7]}
    assert desk.faults({**report, "completeness": lie}) == ["entry 1"]
