"""Going away in good order: what is under way is finished, what is new is refused, and nobody is kept waiting long.

From SIGTERM on `/readyz` says that this gateway is not ready, every new request gets 503 `overloaded` with
Retry-After (and its connection is closed, so that the next one goes elsewhere), and the process ends when the last
request has been answered, or when the bound is reached. What is cut off by the bound is in the log as decided, and is
closed as `interrupted` by whoever finds it.
"""

from __future__ import annotations

import time

from gateway.errors import Overloaded

STILL_ANSWERED = frozenset(("/healthz", "/readyz", "/metrics"))
RETRY_SECONDS = 2


class Drain:
    """Whether this gateway is going away, and how many requests it has under way. Belongs to one event loop.

    `seconds`: how long those under way may take from then on.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: float | None = None
        self.under_way = 0

    @property
    def begun(self) -> bool:
        """Whether it is going away."""
        return self._until is not None

    @property
    def over(self) -> bool:
        """Whether the bound is reached."""
        return self._until is not None and time.monotonic() >= self._until

    def begin(self) -> None:
        """From now on nothing new is taken; safe in a signal's handler."""
        if self._until is None:
            self._until = time.monotonic() + self._seconds

    def refuses(self, path: str) -> bool:
        """Whether a new request to this path is turned away."""
        return self._until is not None and path not in STILL_ANSWERED


def going_away() -> Overloaded:
    """For a request that comes too late."""
    return Overloaded(
        "this gateway is stopping: ask again, another one answers",
        "เกตเวย์นี้กำลังหยุดทำงาน โปรดส่งคำขออีกครั้ง",
        retry_after=RETRY_SECONDS,
    )
