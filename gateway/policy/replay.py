"""A draft set over recorded facts: which exchanges would have gone otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.policy.judge import Judge
from gateway.policy.recorded import recorded_facts


@dataclass(frozen=True, slots=True)
class Otherwise:
    """One exchange that the draft would have decided otherwise. `was`, `would_be`: reason codes, empty: permitted."""

    exchange_id: str
    decided_at: str
    client: str
    service: str
    purpose: str
    was: tuple[str, ...]
    would_be: tuple[str, ...]

    @property
    def turned(self) -> bool:
        """Whether a permit would have been a refusal or the other way round, not just for other reasons."""
        return bool(self.was) != bool(self.would_be)

    def as_json(self) -> dict[str, Any]:
        """Its columns."""
        return {
            "exchange_id": self.exchange_id,
            "decided_at": self.decided_at,
            "client": self.client,
            "service": self.service,
            "purpose": self.purpose,
            "was": list(self.was) or ["permitted"],
            "would_be": list(self.would_be) or ["permitted"],
        }


def replay(judge: Judge, recorded: Iterable[Mapping[str, Any]]) -> Iterator[Otherwise | None]:
    """For each recorded decision what the judge's rules would have made otherwise; None where they agree.

    A recorded decision: {"exchange_id", "decided_at", "client", "service", "purpose", "reasons": [codes],
    "facts": as `Recorder.snapshot` keeps them}. Raises MalformedRequest where the facts are of another form.
    """
    for one in recorded:
        decision = judge.judge(recorded_facts(one["facts"]))
        was = tuple(sorted(set(one["reasons"])))
        would_be = tuple(sorted({reason.code for reason in decision.reasons}))
        if was == would_be:
            yield None
        else:
            names = ("exchange_id", "decided_at", "client", "service", "purpose")
            yield Otherwise(**{name: str(one[name]) for name in names}, was=was, would_be=would_be)
