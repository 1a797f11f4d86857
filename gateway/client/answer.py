"""What a question holds, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Required, TypedDict

from gateway.client.failures import UnexpectedAnswer


class QuestionFields(TypedDict, total=False):
    """One question about one citizen or company. One of `citizen_id` and `juristic_id`, 13 ASCII digits.

    `fields`: those wanted; left out, the agreement term's. `officer`: the staff code on whose behalf it is asked.
    `case_reference`: of the asker's own file. `given`: name -> value to compare with, for the fields that answer yes
    or no. What is None counts as left out.
    """

    service: Required[str]
    purpose: Required[str]
    citizen_id: str | None
    juristic_id: str | None
    fields: Sequence[str] | None
    given: Mapping[str, str] | None
    consent_id: str | None
    officer: str | None
    case_reference: str | None


class SearchFields(TypedDict, total=False):
    """What an auditor looks for. `since` and `until`: RFC 3339 times. `citizen_id` and `juristic_id` need a `reason`.

    `limit`: at most so many (up to 200); `cursor`: the `next_cursor` of the page before.
    """

    since: str | None
    until: str | None
    consumer: str | None
    source: str | None
    client: str | None
    officer: str | None
    service: str | None
    purpose: str | None
    case_reference: str | None
    outcome: str | None
    reason_code: str | None
    agreement: str | None
    citizen_id: str | None
    juristic_id: str | None
    reason: str | None
    limit: int | None
    cursor: str | None


class ExportFields(TypedDict, total=False):
    """What an auditor wants all of. As `SearchFields`; `case_references`: any of these, up to 2,000."""

    since: str | None
    until: str | None
    consumer: str | None
    source: str | None
    client: str | None
    officer: str | None
    service: str | None
    purpose: str | None
    case_reference: str | None
    outcome: str | None
    reason_code: str | None
    agreement: str | None
    citizen_id: str | None
    juristic_id: str | None
    reason: str | None
    case_references: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered question. `data` (field -> value) never shows in a repr, nor does the body.

    `source`: {"agency", "retrieved_at", "as_of"}. `decision`: {"agreement", "term", "lawful_basis", "consent_id",
    "policies", "policy_digest"}. `receipt`: {"log", "entry", "index"}, the index None where it is not known yet.
    `sealed_by`: the kid of the gateway's key whose seal was checked; None where checking was switched off.
    """

    exchange_id: str
    service: str
    source: Mapping[str, Any]
    data: Mapping[str, Any] = field(repr=False)
    decision: Mapping[str, Any]
    receipt: Mapping[str, Any]
    sealed_by: str | None
    body: Mapping[str, Any] = field(repr=False)

    def __getitem__(self, name: str) -> Any:
        """A part of the body by its name, as in `answer["data"]`."""
        return self.body[name]

    def as_json(self) -> dict[str, Any]:
        """The body as the gateway sent it."""
        return dict(self.body)


def answer_of(status: int, body: Any, sealed_by: str | None) -> Answer:
    """The answer that a 200's body holds, or UnexpectedAnswer."""
    shape = {"exchange_id": str, "service": str, "source": dict, "data": dict, "decision": dict, "receipt": dict}
    if not isinstance(body, dict) or any(not isinstance(body.get(name), kind) for name, kind in shape.items()):
        raise UnexpectedAnswer(status, "the answer is not in the gateway's form")
    return Answer(**{name: body[name] for name in shape}, sealed_by=sealed_by, body=body)


def present(given: Mapping[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
    """`given` without what is None; TypeError names what is not allowed (names only, no values)."""
    unknown = sorted(set(given) - allowed)
    if unknown:
        raise TypeError(f"unknown: {', '.join(unknown)}")
    return {name: value for name, value in given.items() if value is not None}
