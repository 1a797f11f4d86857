"""What a term may name is what the rules know: no agreement is approved under which every question is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from gateway.registers.acts import ACTS
from gateway.registers.agreement_forms import Basis, OiaGround, ProposeAgreement, SensitiveBasis
from gateway.registers.forms import FORMS
from tests.harness import agreement, term

RULES = Path(__file__).parents[2] / "policies"


def known_to(file: str, rule: str) -> set[str]:
    """The texts in the list that a rule compares with."""
    text = (RULES / file).read_text(encoding="utf-8").partition(f'@id("{rule}")')[2]
    listed = re.search(r"unless \{\s*\[(?P<list>[^\]]*)\]", text)
    assert listed is not None
    return set(re.findall(r'"([^"]*)"', listed["list"]))


@pytest.mark.parametrize(
    ("clauses", "file", "rule"),
    [
        (Basis, "lawful-basis.cedar", "lawful-basis-unknown"),
        (SensitiveBasis, "lawful-basis.cedar", "sensitive-basis-unknown"),
        (OiaGround, "agreements.cedar", "agreement-without-oia-ground"),
    ],
)
def test_the_form_takes_the_clauses_that_the_rules_know(clauses: Any, file: str, rule: str) -> None:
    assert set(get_args(clauses)) == known_to(file, rule) - {""}


def proposed(**changes: Any) -> ProposeAgreement:
    form = agreement("a-b", "dopa.person.v1", [term("welfare.old-age-allowance", ["life_status"], **changes)])
    return ProposeAgreement.model_validate(form)


@pytest.mark.parametrize(
    "changes",
    [
        {"oia_ground": "24(10)"},
        {"oia_ground": "public interest"},
        {"oia_ground": "consent"},
        {"sensitive_basis": "26(5)"},
        {"sensitive_basis": "26(1)(a)"},
        {"sensitive_basis": "26(5)(f)"},
        {"sensitive_basis": ""},
        {"lawful_basis": "24(7)"},
        {"quota_per_day": 0},
        {"quota_per_day": 10, "quota_per_officer_per_day": 11},
        {"fields": ["life_status", "life_status"]},
    ],
)
def test_what_the_rules_would_refuse_does_not_fit_the_form(changes: dict[str, Any]) -> None:
    assert proposed().terms[0].oia_ground == "24(2)"
    form = agreement("a-b", "dopa.person.v1", [{**term("welfare.old-age-allowance", ["life_status"]), **changes}])
    with pytest.raises(ValidationError):
        ProposeAgreement.model_validate(form)


def test_what_the_rules_take_fits_the_form() -> None:
    quotas = {"quota_per_day": 10, "quota_per_officer_per_day": 10}
    held = proposed(sensitive_basis="26(5)(c)", oia_ground="24(9)", **quotas).terms[0]
    assert (held.sensitive_basis, held.oia_ground) == ("26(5)(c)", "24(9)")
    assert proposed(oia_ground="consent", lawful_basis="consent").terms[0].oia_ground == "consent"
    assert proposed(sensitive_basis="26-criminal", lawful_basis="consent").terms[0].sensitive_basis == "26-criminal"


def test_every_form_has_its_act_and_every_act_its_form() -> None:
    assert FORMS.keys() == ACTS.keys()
