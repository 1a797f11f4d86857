"""A goal is called met or missed as the figures say, and the READMEs quote the committed figures exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.report import Result, block, goals, goals_table, page


def result(**changes: float) -> Result:
    """A run that meets every goal exactly; `changes`: other requests/s, p99 or memory."""
    asked = {"bare": 400.0, "express": 720.0, "fast": 1800.0, "envoy": 4500.0, "gateway": 1800.0} | changes
    rows: list[dict[str, Any]] = [
        _row(key, per_second, changes.get(f"{key}_p99", 100.0 if key == "bare" else 50.0))
        for key, per_second in asked.items()
        if "_" not in key
    ]
    rows.append(_row("gateway-workers", changes.get("slow_rate", 2304.0), 70.0, in_flight=128, delay_ms=50))
    return Result(
        {
            "rows": rows,
            "memory": {"gateway": {"mb": [changes.get("most_mb", 149.0)], "requests": 1000}},
            "start": {"seconds": changes.get("start_s", 1.4), "cpu_seconds": 1.0},
            "notes": ["a note"],
            "versions": {"this gateway": "1"},
            "when": "2026-01-01",
            "machine": "a machine",
            "rounds": 3,
            "seconds": 1.5,
        }
    )


def _row(key: str, per_second: float, p99: float, in_flight: int = 32, delay_ms: int = 0) -> dict[str, Any]:
    return {
        "key": key, "name": key, "in_flight": in_flight, "delay_ms": delay_ms, "per_second": per_second,
        "p50_ms": 1.0, "p99_ms": p99, "p999_ms": p99, "cpu_us": 1e6 / per_second, "beside_us": None,
        "wrong": {}, "requests": 1000,
    }  # fmt: skip


def verdicts(of: Result) -> list[bool | None]:
    return [None if found is None else found[1] for found in (goal.measured(of) for goal in goals())]


def test_what_reaches_its_goal_exactly_meets_it() -> None:
    assert verdicts(result()) == [True] * 8


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({"bare": 401.0}, 0),
        ({"gateway_p99": 51.0}, 1),
        ({"express": 721.0}, 2),
        ({"fast": 1801.0}, 3),
        ({"envoy": 4501.0}, 4),
        ({"slow_rate": 2303.0}, 5),
        ({"most_mb": 150.0}, 6),
        ({"start_s": 1.5}, 7),
    ],
)
def test_what_falls_short_of_it_is_missed(change: dict[str, float], missed: int) -> None:
    assert [number for number, met in enumerate(verdicts(result(**change))) if not met] == [missed]


@pytest.mark.parametrize("short", [{"per_second": 1799.0}, {"cpu_us": 1e6 / 1799.0}])
def test_a_ratio_is_met_only_where_cpu_time_says_so_too(short: dict[str, float]) -> None:
    of = result()
    next(row for row in of.rows if row["key"] == "gateway").update(short)
    assert [number for number, met in enumerate(verdicts(of)) if not met] == [0, 2, 3, 4]


def test_memory_that_grows_misses_the_goal_however_little_it_is() -> None:
    points = [{"exchanges": 1000 * number, "mb": 100.0 + number} for number in range(1, 21)]
    grows, flat = result(), result()
    grows.memory = {"points": points}
    flat.memory = {"points": [{**point, "mb": 110.0} for point in points]}
    assert verdicts(grows)[6] is False
    assert verdicts(flat)[6] is True


def test_what_was_not_measured_is_neither() -> None:
    empty = result()
    empty.rows.clear()
    assert verdicts(empty)[:6] == [None] * 6
    assert "not measured" in goals_table(empty)


def test_the_page_holds_both_tables_of_goals() -> None:
    made = page(result())
    assert block(made, "goals") == goals_table(result())
    assert block(made, "goals-th") == goals_table(result(), "th")


def test_the_readmes_quote_the_committed_figures(repository: Path) -> None:
    committed = (repository / "docs" / "bench.md").read_text(encoding="utf-8")
    for readme, name in (("README.md", "goals"), ("README.th.md", "goals-th")):
        quoted = block((repository / readme).read_text(encoding="utf-8"), "bench")
        assert quoted == block(committed, name)
        assert len(quoted.splitlines()) == 2 + len(goals())
