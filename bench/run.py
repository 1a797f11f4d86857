"""`make bench`: requests/s and times, side by side in one run, one core to the system under test.

The source directly; a bare FastAPI + httpx pass-through; this gateway, complete. Rounds are interleaved, so
that a noisy machine is noisy for all alike; the median round counts. Ratios are what to read.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import uvloop

from bench.load import Figures, measure, request_bytes
from connectors.population import population
from tests.harness import OLD_AGE, PERSON, ROOT, SANDBOX_KEYS, Agency, end, free_port, running, token_of

IN_FLIGHT = (1, 32, 64)
PEOPLE = 500


@dataclass(frozen=True, slots=True)
class System:
    """One system under test: its port, its process, and what it is sent."""

    name: str
    port: int
    pid: int
    requests: list[bytes]

    def cpu_seconds(self) -> float:
        """The process's user and system time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def pin(pid: int, core: int) -> None:
    """All threads of a process on one core."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), {core})


@contextmanager
def passthrough(source: Agency) -> Iterator[tuple[int, int]]:
    """(port, pid) of the bare proxy."""
    port = free_port()
    environment = {**os.environ, **SANDBOX_KEYS, "BENCH_SOURCE": source.url}
    command = [sys.executable, "-m", "uvicorn", "bench.passthrough:app", "--port", str(port), "--no-access-log"]
    process = subprocess.Popen([*command, "--log-level", "warning"], cwd=ROOT, env=environment)
    try:
        for _ in range(200):
            try:
                httpx.get(f"http://127.0.0.1:{port}/", trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.05)
        yield port, process.pid
    finally:
        end(process)


def main() -> None:
    """Runs it and prints the table; writes it, with machine and versions, to the file of --out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=ROOT / "bench-result" / "bench.json")
    given = parser.parse_args()
    people = list(population())[:PEOPLE]
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as (gateway, agencies):
        source = agencies["dopa"]
        json_type = {"Content-Type": "application/json"}
        asks = [json.dumps({"service": PERSON, "citizen_id": person, "purpose": OLD_AGE}).encode() for person in people]
        direct = [json.dumps({"personalID": person}).encode() for person in people]
        bearer = {"Authorization": f"Bearer {token_of(gateway, 'city-a-welfare')}", **json_type}
        key = {"X-API-Key": SANDBOX_KEYS["SOURCE_DOPA__API_KEY"], **json_type}
        with passthrough(source) as (proxy_port, proxy_pid):
            systems = [
                System("source directly", source.port, source.process.pid, _post("/api/person", key, direct)),
                System("FastAPI + httpx", proxy_port, proxy_pid, _post("/v1/exchanges", json_type, asks)),
                System("this gateway", gateway.port, gateway.process.pid, _post("/v1/exchanges", bearer, asks)),
            ]
            results = _measure(systems, given.rounds, given.seconds)
    table = _table(systems, results)
    print(table)
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_text(json.dumps({"machine": _machine(), "results": results, "table": table}, indent=2) + "\n")


def _post(path: str, headers: dict[str, str], bodies: list[bytes]) -> list[bytes]:
    return [request_bytes("POST", path, "127.0.0.1", headers, body) for body in bodies]


def _measure(systems: list[System], rounds: int, seconds: float) -> dict[str, dict[str, Any]]:
    cores = sorted(os.sched_getaffinity(0))
    under_test, ours = cores[0], set(cores[1:]) or set(cores)
    os.sched_setaffinity(0, ours)
    held: dict[tuple[str, int], list[tuple[Figures, float]]] = {}
    for _ in range(rounds):
        for in_flight in IN_FLIGHT:
            for system in systems:
                pin(system.pid, under_test)
                if system.name != "source directly":
                    pin(systems[0].pid, max(ours))
                uvloop.run(measure(system.port, system.requests, in_flight, 0.3))
                before = system.cpu_seconds()
                figures = uvloop.run(measure(system.port, system.requests, in_flight, seconds))
                held.setdefault((system.name, in_flight), []).append((figures, system.cpu_seconds() - before))
    return {
        f"{name} @ {in_flight}": {
            "per_second": statistics.median(f.per_second for f, _ in runs),
            "p50_ms": statistics.median(f.p50 for f, _ in runs) * 1e3,
            "p99_ms": statistics.median(f.p99 for f, _ in runs) * 1e3,
            "cpu_us": statistics.median(cpu / f.requests for f, cpu in runs) * 1e6,
            "errors": sum(f.errors for f, _ in runs),
        }
        for (name, in_flight), runs in held.items()
    } | {f"{system.name} memory": {"mb": system.memory_mb()} for system in systems}


def _table(systems: list[System], results: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| system | in flight | requests/s | p50 ms | p99 ms | CPU µs a request | of the bare proxy | errors |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for in_flight in IN_FLIGHT:
        bare = results[f"FastAPI + httpx @ {in_flight}"]["per_second"]
        for system in systems:
            r = results[f"{system.name} @ {in_flight}"]
            lines.append(
                f"| {system.name} | {in_flight} | {r['per_second']:,.0f} | {r['p50_ms']:.2f} | {r['p99_ms']:.2f} | "
                f"{r['cpu_us']:,.0f} | {r['per_second'] / bare:.2f}× | {r['errors']} |"
            )
    return "\n".join(lines)


def _machine() -> dict[str, Any]:
    packages = ("fastapi", "httpx", "aiohttp", "uvicorn", "uvloop", "cedarpy", "orjson")
    return {
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in packages},
    }


if __name__ == "__main__":
    main()
