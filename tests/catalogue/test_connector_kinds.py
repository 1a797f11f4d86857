"""Kinds are found by their entry points; a stranger's that does not load is refused, not an accident."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gateway.catalogue import check_kind, kinds, open_connector, read_folder, services_of
from gateway.errors import MalformedRequest
from gateway.model.service import Service
from gateway.plugin import Ask, ConnectorSettings, Record

ROOT = Path(__file__).resolve().parents[2]


class Echo:
    """A connector of a stranger's kind."""

    def __init__(self, settings: ConnectorSettings) -> None:
        self.settings = settings

    async def fetch(self, ask: Ask) -> Record:
        return Record({}, ask.identifier)

    async def close(self) -> None:
        return None


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    module = ModuleType("strangers_kind")
    module.open_connector = Echo  # type: ignore[attr-defined]
    module.SETTINGS_SCHEMA = {"type": "object", "additionalProperties": False, "properties": {"n": {"type": "integer"}}}  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "strangers_kind", module)
    found = {
        "stranger": EntryPoint("stranger", "strangers_kind:open_connector", kinds.GROUP),
        "broken": EntryPoint("broken", "no_such_module_at_all:open", kinds.GROUP),
    }
    monkeypatch.setattr(kinds, "installed", lambda: found)
    kinds.kind.cache_clear()
    yield module
    kinds.kind.cache_clear()


def service(**connector: Any) -> Service:
    return replace(PERSON, connector={**PERSON.connector, **connector})


PERSON, *_ = services_of(read_folder(ROOT / "connectors/dopa", ROOT / "schemas").as_json())


def test_the_shared_kind_is_installed() -> None:
    assert "rest" in kinds.installed()
    check_kind(service())


def test_settings_are_checked_against_the_kinds_schema() -> None:
    with pytest.raises(MalformedRequest) as caught:
        check_kind(service(settings={"method": "GET"}))
    assert "/connector/settings: `path` is missing" in caught.value.detail_en
    with pytest.raises(MalformedRequest):
        check_kind(service(kind="telex"))


async def test_a_strangers_kind(stranger: ModuleType) -> None:
    own = service(kind="stranger", settings={"n": 1}, mapping={"echo": "none"})
    check_kind(own)
    opened = open_connector(own, secret=str, address_allowed=bool)
    assert isinstance(opened, Echo)
    assert opened.settings.settings == {"n": 1}
    assert opened.settings.service == own.id
    several: list[dict[str, Any]] = [{"settings": {"m": 1}}, {"mapping": {"fields": {}}}, {"kind": "broken"}]
    for wrong in several:
        with pytest.raises(MalformedRequest):
            check_kind(replace(own, connector={**own.connector, **wrong}))
    del stranger.SETTINGS_SCHEMA
    kinds.kind.cache_clear()
    with pytest.raises(MalformedRequest):
        check_kind(own)
