"""Copies of a real log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.verification.copied_log import CopiedLog, copied


@pytest.fixture(scope="session")
def good_log(world: Any, tmp_path_factory: pytest.TempPathFactory) -> CopiedLog:
    """A copy that nobody has touched, and nobody may."""
    return copied(world[0], tmp_path_factory.mktemp("log"))


@pytest.fixture
def copy(good_log: CopiedLog, tmp_path: Path) -> CopiedLog:
    """A copy to tamper with."""
    return good_log.again(tmp_path / "linkage.db")
