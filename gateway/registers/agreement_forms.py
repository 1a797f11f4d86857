"""The bodies of acts on agreements: what a term states, and nothing that the rules would not know.

The clauses that a term may name are those that the rules of `policies/` know; a test holds the two equal, so that no
agreement is approved under which every question is refused.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from gateway.values import Day, FieldName, Form, Id, Method, PurposeCode, Quota, ServiceId, Text, Title

Basis = Literal["consent", "24(1)", "24(2)", "24(3)", "24(4)", "24(5)", "24(6)"]
"""PDPA s.24."""
SensitiveBasis = Literal[
    "consent",
    "26(1)",
    "26(2)",
    "26(3)",
    "26(4)",
    "26(5)(a)",
    "26(5)(b)",
    "26(5)(c)",
    "26(5)(d)",
    "26(5)(e)",
    "26-criminal",
]
"""PDPA s.26; `26-criminal` is its paragraph on criminal records under an authority's control."""
OiaGround = Literal["consent", "24(1)", "24(2)", "24(3)", "24(4)", "24(5)", "24(6)", "24(7)", "24(8)", "24(9)"]
"""Official Information Act B.E. 2540 s.24: the person's own consent, or one of the exceptions.

(1) to officials of the same agency; (2) ordinary use within the objectives of the system that holds the information;
(3) planning, statistics, census; (4) study and research that names no one; (5) the national archives; (6) to prevent
or investigate offences; (7) against danger to life or health; (8) to a court, or to whom the law gives the power to
ask for the facts; (9) a royal decree. Of all but (1) and (2) the Act wants an account, which the log is.
"""
Role = Literal["controller", "processor", "joint_controller"]


class Party(Form):
    """The consumer: an agency or a group, not both."""

    agency: Id | None = None
    group: Id | None = None

    @model_validator(mode="after")
    def _one(self) -> Party:
        if (self.agency is None) == (self.group is None):
            raise ValueError("name an agency or a group")
        return self


class Period(Form):
    """Asia/Bangkok days, both included."""

    from_: Day = Field(alias="from")
    to: Day

    @model_validator(mode="after")
    def _in_order(self) -> Period:
        if self.to < self.from_:
            raise ValueError("the period ends before it begins")
        return self


class Notice(Form):
    """PDPA s.23/25: the notice given and its version, or the exemption."""

    id: Text | None = None
    version: Text | None = None
    exemption: Text | None = None

    @model_validator(mode="after")
    def _one(self) -> Notice:
        if (self.exemption is None) == (self.id is None) or (self.id is None) != (self.version is None):
            raise ValueError("give the notice's id and version, or the exemption")
        return self


class Exemption(Form):
    """PDPA s.4, or its royal decree: explicit, recorded at each use."""

    clause: Text
    reference: Text
    authority: Text
    date: Day


class SecrecyRelease(Form):
    """Official Secrets Regulation B.E. 2544: the order that releases, who gave it, when."""

    order: Text
    authority: Text
    date: Day


class Withheld(Form):
    """The law or order by which the person is not told of an exchange (PDPA s.30), and for how many days."""

    authority: Title
    days: int = Field(ge=1, le=1826)


class ConsentUses(Form):
    """How often one consent may be used at most: so many times in all, or a day, month or year (Bangkok)."""

    times: int = Field(ge=1, le=1_000_000)
    per: Literal["all", "day", "month", "year"]


class ConsentRules(Form):
    """Who may collect consents for a term, how the citizen is identified, and with what assurance at least.

    `least_assurance`: 1 said so, 2 a document or app was checked, 3 the person was checked against the document.
    """

    collectors: list[Id] = Field(min_length=1, max_length=200)
    methods: list[Method] = Field(min_length=1, max_length=20)
    least_assurance: int = Field(ge=1, le=3)
    uses: ConsentUses | None = None


