"""The bodies of acts about the log itself."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from gateway.keys.masters import is_month
from gateway.values import Form, Text


def _month(value: str) -> str:
    if not is_month(value):
        raise ValueError("a month is YYYY-MM of the common era")
    return value


Month = Annotated[str, AfterValidator(_month)]


class ProposeForgetting(Form):
    """log.forget.propose: the contents of this month, and of every month before"""

    month: Month
    reason: Text


class ApproveForgetting(Form):
    """log.forget.approve: exactly the month that was proposed"""

    month: Month
