"""Where the appends of one event loop wait: handed over together, answered together, and none for ever.

What a turn of the loop brings is handed over as one at the turn's end: the writer is woken once for all of it, and
not in the middle of the turn, when it would begin with the first alone and take the interpreter from the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gateway.store.batch import Request
from gateway.store.changes import Appended


class Waiting(NamedTuple):
    """One append, and the future on which its caller waits."""

    request: Request
    desk: Desk
    future: asyncio.Future[Appended]

    @property
    def failed(self) -> bool:
        """Whether the caller was told that it is not written. One who no longer listens was told nothing."""
        return self.future.done() and not self.future.cancelled()


class Desk:
    """Those of one event loop who wait. `take` and `gathered` are called under the writer's lock; the rest, but for
    `settle`, belongs to the loop's thread.

    `hand_over`: called when there is something to hand over. `late`: called with those who have waited for `seconds`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hand_over: Callable[[Desk], None],
        late: Callable[[list[Waiting]], None],
        seconds: float,
    ) -> None:
        self._loop = loop
        self._hand_over = hand_over
        self._late = late
        self._seconds = seconds
        self._gathered: list[Waiting] = []
        self._since: dict[asyncio.Future[Appended], tuple[float, Waiting]] = {}
        self._watching = False

    def take(self, request: Request) -> Waiting:
        """One more; it is handed over when this turn of the loop ends."""
        waiting = Waiting(request, self, self._loop.create_future())
        if not self._gathered:
            self._loop.call_soon(self._hand_over, self)
        self._gathered.append(waiting)
        self._since[waiting.future] = self._loop.time(), waiting
        if not self._watching:
            self._watching = True
            self._loop.call_later(self._seconds, self._watch)
        return waiting

    def gathered(self) -> list[Waiting]:
        """What was not handed over yet, and now is."""
        gathered, self._gathered = self._gathered, []
        return gathered

    def leave(self, waiting: Waiting) -> None:
        """It waits no longer."""
        self._since.pop(waiting.future, None)

    def settle(self, results: Sequence[tuple[Waiting, Appended | Exception]]) -> None:
        """Tells each what came of it, with one wake-up for all; from any thread."""
        try:
            self._loop.call_soon_threadsafe(_settle, results)
        except RuntimeError:  # the loop has closed: nobody waits there any more
            return

    def _watch(self) -> None:
        """One timer for all who wait: set for the one who has waited longest, whoever that is by then."""
        moment = self._loop.time()
        late = []
        for began, waiting in self._since.values():
            if moment < began + self._seconds:
                self._loop.call_at(began + self._seconds, self._watch)
                break
            late.append(waiting)
        else:
            self._watching = False
        if late:
            self._late(late)


def _settle(results: Sequence[tuple[Waiting, Appended | Exception]]) -> None:
    for waiting, result in results:
        future = waiting.future
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
