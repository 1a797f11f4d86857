"""The pytest plugin behind the kit's one command: it takes `--cases PACKAGE.MODULE:NAME`."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from gateway.conformance.case import Case
from gateway.conformance.checks import CHECKS


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--cases`: where the cases are."""
    parser.addoption("--cases", help="PACKAGE.MODULE:NAME of a list of gateway.conformance.Case, or of what makes one")


def pytest_generate_tests(metafunc: Any) -> None:
    """One test for each case and check."""
    if not {"conformance_case", "conformance_check"} <= set(metafunc.fixturenames):
        return
    named = metafunc.config.getoption("--cases")
    if not named:
        raise pytest.UsageError("say what to check: --cases PACKAGE.MODULE:NAME")
    cases = cases_of(named)
    metafunc.parametrize(
        ("conformance_case", "conformance_check"),
        [pytest.param(case, check, id=f"{case.name}-{check}") for case in cases for check in CHECKS],
    )


def cases_of(named: str) -> list[Case]:
    """The cases behind `PACKAGE.MODULE:NAME`. Raises pytest.UsageError."""
    module, _, name = named.partition(":")
    try:
        held = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        raise pytest.UsageError("--cases names nothing that can be imported") from None
    cases = list(held() if callable(held) else held)
    if not cases or not all(isinstance(case, Case) for case in cases):
        raise pytest.UsageError("--cases names no list of gateway.conformance.Case")
    return cases
