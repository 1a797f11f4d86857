"""`make bench`, its last table: with one source hanging, what is left of the throughput of the others.

A steady stream of questions goes to one source all the while; it answers them, or it takes them and never answers.
What is measured is another source at full load. So the two differ in nothing but that the one hangs: its questions
fill its places (`LINKAGE_MAX_PER_SOURCE`), are turned away, time out, open its breaker, try again.

    --seconds --rounds   how long each measurement takes, and how many of each there are, taken in turns
    --rate               questions a second to the one that hangs

Ends with 1 where the others keep less than LEAST of their throughput.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.load import measure, request_bytes
from bench.systems import pin
from connectors.population import population
from tests.harness import COVER, OLD_AGE, PERSON, Agency, RunningGateway, running, token_of

LEAST = 0.9
IN_FLIGHT = 32
PEOPLE = 300


def main() -> None:
    """Runs it, prints the table, and says by its exit code whether LEAST is kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="of each measurement: longer than a deadline (5)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=60, help="questions a second to the source that hangs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as (gateway, agencies):
        _apart(gateway, agencies)
        rates: dict[str, list[float]] = {"none": [], "never": []}
        told: dict[str, Counter[str]] = {"none": Counter(), "never": Counter()}
        _once(gateway, 1.0)
        for _ in range(given.rounds):
            for fault, found in rates.items():
                agencies["nhso"].fault(fault)
                _answering_again(gateway, fault)
                with asked_steadily(gateway, given.rate, told[fault]):
                    found.append(_once(gateway, given.seconds))
    healthy, hanging = (sum(each) / len(each) for each in rates.values())
    kept = hanging / healthy
    print("| the other source | requests/s of this one | what the other's askers are told |")
    print("|---|---|---|")
    for fault, name in (("none", "answers"), ("never", "hangs")):
        said = ", ".join(f"{code} × {count}" for code, count in sorted(told[fault].items()))
        print(f"| {name} | {sum(rates[fault]) / len(rates[fault]):,.0f} | {said} |")
    print(f"kept / ยังเหลือ: {kept:.1%} (at least {LEAST:.0%} is asked for)")
    sys.exit(0 if kept >= LEAST else 1)


@contextmanager
def asked_steadily(gateway: RunningGateway, rate: float, told: Counter[str]) -> Iterator[None]:
    """Questions to the other source, `rate` a second whatever becomes of them; counts what they are told."""
    token = token_of(gateway, "city-a-welfare")
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    people = list(population())[:PEOPLE]
    over = threading.Event()

    async def one(person: str) -> None:
        question = {"service": COVER, "citizen_id": person, "purpose": "health.coverage-check"}
        request = request_bytes("POST", "/v1/exchanges", headers, json.dumps(question).encode())
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = int(head.partition("content-length:")[2].partition("\r\n")[0])
            body = json.loads(await reader.readexactly(length))
            told[str(body.get("code", "answered"))] += 1
            writer.close()

    async def ask() -> None:
        begun, asked = time.monotonic(), 0
        tasks: set[asyncio.Task[None]] = set()
        while not over.is_set():
            while asked < (time.monotonic() - begun) * rate:
                task = asyncio.create_task(one(people[asked % len(people)]))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
                asked += 1
            await asyncio.sleep(0.005)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(ask()))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _once(gateway: RunningGateway, seconds: float) -> float:
    """Requests a second of the source that answers."""
    headers = {"Authorization": f"Bearer {token_of(gateway, 'city-a-welfare')}", "Content-Type": "application/json"}
    people = list(population())[:PEOPLE]
    asks = [json.dumps({"service": PERSON, "citizen_id": person, "purpose": OLD_AGE}).encode() for person in people]
    figures = measure(
        gateway.port, [request_bytes("POST", "/v1/exchanges", headers, ask) for ask in asks], IN_FLIGHT, seconds
    )
    if figures.errors:
        raise SystemExit(f"{figures.errors} of {figures.requests} questions to the source that answers failed")
    return figures.per_second


def _answering_again(gateway: RunningGateway, fault: str) -> None:
    """Waits until the other source is asked again after it hung: its breaker closed, nothing under way."""
    if fault != "none":
        return
    person = next(iter(population()))
    question: dict[str, Any] = {"service": COVER, "citizen_id": person, "purpose": "health.coverage-check"}
    until = time.monotonic() + 30
    with gateway.as_("city-a-welfare") as client:
        while time.monotonic() < until:
            with contextlib.suppress(Exception):
                client.exchange(**question)
                return
            time.sleep(0.2)
    raise SystemExit("the other source is not asked again")


def _apart(gateway: RunningGateway, agencies: dict[str, Agency]) -> None:
    """The gateway has one core to itself where there are two."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) > 1 and gateway.process is not None:
        pin(gateway.process.pid, {cores[0]})
        os.sched_setaffinity(0, set(cores[1:]))
        for agency in agencies.values():
            pin(agency.process.pid, set(cores[1:]))


if __name__ == "__main__":
    main()
