"""What a check found: how much it looked at, and every fault by the entry or checkpoint that it is about."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MOST = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault. `place`: `entry 12`, `checkpoint 40`, `tile/0/000`, …; `what` is ours, without any value."""

    place: str
    what: str

    def as_json(self) -> dict[str, str]:
        """As printed."""
        return {"place": self.place, "what": self.what}


@dataclass(slots=True)
class Report:
    """A check's result. `counts`: what was looked at, by name; `notes`: what is no fault and should be known."""

    findings: list[Finding] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    suppressed: int = 0

    @property
    def good(self) -> bool:
        """Whether no fault was found."""
        return not self.findings

    def fault(self, place: str, what: str) -> None:
        """Takes a fault down; past MOST they are only counted."""
        if len(self.findings) < MOST:
            self.findings.append(Finding(place, what))
        else:
            self.suppressed += 1

    def count(self, name: str, more: int = 1) -> None:
        """More of something was looked at."""
        self.counts[name] = self.counts.get(name, 0) + more

    def as_json(self) -> dict[str, Any]:
        """As printed."""
        return {
            "good": self.good,
            "findings": [finding.as_json() for finding in self.findings],
            "findings_not_shown": self.suppressed,
            "counts": self.counts,
            "notes": self.notes,
            "seconds": {name: round(value, 3) for name, value in self.seconds.items()},
        }
