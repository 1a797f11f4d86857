"""`make bench`: this gateway and others, side by side in one run, one core to the system under test.

    --only KEYS        some systems: source bare express fast fast-key fast-cache envoy envoy-cache gateway
                       gateway-dpop gateway-postgres gateway-postgres-dpop gateway-workers; 'gateway*' is all of ours
    --in-flight 32     some loads; --slow leaves in only, --no-slow leaves out, the sources that take their time
    --seconds --rounds how long each measurement takes, and how many of each there are
    --publish          writes docs/bench.md, and what the READMEs quote of it

Rounds are interleaved, so that a noisy machine is noisy for all alike; the median round counts. Ratios are what to
read. Everything is on loopback, and ends with the command. What is fetched lies in bench-result/peers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench import gateways, peers, report
from bench.checking import check, logged
from bench.gateways import ASKS, CLIENT, DIRECT, ROOM, Source, bearer, posts
from bench.measuring import Case, Measuring, Row
from bench.peers import Front, NotHad, Peer
from bench.starting import to_ready
from bench.systems import Others, System, memory_mb
from tests.databases import postgres
from tests.harness import RunningGateway

IN_FLIGHT = (1, 32, 128)
SLOW = tuple(Case(in_flight, delay) for delay in (50, 500) for in_flight in (128, 512))
PROXIES: dict[str, tuple[str, Callable[[Front], AbstractContextManager[Peer]]]] = {
    "bare": ("FastAPI + httpx, nothing else", peers.passthrough),
    "express": ("express-gateway: token, log", peers.express_gateway),
    "fast": ("fast-gateway: token, log", peers.fast_gateway),
    "fast-key": ("fast-gateway: token (key read once), log", partial(peers.fast_gateway, tokens="key")),
    "fast-cache": ("fast-gateway: token (cached), log", partial(peers.fast_gateway, tokens="cache")),
    "envoy": ("Envoy: token, RBAC, log", peers.envoy),
    "envoy-cache": ("Envoy: token (cached), RBAC, log", partial(peers.envoy, cache=True)),
}
BESIDE = ("fast-key", "fast-cache", "envoy-cache")
"""Set up otherwise than their documentation has it, to see what it makes: at the judged load only."""


@dataclass(slots=True)
class Bench:
    """What runs, and what there is to say about it."""

    only: tuple[str, ...]
    folder: Path
    stack: ExitStack
    systems: list[System] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def wanted(self, key: str) -> bool:
        """Whether --only lets it in."""
        return not self.only or any(fnmatch(key, each) for each in self.only)

    def left_out(self, name: str, why: object) -> None:
        """Notes that something could not be measured."""
        self.notes.append(f"{name} is left out: {why}.")
        say(self.notes[-1])

    def start(self) -> tuple[Source, RunningGateway, System]:
        """Everything that is wanted, and the source and the gateway that always are."""
        source = self.stack.enter_context(gateways.source())
        key = {"X-API-Key": peers.SOURCE_KEY}
        direct = System(
            "source",
            "source directly",
            source.port,
            source.process.pid,
            lambda _: posts("/api/person", key, DIRECT),
            slow=False,
        )
        gateway = self.stack.enter_context(gateways.gateway("sqlite", source, self.folder / "sqlite"))
        if self.wanted("source"):
            self.systems.append(direct)
        self._peers(source, gateway)
        self._ours("gateway", "this gateway, SQLite", gateway)
        self._on_postgres(source)
        return source, gateway, direct

    def _peers(self, source: Source, gateway: RunningGateway) -> None:
        keys = httpx.get(f"{gateway.url}/.well-known/jwks.json", trust_env=False).json()["keys"]
        jwk = next(each for each in keys if each["alg"] == "ES256")
        logs = self.folder / "peers"
        logs.mkdir()
        front = Front(source.url, gateway.url, CLIENT, jwk, logs)
        for key, (name, make) in PROXIES.items():
            if not self.wanted(key):
                continue
            say(f"starting {name}")
            try:
                peer = self.stack.enter_context(make(front))
            except NotHad as why:
                self.left_out(name, why)
                continue
            path, bodies = ("/v1/exchanges", ASKS) if key == "bare" else ("/api/person", DIRECT)
            requests = _fresh_bearer(gateway, path, bodies)
            self.systems.append(
                System(
                    key,
                    name,
                    peer.port,
                    peer.pid,
                    requests,
                    peer.version,
                    log=peer.log,
                    slow=key not in BESIDE,
                    only=report.JUDGED if key in BESIDE else None,
                )
            )

    def _ours(self, key: str, name: str, gateway: RunningGateway, **more: Any) -> None:
        """With bearer tokens, and with tokens that are bound to a key and a proof for each request."""
        assert gateway.process is not None
        where = gateway.port, gateway.process.pid
        if self.wanted(key):
            self.systems.append(
                System(key, f"{name}, bearer", *where, _fresh_bearer(gateway, "/v1/exchanges", ASKS), **more)
            )
        if self.wanted(f"{key}-dpop"):
            proven = partial(gateways.dpop, gateway)
            self.systems.append(
                System(f"{key}-dpop", f"{name}, DPoP", *where, proven, **{**more, "once": True, "slow": False})
            )

    def _on_postgres(self, source: Source) -> None:
        keys = ("gateway-postgres", "gateway-postgres-dpop", "gateway-workers")
        if not any(self.wanted(key) for key in keys):
            return
        try:
            beside = gateways.postmaster(postgres())
        except pytest.skip.Exception as why:
            self.left_out("this gateway on PostgreSQL", why)
            return
        self.notes.append(f"PostgreSQL: {gateways.postgres_settings(postgres())}.")
        if self.wanted(keys[0]) or self.wanted(keys[1]):
            say("starting this gateway on PostgreSQL")
            one = self.stack.enter_context(gateways.gateway("postgresql", source, self.folder / "postgres"))
            self._ours("gateway-postgres", "this gateway, PostgreSQL", one, beside=beside, slow=False)
        if self.wanted(keys[2]):
            self._workers(source, beside)

    def _workers(self, source: Source, beside: int) -> None:
        if not gateways.has_workers():
            self.left_out("this gateway with two workers", "linkage serve has no --workers")
            return
        say("starting this gateway with two workers")
        two = self.stack.enter_context(gateways.gateway("postgresql", source, self.folder / "workers", workers=2))
        assert two.process is not None
        requests = _fresh_bearer(two, "/v1/exchanges", ASKS)
        name = "this gateway, PostgreSQL, two workers, bearer"
        where = two.port, two.process.pid
        self.systems.append(System("gateway-workers", name, *where, requests, beside=beside, spread=True))


def main() -> int:
    """Runs it, prints the tables, and writes the result file."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="keys of systems, with commas between")
    parser.add_argument("--in-flight", default="", help="some of 1,32,128, with commas between")
    parser.add_argument("--slow", action=argparse.BooleanOptionalAction, help="only, or not at all, slow sources")
    parser.add_argument("--publish", action="store_true", help="writes docs/bench.md and the READMEs' table")
    given = parser.parse_args()
    if not sys.platform.startswith("linux"):
        raise SystemExit("the bench puts processes on cores and reads /proc: it needs Linux")
    only = tuple(part.strip() for part in given.only.split(",") if part.strip())
    loads = [int(part) for part in given.in_flight.split(",") if part.strip()] or IN_FLIGHT
    fast = [] if given.slow else [Case(in_flight) for in_flight in loads]
    slow = [] if given.slow is False or (given.in_flight and not given.slow) else SLOW
    with tempfile.TemporaryDirectory(prefix="linkage-bench-") as folder, ExitStack() as stack:
        bench = Bench(only, Path(folder), stack)
        source, gateway, direct = bench.start()
        for system in bench.systems:
            check(system)
        measuring = Measuring(direct, source.delay)
        others = Others([system.beside for system in bench.systems if system.beside])
        rows = measuring.rounds(bench.systems, fast, given.rounds, given.seconds, say)
        behind_slow = [system for system in bench.systems if system.slow]
        rows += measuring.rounds(behind_slow, slow, max(1, given.rounds - 1), max(given.seconds, 2.0), say)
        bench.notes += [_others(others.share()), *_headroom(rows), *SAID]
        faults = [fault for system in bench.systems for fault in logged(system, measuring.sent)]
        memory = {system.key: _held(system, bench.systems, measuring.sent) for system in bench.systems}
        start = to_ready(gateway) if bench.wanted("gateway") else None
    errors = sum(row.errors for row in rows)
    result = {
        "when": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": _machine(),
        "rounds": given.rounds,
        "seconds": given.seconds,
        "rows": [row.as_json() for row in rows],
        "memory": memory,
        "start": start,
        "notes": [*bench.notes, *faults],
        "versions": _versions(bench.systems),
    }
    report.RESULTS.mkdir(parents=True, exist_ok=True)
    report.BENCH.write_text(json.dumps(result, indent=2) + "\n")
    print(report.told(report.Result(result)))
    if given.publish:
        report.publish()
    return 1 if errors or faults else 0


