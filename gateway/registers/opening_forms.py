"""The bodies of acts on exchanges that are withheld from the person they are about."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from gateway.values import Form, Text

ExchangeId = Annotated[str, StringConstraints(pattern=r"^ex_[0-9a-z]{26}$")]


class ProposeOpening(Form):
    """opening.propose: that the person is told of an exchange before its time"""

    exchange: ExchangeId
    reason: Text


class ApproveOpening(Form):
    """opening.approve: of what someone else proposed"""

    exchange: ExchangeId
