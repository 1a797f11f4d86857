"""The kit's checks as tests: collected by the kit's command, see the package."""

from __future__ import annotations

import asyncio

import pytest

from gateway.conformance.case import Case, NotApplicable
from gateway.conformance.checks import CHECKS


def test_conformance(conformance_case: Case, conformance_check: str) -> None:
    """One check of one case."""
    try:
        asyncio.run(CHECKS[conformance_check](conformance_case))  # type: ignore[arg-type]
    except NotApplicable as why:
        pytest.skip(str(why))
