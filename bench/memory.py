"""`make bench-memory EXCHANGES=…`: what a worker holds in memory after so many exchanges, and whether it grows.

One gateway on SQLite, bearer tokens, 32 in flight. Bounded by the count, and by an hour.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

from bench import report
from bench.gateways import ASKS, bearer, gateway, posts, source
from bench.load import measure
from bench.systems import memory_mb

IN_FLIGHT = 32
POINTS = 20
MOST_AT_ONCE = 20_000
"""So that no token of ten minutes is outlived."""
LONGEST = 3600


def main() -> int:
    """Runs it; each point is printed and kept as it comes. 1 where an exchange failed."""
    parser = argparse.ArgumentParser(prog="make bench-memory", description=__doc__)
    parser.add_argument("exchanges", type=int)
    parser.add_argument("--publish", action="store_true", help="writes docs/bench.md and the READMEs' table")
    given = parser.parse_args()
    at_once = max(1, min(MOST_AT_ONCE, given.exchanges // POINTS))
    points: list[dict[str, float]] = []
    errors = done = 0
    begun = time.monotonic()
    report.RESULTS.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="linkage-bench-") as folder,
        source() as asked,
        gateway("sqlite", asked, Path(folder) / "sqlite") as running,
    ):
        assert running.process is not None
        while done < given.exchanges and time.monotonic() - begun < LONGEST:
            some = islice(cycle(posts("/v1/exchanges", bearer(running), ASKS)), at_once)
            figures = measure(running.port, some, IN_FLIGHT, 500, once=True)
            done, errors = done + figures.requests, errors + figures.errors
            points.append({"exchanges": done, "mb": max(memory_mb(running.process.pid))})
            report.MEMORY.write_text(json.dumps({"when": f"{datetime.now(UTC):%Y-%m-%d}", "points": points}) + "\n")
            print(f"{done:>10,}  {points[-1]['mb']:6.1f} MB  {figures.per_second:7,.0f} a second", flush=True)
    if given.publish:
        report.publish()
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
