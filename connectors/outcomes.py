"""What a source's status and answer mean, by the rules of its settings and, failing these, by HTTP's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from connectors.pointers import Rule, pointer
from gateway.plugin import AgencyMisbehaved, AgencyUnavailable, CitizenNotFound, OutsideServiceHours, SourceFault

Failure = CitizenNotFound | SourceFault
"""All that a connector may raise."""

LONGEST_RETRY_AFTER: Final = 300
"""Seconds: what a source asks for beyond is cut, so that it cannot silence a service for a day."""


@dataclass(frozen=True, slots=True)
class OutcomeRule:
    """One rule: all it names must hold. `values` None: that something is (`present`), or is not, at the path."""

    means: str
    status: int | None
    find: Rule | None
    values: frozenset[tuple[type, Any]] | None
    present: bool

    def holds(self, status: int, answer: Any) -> bool:
        """Whether an answer of `status` is what the rule describes."""
        if self.status is not None and status != self.status:
            return False
        if self.find is None:
            return True
        value = self.find(answer)
        if self.values is None:
            return (value is not None) is self.present
        return not isinstance(value, (dict, list)) and (type(value), value) in self.values


@dataclass(frozen=True, slots=True)
class Outcomes:
    """A service's rules: those that the status alone decides, and those that need the answer's body."""

    ok: frozenset[int]
    by_status: Mapping[int, str]
    by_body: tuple[OutcomeRule, ...]

    def of_status(self, status: int, retry_after: str) -> Failure | None:
        """What the status alone says is wrong; None: the body must be read."""
        means = self.by_status.get(status)
        if means is not None:
            return _error(means, retry_after)
        if status in self.ok or any(rule.status == status for rule in self.by_body):
            return None
        return of_http(status, retry_after)

    def of_body(self, status: int, answer: Any, retry_after: str) -> Failure | None:
        """What the answer says is wrong; None: it is the record."""
        for rule in self.by_body:
            if rule.holds(status, answer):
                return _error(rule.means, retry_after)
        return None if status in self.ok else of_http(status, retry_after)


def compile_outcomes(settings: Mapping[str, Any]) -> Outcomes:
    """The rules of a `rest` connector's settings, made ready; in the order not_found, unavailable, …"""
    by_status: dict[int, str] = {}
    by_body: list[OutcomeRule] = []
    for means in ("not_found", "unavailable", "outside_hours", "failed"):
        for rule in settings.get(means, ()):
            if "path" not in rule:
                by_status.setdefault(rule["status"], means)
                continue
            values = rule.get("equals")
            by_body.append(
                OutcomeRule(
                    means=means,
                    status=rule.get("status"),
                    find=pointer(rule["path"]),
                    values=None if values is None else frozenset((type(value), value) for value in values),
                    present=bool(rule.get("present", True)),
                )
            )
    return Outcomes(frozenset(settings.get("ok", (200,))), by_status, tuple(by_body))


def of_http(status: int, retry_after: str) -> Failure:
    """What a status means where the settings say nothing of it. 404 is no "not found" unless declared one."""
    if 300 <= status < 400:
        return AgencyMisbehaved("redirect")
    if status in (401, 403):
        return AgencyMisbehaved("credentials")
    if status in (429, 503):
        return AgencyUnavailable("unavailable", retry_after=seconds(retry_after))
    return AgencyMisbehaved("status")


def seconds(retry_after: str) -> int | None:
    """Retry-After (RFC 9110 section 10.2.3: seconds or an HTTP date) as 1 to LONGEST_RETRY_AFTER seconds, or None."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        wanted = float(text) if len(text) < 10 else float(LONGEST_RETRY_AFTER)
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        wanted = (moment - datetime.now(UTC)).total_seconds()
    return int(min(max(wanted, 1.0), LONGEST_RETRY_AFTER))


def _error(means: str, retry_after: str) -> Failure:
    if means == "not_found":
        return CitizenNotFound()
    if means == "unavailable":
        return AgencyUnavailable("unavailable", retry_after=seconds(retry_after))
    if means == "outside_hours":
        return OutsideServiceHours("outside_hours", retry_after=seconds(retry_after))
    return AgencyMisbehaved("source_error")
