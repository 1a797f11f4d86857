"""What the exchange log costs and what it can do, measured here: the second half of `make bench`.

    appends      entries/s into the real store: one writer alone, 64 waiting; SQLite and PostgreSQL; one gateway, two
    cost         the same exchanges over HTTP, with the log and with a store that keeps nothing
    verify       entries/s that `linkage log verify` hashes and opens, on one core, over a log made for it

Ratios within one run are what to read.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from bench.log_exchange import rounds_of
from bench.log_made import made_log
from gateway.exchangelog import ExchangeLog
from gateway.exchangelog.tree import grow
from gateway.keys import Keys
from gateway.model import Caller, Decision, IdentifierKind, Question, Service, new_id, now
from gateway.store import CloseExchange, Connection, OpenExchange, Store
from gateway.tlog.note import Signer
from gateway.verification.database import verify_database
from tests.databases import KINDS, fresh

ROOT = Path(__file__).resolve().parent.parent
SERVICE = Service(
    "dopa.person.v1", "dopa", "", "", IdentifierKind.CITIZEN, 2, "personal", False, 5.0, True, {}, {}, {}, {}
)
CALLER = Caller("city-a-welfare", "city-a", "client", "", frozenset({"exchange"}), "kid")
FIELDS = ("date_of_birth", "life_status", "nationality")
DECISION = Decision(True, (), "city-a-person", "t1", "24(4)", "An act", None, FIELDS, ("permit",), "d" * 64)


def entry_of(log: ExchangeLog, number: int) -> tuple[str, Any]:
    """(an exchange's id, its decision as the pipeline drafts it), of one of some thousands of people."""
    exchange = new_id("ex")
    citizen = f"9{number % 5000:012}"
    question = Question(
        SERVICE.id, citizen, IdentifierKind.CITIZEN, "welfare.old-age-allowance", case_reference="OAA/1"
    )
    subject = log.subject("citizen_id", citizen)
    return exchange, log.decided(
        exchange, CALLER, question, SERVICE, DECISION, subject, request_digest="0" * 64, judged_us=50
    )


async def _append(log: ExchangeLog, until: float, number: int) -> int:
    """One caller: exchange after exchange, each two appends. How many entries it wrote."""
    written = 0
    while time.perf_counter() < until:
        await log.ready(now())
        exchange, entry = entry_of(log, number + written)
        await log.store.append([entry], [OpenExchange(exchange, log.gateway, log.boot, 2**40)])
        closing = log.closed("released", exchange, released=FIELDS, answer_digest="1" * 64, source_us=900)
        await log.store.append([closing], [CloseExchange(exchange)])
        written += 2
    return written


async def _appends(logs: list[ExchangeLog], waiting: int, seconds: float) -> float:
    """Entries a second of `waiting` callers, spread over the gateways' logs."""
    begun = time.perf_counter()
    tasks = [_append(logs[number % len(logs)], begun + seconds, 10_000 * number) for number in range(waiting)]
    written = sum(await asyncio.gather(*tasks))
    return written / (time.perf_counter() - begun)


def _grown(log: ExchangeLog, connection: Connection) -> bool:
    return grow(connection) | log.behind(connection)


@asynccontextmanager
async def _logs(url: str, folder: Path, gateways: int) -> AsyncIterator[list[ExchangeLog]]:
    keys = Keys.create(folder / "keys")
    stores = [Store(url) for _ in range(gateways)]
    logs = [
        ExchangeLog(store, keys, origin="bench.example/log", gateway=f"gateway-{number}")
        for number, store in enumerate(stores)
    ]
    for store, log in zip(stores, logs, strict=True):
        store.work_behind(partial(_grown, log))
    try:
        yield logs
    finally:
        for store in stores:
            await asyncio.to_thread(store.close)


async def _measured(url: str, folder: Path, gateways: int, waiting: int, seconds: float) -> float:
    async with _logs(url, folder, gateways) as logs:
        return await _appends(logs, waiting, seconds)


def appends(seconds: float) -> list[dict[str, Any]]:
    """Entries a second, for each kind of database, with one gateway and (PostgreSQL) with two."""
    found = []
    for kind in KINDS:
        for gateways in (1,) if kind == "sqlite" else (1, 2):
            with tempfile.TemporaryDirectory() as name, fresh(kind, Path(name)) as url:
                for waiting in (1, 64):
                    per_second = uvloop.run(_measured(url, Path(name), gateways, waiting, seconds))
                    found.append({"database": kind, "gateways": gateways, "waiting": waiting, "per_second": per_second})
    return found


def cost(seconds: float, rounds: int, in_flight: int = 32) -> dict[str, Any]:
    """Exchanges a second over HTTP, with the real store and with one that keeps nothing; medians."""
    with tempfile.TemporaryDirectory() as name:
        held = rounds_of(Path(name), seconds, rounds, in_flight)
    (with_log, cpu_with), (without, cpu_without) = (
        [statistics.median(figures) for figures in zip(*held[kind], strict=True)] for kind in ("log", "nothing")
    )
    return {
        "in_flight": in_flight,
        "with_log": with_log,
        "without": without,
        "share": 1 - with_log / without,
        "share_of_cpu": 1 - cpu_without / cpu_with,
    }


def verify(entries: int) -> dict[str, Any]:
    """How fast a log of so many entries is hashed (the tree alone), and opened (a tenth of them), on one core."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found: dict[str, Any] = {"entries": entries}
    with tempfile.TemporaryDirectory() as name:
        begun = time.perf_counter()
        url, keys = made_log(Path(name), entries)
        found["made_in_s"] = time.perf_counter() - begun
        key = Signer("bench.example/log", keys.log_key()).verifier
        connection = Connection(url, read_only=True)
        try:
            for what, master in (("tree", None), ("opened", keys.master)):
                begun = time.perf_counter()
                report = verify_database(connection, key, master)
                took = time.perf_counter() - begun
                if not report.good:
                    raise SystemExit(f"the bench's own log does not verify: {report.findings[:3]}")
                found[what] = {"per_second": entries / took, "seconds": took}
                found[what] |= {f"{part}_per_second": entries / s for part, s in report.seconds.items() if s}
        finally:
            connection.close()
    return found


def main() -> None:
    """Runs it, prints it, writes it to the file of --out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--entries", type=int, default=1_000_000, help="that are verified")
    parser.add_argument("--out", type=Path, default=ROOT / "bench-result" / "log.json")
    given = parser.parse_args()
    everywhere = os.sched_getaffinity(0)
    results: dict[str, Any] = {"appends": appends(given.seconds)}
    print("| database | gateways | waiting | entries/s |\n|---|---|---|---|")
    for one in results["appends"]:
        print(f"| {one['database']} | {one['gateways']} | {one['waiting']} | {one['per_second']:,.0f} |")
    results["cost"] = cost(given.seconds, given.rounds)
    print(
        "the log's cost to an exchange / บันทึกใช้ไป: {share:.0%} of its throughput, {share_of_cpu:.0%} of its CPU time "
        "({with_log:,.0f}/s with it, {without:,.0f}/s with a store that keeps nothing; goal: under 35 %)".format(
            **results["cost"]
        )
    )
    results["verify"] = verify(given.entries)
    os.sched_setaffinity(0, everywhere)
    found = results["verify"]
    print(
        f"verification of {given.entries:,} entries, one core / ตรวจสอบ: tree {found['tree']['per_second']:,.0f}/s "
        f"(goal: 200,000), with every entry opened {found['opened']['per_second']:,.0f}/s"
    )
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
