"""`make soak MINUTES=n`: a gateway under mixed load for so long; its sources fail, and consents come and go.

Two workers on PostgreSQL. Each minute says what was asked, what went wrong, and what each process holds in memory;
at the end all that the clients were told is compared with the log, and the log is verified. 1 where something does
not hold. Bounded by eight hours.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench.systems import memory_mb
from gateway.client import Answer, ClientError
from gateway.store.migrate import upgrade
from tests.chaos.between import database
from tests.chaos.world import Told, World
from tests.consents.desk_of_consents import ADULT, Office, codes_of
from tests.harness import PERSON, running

MOST_MINUTES = 480
FAULTS = ("error_500", "late", "half", "wrong_schema", "unavailable", "never")
MEANWHILE = ("ok", "denied", "agency_unavailable", "agency_misbehaved", "agency_timeout")
"""What clients may be told where the database lives and some source does not."""


class Trouble(threading.Thread):
    """A source that fails for a second or two, again and again, and now and then for long enough to be left alone."""

    def __init__(self, world: World, stop: threading.Event) -> None:
        super().__init__()
        self._world, self._stop_it = world, stop
        self.times = 0

    def run(self) -> None:
        """Until told to stop; then all is well."""
        chance = random.Random(1)
        agency = self._world.agencies["dopa"]
        while not self._stop_it.wait(chance.uniform(2, 6)):
            agency.fault(chance.choice(FAULTS), seconds=0.3)
            self.times += 1
            self._stop_it.wait(chance.uniform(0.5, 2))
            agency.fault("none")
        agency.fault("none")


class Desk(threading.Thread):
    """An office that takes a consent, asks on it, withdraws it, and is refused from then on."""

    def __init__(self, world: World, stop: threading.Event) -> None:
        super().__init__()
        self._world, self._stop_it = world, stop
        self._office = Office(world.gateway)
        self._office.open()
        self._purpose = self._office.own()
        self.rounds = 0
        self.wrong: Counter[str] = Counter()

    def run(self) -> None:
        """Round after round, one a second at most."""
        while not self._stop_it.wait(1):
            try:
                self._round()
                self.rounds += 1
            except (ClientError, LookupError, ValueError) as trouble:
                self.wrong[type(trouble).__name__] += 1

    def _round(self) -> None:
        consent = self._office.give(self._purpose, ADULT)["consent"]["id"]
        self._seen(self._office.ask(self._purpose), set())
        self._office.change(consent, "withdraw")
        self._seen(self._office.ask(self._purpose), {"consent_withdrawn", "consent_required"})

    def _seen(self, result: Any, wanted: set[str]) -> None:
        if isinstance(result, Answer):
            self._world.told.append(Told(200, "ok", result.exchange_id, PERSON, time.monotonic(), 0.0))
            self.wrong["answered without a consent"] += bool(wanted)
        elif result.status == 403 and not codes_of(result) & wanted:
            self.wrong[result.code] += 1


def main() -> int:
    """Runs it. 1 where the log does not hold, or clients were told what they should not have been."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("minutes", type=float)
    minutes = min(parser.parse_args().minutes, MOST_MINUTES)
    with tempfile.TemporaryDirectory(prefix="linkage-soak-") as folder, database() as (_, _, url):
        upgrade(url)
        settings: dict[str, Any] = {"LINKAGE_DATABASE_URL": url, "LINKAGE_WORKERS": 2, "LINKAGE_BREAKER_SECONDS": 1}
        with running(Path(folder), **settings) as (gateway, agencies):
            return _soak(World(gateway, agencies, url), minutes)


def _soak(world: World, minutes: float) -> int:
    stop = threading.Event()
    trouble, desk = Trouble(world, stop), Desk(world, stop)
    assert world.gateway.process is not None
    pid, until, seen = world.gateway.process.pid, time.monotonic() + minutes * 60, 0
    with world.load(8):
        trouble.start()
        desk.start()
        try:
            while (left := until - time.monotonic()) > 0:
                time.sleep(min(60.0, left))
                told, seen = world.told[seen:], len(world.told)
                codes = Counter(each.code for each in told)
                slowest = max((each.seconds for each in told), default=0.0)
                memory = " + ".join(f"{each:.0f}" for each in memory_mb(pid))
                print(
                    f"{time.strftime('%H:%M:%S')}  {len(told):>7,} asked  {memory} MB  slowest {slowest:.2f} s  "
                    f"{trouble.times} faults  {desk.rounds} consents  {dict(codes)}",
                    flush=True,
                )
        finally:
            stop.set()
            trouble.join()
            desk.join()
    wrong = Counter(told.code for told in world.told if told.code not in MEANWHILE) + desk.wrong
    world.holds(closed=True)
    print(f"  what should not have been: {dict(wrong) or 'nothing'}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
