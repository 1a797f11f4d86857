"""How long `linkage serve` takes from its start until /readyz says that it is ready."""

from __future__ import annotations

import http.client
import statistics
import subprocess
import time

from bench.gateways import serve_command
from bench.systems import cpu_seconds
from tests.harness import ROOT, RunningGateway, end

TIMES = 5


def to_ready(gateway: RunningGateway) -> dict[str, float]:
    """`seconds`, and `cpu_seconds` used: medians of five starts on the state of a gateway that has worked.

    That one is stopped for it.
    """
    gateway.stop()
    times = [_once(gateway) for _ in range(TIMES)]
    return {
        "seconds": statistics.median(seconds for seconds, _ in times),
        "cpu_seconds": statistics.median(cpu for _, cpu in times),
    }


def _once(gateway: RunningGateway) -> tuple[float, float]:
    begun = time.perf_counter()
    process = subprocess.Popen(
        serve_command(), cwd=ROOT, env=gateway.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not _ready(gateway.port):
            if process.poll() is not None or time.perf_counter() - begun > 60:
                raise RuntimeError("the gateway does not start")
            time.sleep(0.005)
        return time.perf_counter() - begun, cpu_seconds(process.pid)
    finally:
        end(process)


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
