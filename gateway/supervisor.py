"""Several workers of one program: started, watched, started again where one dies, and stopped together.

Workers are forked, so that they share what is loaded, and a new one is there in no time. Each knows its number and
nothing of the others. One that dies is replaced after a pause that doubles while it keeps dying; the others serve
meanwhile. SIGTERM or Ctrl-C goes to all of them; who has not ended within the bound is killed.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from gateway.observe import logger

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0
STEADY_SECONDS = 30.0
"""One that lived so long did not die of its beginning: its pause is short again."""
_STOPPING = (signal.SIGTERM, signal.SIGINT)
_LISTENED_TO = (*_STOPPING, signal.SIGCHLD)


@dataclass(slots=True)
class _Worker:
    """One place among the workers. `pid` 0: none runs, the next starts at `due`. Times on the monotonic clock."""

    number: int
    pid: int = 0
    since: float = 0.0
    due: float = 0.0
    pause: float = FIRST_PAUSE


def supervise(workers: int, run: Callable[[int], None], *, stopping: Callable[[], None], bound: float) -> int:
    """Runs `run(number)`, 1 to `workers`, each in a process of its own, until a signal says to stop.

    `stopping`: lets go of what the workers share: a socket that this process kept would take connections that nobody
    serves. Returns 0 where all ended by themselves within `bound` seconds, else 1. Single-threaded, as forking has to
    be.
    """
    gc.collect()
    gc.freeze()  # what is loaded by now stays shared: a collection would touch, and so copy, all of it
    places = [_Worker(number) for number in range(1, workers + 1)]
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _LISTENED_TO)
    try:
        while True:
            _start_due(places, run)
            found = signal.sigtimedwait(_LISTENED_TO, _until_next(places))
            if found is not None and found.si_signo in _STOPPING:
                break
            for place, status in _ended(places):
                lived = time.monotonic() - place.since
                place.pause = FIRST_PAUSE if lived >= STEADY_SECONDS else min(place.pause * 2, LONGEST_PAUSE)
                place.due = time.monotonic() + place.pause
                logger.error("worker_died", worker=place.number, status=status, again_in=place.pause)
        stopping()
        return _stop(places, bound)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_due(places: list[_Worker], run: Callable[[int], None]) -> None:
    for place in places:
        if not place.pid and place.due <= time.monotonic():
            sys.stdout.flush()
            sys.stderr.flush()
            place.pid, place.since = os.fork(), time.monotonic()
            if not place.pid:
                _as_worker(place.number, run)


def _as_worker(number: int, run: Callable[[int], None]) -> NoReturn:
    code = 1
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _LISTENED_TO)
        run(number)
        code = 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException as error:
        logger.error("worker_failed", worker=number, kind=type(error).__name__)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # nothing of the parent's is to be ended twice


def _until_next(places: list[_Worker]) -> float:
    """Seconds until a place has to be filled; a while where none has."""
    return max(0.0, min([place.due - time.monotonic() for place in places if not place.pid], default=60.0))


def _ended(places: list[_Worker]) -> list[tuple[_Worker, int]]:
    """The workers that ended since, with what they ended by: an exit code, or minus a signal."""
    found = []
    for place in places:
        if place.pid:
            pid, status = os.waitpid(place.pid, os.WNOHANG)
            if pid:
                place.pid = 0
                found.append((place, os.waitstatus_to_exitcode(status)))
    return found


def _stop(places: list[_Worker], bound: float) -> int:
    """Passes the signal on and waits; what is left at the end is killed."""
    _signal(places, signal.SIGTERM)
    until, good = time.monotonic() + bound, True
    while any(place.pid for place in places):
        left = until - time.monotonic()
        if left <= 0:
            good = False
            _signal(places, signal.SIGKILL)
        found = signal.sigtimedwait(_LISTENED_TO, max(left, 0.1))
        if found is not None and found.si_signo in _STOPPING:
            _signal(places, signal.SIGTERM)  # told twice: the workers then cut it short
        good = all(status == 0 for _, status in _ended(places)) and good
    return 0 if good else 1


def _signal(places: list[_Worker], signo: signal.Signals) -> None:
    for place in places:
        if place.pid:
            os.kill(place.pid, signo)
