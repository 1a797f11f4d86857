"""The registers' members as the judge sees them: agencies, clients, officers, purposes, agreements, consents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Agency:
    """An organisation. `status`: active or suspended. `groups`: the groups it belongs to."""

    id: str
    title_en: str
    title_th: str
    status: str = "active"
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Client:
    """A consumer's registered system.

    `keys`: its public JWKs, each with `kid`; `revoked_kids` no longer count. `networks`: CIDR blocks it may
    call from (empty: any). `clearance`: the classification level (1 to 3) it may see. `cross_border`: it
    runs outside Thailand (PDPA s.28). `token_binding`: what its tokens must be bound to: `dpop` (a key, RFC 9449),
    `mtls` (its certificate, RFC 8705), `any` of the two, or empty.
    """

    id: str
    agency: str
    title_en: str
    title_th: str
    keys: tuple[dict[str, Any], ...]
    scopes: frozenset[str]
    status: str = "active"
    revoked_kids: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()
    clearance: int = 2
    cross_border: bool = False
    token_binding: str = ""


@dataclass(frozen=True, slots=True)
class Officer:
    """A person at the consumer, by the consumer's staff code, enrolled for one client."""

    client: str
    code: str
    status: str = "active"


@dataclass(frozen=True, slots=True)
class Operator:
    """A person who administers. `role`: admin, owner, auditor or dpo; an owner acts for `agency`."""

    id: str
    name: str
    role: str
    keys: tuple[dict[str, Any], ...]
    agency: str = ""
    status: str = "active"
    revoked_kids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Purpose:
    """A registered purpose. `authority`: the law it rests on; `replaces`: paper documents no longer asked for."""

    code: str
    title_en: str
    title_th: str
    authority_en: str
    authority_th: str
    replaces: tuple[str, ...] = ()
    status: str = "active"


@dataclass(frozen=True, slots=True)
class Withholding:
    """That a term's exchanges are withheld from the person for so many days, by which legal authority (PDPA s.30)."""

    authority_en: str
    authority_th: str
    days: int


@dataclass(frozen=True, slots=True)
class Term:
    """One term of an agreement: purpose x fields x lawful basis x authority (PDPA s.22).

    `lawful_basis`: `consent` or a clause of s.24, `24(1)` to `24(6)`. `sensitive_basis`: the clause of s.26
    it stands on for sensitive fields (`26(5)(c)`, or `consent`), empty if it covers none. `oia_ground`: the
    exception of the Official Information Act B.E. 2540 s.24. `notice`: id and version of the notice given
    (s.23/25), or the exemption. `quota_per_day`, `quota_per_officer_per_day`: 0 means none is set.
    `pdpa_exemption` (s.4) and `secrecy_release` (Official Secrets Regulation B.E. 2544): reference, authority
    and date as one text each, empty if there is none. `consent_collectors`: the agencies that may collect
    consents for it, by `consent_methods` of identifying the citizen, with at least `consent_assurance` (1 to 3);
    none may where it names none. `withheld`: None where the person may see the exchanges at once, as nearly always.
    """

    id: str
    purpose: str
    fields: frozenset[str]
    lawful_basis: str
    authority_en: str
    authority_th: str
    oia_ground: str
    notice: str
    sensitive_basis: str = ""
    quota_per_day: int = 0
    quota_per_officer_per_day: int = 0
    officer_required: bool = False
    cross_border: bool = False
    pdpa_exemption: str = ""
    secrecy_release: str = ""
    consent_collectors: frozenset[str] = frozenset()
    consent_methods: frozenset[str] = frozenset()
    consent_assurance: int = 3
    withheld: Withholding | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """consumer (an agency or a group) x service, with terms, from the source's approval on.

    `status`: proposed, active, suspended or revoked. `starts` and `ends`: Asia/Bangkok days, both included.
    `clients`: the client ids it is limited to (empty: all of the consumer's). `controller`: who is controller
    or processor (PDPA s.40), e.g. `{"consumer": "controller", "source": "controller"}` as one text.
    `contact`: whom to ask about it, shown in refusals.
    """

    id: str
    consumer: str
    consumer_is_group: bool
    service: str
    status: str
    starts: date
    ends: date
    terms: tuple[Term, ...]
    version: int = 1
    clients: frozenset[str] = frozenset()
    controller: str = ""
    contact: str = ""
    onward_sharing: bool = False


@dataclass(frozen=True, slots=True)
class Consent:
    """A citizen's consent as the judge sees it: already known to be, or not to be, this citizen's.

    `status`: given, paused or withdrawn. `same_subject`: it is of the citizen asked about. `uses_left` is
    None where uses are not limited. Who consented (PDPA s.20): `by_self` the citizen, `guardian` as what someone
    else did: parent, guardian or curator, empty if no one. `age_band`: adult, minor_10_19 or minor_under_10;
    `capacity`: full, or as a court has found, incompetent or quasi_incompetent. `confirm_by`: until when these may
    be relied on.
    """

    id: str
    revision: int
    status: str
    consumer: str
    service: str
    fields: frozenset[str]
    purpose: str
    starts: datetime
    ends: datetime
    same_subject: bool
    collector_allowed: bool = True
    assurance_sufficient: bool = True
    uses_left: int | None = None
    age_band: str = "adult"
    guardian: str = ""
    act_a_minor_may_do: bool = False
    confirm_by: datetime | None = None
    capacity: str = "full"
    by_self: bool = True
