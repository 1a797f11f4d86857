"""Exchanges counted on their way out, for /metrics: plain numbers, put into Prometheus's form when they are read.

The library's own counters take a lock each, and a histogram's walks its buckets: some 10 µs an exchange.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds."""
_BOUNDS = (*map(str, BUCKETS), "+Inf")


class _Times:
    __slots__ = ("buckets", "seconds")

    def __init__(self) -> None:
        self.buckets = [0] * len(_BOUNDS)
        self.seconds = 0.0


class Exchanges(Collector):
    """One gateway's requests to /v1/exchanges. Belongs to one event loop; read from any thread."""

    def __init__(self) -> None:
        self.under_way = 0
        self._codes: dict[tuple[str, str], int] = {}
        self._times: dict[tuple[str, str], _Times] = {}

    def count(self, service: str, code: str, outcome: str, seconds: float) -> None:
        """One that has ended. `service`: empty where it ended before that was known."""
        ended = service, code
        self._codes[ended] = self._codes.get(ended, 0) + 1
        times = self._times.get((service, outcome))
        if times is None:
            times = self._times[service, outcome] = _Times()
        times.buckets[bisect_left(BUCKETS, seconds)] += 1
        times.seconds += seconds

    def collect(self) -> Iterator[Metric]:
        """In Prometheus's form."""
        yield GaugeMetricFamily("linkage_in_flight", "Exchanges under way.", self.under_way)
        codes = CounterMetricFamily(
            "linkage_exchanges",
            "Requests to /v1/exchanges by service (none: ended before it was known) and code (ok, or the problem's).",
            labels=("service", "code"),
        )
        for labels, number in list(self._codes.items()):
            codes.add_metric(labels, number)
        yield codes
        times = HistogramMetricFamily(
            "linkage_exchange_seconds",
            "How long a request to /v1/exchanges took, in seconds, by service and outcome.",
            labels=("service", "outcome"),
        )
        for labels, held in list(self._times.items()):
            times.add_metric(labels, list(zip(_BOUNDS, accumulate(held.buckets), strict=True)), held.seconds)
        yield times
