"""`make bench-large ENTRIES=10000000`: searching a large log, and the disk that it takes.

States what it will need before it begins. The search's page must come in under 50 ms whatever is asked for.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvloop

from bench.log_made import made_log
from gateway.exchangelog import ExchangeLog, ExchangeSearch, Search
from gateway.exchangelog.projection import TABLES, project
from gateway.exchangelog.summary import Wanted, summary
from gateway.exchangelog.vault import Vault
from gateway.model import bangkok_day, now, timestamp
from gateway.store import Connection, Store

ROOT = Path(__file__).resolve().parent.parent
BYTES_AN_ENTRY, SECONDS_A_MILLION = 1_700, 260
GOAL_MS, REPEATS, DAYS = 50, 5, 300


def main() -> None:
    """Makes the log, fills the projection, searches."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="where the log is made (a temporary folder, which is removed)")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-result" / "large.json")
    given = parser.parse_args()
    needed = given.entries * BYTES_AN_ENTRY
    print(
        f"{given.entries:,} entries need about {needed / 1e9:.1f} GB of disk and "
        f"{given.entries / 1e6 * SECONDS_A_MILLION / 60:.0f} minutes / ใช้ดิสก์และเวลาประมาณนี้"
    )
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        if shutil.disk_usage(name).free < needed * 1.2:
            raise SystemExit(f"ดิสก์ไม่พอ / not enough disk in {name}: give --folder, or fewer --entries")
        results = _run(Path(name), given.entries)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(results, indent=2) + "\n")


def _run(folder: Path, entries: int) -> dict[str, Any]:
    begun = time.perf_counter()
    url, keys = made_log(folder, entries, varied=True, days=DAYS, progress=_every(entries))
    made = time.perf_counter() - begun
    connection, vault = Connection(url), Vault(keys.master)
    connection.durable(False)
    begun = time.perf_counter()
    while project(connection, vault):
        pass
    projected = time.perf_counter() - begun
    disk = _disk(connection, folder, entries)
    connection.close()
    print(f"made in {made:.0f} s; projected in {projected:.0f} s ({projected / entries * 1e6:.0f} µs an entry)")
    for name, size in disk.items():
        print(f"  {name}: {size:,.0f}")
    store = Store(url)
    try:
        log = ExchangeLog(store, keys, origin="bench.example/log", gateway="gateway-1", vault=vault)
        searches = uvloop.run(_searches(store, log))
        begun = time.perf_counter()
        uvloop.run(_month(store))
        month = time.perf_counter() - begun
    finally:
        store.close()
    print("| search | ms, median | ms, worst | rows |\n|---|---|---|---|")
    for one in searches:
        print(f"| {one['search']} | {one['median_ms']:.1f} | {one['worst_ms']:.1f} | {one['rows']} |")
    worst = max(one["median_ms"] for one in searches)
    print(f"slowest page: {worst:.1f} ms (goal: {GOAL_MS}); a month's summary: {month:.1f} s")
    return {
        "entries": entries,
        "made_s": made,
        "projected_s": projected,
        "disk": disk,
        "searches": searches,
        "summary_month_s": month,
    }


async def _searches(store: Store, log: ExchangeLog) -> list[dict[str, Any]]:
    looking, moment = ExchangeSearch(store), now()
    (one,), _ = await looking.run(Search({"consumer": "consumer-250"}, limit=1))
    person = log.subject("citizen_id", f"9{1234:012}").pseudonym
    ago = [timestamp(moment - timedelta(days=days)) for days in (DAYS - 20, DAYS - 21)]
    asked = {
        "newest": Search({}),
        "a common consumer": Search({"consumer": "consumer-1"}),
        "a rare consumer": Search({"consumer": "consumer-250"}),
        "a rare consumer's officer": Search({"consumer": "consumer-250", "officer": "officer.3"}),
        "a source": Search({"source": "source-3"}),
        "an officer's code": Search({"officer": "officer.3"}),
        "service and purpose": Search({"service": "source-3.person.v1", "purpose": "purpose.number-2"}),
        "an agreement": Search({"agreement": "agreement-250-3"}),
        "two that never met": Search({"consumer": "consumer-1", "agreement": "agreement-250-3"}),
        "nobody's": Search({"client": "client-x"}),
        "a day long ago": Search({}, since=ago[0], until=ago[1]),
        "a rare consumer's day long ago": Search({"consumer": "consumer-250"}, since=ago[0], until=ago[1]),
        "a person": Search({}, subject=person),
        "a case": Search({"case_reference": one["case_reference"]}),
        "refused": Search({"outcome": "refused"}),
        "refused of a source's": Search({"outcome": "refused", "source": "source-3"}),
        "open": Search({"outcome": "decided"}),
        "a reason that never was": Search({}, reason="agreement_expired"),
    }
    found = []
    for name, search in asked.items():
        times = []
        for _ in range(REPEATS):
            begun = time.perf_counter()
            page, _ = await looking.run(search)
            times.append((time.perf_counter() - begun) * 1e3)
        times.sort()
        found.append({"search": name, "median_ms": times[REPEATS // 2], "worst_ms": times[-1], "rows": len(page)})
    return found


async def _month(store: Store) -> dict[str, Any]:
    day = bangkok_day(now())
    return await summary(store, Wanted(day - timedelta(days=29), day))


def _disk(connection: Connection, folder: Path, entries: int) -> dict[str, float]:
    whole = sum(file.stat().st_size for file in folder.glob("linkage.db*"))
    log_only = connection.rows("SELECT SUM(LENGTH(sealed) + 32 + 7 + 12) FROM log_entries WHERE idx < 100000")[0][0]
    held = min(entries, 100_000)
    lines = connection.rows(f"SELECT COUNT(*) FROM {TABLES[1]}")[0][0]
    return {
        "bytes": whole,
        "bytes an entry": whole / entries,
        "of them the entry itself": log_only / held,
        "lines": lines,
    }


def _every(entries: int) -> Callable[[int], None]:
    step = max(1, entries // 10)

    def tell(index: int) -> None:
        if index // step != (index - 20_000) // step:
            print(f"  {index:,} entries", flush=True)

    return tell


if __name__ == "__main__":
    main()
