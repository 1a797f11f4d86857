"""Rounds of measurements, interleaved so that a noisy machine is noisy for all alike; the median round counts."""

from __future__ import annotations

import os
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass

from bench.load import Figures, measure
from bench.systems import System, cpu_seconds, pin

WARM = 0.3
"""Seconds of load before each measurement: connections are made."""
WARM_FIRST = 1.5
"""Seconds of load before the first: what compiles as it runs has done so."""


@dataclass(frozen=True, slots=True)
class Case:
    """A load: how many requests at once, and how long the source takes, in milliseconds."""

    in_flight: int
    delay_ms: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One system under one load. Times as the name says; `beside_us`: the database server's CPU, where it has one."""

    key: str
    name: str
    delay_ms: int
    in_flight: int
    per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    cpu_us: float
    beside_us: float | None
    wrong: dict[str, int]
    requests: int

    @property
    def errors(self) -> int:
        """How many were not answered 200."""
        return sum(self.wrong.values())

    def as_json(self) -> dict[str, object]:
        """As it stands in the result file."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Run:
    figures: Figures
    cpu: float
    beside: float


class Measuring:
    """`under_test`: the core of the system under test; `ours`: those of source, load and database server."""

    def __init__(self, source: System, delay: Callable[[float], None]) -> None:
        cores = sorted(os.sched_getaffinity(0))
        self._all = set(cores)
        self._under_test = {cores[0]}
        self._ours = set(cores[1:]) or set(cores)
        self._source = source
        self._delay = delay
        self._rates: dict[tuple[str, Case], float] = {}
        self.sent: dict[str, int] = {}
        os.sched_setaffinity(0, self._ours)

    def rounds(
        self, systems: Sequence[System], cases: Iterable[Case], rounds: int, seconds: float, say: Callable[[str], None]
    ) -> list[Row]:
        """A row for each system and case, case by case in the order given."""
        cases = list(cases)
        held: dict[tuple[Case, System], list[_Run]] = {
            (case, system): [] for case in cases for system in systems if system.only in (None, case.in_flight)
        }
        for system in systems if cases else ():
            if system.key not in self.sent:
                self._warm(system, Case(32), WARM_FIRST)
        for number in range(rounds):
            for case in cases:
                say(f"round {number + 1} of {rounds}: {case.in_flight} in flight, source {case.delay_ms} ms")
                self._delay(case.delay_ms / 1e3)
                for each, system in held:
                    if each == case:
                        held[case, system].append(self._one(system, case, seconds))
        self._delay(0)
        return [_row(system, case, runs) for (case, system), runs in held.items()]

    def _one(self, system: System, case: Case, seconds: float) -> _Run:
        asked = self._warm(system, case, WARM)
        asked = self._asked(system, case, seconds) if system.once else asked
        before = cpu_seconds(system.pid), cpu_seconds(system.beside) if system.beside else 0.0
        figures = self._measure(system, asked, case, seconds)
        after = cpu_seconds(system.pid), cpu_seconds(system.beside) if system.beside else 0.0
        self._rates[system.key, case] = figures.per_second
        return _Run(figures, after[0] - before[0], after[1] - before[1])

    def _warm(self, system: System, case: Case, seconds: float) -> Sequence[bytes]:
        """Everyone on their cores, and a load that is not measured; its requests, for the one that is."""
        pin(system.pid, self._all if system.spread else self._under_test)
        if system is not self._source:
            pin(self._source.pid, self._ours)
        if system.beside is not None:
            pin(system.beside, self._ours)
        asked = self._asked(system, case, seconds)
        self._measure(system, asked, case, seconds)
        return asked

    def _asked(self, system: System, case: Case, seconds: float) -> Sequence[bytes]:
        """Enough requests for `seconds`, going by the last round: half as many again."""
        return system.requests(case.in_flight + round(self._rates.get((system.key, case), 3000.0) * seconds * 1.5))

    def _measure(self, system: System, asked: Sequence[bytes], case: Case, seconds: float) -> Figures:
        figures = measure(system.port, asked, case.in_flight, seconds, once=system.once)
        self.sent[system.key] = self.sent.get(system.key, 0) + figures.requests
        return figures


def _row(system: System, case: Case, runs: list[_Run]) -> Row:
    def median(of: Callable[[_Run], float]) -> float:
        return statistics.median(of(run) for run in runs)

    return Row(
        key=system.key,
        name=system.name,
        delay_ms=case.delay_ms,
        in_flight=case.in_flight,
        per_second=median(lambda run: run.figures.per_second),
        p50_ms=median(lambda run: run.figures.p50 * 1e3),
        p99_ms=median(lambda run: run.figures.p99 * 1e3),
        p999_ms=median(lambda run: run.figures.p999 * 1e3),
        cpu_us=median(lambda run: run.cpu / max(1, run.figures.requests) * 1e6),
        beside_us=median(lambda run: run.beside / max(1, run.figures.requests) * 1e6) if system.beside else None,
        wrong=dict(sum((Counter(run.figures.wrong) for run in runs), Counter[str]())),
        requests=sum(run.figures.requests for run in runs),
    )
