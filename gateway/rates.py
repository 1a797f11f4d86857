"""How often one client may call: a limit that keeps a program gone wild from crowding out the others.

Each gateway counts for itself, in plain numbers, on the path of every call. Where a Redis or Valkey is given
(`limits`), it also tells a counter there what it has counted, ten times a second, and learns what the others have: so
the limit is one for the whole fleet, and no call ever waits for it. What comes of that lag is at most a tenth of a
second's calls more. While the storage is away each gateway goes on counting for itself.

These limits are about load. What an agreement allows is its quota, which is exact and is in the database.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import TooManyRequests
from gateway.observe import logger

if TYPE_CHECKING:  # a tenth of a second to load: only where a limit is set
    from limits import RateLimitItem
    from limits.aio.storage import RedisStorage

SYNC_SECONDS = 0.1
AWAY_SECONDS = 1.0
"""How long the storage may take to answer, and how long it is left alone when it does not."""
_MOST_KNOWN = 20_000


@dataclass(slots=True)
class _Count:
    """One client's calls in the window of this number: those that the storage knows of, and those since."""

    window: int
    known: int = 0
    since: int = 0


class Rates:
    """One gateway's counts. `rate`: as `limits` reads it (`600/minute`), empty for none. `storage`: the URL of a Redis
    or Valkey, empty for none. Belongs to one event loop.
    """

    def __init__(self, rate: str = "", storage: str = "") -> None:
        self._limit = _limit(rate) if rate else None
        self._seconds = self._limit.get_expiry() if self._limit is not None else 0
        self._url = storage
        self._counts: dict[str, _Count] = {}
        self._away = False

    def take(self, client: str) -> None:
        """One call of this client's; TooManyRequests, with the seconds until it may again, where it has had its own."""
        limit = self._limit
        if limit is None:
            return
        moment = time.time()
        window = int(moment // self._seconds)
        count = self._counts.get(client)
        if count is None or count.window != window:
            count = self._begin(client, window)
        if count.known + count.since >= limit.amount:
            raise TooManyRequests(retry_after=1 + int((window + 1) * self._seconds - moment))
        count.since += 1

    async def run(self) -> None:
        """Keeps the counts and the storage's together, for ever; ends at once where there is nothing to keep."""
        if self._limit is None or not self._url:
            return
        storage = _storage(self._url)
        while True:
            await asyncio.sleep(AWAY_SECONDS if self._away else SYNC_SECONDS)
            try:
                async with asyncio.timeout(AWAY_SECONDS):
                    await self._tell(storage, self._limit)
            except Exception as failure:  # whatever it is: nobody's call depends on it
                self._told(away=True, kind=type(failure).__name__)
            else:
                self._told(away=False)

    def _begin(self, client: str, window: int) -> _Count:
        if len(self._counts) >= _MOST_KNOWN and client not in self._counts:
            self._counts = {name: count for name, count in self._counts.items() if count.window == window}
        count = self._counts[client] = _Count(window)
        return count

    async def _tell(self, storage: RedisStorage, limit: RateLimitItem) -> None:
        """Adds what was counted since, client by client, and takes over the sum of all gateways."""
        for client, count in list(self._counts.items()):
            if not count.since:
                continue
            telling = count.since
            key = limit.key_for(client, str(count.window))
            count.known = await storage.incr(key, self._seconds + 60, amount=telling)
            count.since -= telling

    def _told(self, *, away: bool, kind: str = "") -> None:
        if away != self._away:
            self._away = away
            (logger.warning if away else logger.info)("rate_limit_storage", away=away, kind=kind)


def _limit(rate: str) -> RateLimitItem:
    from limits import parse

    return parse(rate)


def _storage(url: str) -> RedisStorage:
    from limits.aio.storage import RedisStorage

    options: dict[str, Any] = {"socket_timeout": AWAY_SECONDS, "socket_connect_timeout": AWAY_SECONDS}
    return RedisStorage(f"async+{url}", implementation="valkey", key_prefix="linkage", **options)