SAID = (
    "PostgreSQL's own processes are on the other core, with the source and the load. Two workers may use both cores.",
    f"This gateway is started by `linkage serve`, with {', '.join(f'{name}={value}' for name, value in ROOM.items())} "
    "and as many connections to the source: everything here is put on one.",
    "fast-gateway checks tokens as its documentation has it, with express-jwt and the key as PEM, which reads the key "
    "anew each time; Envoy as it does by itself, each time anew. The rows beside them show the key read once, and "
    "checked tokens kept: fast-jwt's cache, Envoy's jwt_cache_config. This gateway keeps checked tokens.",
)


def _held(system: System, systems: Sequence[System], sent: dict[str, int]) -> dict[str, Any]:
    """Each of its processes' memory, and how many requests they had, under whatever name they were measured."""
    had = sum(sent.get(each.key, 0) for each in systems if each.pid == system.pid)
    return {"mb": memory_mb(system.pid), "requests": had}


def _others(share: float) -> str:
    return (
        f"Other processes used {share:.0%} of the machine while this ran. Where that is much, CPU time is what to go "
        "by: requests/s and times then say how a system gets along with others."
    ).replace("%", " %")


def _headroom(rows: Sequence[Row]) -> list[str]:
    """That neither source nor load is what is measured: how far the source directly is above the best of the others."""
    at_once = [row for row in rows if not row.delay_ms and row.in_flight == report.JUDGED]
    direct = [row.per_second for row in at_once if row.key == "source"]
    best = max((row.per_second for row in at_once if row.key != "source"), default=0.0)
    if not direct or not best:
        return []
    return [f"The source directly does {direct[0] / best:.1f} times what the fastest of the others does."]


def say(text: str) -> None:
    """Progress, beside the tables."""
    print(text, file=sys.stderr, flush=True)


def _fresh_bearer(gateway: RunningGateway, path: str, bodies: Sequence[bytes]) -> Callable[[int], list[bytes]]:
    """Requests with a token fetched just now: one holds ten minutes, a bench may take longer."""
    return lambda _: posts(path, bearer(gateway), bodies)


def _machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores of {model}, {platform.system()} {'.'.join(platform.release().split('.')[:2])}"


def _versions(systems: Sequence[System]) -> dict[str, str]:
    packages = ("aiohttp", "cedarpy", "cryptography", "fastapi", "joserfc", "orjson", "psycopg", "uvicorn", "uvloop")
    ours = ", ".join(f"{name} {version(name)}" for name in packages)
    return {"this gateway": f"Python {platform.python_version()}, {ours}"} | {
        system.name: system.version for system in systems if system.version
    }


if __name__ == "__main__":
    sys.exit(main())
