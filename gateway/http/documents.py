"""The contract's bodies as pydantic models: what the OpenAPI document shows, and what request bodies are read as.

Answers are written by orjson from the same shapes; schemathesis holds the two together.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.http.problems import PROBLEM

Text64 = Annotated[str, StringConstraints(min_length=1, max_length=160)]


class Document(BaseModel):
    """No key that is not documented."""

    model_config = ConfigDict(extra="forbid")


class ReasonBody(Document):
    """Why a question was refused, where the rule stands, whom to ask and what would have to change."""

    code: str = Field(examples=["field_not_covered"])
    policy: str
    section: str
    title: str
    title_th: str
    remedy: str
    remedy_th: str
    ask: str | None = None
    clause: str | None = None
    fields: list[str] | None = None


class ProblemBody(Document):
    """An error (RFC 9457). `code` is stable; nothing of the request's values is ever in it."""

    type: str = Field(examples=["about:blank"])
    title: str
    title_th: str
    status: int
    code: str = Field(examples=["denied"])
    detail: str | None = None
    detail_th: str | None = None
    exchange_id: str | None = None
    reasons: list[ReasonBody] | None = None


class OAuthProblem(Document):
    """An error of the token endpoint (RFC 6749 section 5.2)."""

    error: str = Field(examples=["invalid_client"])
    error_description: str | None = None


class TokenBody(Document):
    """An access token (RFC 6749 section 5.1), an ES256 JWT (RFC 9068)."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    scope: str


class QuestionBody(Document):
    """One question about one person, or one juristic person. Leave `fields` out to ask for all of the term's."""

    service: str = Field(pattern=r"^[a-z][a-z0-9-]{1,31}\.[a-z][a-z0-9-]{0,47}\.v[1-9][0-9]{0,3}$")
    citizen_id: str | None = Field(None, pattern=r"^[0-9]{13}$")
    juristic_id: str | None = Field(None, pattern=r"^[0-9]{13}$")
    purpose: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}(\.[a-z0-9][a-z0-9-]{0,47}){1,3}$")
    fields: list[str] | None = Field(None, min_length=1, max_length=200)
    consent_id: str | None = Field(None, pattern=r"^[A-Za-z0-9._/-]{1,64}$")
    officer: str | None = Field(None, pattern=r"^[A-Za-z0-9._-]{1,64}$")
    case_reference: str | None = Field(None, pattern=r"^[A-Za-z0-9._/-]{1,64}$")


class SourceBody(Document):
    """Who answered, when, and of which time the answer is true."""

    agency: str
    retrieved_at: str
    as_of: str | None


class DecisionBody(Document):
    """On what the exchange stands."""

    agreement: str | None
    term: str | None
    lawful_basis: str | None
    consent_id: str | None
    policies: list[str]
    policy_digest: str


class ReceiptBody(Document):
    """Which log, which entry (hex of its 32 bytes), at which index once it is known."""

    log: str
    entry: str = Field(pattern="^[0-9a-f]{64}$")
    index: int | None


class AnswerBody(Document):
    """The granted fields, and nothing else of what the source said."""

    exchange_id: str
    service: str
    source: SourceBody
    data: dict[str, Any]
    decision: DecisionBody
    receipt: ReceiptBody


class EntryReference(Document):
    """One entry of the exchange log."""

    index: int
    entry: str
    kind: str


class ExchangeBody(Document):
    """One exchange and its fate."""

    exchange_id: str
    outcome: Literal["decided", "refused", "released", "failed", "withheld", "interrupted"]
    decided_at: str
    closed_at: str | None
    consumer: str
    client: str
    officer: str | None
    source: str | None
    service: str
    purpose: str
    case_reference: str | None
    agreement: str | None
    term: str | None
    lawful_basis: str | None
    granted: list[str]
    released: list[str]
    reasons: list[str]
    fault: str | None
    entries: list[EntryReference]


class ExchangeContents(ExchangeBody):
    """An exchange with what its entries hold, for an auditor."""

    contents: list[dict[str, Any]]


class ServiceList(Document):
    """The catalogue."""

    services: list[dict[str, Any]]


class PurposeBody(Document):
    """A purpose, the law it rests on, and the paper documents that nobody has to bring any more."""

    code: str
    title: dict[str, str]
    authority: dict[str, str]
    replaces: list[dict[str, str]]
    status: str


class PurposeList(Document):
    """Every registered purpose."""

    purposes: list[PurposeBody]


class RecordList(Document):
    """Records of a register, as stored."""

    records: list[dict[str, Any]]


class AgreementList(Document):
    """One's own agreements."""

    agreements: list[dict[str, Any]]


class ActRequest(Document):
    """An act of governance: a compact JWS by its operator (typ `linkage-act+jwt`)."""

    act: str = Field(min_length=1, max_length=4 * 1024 * 1024)


class ActBody(Document):
    """An act on record."""

    act: str
    kind: str
    id: str
    record: dict[str, Any]
    receipt: ReceiptBody


class SearchRequest(Document):
    """What to look for. `citizen_id` needs `reason`, which is recorded; `to` is excluded."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    since: datetime | None = Field(None, alias="from")
    until: datetime | None = Field(None, alias="to")
    consumer: Text64 | None = None
    source: Text64 | None = None
    client: Text64 | None = None
    officer: Text64 | None = None
    service: Text64 | None = None
    purpose: Text64 | None = None
    case_reference: Text64 | None = None
    outcome: Text64 | None = None
    agreement: Text64 | None = None
    citizen_id: str | None = Field(None, pattern=r"^[0-9]{13}$")
    juristic_id: str | None = Field(None, pattern=r"^[0-9]{13}$")
    reason: Annotated[str, StringConstraints(min_length=4, max_length=400)] | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, pattern="^[0-9a-f]{1,16}$")


class SearchBody(Document):
    """A page of exchanges, newest first, and the cursor of the next."""

    exchanges: list[ExchangeBody]
    next_cursor: str | None


class EntryList(Document):
    """Entries with their contents, and the index to go on from."""

    entries: list[dict[str, Any]]
    next: int | None


class Status(Document):
    """Whether the gateway lives, or serves."""

    status: Literal["ok", "ready", "not_ready"]


_MEANINGS = {
    400: "Not well formed",
    401: "No good access token",
    403: "Refused: by scope, role or the rules",
    404: "Not found",
    405: "Method not allowed",
    408: "The body did not arrive in time",
    409: "Conflicts with the present state",
    413: "Too large",
    415: "Wrong content type",
    429: "Quota used up",
    500: "A fault of the gateway",
    502: "The source's answer cannot be used",
    503: "The source, the log or the gateway is not available",
    504: "The source did not answer in time",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: each status with the problem document."""
    schema = {"$ref": "#/components/schemas/ProblemBody"}
    return {status: {"description": _MEANINGS[status], "content": {PROBLEM: {"schema": schema}}} for status in statuses}


def takes(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its own body."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


def answers(model: type[BaseModel], description: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of a good answer."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {status: {"description": description, "content": {"application/json": {"schema": schema}}}}


def an_object(description: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` entry of a good answer whose shape is documented elsewhere (a schema, a register's record)."""
    return {200: {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}}
