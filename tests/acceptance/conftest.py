"""Acts that a test takes back, and sources that it mends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.harness import Agency


@pytest.fixture
def acting(world: Any) -> Iterator[Callable[[str, str, dict[str, Any], str], None]]:
    """Performs an act now, and its opposite after the test."""
    gateway, _ = world
    undo: list[tuple[str, str, dict[str, Any]]] = []

    def act(operator: str, name: str, body: dict[str, Any], opposite: str) -> None:
        with gateway.as_(operator) as desk:
            desk.act(name, body)
        undo.append((operator, opposite, body))

    yield act
    for operator, name, body in reversed(undo):
        with gateway.as_(operator) as desk:
            desk.act(name, body)


@pytest.fixture
def mended(world: Any) -> Iterator[dict[str, Agency]]:
    """The agencies; what was ordered of them ends with the test."""
    _, agencies = world
    yield agencies
    for agency in agencies.values():
        agency.fault("none")
