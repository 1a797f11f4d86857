"""`make bench`: this gateway and others, side by side in one run, one core to the system under test.

    --only KEYS        some systems: source bare express fast fast-cache envoy envoy-cache gateway gateway-…
                       (a key stands for all that begin with it and a dash)
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
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench import gateways, peers, report
from bench.gateways import ASKS, CLIENT, DIRECT, Source, bearer, posts
from bench.measuring import Case, Measuring
from bench.peers import Front, NotHad, Peer
from bench.starting import to_ready
from bench.systems import System, memory_mb
from tests.databases import postgres
from tests.harness import RunningGateway

IN_FLIGHT = (1, 32, 128)
SLOW = tuple(Case(in_flight, delay) for delay in (50, 500) for in_flight in (128, 512))
PROXIES: dict[str, tuple[str, Callable[[Front], AbstractContextManager[Peer]]]] = {
    "bare": ("FastAPI + httpx, nothing else", peers.passthrough),
    "express": ("express-gateway: token, log", peers.express_gateway),
    "fast": ("fast-gateway: token, log", peers.fast_gateway),
    "fast-cache": ("fast-gateway: token (cached), log", partial(peers.fast_gateway, cache=True)),
    "envoy": ("Envoy: token, RBAC, log", peers.envoy),
    "envoy-cache": ("Envoy: token (cached), RBAC, log", partial(peers.envoy, cache=True)),
}


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
        return not self.only or any(key == each or key.startswith(f"{each}-") for each in self.only)

    def left_out(self, name: str, why: object) -> None:
        """Notes that something could not be measured."""
        self.notes.append(f"{name} is left out: {why}.")
        say(self.notes[-1])

    def start(self) -> tuple[Source, RunningGateway, System]:
        """Everything that is wanted, and the source and the gateway that always are."""
        source = self.stack.enter_context(gateways.source())
        key = {"X-API-Key": peers.SOURCE_KEY}
        direct = System(
            "source", "source directly", source.port, source.process.pid, lambda _: posts("/api/person", key, DIRECT)
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
            slow = not key.endswith("-cache")
            self.systems.append(System(key, name, peer.port, peer.pid, requests, peer.version, log=peer.log, slow=slow))

    def _ours(self, key: str, name: str, gateway: RunningGateway, **more: Any) -> None:
        assert gateway.process is not None
        if self.wanted(key):
            requests = _fresh_bearer(gateway, "/v1/exchanges", ASKS)
            self.systems.append(System(key, f"{name}, bearer", gateway.port, gateway.process.pid, requests, **more))

    def _on_postgres(self, source: Source) -> None:
        if not self.wanted("gateway-postgres"):
            return
        try:
            beside = gateways.postmaster(postgres())
        except pytest.skip.Exception as why:
            self.left_out("this gateway on PostgreSQL", why)
            return
        say("starting this gateway on PostgreSQL")
        gateway = self.stack.enter_context(gateways.gateway("postgresql", source, self.folder / "postgres"))
        self._ours("gateway-postgres", "this gateway, PostgreSQL", gateway, beside=beside, slow=False)
        self.notes.append("PostgreSQL's own processes are on the other core, with the source and the load.")


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
        rows = measuring.rounds(bench.systems, fast, given.rounds, given.seconds, say)
        behind_slow = [system for system in bench.systems if system.slow]
        rows += measuring.rounds(behind_slow, slow, max(1, given.rounds - 1), max(given.seconds, 2.0), say)
        faults = [fault for system in bench.systems for fault in logged(system, measuring.sent)]
        memory = {
            system.key: {"mb": memory_mb(system.pid), "requests": measuring.sent.get(system.key, 0)}
            for system in bench.systems
        }
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


def check(system: System) -> None:
    """That it does what we claim of it: the record comes, and only with a good token (the source: its key)."""
    url = f"http://127.0.0.1:{system.port}"
    good = _send(url, system.requests(1)[0])
    if good.status_code != 200 or not ("data" in good.json() or "personalID" in good.json()):
        raise SystemExit(f"{system.name} does not answer as it should: {good.status_code}")
    if system.key == "bare":
        return
    for spoil in (_spoilt, _without):
        refused = _send(url, system.requests(1)[0], spoil)
        if refused.status_code != 401:
            raise SystemExit(f"{system.name} takes a request {spoil.__doc__}: {refused.status_code}")


def logged(system: System, sent: dict[str, int]) -> list[str]:
    """What is wrong with its log, if it has one: each request left a line (some are still to be flushed: 10 s)."""
    if system.log is None:
        return []
    deadline = datetime.now(UTC).timestamp() + 12
    lines, wanted = 0, sent.get(system.key, 0)
    while lines < wanted and datetime.now(UTC).timestamp() < deadline:
        lines = system.log.read_bytes().count(b"\n")
    return [] if lines >= wanted else [f"{system.name} logged {lines:,} of {wanted:,} requests."]


def say(text: str) -> None:
    """Progress, beside the tables."""
    print(text, file=sys.stderr, flush=True)


def _fresh_bearer(gateway: RunningGateway, path: str, bodies: Sequence[bytes]) -> Callable[[int], list[bytes]]:
    """Requests with a token fetched just now: one holds ten minutes, a bench may take longer."""
    return lambda _: posts(path, bearer(gateway), bodies)


def _send(url: str, request: bytes, spoil: Callable[[dict[str, str]], None] | None = None) -> httpx.Response:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    if spoil is not None:
        spoil(headers)
    method, path, _ = first.split(" ")
    return httpx.request(method, url + path, headers=headers, content=body, trust_env=False, timeout=30)


def _spoilt(headers: dict[str, str]) -> None:
    """with a spoilt token"""
    name = "Authorization" if "Authorization" in headers else "X-API-Key"
    headers[name] = headers[name][:-20] + "".join("A" if each != "A" else "B" for each in headers[name][-20:])


def _without(headers: dict[str, str]) -> None:
    """without a token"""
    headers.pop("Authorization", None)
    headers.pop("X-API-Key", None)


def _machine() -> str:
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    return f"{os.cpu_count()} cores of {model}, {platform.system()} {platform.release()}"


def _versions(systems: Sequence[System]) -> dict[str, str]:
    packages = ("aiohttp", "cedarpy", "cryptography", "fastapi", "joserfc", "orjson", "psycopg", "uvicorn", "uvloop")
    ours = ", ".join(f"{name} {version(name)}" for name in packages)
    return {"this gateway": f"Python {platform.python_version()}, {ours}"} | {
        system.name: system.version for system in systems if system.version
    }


if __name__ == "__main__":
    sys.exit(main())
