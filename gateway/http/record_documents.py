"""What an auditor asks of the log, and the pages that come back."""

from __future__ import annotations

from pydantic import ConfigDict, Field, JsonValue

from gateway.http.documents import Document, ExchangeBody, Name, Why
from gateway.values import Moment

_A_PERSON_NEEDS_A_REASON: dict[str, JsonValue] = {
    "dependentRequired": {"citizen_id": ["reason"], "juristic_id": ["reason"]}
}


class Criteria(Document):
    """What to look for. `citizen_id` or `juristic_id` needs `reason`, which is recorded; `to` is excluded.
    `reason_code`: a code of why nothing was released (`quota_exceeded`, `agency_timeout`, …).
    """

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra=_A_PERSON_NEEDS_A_REASON)
    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")
    consumer: Name | None = None
    source: Name | None = None
    client: Name | None = None
    officer: Name | None = None
    service: Name | None = None
    purpose: Name | None = None
    case_reference: Name | None = None
    outcome: Name | None = None
    reason_code: Name | None = None
    agreement: Name | None = None
    citizen_id: str | None = Field(None, pattern=r"^[0-9]{13}$")
    juristic_id: str | None = Field(None, pattern=r"^[0-9]{13}$")
    reason: Why | None = None


class SearchRequest(Criteria):
    """A page of what fits, newest first. `cursor`: the `next_cursor` of the page before."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, pattern="^[0-9a-f]{1,15}$")


class ExportRequest(Criteria):
    """All that fits. `case_references`: the exchanges of any of these."""

    case_references: list[Name] | None = Field(None, min_length=1, max_length=2000)


class EvidenceRequest(Document):
    """Why evidence of an exchange is taken out; it is recorded."""

    model_config = ConfigDict(extra="forbid", strict=True)
    reason: Why


class SearchBody(Document):
    """A page of exchanges, newest first, and the cursor of the next."""

    exchanges: list[ExchangeBody]
    next_cursor: str | None
