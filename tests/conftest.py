"""Fixtures for the whole suite: one gateway with its agencies for each test process, and where things lie."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest

from gateway.conformance.certificates import authority
from tests.harness import RunningGateway, running


@pytest.fixture(scope="session", autouse=True)
def nobody_is_trusted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test speaks to the world: to read the world's authorities took a third of all their time."""
    file = tmp_path_factory.mktemp("authority") / "nobody.pem"
    file.write_text(authority().pem)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(file))
        yield


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """(gateway, agencies by name), seeded; shared, so a test puts back what it changes."""
    with running(tmp_path_factory.mktemp("world")) as pair:
        yield pair


@pytest.fixture
def running_gateway(world: Any) -> RunningGateway:
    """The shared gateway."""
    return world[0]


@pytest.fixture
def repository() -> Path:
    """The checkout's root."""
    return Path(__file__).resolve().parent.parent
