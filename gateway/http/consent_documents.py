"""The bodies about consents."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from gateway.consents import AddGuardian, CitizenId, ConfirmConsent, GiveConsent
from gateway.http.documents import Document, ReceiptBody, Why
from gateway.values import Form, Text

__all__ = [
    "AddGuardian",
    "ChangeConsent",
    "ConfirmConsent",
    "ConsentBody",
    "ConsentChanged",
    "ConsentGiven",
    "ConsentList",
    "ConsentSearch",
    "GiveConsent",
    "WithdrawalCode",
]

Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{4}([ -]?[A-Za-z0-9]{4}){4}$")]


class ChangeConsent(Form):
    """Why it is changed; recorded with the event."""

    reason: Text | None = None


class ConsentSearch(Form):
    """Whose consents, and why they are looked at; the look is recorded."""

    citizen_id: CitizenId
    reason: Why


class WithdrawalCode(Form):
    """The code of the printed receipt. Upper and lower case are alike, O stands for 0, I and L for 1."""

    code: Code = Field(examples=["7Q4M-2B9X-0KTW-E5RD-3HGV"])


class ConsentBody(Document):
    """A consent with the fields of ISO/IEC TS 27560. What the offices note for themselves is not shown to all."""

    schema_version: str
    id: str
    revision: int
    status: Literal["given", "paused", "withdrawn"]
    subject: dict[str, Any] = Field(description="The keyed pseudonym, age band and legal capacity; no identifier.")
    confirm_by: str | None
    act_a_minor_may_do: str | None
    capacity_order: str | None = None
    given_by: Literal["self", "guardian", "self_and_guardian"]
    notice: dict[str, Any] = Field(description="id, version, language, text and its SHA-256.")
    service: str
    purpose: dict[str, Any]
    lawful_basis: str
    data_items: list[dict[str, Any]]
    controller: dict[str, Any]
    source: dict[str, Any]
    recipients: list[dict[str, Any]]
    collector: dict[str, Any]
    agreement: str
    term: str
    retention: dict[str, Any]
    onward_sharing: bool
    validity: dict[str, str]
    use_limit: dict[str, Any] | None
    used: int | None = Field(None, description="How often in the period that now is.")
    withdrawal: dict[str, Any]
    evidence: dict[str, Any] | None
    guardian: dict[str, Any] | None
    events: list[dict[str, Any]]


class ConsentChanged(Document):
    """The consent, the entry of its latest event, and the citizen's receipt: a JWS by the gateway's sealing key."""

    consent: ConsentBody
    log: ReceiptBody
    receipt: str


class ConsentGiven(ConsentChanged):
    """As well: the withdrawal code, told this once, and the page to print for the citizen (HTML, Thai)."""

    withdrawal_code: Code
    page: str


class ConsentList(Document):
    """Consents, the newest first."""

    consents: list[ConsentBody]
