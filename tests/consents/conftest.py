"""One office that collects consents, at the shared gateway."""

from __future__ import annotations

from typing import Any

import pytest

from tests.consents.desk_of_consents import Office


@pytest.fixture(scope="session")
def office(world: Any) -> Office:
    """Open for consents."""
    opened = Office(world[0])
    opened.open()
    return opened
