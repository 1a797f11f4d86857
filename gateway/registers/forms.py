"""The bodies of acts of governance: what each register takes, checked strictly, with errors that quote nothing.

One pydantic model an act; unknown keys are refused. `FORMS` maps the act's name to its model.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from gateway.keys import import_key
from gateway.registers.values import Code, Day, FieldName, Id, Kid, PurposeCode, Quota, ServiceId, Text

Basis = Literal["consent", "24(1)", "24(2)", "24(3)", "24(4)", "24(5)", "24(6)"]
Scope = Literal["exchange", "consent"]
Role = Literal["controller", "processor", "joint_controller"]


class Form(BaseModel):
    """Strict: no unknown key, no coercion between types (dates are given as text)."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True)


class Title(Form):
    """A text in Thai and English."""

    th: Text
    en: Text


class Jwk(Form):
    """A public key: Ed25519 or P-256, with a kid, and nothing private."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)
    kty: Literal["OKP", "EC"]
    crv: Literal["Ed25519", "P-256"]
    x: str = Field(max_length=64)
    y: str | None = Field(None, max_length=64)
    kid: Kid

    @model_validator(mode="before")
    @classmethod
    def _nothing_private(cls, value: Any) -> Any:
        if isinstance(value, dict) and {"d", "k", "p", "q"} & value.keys():
            raise ValueError("the key is private: send its public half only")
        return value

    @model_validator(mode="after")
    def _is_a_key(self) -> Jwk:
        try:
            import_key(self.as_dict())
        except Exception:
            raise ValueError("not a valid Ed25519 or P-256 public key") from None
        return self

    def as_dict(self) -> dict[str, Any]:
        """The JWK as it is stored."""
        return {k: v for k, v in self.model_dump().items() if v is not None}


def _distinct_kids(keys: list[Jwk]) -> list[Jwk]:
    if len({key.kid for key in keys}) != len(keys):
        raise ValueError("two keys have the same kid")
    return keys


MOST_KEYS = 8
Keys = Annotated[list[Jwk], Field(min_length=1, max_length=MOST_KEYS), AfterValidator(_distinct_kids)]


class AddAgency(Form):
    """agency.add"""

    id: Id
    title: Title
    contact: Text | None = None


class Named(Form):
    """suspend and resume of an agency, client, operator or agreement; revoke"""

    id: Id
    reason: Text | None = None


class AddGroup(Form):
    """group.add"""

    id: Id
    title: Title
    members: list[Id] = Field(default_factory=list, max_length=20000)


class Membership(Form):
    """group.join, group.leave"""

    id: Id
    agency: Id


class AddClient(Form):
    """client.add"""

    id: Id
    agency: Id
    title: Title
    keys: Keys
    scopes: list[Scope] = Field(default=["exchange"], min_length=1)
    networks: list[str] = Field(default_factory=list, max_length=64)
    clearance: int = Field(2, ge=1, le=3)
    cross_border: bool = False

    @field_validator("networks")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        try:
            return [str(ipaddress.ip_network(block, strict=False)) for block in value]
        except ValueError:
            raise ValueError("each network is a CIDR block") from None


class AddKey(Form):
    """client.key.add, operator.key.add"""

    id: Id
    key: Jwk


class RevokeKey(Form):
    """client.key.revoke, operator.key.revoke"""

    id: Id
    kid: Kid


class AddOfficer(Form):
    """officer.add: by staff code, never by a citizen ID"""

    client: Id
    code: Code


class NamedOfficer(Form):
    """officer.suspend, officer.resume"""

    client: Id
    code: Code
    reason: Text | None = None


class AddOperator(Form):
    """operator.add: an owner names the agency it acts for, a dpo may; the others act for all"""

    id: Id
    name: Text
    role: Literal["admin", "owner", "auditor", "dpo"]
    agency: Id | None = None
    keys: Keys

    @model_validator(mode="after")
    def _owner_of_something(self) -> AddOperator:
        if (self.role == "owner") and self.agency is None:
            raise ValueError("an owner acts for an agency: name it")
        if self.role in ("admin", "auditor") and self.agency is not None:
            raise ValueError("an administrator or auditor acts for no single agency: name none")
        return self


class AddPurpose(Form):
    """purpose.add"""

    code: PurposeCode
    title: Title
    authority: Title
    replaces: list[Title] = Field(default_factory=list, max_length=64)


class NamedPurpose(Form):
    """purpose.suspend, purpose.resume"""

    code: PurposeCode
    reason: Text | None = None


class RegisterConnector(Form):
    """connector.register: the catalogue's registration of an agency's services"""

    registration: dict[str, Any]


class ApproveConnector(Form):
    """connector.approve: exactly the registration of this digest"""

    agency: Id
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")


class NamedConnector(Form):
    """connector.disable, connector.enable: one service, or all of the agency's"""

    agency: Id
    service: ServiceId | None = None
    reason: Text | None = None


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

    def as_text(self) -> str:
        """The notice in one line."""
        return f"{self.id} {self.version}" if self.id else f"exempt: {self.exemption}"


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


class TermForm(Form):
    """One term: purpose x fields x basis x authority."""

    id: Id
    purpose: PurposeCode
    fields: list[FieldName] = Field(min_length=1, max_length=200)
    lawful_basis: Basis
    authority: Title
    oia_ground: Text
    notice: Notice
    sensitive_basis: str | None = Field(None, pattern=r"^(consent|26\([1-5]\)(\([a-z]\))?)$")
    quota_per_day: Quota | None = None
    quota_per_officer_per_day: Quota | None = None
    officer_required: bool = False
    cross_border: bool = False
    pdpa_exemption: Exemption | None = None
    secrecy_release: SecrecyRelease | None = None


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


class ApproveAgreement(Form):
    """agreement.approve: exactly this version"""

    id: Id
    version: int = Field(ge=1)


class RefuseAgreement(Form):
    """agreement.refuse: with its ground (Digital Government Act B.E. 2562 s.15)"""

    id: Id
    version: int = Field(ge=1)
    ground: Text


FORMS: dict[str, type[Form]] = {
    "agency.add": AddAgency,
    "agency.suspend": Named,
    "agency.resume": Named,
    "group.add": AddGroup,
    "group.join": Membership,
    "group.leave": Membership,
    "client.add": AddClient,
    "client.key.add": AddKey,
    "client.key.revoke": RevokeKey,
    "client.suspend": Named,
    "client.resume": Named,
    "officer.add": AddOfficer,
    "officer.suspend": NamedOfficer,
    "officer.resume": NamedOfficer,
    "operator.add": AddOperator,
    "operator.key.add": AddKey,
    "operator.key.revoke": RevokeKey,
    "operator.suspend": Named,
    "operator.resume": Named,
    "purpose.add": AddPurpose,
    "purpose.suspend": NamedPurpose,
    "purpose.resume": NamedPurpose,
    "connector.register": RegisterConnector,
    "connector.approve": ApproveConnector,
    "connector.disable": NamedConnector,
    "connector.enable": NamedConnector,
    "agreement.propose": ProposeAgreement,
    "agreement.approve": ApproveAgreement,
    "agreement.refuse": RefuseAgreement,
    "agreement.suspend": Named,
    "agreement.resume": Named,
    "agreement.revoke": Named,
}
"""Every act there is."""
