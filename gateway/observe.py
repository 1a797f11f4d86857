"""The process's own log (structured lines on stderr) and its metrics (Prometheus).

Neither ever takes an identifier, a field's value, a URL or a source's words: a line carries an event's name,
ids of ours, and kinds of failure. What happened to citizens' data is in the exchange log, not here.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

logger: Any = structlog.get_logger("linkage")


def configure(level: str = "info") -> None:
    """JSON lines on stderr; the libraries' own loggers only from warnings up, and without access logs."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    for name in ("uvicorn.access", "aiohttp.access", "httpx", "httpcore"):
        logging.getLogger(name).disabled = True


class Metrics:
    """One gateway's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.exchanges = Counter(
            "linkage_exchanges",
            "Requests to /v1/exchanges by outcome code (ok, or the problem's code).",
            ["code"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "linkage_exchange_seconds",
            "How long a request to /v1/exchanges took, in seconds.",
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self.registry,
        )
        self.in_flight = Gauge("linkage_in_flight", "Exchanges under way.", registry=self.registry)
        self.turned_away = Counter(
            "linkage_turned_away", "Unauthenticated and malformed requests.", ["kind"], registry=self.registry
        )
        self.checkpoint_size = Gauge(
            "linkage_checkpoint_size", "Entries that the newest checkpoint covers.", registry=self.registry
        )
        self.checkpoint_cosignatures = Gauge(
            "linkage_checkpoint_cosignatures", "Witnesses that cosigned the newest checkpoint.", registry=self.registry
        )
        self.witness_failures = Counter(
            "linkage_witness_failures",
            "Requests to a witness that ended without its cosignature (witness_ahead: it knows a larger log).",
            ["witness", "kind"],
            registry=self.registry,
        )
        self.log_damaged = Gauge(
            "linkage_log_damaged", "1 where the log is no longer what was signed of it.", registry=self.registry
        )

    def render(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)
