"""How a service's source has fared, as one gateway saw it since it started: times, faults by code, durations."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.model import now, timestamp

RECENT: Final = 512
"""Answers whose durations are kept."""
_MOST_CODES: Final = 50
_TOLD_AGAIN: Final = 60.0


@dataclass(slots=True)
class Fared:
    """One service's account, kept over its versions. `faults`: code -> how many; never a source's words."""

    answers: int = 0
    failures: int = 0
    last_answer: str | None = None
    last_failure: str | None = None
    faults: dict[str, int] = field(default_factory=dict)
    _refused: dict[str, float] = field(default_factory=dict)
    _seconds: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def answered(self, seconds: float) -> None:
        """It answered in good order: with a record, that it holds none, or that it is closed."""
        self.answers += 1
        self.last_answer = timestamp(now())
        self._seconds.append(seconds)

    def failed(self, code: str) -> None:
        """It failed; `code` is one of ours."""
        self.failures += 1
        self.last_failure = timestamp(now())
        if code in self.faults or len(self.faults) < _MOST_CODES:
            self.faults[code] = self.faults.get(code, 0) + 1

    def refused(self, address: str, at: float) -> bool:
        """The gateway may not connect to `address`. Whether that is to be told (again); `at` in seconds."""
        told = self._refused.get(address, float("-inf"))
        if at < told + _TOLD_AGAIN or (address not in self._refused and len(self._refused) >= _MOST_CODES):
            return False
        self._refused[address] = at
        return True

    def as_json(self, agency: str) -> dict[str, Any]:
        """The account, durations in milliseconds of the latest answers (null where there is none).

        `refused`: addresses the source's name led to, and what allows them to `agency`.
        """
        ordered = sorted(self._seconds)
        return {
            "answers": self.answers,
            "failures": self.failures,
            "last_answer": self.last_answer,
            "last_failure": self.last_failure,
            "faults": dict(sorted(self.faults.items())),
            "refused": [{"address": each, "allow": allowing(agency, each)} for each in sorted(self._refused)],
            "p50_ms": _at(ordered, 0.50),
            "p99_ms": _at(ordered, 0.99),
        }


def _at(ordered: list[float], share: float) -> float | None:
    return round(1000 * ordered[min(int(share * len(ordered)), len(ordered) - 1)], 1) if ordered else None


def allowing(agency: str, address: str) -> str:
    """The setting that lets an agency's connectors reach a private address."""
    return f"LINKAGE_EGRESS_ALLOW={agency}={address}"
