"""The kit finds what is wrong: a careless stranger's connector fails it where it is careless, and only there."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest

from connectors.population import story
from gateway.catalogue import kinds, read_folder, services_of
from gateway.conformance import CHECKS, Case, NotApplicable
from gateway.conformance.command import cases_of
from gateway.plugin import AgencyMisbehaved, Ask, CitizenNotFound, ConnectorSettings, Record
from tests.harness import Agency

ROOT = Path(__file__).resolve().parents[2]
KEY = "made-up-nhso-key"


class Careless:
    """Follows redirects, has no deadline, believes every certificate and every address, and tells what it was sent."""

    def __init__(self, opened: ConnectorSettings) -> None:
        self._opened = opened
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, ask: Ask) -> Record:
        session = self._session = self._session or aiohttp.ClientSession()
        url, headers = f"{self._opened.endpoint}/coverage", {"X-Client-Key": KEY}
        query = {"PERSON_ID": ask.identifier}
        async with session.get(url, params=query, headers=headers, ssl=False) as response:
            if response.status != 200:
                raise AgencyMisbehaved(f"{ask.identifier}: {await response.text()}")
            answer: dict[str, Any] = await response.json(content_type=None)
        if "PERSON_ID" not in answer:
            raise CitizenNotFound
        start = str(answer["STARTDATE"])
        return Record({"start_date": f"{int(start[:4]) - 543}-{start[4:6]}-{start[6:]}"}, ask.identifier)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agency]:
    agency = Agency("nhso", tmp_path_factory.mktemp("nhso"))
    yield agency
    agency.stop()


@asynccontextmanager
async def installed(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    module = ModuleType("careless_kind")
    module.open_connector = Careless  # type: ignore[attr-defined]
    module.SETTINGS_SCHEMA = {"type": "object"}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "careless_kind", module)
    found = {"careless": EntryPoint("careless", "careless_kind:open_connector", kinds.GROUP)}
    monkeypatch.setattr(kinds, "installed", lambda: found)
    kinds.kind.cache_clear()
    yield
    kinds.kind.cache_clear()


async def test_a_careless_connector_fails_where_it_is_careless(source: Agency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.conformance.case.SECONDS", 1.0)
    registration = read_folder(ROOT / "connectors" / "nhso", ROOT / "schemas").with_endpoint(None, source.url)
    (service,) = services_of(registration.as_json())
    service = replace(service, schema={**service.schema, "required": ["start_date"]})
    service = replace(service, connector={**service.connector, "kind": "careless", "settings": {}})
    case = Case(
        name="careless",
        service=service,
        secret=lambda name: KEY,
        right=story("elder"),
        other=story("elsewhere"),
        unknown=story("unknown"),
    )
    failed, passed, told = set(), set(), ""
    async with installed(monkeypatch):
        for name in (
            "right_record", "wrong_person", "not_found", "partial_date", "fault", "garbage", "redirect",
            "certificate", "address", "cut_off",
        ):  # fmt: skip
            try:
                await CHECKS[name](case)
            except NotApplicable:
                continue
            except AssertionError as error:
                told += str(error)
                failed.add(name)
            else:
                passed.add(name)
    assert failed == {"wrong_person", "fault", "garbage", "redirect", "certificate", "address", "cut_off"}
    assert passed == {"right_record", "not_found"}
    assert not any(person in told for person in (case.right, case.other))


def test_the_command_says_what_it_cannot_find() -> None:
    for named in ("", "no_such_module:cases", "json:dumps_of_nothing", "json"):
        with pytest.raises(pytest.UsageError):
            cases_of(named)