class TermForm(Form):
    """One term: purpose x fields x basis x authority."""

    id: Id
    purpose: PurposeCode
    fields: list[FieldName] = Field(min_length=1, max_length=200)
    lawful_basis: Basis
    authority: Title
    oia_ground: OiaGround
    notice: Notice
    sensitive_basis: SensitiveBasis | None = None
    quota_per_day: Quota | None = None
    quota_per_officer_per_day: Quota | None = None
    officer_required: bool = False
    cross_border: bool = False
    pdpa_exemption: Exemption | None = None
    secrecy_release: SecrecyRelease | None = None
    consent: ConsentRules | None = None
    withheld_from_subject: Withheld | None = None

    @model_validator(mode="after")
    def _consent_where_it_stands_on_it(self) -> TermForm:
        if self.consent is not None and "consent" not in (self.lawful_basis, self.sensitive_basis):
            raise ValueError("consent rules belong to a term whose lawful_basis or sensitive_basis is consent")
        return self

    @model_validator(mode="after")
    def _not_withheld_from_who_consents(self) -> TermForm:
        if self.withheld_from_subject is not None and "consent" in (self.lawful_basis, self.sensitive_basis):
            raise ValueError("what a person consents to is not withheld from them")
        return self

    @model_validator(mode="after")
    def _consent_on_both_acts(self) -> TermForm:
        if self.oia_ground == "consent" and self.lawful_basis != "consent":
            raise ValueError("oia_ground: consent stands where lawful_basis is consent")
        return self

    @model_validator(mode="after")
    def _fields_and_quotas(self) -> TermForm:
        if len(set(self.fields)) != len(self.fields):
            raise ValueError("a field stands twice")
        whole, each = self.quota_per_day, self.quota_per_officer_per_day
        if whole is not None and each is not None and each > whole:
            raise ValueError("an officer's quota is more than the whole term's")
        return self


class Controllers(Form):
    """PDPA s.40: who is controller, who processor."""

    consumer: Role
    source: Role


class Retention(Form):
    """How long the consumer keeps what it gets, and how it destroys it."""

    days: int = Field(ge=0, le=36500)
    destruction: Text


class Pair(Form):
    """One text for each side."""

    consumer: Text
    source: Text


class ProposeAgreement(Form):
    """agreement.propose"""

    id: Id
    title: Title
    consumer: Party
    service: ServiceId
    clients: list[Id] = Field(default_factory=list, max_length=200)
    period: Period
    controller: Controllers
    onward_sharing: bool = False
    retention: Retention
    contacts: Pair
    signatories: Pair | None = None
    terms: list[TermForm] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _distinct_terms(self) -> ProposeAgreement:
        if len({term.id for term in self.terms}) != len(self.terms):
            raise ValueError("two terms have the same id")
        return self


class NarrowTerm(Form):
    """What of a term is narrowed: fewer fields, a lower quota, an officer demanded, no use from abroad"""

    id: Id
    fields: list[FieldName] | None = Field(None, min_length=1, max_length=200)
    quota_per_day: Quota | None = None
    quota_per_officer_per_day: Quota | None = None
    officer_required: Literal[True] | None = None
    cross_border: Literal[False] | None = None


class NarrowAgreement(Form):
    """agreement.narrow: of exactly this version; it holds at once, as nothing is added that anyone had to approve"""

    id: Id
    version: int = Field(ge=1)
    reason: Text
    from_: Day | None = Field(None, alias="from")
    to: Day | None = None
    clients: list[Id] | None = Field(None, min_length=1, max_length=200)
    drop_terms: list[Id] = Field(default_factory=list, max_length=100)
    terms: list[NarrowTerm] = Field(default_factory=list, max_length=100)


class ApproveAgreement(Form):
    """agreement.approve: exactly this version"""

    id: Id
    version: int = Field(ge=1)


class RefuseAgreement(Form):
    """agreement.refuse: with its ground (Digital Government Act B.E. 2562 s.15)"""

    id: Id
    version: int = Field(ge=1)
    ground: Text
