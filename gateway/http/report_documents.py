"""The bodies of the reports: what is asked for; what comes back is described where it is made."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from gateway.http.documents import ONE_IDENTIFIER, Document, Name, Why
from gateway.values import Moment


class Span(Document):
    """From when (included) to when (excluded); left out: since ever, until now."""

    model_config = ConfigDict(extra="forbid", strict=True)
    since: Moment | None = Field(None, alias="from")
    until: Moment | None = Field(None, alias="to")


class Person(Document):
    """One person, and why it is asked about them, which is recorded."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"oneOf": ONE_IDENTIFIER})
    citizen_id: str | None = Field(None, pattern=r"^[0-9]{13}$")
    juristic_id: str | None = Field(None, pattern=r"^[0-9]{13}$")
    reason: Why


class SubjectReport(Person, Span):
    """A PDPA s.30 answer about one person."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"oneOf": ONE_IDENTIFIER})


class Pseudonym(Document):
    """How the log knows a person."""

    subject: str = Field(pattern="^[0-9a-f]{64}$")


class DisclosureSearch(Span):
    """What of a source's register of disclosures. `source`: for those who act for no agency."""

    source: Name | None = None
    consumer: Name | None = None
    service: Name | None = None
    purpose: Name | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, pattern="^[0-9a-f]{1,15}$")


class DisclosureList(Document):
    """A page of disclosures, newest first, and the cursor of the next."""

    disclosures: list[dict[str, Any]]
    next_cursor: str | None


class AskedRequest(Span):
    """Of which source (for those who act for no agency) and service the exchanges are wanted."""

    source: Name | None = None
    service: Name | None = None


class KnownRequest(Document):
    """Exchanges to be looked up, as a source has them in its own list."""

    model_config = ConfigDict(extra="forbid", strict=True)
    source: Name | None = None
    exchanges: list[Annotated[str, Field(pattern=r"^ex_[0-9a-z]{26}$")]] = Field(min_length=1, max_length=2000)


class KnownExchange(Document):
    """What a source is told of an exchange in which it was asked."""

    exchange_id: str
    service: str
    decided_at: str
    outcome: str
    fault: str | None


class KnownBody(Document):
    """Those that the log has."""

    known: list[KnownExchange]


class SummaryBody(BaseModel, defer_build=True):
    """A time of the log in numbers. `basis` says of each how it is computed; `parameters` are the thresholds."""

    from_: str = Field(alias="from")
    to: str
    only: dict[str, str]
    exchanges: int
    outcomes: dict[str, int]
    by_consumer: list[dict[str, Any]]
    by_source: list[dict[str, Any]]
    by_service: list[dict[str, Any]]
    by_purpose: list[dict[str, Any]]
    by_day: list[dict[str, Any]]
    by_reason: list[dict[str, Any]]
    times: list[dict[str, Any]]
    many_people: list[dict[str, Any]]
    same_person: list[dict[str, Any]]
    out_of_hours: list[dict[str, Any]]
    refusals: list[dict[str, Any]]
    parameters: dict[str, float]
    basis: dict[str, dict[str, str]]


class NoticeBody(BaseModel, defer_build=True):
    """One matter that waits: which record it is about, since when, until when, and what of it."""

    kind: str = Field(examples=["notice_to_source"])
    register_: str = Field(alias="register", examples=["rights"])
    id: str
    since: str
    due: str | None
    about: dict[str, str] = Field(description="What is asked for, in Thai and English.")


class NoticeList(Document):
    """What is due first stands first."""

    notices: list[NoticeBody]


class BreachReport(Document):
    """Whose exchanges (of one client, one officer, or a whole consumer), from when to when, and why it is asked for."""

    model_config = ConfigDict(extra="forbid", strict=True)
    since: Moment = Field(alias="from")
    until: Moment = Field(alias="to")
    client: Name | None = None
    officer: Name | None = None
    consumer: Name | None = None
    reason: Why


class RopaReport(Span):
    """Which agency's record of processing, with the exchanges of which time."""

    agency: Name


class ProposalsReport(Document):
    """Of all agreements, or of one agency's."""

    model_config = ConfigDict(extra="forbid", strict=True)
    agency: Name | None = None


class ActList(Document):
    """The signed acts that made a record what it is, oldest first."""

    acts: list[dict[str, Any]]
