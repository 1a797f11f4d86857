"""`linkage doctor`: what is wrong with a gateway on this machine, and how to mend it. It reads, and changes nothing."""

from __future__ import annotations

from gateway.doctor.findings import Finding
from gateway.doctor.holdings import look_at_holdings
from gateway.doctor.machine import look_at_machine
from gateway.settings import Settings

__all__ = ["Finding", "examine"]


def examine(settings: Settings) -> list[Finding]:
    """Every finding, the good ones too. Never raises: a check that fails is a finding."""
    return [*look_at_machine(settings), *look_at_holdings(settings)]
