"""An exchange, stage by stage: who calls, the question, the decision, the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.errors import Reason
from gateway.model.identifiers import IdentifierKind
from gateway.model.parties import Agency, Agreement, Client, Consent, Officer, Purpose, Term, Withholding
from gateway.model.service import Service


@dataclass(frozen=True, slots=True)
class Proof:
    """A DPoP proof (RFC 9449) that a call came with, to be used once: its keyed digest (32 bytes), and until when
    (epoch seconds) it has to be remembered.
    """

    digest: bytes = field(repr=False)
    expires: int


@dataclass(frozen=True, slots=True)
class Caller:
    """Who holds the token: a client of an agency, or an operator. `key_id` is the key it proved itself with."""

    id: str
    agency: str
    kind: str
    role: str
    scopes: frozenset[str]
    key_id: str
    address: str = ""
    proof: Proof | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Question:
    """One question, as read from a request's body and found well formed.

    `fields` is None where the asker left it out: the agreement term's fields are then meant.
    """

    service: str
    identifier: str = field(repr=False)
    identifier_kind: IdentifierKind
    purpose: str
    fields: tuple[str, ...] | None = None
    consent_id: str | None = None
    officer: str | None = None
    case_reference: str | None = None
    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Name -> value to compare with (`gateway.given`): for the connector's eyes alone."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Permit or deny, and by which rules. `fields` are the granted ones (empty on a denial)."""

    permit: bool
    reasons: tuple[Reason, ...]
    agreement: str | None
    term: str | None
    lawful_basis: str | None
    authority: str | None
    consent_id: str | None
    fields: tuple[str, ...]
    policies: tuple[str, ...]
    policy_digest: str
    quotas: tuple[tuple[str, int], ...] = ()
    """(key, limit) of each daily counter that this exchange adds one to; no day in the key."""
    pdpa_exemption: str = ""
    """The term's exemption from the PDPA (s.4), to be recorded with every use; empty where it has none."""
    secrecy_release: str = ""
    """The term's release under the Official Secrets Regulation B.E. 2544, recorded with every use."""
    consent_revision: int | None = None
    """The revision of the consent that it was judged on; None where no consent is named."""
    withheld: Withholding | None = None
    """That the person is not told for a time, and by which authority; None where nothing is withheld."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Which log, which entry (hex of its 32 bytes), and its index where it is already known."""

    log: str
    entry: str
    index: int | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What leaves: the granted fields with their decision and receipt. `data` never shows in a repr."""

    exchange_id: str
    service: str
    agency: str
    retrieved_at: str
    as_of: str | None
    data: Mapping[str, Any] = field(repr=False)
    decision: Decision
    receipt: Receipt

    def as_json(self) -> dict[str, Any]:
        """The body of a 200 as the contract gives it."""
        d = self.decision
        return {
            "exchange_id": self.exchange_id,
            "service": self.service,
            "source": {"agency": self.agency, "retrieved_at": self.retrieved_at, "as_of": self.as_of},
            "data": dict(self.data),
            "decision": {
                "agreement": d.agreement,
                "term": d.term,
                "lawful_basis": d.lawful_basis,
                "consent_id": d.consent_id,
                "policies": list(d.policies),
                "policy_digest": d.policy_digest,
            },
            "receipt": {"log": self.receipt.log, "entry": self.receipt.entry, "index": self.receipt.index},
        }


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything one judgement rests on: one candidate agreement term, or the lack of one.

    `fields` are those asked for (or the term's, where the question names none). `quota_used` and
    `officer_quota_used` count today's permitted exchanges (Asia/Bangkok). `officer` is None where the
    question names an officer who is not enrolled; `officer_named` says that it names one. `comparisons_used`: how
    often something was compared with what is known of this person on this term today; None: nothing is compared.
    """

    now: datetime
    caller: Caller
    client: Client
    consumer: Agency
    source: Agency
    service: Service
    connector_status: str
    purpose: Purpose | None
    fields: tuple[str, ...]
    officer_named: bool
    officer: Officer | None
    agreement: Agreement | None
    term: Term | None
    consent_named: bool = False
    consent: Consent | None = None
    quota_used: int = 0
    officer_quota_used: int = 0
    comparisons_used: int | None = None
