"""The bodies of acts on the register of rights requests (PDPA s.30-36, s.39): a person only as the log's pseudonym."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gateway.values import Day, Form, Id, ServiceId, Text

Right = Literal["access", "correction", "objection", "erasure"]
Pseudonym = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class AddRightsRequest(Form):
    """rights.add: received by an agency on a Bangkok day; a correction names the service whose source is to hear"""

    id: Id
    agency: Id
    right: Right
    subject: Pseudonym
    received: Day
    service: ServiceId | None = None
    about: Text | None = None


class AnswerRightsRequest(Form):
    """rights.answer: what was done"""

    id: Id
    answer: Text


class RejectRightsRequest(Form):
    """rights.reject: with its ground, which the record of processing shows (PDPA s.39(7))"""

    id: Id
    ground: Text = Field(min_length=4)
