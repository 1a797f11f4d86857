"""The contract's bodies as pydantic models: what the OpenAPI document shows, and what request bodies are read as.

Answers are written by orjson from the same shapes; schemathesis holds the two together.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, StringConstraints

from gateway.http.responses import codes
from gateway.model import holds_citizen_id
from gateway.values import plain


def _no_person(value: str) -> str:
    if holds_citizen_id(value):
        raise ValueError("must not be or hold a citizen ID: search by citizen_id")
    return value


Name = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9._:/-]+$", min_length=1, max_length=160), AfterValidator(_no_person)
]
"""An id or code to search by: it is recorded with the search, as it is."""
Why = Annotated[str, StringConstraints(min_length=4, max_length=400, strip_whitespace=True), AfterValidator(plain)]
ONE_IDENTIFIER: list[JsonValue] = [{"required": ["citizen_id"]}, {"required": ["juristic_id"]}]


class Document(BaseModel):
    """No key that is not documented."""

    # What pydantic makes of it is made when it is first read or shown: most only stand in the OpenAPI document.
    model_config = ConfigDict(extra="forbid", defer_build=True)


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


class OutageBody(Document):
    """A time, announced by the source, in which it does not serve."""

    starts: str = Field(alias="from", examples=["2026-12-05T18:00+07:00"])
    ends: str = Field(alias="to", examples=["2026-12-06T06:00+07:00"])
    title: str
    title_th: str


class HoursBody(Document):
    """When the source serves: spans of each day of the week, and days on which it does not."""

    weekly: dict[str, list[str]] = Field(examples=[{"mon": ["08:30-12:00", "13:00-16:30"]}])
    closed: list[str]
    zone: Literal["Asia/Bangkok"]


class ServiceHoursBody(Document):
    """With `outside_service_hours`: why the source does not serve now, and from when on it does."""

    outage: OutageBody | None = None
    hours: HoursBody | None = None
    serves_again: str | None = Field(None, examples=["2026-12-06T06:00+07:00"])


class ProblemBody(Document):
    """An error (RFC 9457). `code` is stable; nothing of the request's values is ever in it."""

    type: str = Field(examples=["about:blank"])
    title: str
    title_th: str
    status: int
    code: str = Field(examples=["denied"], json_schema_extra={"enum": [*codes()]})
    detail: str | None = None
    detail_th: str | None = None
    exchange_id: str | None = None
    reasons: list[ReasonBody] | None = None
    service_hours: ServiceHoursBody | None = None


class OAuthProblem(Document):
    """An error of the token endpoint (RFC 6749 section 5.2)."""

    error: str = Field(examples=["invalid_client"])
    error_description: str | None = None


class TokenBody(Document):
    """An access token (RFC 6749 section 5.1), an ES256 JWT (RFC 9068)."""

    access_token: str
    token_type: Literal["Bearer", "DPoP"]
    expires_in: int
    scope: str


class QuestionBody(Document):
    """One question about one person, or one juristic person: `citizen_id` or `juristic_id`, by what the service
    asks by. The last digit of either is its check digit. Leave `fields` out to ask for all of the term's; leave out
    what there is nothing to say of (null is refused). No other value may be or hold a citizen ID, but one of
    `given`: the values to compare with, for fields that answer true or false, by the names in the service's schema
    (`x-given`). They are compared and forgotten.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"oneOf": ONE_IDENTIFIER})
    service: str = Field(pattern=r"^[a-z][a-z0-9-]{1,31}\.[a-z][a-z0-9-]{0,47}\.v[1-9][0-9]{0,3}$")
    citizen_id: str = Field(default_factory=str, pattern=r"^[0-9]{13}$")
    juristic_id: str = Field(default_factory=str, pattern=r"^[0-9]{13}$")
    purpose: str = Field(pattern=r"^[a-z][a-z0-9-]{0,31}(\.[a-z0-9][a-z0-9-]{0,47}){1,3}$")
    fields: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]] = Field(
        default_factory=list, min_length=1, max_length=200, json_schema_extra={"uniqueItems": True}
    )
    given: dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")], Annotated[str, Field(min_length=1, max_length=200)]
    ] = Field(default_factory=dict, min_length=1, max_length=20)
    consent_id: str = Field(default_factory=str, pattern=r"^[A-Za-z0-9._/-]{1,64}$")
    officer: str = Field(default_factory=str, pattern=r"^[A-Za-z0-9._-]{1,64}$")
    case_reference: str = Field(default_factory=str, pattern=r"^[A-Za-z0-9._/-]{1,64}$")


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


class WithheldBody(Document):
    """That the person is not told of an exchange before `until`, and the law or order that says so."""

    authority: dict[str, str]
    until: str


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
    pdpa_exemption: str | None = None
    secrecy_release: str | None = None
    withheld: WithheldBody | None = None
    entries: list[EntryReference]


class OneEntry(Document):
    """One entry with its contents and its tlog-proof (C2SP). The groups are null once its month is forgotten."""

    index: int
    entry: str = Field(pattern="^[0-9a-f]{64}$")
    public: dict[str, Any] | None
    parties: dict[str, Any] | None
    subject: dict[str, Any] | None
    legal: dict[str, Any] | None
    content: dict[str, Any] | None
    proof: str
    broken: bool | None = None


class ExchangeContents(ExchangeBody):
    """An exchange with what its entries hold and their proofs, for an auditor."""

    contents: list[OneEntry]


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


class RefusedAddress(Document):
    """An address that a source's name led to, where the gateway may not connect; and the setting that allows it."""

    address: str
    allow: str


class SourceHealth(Document):
    """How a service's source has fared. `faults`: code -> how many. Durations of the latest answers, in milliseconds.
    `breaker`: open while the source is left alone, half_open where the next question tries it.
    """

    service: str
    agency: str
    breaker: Literal["closed", "open", "half_open"]
    under_way: int
    answers: int
    failures: int
    last_answer: str | None
    last_failure: str | None
    faults: dict[str, int]
    refused: list[RefusedAddress]
    p50_ms: float | None
    p99_ms: float | None


class SourceList(Document):
    """As the gateway saw it that answers, since it started (`boot`)."""

    gateway: str
    boot: str
    sources: list[SourceHealth]


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


class EntryList(Document):
    """Entries with their contents, and the index to go on from."""

    entries: list[dict[str, Any]]
    next: int | None


class Status(Document):
    """Whether the gateway lives."""

    status: Literal["ok"]


class Readiness(Document):
    """Whether the gateway serves. `parts`: database, registers, keys, log, process -> `ok`, or one word for
    what it lacks."""

    status: Literal["ready", "not_ready"]
    parts: dict[str, str]
