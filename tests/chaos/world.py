"""A gateway under load, what its clients were told, and whether the log says the same after all that went wrong.

`CHAOS=whole` (`make chaos`) does everything, and more of it; without it a part runs, in seconds.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from connectors import population
from gateway.store import Connection
from tests.acceptance.trail import OUTCOMES, the_log_holds, wait_for
from tests.harness import COVER, OLD_AGE, PERSON, Agency, RunningGateway, token_of

WHOLE = os.environ.get("CHAOS") == "whole"
ELDER = population.story("elder")
ANSWERED = {"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE}
COVERED = {"service": COVER, "citizen_id": ELDER, "purpose": "health.coverage-check"}
DENIED = {"service": PERSON, "citizen_id": ELDER, "purpose": "welfare.disability-allowance"}
MIXED = (ANSWERED, COVERED, ANSWERED, DENIED)
BROKEN = 0
"""In place of a status: the connection broke before the answer was there."""
TOKEN_SECONDS = 240
LONGEST = 40.0


@dataclass(frozen=True, slots=True)
class Told:
    """What one client was told of one question. `seconds`: how long it took."""

    status: int
    code: str
    exchange: str | None
    service: str
    at: float
    seconds: float


@dataclass
class World:
    """A gateway with its agencies; `told` grows under load, and `entries` with each look at the log."""

    gateway: RunningGateway
    agencies: dict[str, Agency]
    url: str
    told: list[Told] = field(default_factory=list)
    entries: int = 0
    ends: dict[str, list[str]] = field(default_factory=dict)
    """Each exchange's end, an empty list where it is decided and has none, by its id."""

    @contextmanager
    def load(self, at_once: int = 6, questions: tuple[dict[str, Any], ...] = MIXED) -> Iterator[None]:
        """Questions without end meanwhile, over kept connections; it begins when some are answered."""
        stop, number, before = threading.Event(), itertools.count(), len(self.told)
        threads = [threading.Thread(target=self._asks, args=(stop, number, questions)) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        try:
            wait_for(lambda: len(self.told) >= before + 2 * at_once)
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _asks(self, stop: threading.Event, number: Iterator[int], questions: tuple[dict[str, Any], ...]) -> None:
        token, since = "", float("-inf")
        wire = httpx.Client(trust_env=False, timeout=LONGEST)
        while not stop.is_set():
            question, begun = questions[next(number) % len(questions)], time.monotonic()
            try:
                if begun - since > TOKEN_SECONDS:
                    token, since = token_of(self.gateway, "city-a-welfare"), begun
                response = wire.post(
                    f"{self.gateway.url}/v1/exchanges", json=question, headers={"authorization": f"Bearer {token}"}
                )
                body = response.json()
                status, code, exchange = response.status_code, body.get("code", "ok"), body.get("exchange_id")
            except httpx.HTTPError:
                wire.close()
                wire = httpx.Client(trust_env=False, timeout=LONGEST)
                status, code, exchange = BROKEN, "broken", None
            moment = time.monotonic()
            self.told.append(Told(status, code, exchange, question["service"], moment, moment - begun))
            if status == 401:
                since = float("-inf")
            if status not in (200, 403):
                stop.wait(0.2 if status == BROKEN else 0.05)
        wire.close()

    def answered_since(self, moment: float, service: str = PERSON) -> bool:
        """Whether a question to `service` has been answered that was asked after `moment`."""
        return any(t.status == 200 and t.service == service and t.at - t.seconds >= moment for t in self.told[-500:])

    def told_since(self, moment: float) -> Counter[str]:
        """What questions asked after `moment` came to, by code."""
        return Counter(t.code for t in self.told if t.at - t.seconds >= moment)

    def ready(self) -> bool:
        """What /readyz says, from whichever worker."""
        try:
            return httpx.get(f"{self.gateway.url}/readyz", trust_env=False, timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def recovers(self, what: str, *, service: str = PERSON, seconds: float = 60) -> None:
        """From now on it becomes ready and answers, by itself, under load; prints how long it took."""
        begun = time.monotonic()
        wait_for(self.ready, seconds)
        ready = time.monotonic() - begun
        wait_for(lambda: self.answered_since(begun, service), seconds)
        took = time.monotonic() - begun
        print(f"\n  {what}: ready after {ready:.2f} s, the first answer after {took:.2f} s", flush=True)

    def holds(self, *, closed: bool = False) -> None:
        """Without load: what the clients were told and the log agree, no entry is lost or doubled, the log verifies.

        `closed`: waits until no exchange is open any more, which the gateway sees to by itself.
        """
        if closed:
            wait_for(lambda: not self._open(), 90)
        self._read_entries()
        open_now = self._open()
        assert {exchange for exchange, ends in self.ends.items() if not ends} == open_now
        assert all(len(ends) <= 1 for ends in self.ends.values())
        answered = [told.exchange for told in self.told if told.status == 200]
        assert len(set(answered)) == len(answered)
        for told in self.told:
            ends = self.ends.get(told.exchange or "", [])
            if told.status == 200:
                assert ends == ["released"], told
            elif told.status == 403:
                assert ends == ["refused"], told
            elif told.exchange and told.code != "log_unavailable":
                # The log may have failed after it had written the outcome: nobody got that answer.
                assert "released" not in ends, told
        unread = {exchange for exchange, ends in self.ends.items() if ends == ["released"]} - set(answered)
        unsure = sum(told.status == BROKEN or told.code == "log_unavailable" for told in self.told)
        assert len(unread) <= unsure, "answers were released that no client asked for"
        the_log_holds(self.gateway, self.url)
        print(
            f"  {len(self.told)} told, {len(answered)} answered, {len(unread)} released to nobody, "
            f"{self.entries} entries, {len(open_now)} open: the log holds",
            flush=True,
        )

    def _open(self) -> set[str]:
        with closing(Connection(self.url, read_only=True)) as connection:
            return {row[0] for row in connection.rows("SELECT exchange FROM open_exchanges")}

    def _read_entries(self) -> None:
        """The entries since the last look: gapless, and each exchange's as they may follow each other."""
        with self.gateway.as_("auditor") as auditor:
            following: int | None = self.entries
            while following is not None:
                page = auditor.entries(after=following, limit=500)
                for entry in page["entries"]:
                    assert entry["index"] == self.entries
                    self.entries += 1
                    self._follow(entry["public"]["kind"].removeprefix("exchange."), entry["public"]["exchange"])
                following = page["next"]

    def _follow(self, kind: str, exchange: str) -> None:
        if kind in ("decided", "refused"):
            assert exchange not in self.ends, "an exchange was decided twice"
            self.ends[exchange] = [kind] if kind == "refused" else []
        elif kind in OUTCOMES:
            self.ends[exchange].append(kind)


def locked(world: World) -> sqlite3.Connection:
    """The embedded database's own lock, taken by another process than the gateway; ROLLBACK gives it back."""
    other = sqlite3.connect(world.gateway.state / "gateway" / "linkage.db", isolation_level=None, timeout=5)
    other.execute("BEGIN EXCLUSIVE")
    return other
