"""Real sandbox processes, one of each agency a test run, and the keys that they want."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from local_sources import KEYS, Process


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def dopa(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process("dopa", tmp_path_factory.mktemp("dopa"))
    yield process
    process.stop()


@pytest.fixture(scope="session")
def nhso(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process("nhso", tmp_path_factory.mktemp("nhso"))
    yield process
    process.stop()
