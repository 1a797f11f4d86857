"""A gateway meets a kind of register that only a newer version knows: it goes on without it, and says so once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.app import initialise
from gateway.current import Current
from gateway.errors import LogUnavailable
from gateway.registers import KINDS, Registers
from gateway.settings import Settings
from gateway.store import PutRegister, Store
from tests.databases import KINDS as DATABASES
from tests.databases import fresh
from tests.harness import registration_of
from tests.observed import observed
from tests.registers.town import settled
from tests.store.conftest import Note

AGENCY = {"title": {"th": "ใหม่", "en": "New"}, "status": "active"}


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path, repository: Path) -> Iterator[Store]:
    """A gateway's own database, initialised."""
    with fresh(request.param, tmp_path) as url:
        settings = Settings(state_dir=tmp_path / "state", database_url=url, issuer="http://127.0.0.1:9", sandbox=True)
        initialise(settings, first_admin="admin", policies=repository / "policies")
        opened = Store(settings.database)
        yield opened
        opened.close()


async def put(store: Store, kind: str, name: str, **body: Any) -> None:
    await store.append([Note()], [PutRegister(kind, name, {"kind": kind, "id": name, **body})])


async def test_it_follows_what_it_knows_and_tells_of_each_unknown_kind_once(store: Store) -> None:
    current = Current(store, changed=lambda _: None)
    before = await current.refresh()
    with observed() as lines:
        await put(store, "embargo", "e-1", shape=["of", {"its": "own"}])
        alone = await current.refresh()
        await put(store, "embargo", "e-2")
        await put(store, "agency", "new", **AGENCY)
        after = await current.refresh()
        await put(store, "agency", "newer", **AGENCY)
        await current.refresh()
        await put(store, "tariff", "t-1")
        last = await current.refresh()
    assert [(line["event"], line["level"], line["kinds"]) for line in lines] == [
        ("registers_of_another_version", "warning", ["embargo"]),
        ("registers_of_another_version", "warning", ["tariff"]),
    ]
    # An exchange fails where its revision is not the database's: an unknown kind's row moves it too.
    first = before.registers.revision
    assert [held.registers.revision for held in (alone, after, last)] == [first + 1, first + 3, first + 5]
    assert set(last.registers.agencies) - set(before.registers.agencies) == {"new", "newer"}
    assert last.registers.records.keys() == set(KINDS)
    assert last.judge is before.judge

    with observed() as lines:  # a start among them
        anew = await Current(store, changed=lambda _: None).refresh()
    assert [line["kinds"] for line in lines] == [["embargo", "tariff"]]
    assert anew.registers == last.registers


def test_what_is_judged_by_is_the_same_with_and_without_them() -> None:
    rows, revision = [(*row, text) for row, text in settled().rows.items()], settled().registers.revision
    without = Registers().with_rows(rows, revision)
    mixed = Registers().with_rows([("embargo", "city-a", "{}"), *rows, ("embargo", "city-b", "[]")], revision)
    assert mixed.unknown == {"embargo"}
    assert without.unknown == frozenset()
    for held in ("records", "agencies", "clients", "officers", "operators", "purposes", "agreements"):
        assert getattr(mixed, held) == getattr(without, held), held


async def test_a_registration_that_this_version_cannot_read_closes_its_own_agency_alone(store: Store) -> None:
    current = Current(store, changed=lambda _: None)
    await current.refresh()
    connector = {"status": "active", "disabled_services": [], "outages": []}
    earlier = {**registration_of("nhso", "http://127.0.0.1:9"), "what_no_version_knows": True}
    with observed() as lines:
        await put(store, "connector", "nhso", registration=earlier, **connector)
        await put(store, "connector", "dopa", registration=registration_of("dopa", "http://127.0.0.1:9"), **connector)
        holding = await current.refresh()
    assert {service.agency for service in holding.services.values()} == {"dopa"}
    assert [(line["event"], line["agency"]) for line in lines] == [("registration_of_another_version", "nhso")]


async def test_a_database_that_cannot_be_read_is_told_of_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    current = Current(store, changed=lambda _: None)
    await current.refresh()
    tries: list[int] = []

    async def refresh() -> None:
        tries.append(1)
        raise LogUnavailable

    monkeypatch.setattr(current, "refresh", refresh)
    with observed() as lines:
        following = asyncio.create_task(current.follow(0.001))
        while len(tries) < 5:
            await asyncio.sleep(0.001)
        following.cancel()
    assert [(line["event"], line["kind"]) for line in lines] == [("registers_not_read", "LogUnavailable")]
