"""How often an address may try a code: a bucket that refills, for each address and for all of them together.

A code has 100 random bits, so none is found by trying; the limit keeps a flood off the database. An IPv6
address counts by its /64, which is one subscriber's.
"""

from __future__ import annotations

import ipaddress
import time

from gateway.errors import TooManyRequests

PER_MINUTE = 20
ALL_PER_MINUTE = 600
MOST = 4096


class Tries:
    """One gateway's buckets. Belongs to one event loop."""

    def __init__(self) -> None:
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, address: str) -> None:
        """One try from `address`, or TooManyRequests with the seconds until the next."""
        moment = time.monotonic()
        subscriber = _subscriber(address)
        if len(self._buckets) >= MOST and subscriber not in self._buckets:
            self._forget(moment)
        for key, most in ((subscriber, PER_MINUTE), ("", ALL_PER_MINUTE)):
            left, at = self._buckets.get(key, (float(most), moment))
            left = min(float(most), left + (moment - at) * most / 60)
            if left < 1:
                raise TooManyRequests(retry_after=1 + int((1 - left) * 60 / most))
            self._buckets[key] = (left - 1, moment)

    def _forget(self, moment: float) -> None:
        """Drops what is full again, and if that is not enough the oldest half."""
        kept = [(key, held) for key, held in self._buckets.items() if key == "" or moment - held[1] < 60]
        self._buckets = dict(kept if len(kept) < MOST else kept[-MOST // 2 :])


def _subscriber(address: str) -> str:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "?"
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else address
