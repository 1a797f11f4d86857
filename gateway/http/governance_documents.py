"""The bodies about judging: explanations of questions, and the recorded facts that draft rules are tried on."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ConfigDict, Field

from gateway.http.documents import Document, QuestionBody, ReasonBody
from gateway.values import Moment


class ExplainBody(QuestionBody):
    """A question to be explained. The identifier may be left out: nobody is asked about, and a consent named is then
    no one's. `client`: an operator says for which client it asks; a client is itself.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"not": {"required": ["citizen_id", "juristic_id"]}})
    client: str = Field(default_factory=str, pattern=r"^[a-z0-9][a-z0-9._-]{1,63}$")


class RuleBody(Document):
    """One rule that decides, and where it stands in the law."""

    id: str
    effect: Literal["permit", "forbid"]
    section: str
    title: str
    title_th: str


class ExplanationBody(Document):
    """What would be decided now. `reasons` say of each obstacle what would have to change; none: it is permitted."""

    permit: bool
    agreement: str | None
    term: str | None
    lawful_basis: str | None
    authority: str | None
    consent_id: str | None
    fields: list[str]
    rules: list[RuleBody]
    policy_digest: str
    reasons: list[ReasonBody]


class FactsRequest(Document):
    """From when to when (excluded); `after`: the `next` of the page before."""

    model_config = ConfigDict(extra="forbid", strict=True)
    since: Moment = Field(alias="from")
    until: Moment | None = Field(None, alias="to")
    after: int | None = Field(None, ge=0, le=2**53 - 1)


class RecordedBody(Document):
    """One decision and its facts; `facts` is null where none were kept."""

    exchange_id: str
    decided_at: str
    client: str
    service: str
    purpose: str
    policy_digest: str
    reasons: list[str]
    facts: dict[str, Any] | None


class FactsBody(Document):
    """A page of recorded decisions, oldest first, and where the next begins."""

    recorded: list[RecordedBody]
    next: int | None
