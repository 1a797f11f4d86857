"""The process's own log (structured lines on stderr) and its metrics (Prometheus).

Neither ever takes an identifier, a field's value, a URL or a source's words: a line carries an event's name,
ids of ours, and kinds of failure. What happened to citizens' data is in the exchange log, not here.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from gateway.tally import Exchanges


class Lines:
    """The process's own log: each event is one JSON object on a line of stderr, with its level and time (UTC)."""

    def __init__(self) -> None:
        self.least = logging.INFO

    def info(self, event: str, **known: Any) -> None:
        """Something that was done."""
        self.log(logging.INFO, event, **known)

    def warning(self, event: str, **known: Any) -> None:
        """Something that its operators should know."""
        self.log(logging.WARNING, event, **known)

    def error(self, event: str, **known: Any) -> None:
        """Something that they should see to."""
        self.log(logging.ERROR, event, **known)

    def log(self, level: int, event: str, **known: Any) -> None:
        """One line, where the level is among those wanted."""
        if level >= self.least:
            moment = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            self.write({**known, "event": event, "level": logging.getLevelName(level).lower(), "timestamp": moment})

    def write(self, line: dict[str, Any]) -> None:
        """In one piece, so that threads do not write into each other's. Where a full disk takes no line, what was being
        told of goes on: whoever tells is often a task that must never end.
        """
        with contextlib.suppress(OSError):
            sys.stderr.write(json.dumps(line, default=_kind) + "\n")
            sys.stderr.flush()


def _kind(value: object) -> str:
    """What stands for a value that is not JSON's: its own words could hold anything."""
    return type(value).__name__


logger = Lines()


def configure(level: str = "info") -> None:
    """From this level on; the libraries' own loggers only from warnings up, and without access logs."""
    logger.least = logging.getLevelNamesMapping()[level.upper()]
    for name in ("uvicorn.access", "aiohttp.access", "httpx", "httpcore"):
        logging.getLogger(name).disabled = True
    logging.basicConfig(level=logging.WARNING, handlers=[_Libraries()], force=True)


class _Libraries(logging.Handler):
    """What libraries log, as lines of ours. Their words pass only where they are fixed ones: asyncio, for one, writes
    the text of whatever exception it met, and that may be a source's, or hold a value."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line: whose logger, where in it, what kind of exception; for uvicorn and our own, what they say."""
        known: dict[str, Any] = {"library": record.name, "at": f"{record.filename}:{record.lineno}"}
        if record.exc_info and record.exc_info[0] is not None:
            known["kind"] = record.exc_info[0].__name__
        if record.name.partition(".")[0] == "gateway":
            known["says"] = record.getMessage()
        elif record.name.startswith("uvicorn") and not record.args:
            # A start that fails is told as a whole traceback: what it came to is its last line.
            known["says"] = str(record.msg).strip().rpartition("\n")[2][:500]
        logger.log(record.levelno, "library", **known)


class Course:
    """What is known of the exchange under way, for whoever watches: ids of ours, and nothing of the person.

    `service`: the service asked for, once it is known to be one of ours; empty before.
    """

    __slots__ = ("service",)

    def __init__(self) -> None:
        self.service = ""


_COURSE: ContextVar[Course | None] = ContextVar("course", default=None)


def follow() -> Course:
    """The course of an exchange that begins here, in this task."""
    begun = Course()
    _COURSE.set(begun)
    return begun


def course() -> Course:
    """The course of the exchange under way in this task; an empty one where there is none."""
    return _COURSE.get() or Course()


def about(service: str) -> None:
    """Says that the exchange under way asks for this service, one that there is: never what a caller wrote."""
    under_way = _COURSE.get()
    if under_way is not None:
        under_way.service = service


class Metrics:
    """One gateway's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.exchanges = Exchanges()
        self.registry.register(self.exchanges)
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
        self.breaker_open = Gauge(
            "linkage_breaker_open",
            "1 where a service's source failed so often that it is left alone.",
            ["service"],
            registry=self.registry,
        )
        self.source_under_way = Gauge(
            "linkage_source_under_way",
            "Questions that wait on a service's source.",
            ["service"],
            registry=self.registry,
        )
        self.database_up = Gauge("linkage_database_up", "1 where the database answers.", registry=self.registry)
        self.appends_waiting = Gauge(
            "linkage_appends_waiting", "Appends that wait for the log's writer.", registry=self.registry
        )
        self.log_size = Gauge("linkage_log_size", "Entries in the log.", registry=self.registry)
        self.log_unsigned = Gauge(
            "linkage_log_unsigned_entries", "Entries that no checkpoint covers yet.", registry=self.registry
        )
        self.log_unprojected = Gauge(
            "linkage_log_unprojected_entries", "Entries that a search does not find yet.", registry=self.registry
        )
        self.cosignature_age = Gauge(
            "linkage_cosignature_age_seconds",
            "Age of the newest checkpoint that a witness cosigned.",
            ["witness"],
            registry=self.registry,
        )

        self.agreements_ending = Gauge(
            "linkage_agreements_ending",
            "Agreements whose last day is within so many days, or has passed.",
            ["days"],
            registry=self.registry,
        )
        self.notices_open = Gauge(
            "linkage_notices_open",
            "Requests of persons of which a source was given notice, and that it has not answered.",
            registry=self.registry,
        )

    def render(self) -> bytes:
        """The text format of Prometheus."""
        return generate_latest(self.registry)
