"""Service hours are Asia/Bangkok's."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue import open_now, read_folder, services_of
from gateway.model.identifiers import BANGKOK

ROOT = Path(__file__).resolve().parents[2]
HOURS: dict[str, Any] = {
    "weekly": {"fri": ["08:30-12:00", "13:00-16:30"], "sat": ["22:00-24:00"], "sun": ["00:00-02:00"]},
    "closed": ["2026-11-27"],
}


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-20T08:29:59", False),
        ("2026-11-20T08:30:00", True),
        ("2026-11-20T11:59:59", True),
        ("2026-11-20T12:00:00", False),
        ("2026-11-20T13:00:00", True),
        ("2026-11-20T16:30:00", False),
        ("2026-11-21T23:59:59", True),
        ("2026-11-22T01:59:59", True),
        ("2026-11-22T02:00:00", False),
        ("2026-11-23T10:00:00", False),
        ("2026-11-27T10:00:00", False),
    ],
)
def test_hours(moment: str, is_open: bool) -> None:
    service, *_ = services_of(read_folder(ROOT / "connectors/dopa", ROOT / "schemas").as_json())
    local = datetime.fromisoformat(moment).replace(tzinfo=BANGKOK)
    assert open_now(replace(service, hours=HOURS), local) is is_open
    assert open_now(replace(service, hours=HOURS), local.astimezone(UTC)) is is_open
    assert open_now(service, local) is True
