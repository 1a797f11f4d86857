"""Counts of those who were turned away: bounded, and kept where they cannot be written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import LogUnavailable
from gateway.exchangelog import ExchangeLog
from gateway.http.turned_away import MOST, TurnedAway
from gateway.keys import Keys
from gateway.observe import Metrics
from gateway.store import Store
from tests.databases import fresh


async def test_many_addresses_make_one_bounded_entry_and_none_is_lost(tmp_path: Path) -> None:
    with fresh("sqlite", tmp_path) as url:
        store = Store(url, max_waiting=1)
        log = ExchangeLog(store, Keys.create(tmp_path / "keys"), origin="gateway.example/log", gateway="gateway-1")
        counts = TurnedAway(Metrics())
        try:
            await counts.flush(log)
            assert await log.entries(0, 10) == []
            for number in range(1000):
                counts.count(f"203.0.113.{number % 200}", ("invalid_token", "malformed_request")[number % 2])
            store.close()
            for _ in range(3):
                with pytest.raises(LogUnavailable):
                    await counts.flush(log)
                counts.count("198.51.100.7", "invalid_token")
            store = log.store = Store(url)
            await counts.flush(log)
            await counts.flush(log)
            (entry,) = await log.entries(0, 10)
        finally:
            store.close()
    content: dict[str, Any] = entry["content"]
    assert entry["public"]["kind"] == "requests.counted"
    assert len(content["addresses"]) == MOST
    total = Counter(content["others"])
    for each in content["addresses"]:
        total.update(each["counts"])
    assert total == {"invalid_token": 503, "malformed_request": 500}
