"""The bodies of acts of governance: what each register takes, checked strictly, with errors that quote nothing.

One pydantic model an act; unknown keys are refused. `FORMS` maps the act's name to its model.
"""

from __future__ import annotations

import ipaddress
import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from gateway.keys import import_key
from gateway.registers.agreement_forms import ApproveAgreement, NarrowAgreement, ProposeAgreement, RefuseAgreement
from gateway.registers.log_forms import ApproveForgetting, ProposeForgetting
from gateway.registers.opening_forms import ApproveOpening, ProposeOpening
from gateway.registers.rights_forms import (
    AcknowledgeNotice,
    AddRightsRequest,
    AnswerNotice,
    AnswerRightsRequest,
    RejectRightsRequest,
)
from gateway.values import LAST_YEAR, Code, Form, Id, Kid, PurposeCode, ServiceId, Text, Title

Scope = Literal["exchange", "consent"]
Binding = Literal["dpop", "mtls", "any"]
"""What a client's tokens must be bound to: a key (RFC 9449), its certificate (RFC 8705), or either."""


class Jwk(Form):
    """A public key: Ed25519 or P-256, with a kid, and nothing private."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, defer_build=True)
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
    """suspend and resume of an agency, client, operator or agreement; revoke; operator.confirm"""

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
    token_binding: Binding | None = None

    @field_validator("networks")
    @classmethod
    def _networks(cls, value: list[str]) -> list[str]:
        try:
            return [str(ipaddress.ip_network(block, strict=False)) for block in value]
        except ValueError:
            raise ValueError("each network is a CIDR block") from None


class BindTokens(Form):
    """client.binding: what the client's tokens must be bound to from now on; null: nothing"""

    id: Id
    token_binding: Binding | None
    reason: Text | None = None


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


_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})", re.ASCII)


def _moment(value: object) -> datetime:
    """RFC 3339 with its offset, in the common era: an hour could be meant in Bangkok or in UTC."""
    if not isinstance(value, str) or _MOMENT.fullmatch(value) is None:
        raise ValueError("a time is YYYY-MM-DDTHH:MM with its offset: +07:00, or Z")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:  # which would quote it
        raise ValueError("there is no such time") from None
    if moment.year > LAST_YEAR:
        raise ValueError("write the year in the common era: 543 less than the Thai one")
    if moment.year < _FIRST_YEAR:
        raise ValueError("that is long past")
    return moment


_FIRST_YEAR = 2000
Moment = Annotated[datetime, BeforeValidator(_moment)]


class AnnounceOutage(Form):
    """connector.outage: when one service, or all of the agency's, will not serve, and why, in both languages"""

    agency: Id
    service: ServiceId | None = None
    starts: Moment = Field(alias="from")
    ends: Moment = Field(alias="to")
    title: Title

    @model_validator(mode="after")
    def _a_span(self) -> AnnounceOutage:
        if self.starts >= self.ends:
            raise ValueError("it ends before it starts")
        if self.ends - self.starts > _LONGEST_OUTAGE:
            raise ValueError("longer than a month: disable the service instead")
        return self


class WithdrawOutage(Form):
    """connector.outage.withdraw: the announced outage that starts then"""

    agency: Id
    service: ServiceId | None = None
    starts: Moment = Field(alias="from")


_LONGEST_OUTAGE = timedelta(days=31)


class PolicyDocument(Form):
    """A policy set as text: the Cedar schema, and each file by its name"""

    schema_: str = Field(alias="schema", max_length=64 * 1024)
    files: dict[str, Annotated[str, Field(max_length=64 * 1024)]] = Field(min_length=1, max_length=64)

    def as_json(self) -> dict[str, Any]:
        """As the register keeps it."""
        return {"schema": self.schema_, "files": dict(self.files)}


class ProposePolicies(Form):
    """policies.propose"""

    document: PolicyDocument


class ApprovePolicies(Form):
    """policies.approve: exactly the set of this digest"""

    digest: str = Field(pattern=r"^[0-9a-f]{64}$")


FORMS: dict[str, type[Form]] = {
    "agency.add": AddAgency,
    "agency.suspend": Named,
    "agency.resume": Named,
    "group.add": AddGroup,
    "group.join": Membership,
    "group.leave": Membership,
    "client.add": AddClient,
    "client.binding": BindTokens,
    "client.key.add": AddKey,
    "client.key.revoke": RevokeKey,
    "client.suspend": Named,
    "client.resume": Named,
    "officer.add": AddOfficer,
    "officer.suspend": NamedOfficer,
    "officer.resume": NamedOfficer,
    "operator.add": AddOperator,
    "operator.confirm": Named,
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
    "connector.outage": AnnounceOutage,
    "connector.outage.withdraw": WithdrawOutage,
    "agreement.propose": ProposeAgreement,
    "agreement.approve": ApproveAgreement,
    "agreement.refuse": RefuseAgreement,
    "agreement.narrow": NarrowAgreement,
    "agreement.suspend": Named,
    "agreement.resume": Named,
    "agreement.revoke": Named,
    "policies.propose": ProposePolicies,
    "policies.approve": ApprovePolicies,
    "log.forget.propose": ProposeForgetting,
    "log.forget.approve": ApproveForgetting,
    "opening.propose": ProposeOpening,
    "opening.approve": ApproveOpening,
    "rights.add": AddRightsRequest,
    "rights.answer": AnswerRightsRequest,
    "rights.reject": RejectRightsRequest,
    "rights.notice.acknowledge": AcknowledgeNotice,
    "rights.notice.answer": AnswerNotice,
}
"""Every act there is."""
