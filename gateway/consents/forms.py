"""A consent as its collector sends it: what the citizen agreed to, and how we know that it was the citizen.

Who consents stands in `evidence` (the citizen's own) and `guardian` (a parent's, guardian's or curator's): the one,
the other or both, as PDPA s.20 wants it for the citizen's age and legal capacity. Each piece of evidence names the
notice by its hash, so that it cannot be moved to another text. What was not known, or has changed since, is added
later to the same consent: a guardian who consents too, and the age band confirmed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from gateway.model import CODE, FIELD_NAME, PURPOSE_CODE, REGISTER_ID, SERVICE_ID
from gateway.values import Form, Method, MomentAhead, Text, no_person, plain

LONGEST_NOTICE = 20_000


def _coded(pattern: str) -> StringConstraints:
    return StringConstraints(pattern=f"^{pattern}$")


Reference = Annotated[str, _coded(r"[A-Za-z0-9._/-]{1,64}"), AfterValidator(no_person)]
Digest = Annotated[str, _coded("[0-9a-f]{64}")]
CitizenId = Annotated[str, _coded("[0-9]{13}")]
Agency = Annotated[str, _coded(REGISTER_ID.pattern), AfterValidator(no_person)]
Uses = Literal["all", "day", "month", "year"]
AgeBand = Literal["adult", "minor_10_19", "minor_under_10"]
Capacity = Literal["full", "incompetent", "quasi_incompetent"]
ACTS_FOR = {"incompetent": "guardian", "quasi_incompetent": "curator"}
"""Capacity -> who consents for such a person."""


class Evidence(Form):
    """How one person was identified who consented, and to which notice.

    `method`: one that the agreement's term names. `assurance`: 1 said so, 2 a document or app was checked, 3 the
    person was checked against the document. `officer`: the staff code, at the collecting system, of who did it.
    `reference`: of the office's own file that holds the proof. `notice_sha256`: of the notice's text, UTF-8.
    """

    method: Method
    assurance: int = Field(ge=1, le=3)
    officer: Annotated[str, _coded(CODE.pattern), AfterValidator(no_person)] | None = None
    reference: Reference
    notice_sha256: Digest


class Guardian(Form):
    """Who consents for, or together with, the citizen (PDPA s.20), and how that one was identified.

    `parent` or `guardian` of a minor; the `guardian` (ผู้อนุบาล) of an incompetent person and the `curator`
    (ผู้พิทักษ์) of a quasi-incompetent one are those whom a court appointed (Civil and Commercial Code 28, 32).
    """

    relation: Literal["parent", "guardian", "curator"]
    citizen_id: CitizenId | None = None
    evidence: Evidence


class Standing(Form):
    """Whether the citizen can consent alone: by age (PDPA s.20(1), (2)) and by what a court has found.

    `minor_under_10`: not older than ten. `confirm_by`: until when this may be relied on; a minor grows up.
    """

    age_band: AgeBand
    confirm_by: MomentAhead | None = None
    act_a_minor_may_do: Text | None = Field(
        None, description="The act that a minor may do alone (Civil and Commercial Code 22-24), where it is one."
    )
    capacity: Capacity = "full"
    capacity_order: Text | None = Field(
        None,
        description="The court's order that found the citizen incompetent or quasi-incompetent: court, case, date.",
    )

    @model_validator(mode="after")
    def _of_one_kind(self) -> Standing:
        if self.age_band != "adult" and self.confirm_by is None:
            raise ValueError("confirm_by says until when a minor's age band may be relied on")
        if self.act_a_minor_may_do is not None and self.age_band != "minor_10_19":
            raise ValueError("act_a_minor_may_do belongs to a minor from ten years on")
        if (self.capacity == "full") != (self.capacity_order is None):
            raise ValueError("capacity_order names the court's order where the capacity is not full, and only there")
        return self


class ConsentNotice(Form):
    """The text that was shown. Its id and version are those of the agreement's term."""

    id: Text
    version: Text
    language: Annotated[str, _coded("[a-z]{2,3}")] = "th"
    text: Annotated[
        str, StringConstraints(min_length=1, max_length=LONGEST_NOTICE, strip_whitespace=False), AfterValidator(plain)
    ]


class Validity(Form):
    """From when (now, if it is left out) until when; the end is not included."""

    from_: MomentAhead | None = Field(None, alias="from")
    to: MomentAhead

    @model_validator(mode="after")
    def _in_order(self) -> Validity:
        if self.from_ is not None and self.to <= self.from_:
            raise ValueError("it ends before it begins")
        return self


class UseLimit(Form):
    """So many exchanges in all, or in each Asia/Bangkok day, month or year."""

    times: int = Field(ge=1, le=1_000_000)
    per: Uses


class GiveConsent(Standing):
    """POST /v1/consents. `consumer`: the collector's own agency, where it is left out."""

    citizen_id: CitizenId
    consumer: Agency | None = None
    service: Annotated[str, _coded(SERVICE_ID.pattern)]
    purpose: Annotated[str, _coded(PURPOSE_CODE.pattern), AfterValidator(no_person)]
    fields: list[Annotated[str, _coded(FIELD_NAME.pattern)]] = Field(min_length=1, max_length=200)
    notice: ConsentNotice
    validity: Validity
    use_limit: UseLimit | None = None
    evidence: Evidence | None = None
    guardian: Guardian | None = None

    @model_validator(mode="after")
    def _given_by_whom_the_law_wants(self) -> GiveConsent:
        if len(set(self.fields)) != len(self.fields):
            raise ValueError("fields names a field twice")
        relation = self.guardian.relation if self.guardian else None
        if self.capacity != "full":
            if relation != ACTS_FOR[self.capacity]:
                raise ValueError("for such a person the guardian or curator consents whom the court appointed")
        elif self.age_band == "minor_under_10":
            if relation not in ("parent", "guardian"):
                raise ValueError("for a child of up to ten years the guardian consents (PDPA s.20)")
        elif self.evidence is None:
            raise ValueError("evidence says how the citizen was identified who consents")
        elif relation == "curator" or (relation is not None and self.age_band == "adult"):
            raise ValueError("guardian: no one consents for such a person but that person")
        return self


class AddGuardian(Form):
    """POST /v1/consents/{id}/guardian: someone consents too, to the notice that the citizen was shown.

    `citizen_id`: whose consent it is, so that no other's is changed by a mistaken id.
    """

    citizen_id: CitizenId
    guardian: Guardian


class ConfirmConsent(Standing):
    """POST /v1/consents/{id}/confirm: the citizen's age and legal capacity as they are now.

    `by`: the citizen or the guardian, whose identity `evidence` is about. A citizen who confirms consents too: who was
    too young when a parent consented is asked when older.
    """

    citizen_id: CitizenId
    by: Literal["citizen", "guardian"]
    evidence: Evidence

    @model_validator(mode="after")
    def _by_one_who_can(self) -> ConfirmConsent:
        if self.by == "citizen" and (self.capacity != "full" or self.age_band == "minor_under_10"):
            raise ValueError("by: for such a person the guardian or curator confirms")
        return self
