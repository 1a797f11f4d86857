"""How long exchanges took, as a histogram that any number of them fits in.

Buckets are exact to 31 ms, and from there on a sixteenth of a doubling wide: what is read from it is at most one
part in sixteen (6.25 %) above the truth, and never below it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

ERROR = "up to 6.25 % high, never low; exact below 32 ms"
LARGEST = 32_000
_EXACT = 32


def bucket_of(milliseconds: int) -> int:
    """The bucket of a time; what is negative (two machines' clocks) counts as 0."""
    value = max(0, milliseconds)
    if value < _EXACT:
        return value
    doublings = value.bit_length() - 5
    return min(LARGEST, 16 * doublings + (value >> doublings))


def top_of(bucket: int) -> int:
    """The longest time, in milliseconds, that falls into a bucket."""
    if bucket < _EXACT:
        return bucket
    doublings = bucket // 16 - 1
    return ((bucket - 16 * doublings + 1) << doublings) - 1


def elapsed_ms(begun: str, ended: str) -> int:
    """From one of the log's times (RFC 3339) to another."""
    return round((datetime.fromisoformat(ended) - datetime.fromisoformat(begun)).total_seconds() * 1000)


def percentiles(histogram: Iterable[tuple[int, int]], wanted: tuple[int, ...] = (50, 95, 99)) -> dict[str, int | None]:
    """`p50`, … in milliseconds of a histogram of (bucket, exchanges): the smallest time that so many per cent kept."""
    counts = sorted(histogram)
    total = sum(count for _, count in counts)
    found: dict[str, int | None] = {f"p{each}_ms": None for each in wanted}
    for each in wanted if total else ():
        due, passed = -(-total * each // 100), 0
        for bucket, count in counts:
            passed += count
            if passed >= due:
                found[f"p{each}_ms"] = top_of(bucket)
                break
    return found
