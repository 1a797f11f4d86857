"""The bodies of acts on the register of rights requests (PDPA s.30-36, s.39): a person only as the log's pseudonym.

A request about a source's data reaches the source as a notice: correction first of all (s.35, s.36), but also erasure
and objection. The source acknowledges it, and answers with what it did.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from gateway.values import Day, Form, Id, ServiceId, Text

Right = Literal["access", "correction", "objection", "erasure"]
ExchangeId = Annotated[str, StringConstraints(pattern=r"^ex_[0-9a-z]{26}$")]
Pseudonym = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class AddRightsRequest(Form):
    """rights.add: received by an agency on a Bangkok day; a correction names the service whose source is to hear

    `exchange`: the one whose answer it is about, by which the source finds whose record is meant.
    """

    id: Id
    agency: Id
    right: Right
    subject: Pseudonym
    received: Day
    service: ServiceId | None = None
    exchange: ExchangeId | None = None
    about: Text | None = None

    @model_validator(mode="after")
    def _of_something(self) -> AddRightsRequest:
        if self.right == "correction" and self.service is None:
            raise ValueError("service: a correction names the service that has to be corrected")
        return self


class AnswerRightsRequest(Form):
    """rights.answer: what was done"""

    id: Id
    answer: Text


class RejectRightsRequest(Form):
    """rights.reject: with its ground, which the record of processing shows (PDPA s.39(7))"""

    id: Id
    ground: Text = Field(min_length=4)


class AcknowledgeNotice(Form):
    """rights.notice.acknowledge: the source has read what it is to correct, erase or stop"""

    id: Id


class AnswerNotice(Form):
    """rights.notice.answer: what the source did; where it did nothing, `answer` gives the ground (PDPA s.36)"""

    id: Id
    outcome: Literal["done", "not_done"]
    answer: Text = Field(min_length=4)
