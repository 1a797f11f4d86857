"""Every example is decided as its folder says, and every policy is shown from both sides."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from gateway.catalogue import service_schema
from gateway.policy import Judge, PolicySet, check
from gateway.policy.examples import Example

EXAMPLES = Path(__file__).parents[2] / "policies" / "examples"
NAMES = sorted(f"{path.parent.name}/{path.stem}" for path in EXAMPLES.glob("*/*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_decided_as_its_folder_says(name: str, examples: dict[str, Example], judge: Judge) -> None:
    example = examples[name]
    decision = judge.judge([example.facts])
    assert decision.permit is name.startswith("permit/")
    assert set(decision.policies) == example.policies
    assert {reason.code for reason in decision.reasons} == example.codes
    assert decision.fields == (example.facts.fields if decision.permit else ())


def test_the_shipped_policies_have_no_problem(policy_folder: Path) -> None:
    assert check(policy_folder) == []


def test_every_policy_has_a_permit_and_a_deny_example(policies: PolicySet, examples: dict[str, Example]) -> None:
    """Counted here without the code that `check` counts with."""
    refused_from_permitted: set[str] = set()
    for example in examples.values():
        if not example.permit and example.base.startswith("permit/") and example.base in examples:
            refused_from_permitted |= example.policies
    forbids = {info.id for info in policies.policies if info.effect == "forbid"}
    assert len(forbids) > 50
    assert forbids == refused_from_permitted
    permits = {info.id for info in policies.policies if info.effect == "permit"}
    assert permits == {"exchange-under-an-agreement"}
    assert all(example.policies == permits for example in examples.values() if example.permit)


def test_the_rules_know_every_category_that_a_field_can_be_registered_with(
    judge: Judge, examples: dict[str, Example]
) -> None:
    """So that the catalogue and the rules do not drift apart."""
    base = examples["permit/disability-allowance"].facts
    for category in service_schema.PDPA:
        fields = {name: dataclasses.replace(info, pdpa=category) for name, info in base.service.fields.items()}
        asked = dataclasses.replace(base, service=dataclasses.replace(base.service, fields=fields))
        assert judge.judge([asked]).permit, category


def test_every_code_that_the_contract_names_is_given_by_some_policy(policies: PolicySet) -> None:
    named = """
        no_agreement agreement_not_yet_begun agreement_expired agreement_suspended agreement_revoked
        agreement_incomplete client_not_covered purpose_not_covered unknown_purpose purpose_suspended
        field_not_covered sensitive_basis_missing consent_required consent_withdrawn consent_paused
        consent_expired consent_not_yet_begun consent_used_up consent_of_another_consumer
        consent_of_another_subject consent_does_not_cover consent_collector_not_allowed
        consent_assurance_too_low guardian_required consent_age_unconfirmed
        classification_exceeds_clearance level_too_high officer_required officer_not_enrolled
        officer_suspended client_suspended agency_suspended connector_disabled service_suspended
        cross_border_not_covered quota_exceeded officer_quota_exceeded
    """
    assert set(re.findall(r"\w+", named)) <= {info.code for info in policies.policies}
