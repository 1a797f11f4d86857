"""The shipped policies, and the facts of their examples as a starting point."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.model import Facts
from gateway.policy import Judge, PolicySet
from gateway.policy.examples import Example, read_examples

POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture(scope="session")
def policy_folder() -> Path:
    return POLICIES


@pytest.fixture(scope="session")
def policies() -> PolicySet:
    return PolicySet.from_folder(POLICIES)


@pytest.fixture
def judge(policies: PolicySet) -> Judge:
    return Judge(policies)


@pytest.fixture(scope="session")
def examples() -> dict[str, Example]:
    found, problems = read_examples(POLICIES)
    assert problems == []
    return {example.name: example for example in found}


@pytest.fixture
def facts(examples: dict[str, Example]) -> Callable[[str], Facts]:
    """The facts of a permitted example, by its name."""
    return lambda name: examples[f"permit/{name}"].facts
