"""A system under test: its processes, which core they are on, what they used."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class System:
    """One system under test. `key`: its short name; `pid`: its first process, and those below it are its too.

    `requests`: makes so many requests, fresh ones where none may be sent twice (`once`); otherwise as many as
    there are people, to be sent over and over. `spread`: it may use all cores, not one. `beside`: the database
    server, whose CPU time is told apart. `log`: a file with a line for each request. `slow`: measured with slow
    sources too. `only`: the one number in flight that it is measured at.
    """

    key: str
    name: str
    port: int
    pid: int
    requests: Callable[[int], Sequence[bytes]] = field(repr=False)
    version: str = ""
    once: bool = False
    spread: bool = False
    beside: int | None = None
    log: Path | None = None
    slow: bool = True
    only: int | None = None


def family(pid: int) -> list[int]:
    """A process and all below it that live now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
            except OSError:
                continue  # ended meanwhile
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all below it so far, those that ended and were waited for included."""
    ticks = 0
    for each in family(pid):
        try:
            ticks += sum(int(part) for part in _stat(each)[11:15])
        except OSError:
            continue
    return ticks / _TICK


def machine_busy_seconds() -> float:
    """CPU time that all processes of this machine used since it started."""
    user, nice, system, _, _, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().split("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / _TICK


class Others:
    """How much of the machine others use from now on. `beside`: database servers, which are ours too."""

    def __init__(self, beside: Sequence[int]) -> None:
        self._beside = sorted(set(beside) - set(family(os.getpid())))
        self._begun = time.monotonic(), self._used()

    def share(self) -> float:
        """Of all its cores, 0 to 1."""
        moment, used = self._begun
        had = (time.monotonic() - moment) * (os.cpu_count() or 1)
        return max(0.0, (self._used() - used) / had)

    def _used(self) -> float:
        return machine_busy_seconds() - cpu_seconds(os.getpid()) - sum(map(cpu_seconds, self._beside))


def memory_mb(pid: int) -> list[float]:
    """Resident memory of a process and of each below it, in MB (10^6 bytes)."""
    return [int(Path(f"/proc/{each}/statm").read_text().split()[1]) * _PAGE / 1e6 for each in family(pid)]


def pin(pid: int, cores: set[int]) -> None:
    """All threads of a process and of those below it on these cores."""
    for each in family(pid):
        for thread in Path(f"/proc/{each}/task").iterdir():
            try:
                os.sched_setaffinity(int(thread.name), cores)
            except ProcessLookupError:
                continue


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
