"""The same exchange with its log and without: a whole gateway over a store that keeps, and over one that keeps nothing.

The store that keeps nothing exists here only: it is put in place in the process that this bench starts.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.gateways import ASKS, bearer, posts
from bench.load import measure
from bench.systems import cpu_seconds
from gateway.store import Appended, Change, Draft, Store
from tests.harness import ROOT, Agency, RunningGateway, seed


class KeepsNothing(Store):
    """Takes an append and forgets it, so that what is left is the exchange without its log."""

    async def append(
        self, entries: Sequence[Draft], changes: Sequence[Change] = (), unless: Mapping[str, int] | None = None
    ) -> Appended:
        """Nothing is kept, counted or checked."""
        return Appended(tuple(0 for _ in entries), tuple(bytes(32) for _ in entries))


def serve_without_log() -> None:
    """`serve`, in the process that is to have no log."""
    import gateway.app
    from gateway.settings import Settings

    gateway.app.Store = KeepsNothing  # type: ignore[attr-defined]
    gateway.app.serve(Settings())


def rounds_of(folder: Path, seconds: float, rounds: int, in_flight: int) -> dict[str, list[tuple[float, float]]]:
    """(exchanges a second over HTTP, CPU seconds each), `log` and `nothing`, in turn; one core to the gateway."""
    held: dict[str, list[tuple[float, float]]] = {"log": [], "nothing": []}
    cores = sorted(os.sched_getaffinity(0))
    agency, gateway = Agency("dopa", folder / "sandbox"), RunningGateway(folder)
    nhso = Agency("nhso", folder / "sandbox-nhso")
    try:
        gateway.initialise()
        gateway.start()
        seed(gateway, {"dopa": agency, "nhso": nhso})
        gateway.stop()
        for _ in range(rounds):
            for kind, figures in held.items():
                if kind == "log":
                    gateway.start()
                else:
                    _start_without_log(gateway)
                assert gateway.process is not None
                for thread in Path(f"/proc/{gateway.process.pid}/task").iterdir():
                    os.sched_setaffinity(int(thread.name), {cores[0]})
                requests = posts("/v1/exchanges", bearer(gateway), ASKS)
                measure(gateway.port, requests, in_flight, 0.5)
                before = cpu_seconds(gateway.process.pid)
                measured = measure(gateway.port, requests, in_flight, seconds)
                spent = cpu_seconds(gateway.process.pid) - before
                if measured.errors:
                    raise SystemExit(f"{measured.errors} of {measured.requests} exchanges failed")
                figures.append((measured.per_second, spent / measured.requests))
                gateway.stop()
    finally:
        gateway.stop()
        agency.stop()
        nhso.stop()
    return held


def _start_without_log(gateway: RunningGateway) -> None:
    code = "from bench.log_exchange import serve_without_log; serve_without_log()"
    with (gateway.output / "without-log").open("wb") as output:
        gateway.process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, env=gateway.environment, stdout=output, stderr=output
        )
    gateway.wait_ready()
