"""`check` finds each kind of problem, and says where."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.policy import check

EXTRA = """@id("asks-at-noon") @code("asks_at_noon") @section("s") @title_en("t") @title_th("ก")
@remedy_en("r") @remedy_th("ก")
forbid (principal, action, resource) when { context.today == 20991231 };
"""


@pytest.fixture
def folder(tmp_path: Path, policy_folder: Path) -> Path:
    copied = tmp_path / "policies"
    shutil.copytree(policy_folder, copied)
    assert check(copied) == []
    return copied


def replaced(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def edited(path: Path, **changes: Any) -> None:
    document = json.loads(path.read_bytes())
    document.update(changes)
    path.write_text(json.dumps(document), encoding="utf-8")


def rename_id(folder: Path) -> None:
    replaced(folder / "quotas.cedar", '@id("quota-exceeded")', '@id("client-suspended")')


def drop_id(folder: Path) -> None:
    replaced(folder / "quotas.cedar", '@id("quota-exceeded")', "")


def drop_annotation(folder: Path) -> None:
    replaced(folder / "quotas.cedar", '@title_th("ใช้โควตาประจำวันของข้อกำหนดครบแล้ว")', "")


def misspell_attribute(folder: Path) -> None:
    replaced(folder / "quotas.cedar", "context.quota_left <=", "context.quota_lost <=")


def compare_types(folder: Path) -> None:
    replaced(folder / "quotas.cedar", "context.quota_left <= 0", 'context.quota_left <= "0"')


def break_syntax(folder: Path) -> None:
    replaced(folder / "quotas.cedar", "forbid (principal,", "forbids (principal,")


def break_schema(folder: Path) -> None:
    replaced(folder / "schema.cedarschema", "entity Group;", "entity Group")


def add_policy_without_example(folder: Path) -> None:
    (folder / "noon.cedar").write_text(EXTRA, encoding="utf-8")


def drop_deny_example(folder: Path) -> None:
    (folder / "examples" / "deny" / "quota-exceeded.json").unlink()


def give_deny_example_no_permitted_base(folder: Path) -> None:
    edited(folder / "examples" / "deny" / "quota-exceeded.json", **{"from": "deny/deeper"})
    document = json.loads((folder / "examples" / "permit" / "old-age-allowance.json").read_bytes())
    document |= {"policies": ["client-suspended"], "codes": ["client_suspended"]}
    document["facts"]["client"]["status"] = "suspended"
    (folder / "examples" / "deny" / "deeper.json").write_text(json.dumps(document), encoding="utf-8")
    edited(
        folder / "examples" / "deny" / "quota-exceeded.json",
        policies=["client-suspended", "quota-exceeded"],
        codes=["client_suspended", "quota_exceeded"],
    )


def drop_every_permit_example(folder: Path) -> None:
    shutil.rmtree(folder / "examples" / "permit")


def drop_no_agreement_examples(folder: Path) -> None:
    for name in ("no-agreement", "unknown-purpose", "purpose-without-term"):
        (folder / "examples" / "deny" / f"{name}.json").unlink()


def expect_another_policy(folder: Path) -> None:
    edited(folder / "examples" / "deny" / "quota-exceeded.json", policies=["client-suspended"])


def expect_another_code(folder: Path) -> None:
    edited(folder / "examples" / "deny" / "quota-exceeded.json", codes=["client_suspended"])


def put_in_wrong_folder(folder: Path) -> None:
    shutil.move(folder / "examples" / "deny" / "quota-exceeded.json", folder / "examples" / "permit")
    edited(folder / "examples" / "permit" / "quota-exceeded.json", codes=[])


def weaken_a_rule(folder: Path) -> None:
    replaced(folder / "quotas.cedar", "context.quota_left <= 0", "context.quota_left < 0")


def break_example_json(folder: Path) -> None:
    (folder / "examples" / "deny" / "quota-exceeded.json").write_text("{", encoding="utf-8")


def misspell_example_key(folder: Path) -> None:
    edited(folder / "examples" / "deny" / "quota-exceeded.json", code=[])


def misspell_fact(folder: Path) -> None:
    edited(folder / "examples" / "deny" / "quota-exceeded.json", change={"quota_usde": 500})


def change_what_is_not_there(folder: Path) -> None:
    edited(folder / "examples" / "deny" / "quota-exceeded.json", change={"agreement.terms.7.notice": ""})


def change_in_a_circle(folder: Path) -> None:
    edited(folder / "examples" / "deny" / "quota-exceeded.json", **{"from": "deny/quota-exceeded"})


def leave_out_what_it_is_about(folder: Path) -> None:
    edited(folder / "examples" / "deny" / "quota-exceeded.json", about={"en": "only English"})


def leave_out_the_codes(folder: Path) -> None:
    edited(folder / "examples" / "deny" / "quota-exceeded.json", codes=[])


QUOTAS = "quotas.cedar"
EXAMPLE = "examples/deny/quota-exceeded.json"


@pytest.mark.parametrize(
    ("spoil", "file", "policy", "says"),
    [
        (rename_id, "standing.cedar", "client-suspended", "is used in quotas.cedar too"),
        (drop_id, QUOTAS, "", "no @id"),
        (drop_annotation, QUOTAS, "quota-exceeded", "@title_th is missing"),
        (misspell_attribute, QUOTAS, "quota-exceeded", "does not validate"),
        (compare_types, QUOTAS, "quota-exceeded", "does not validate"),
        (break_syntax, QUOTAS, "", "not Cedar"),
        (break_schema, "schema.cedarschema", "", "not a Cedar schema"),
        (add_policy_without_example, "noon.cedar", "asks-at-noon", "no example reaches it"),
        (drop_deny_example, QUOTAS, "quota-exceeded", "no example reaches it"),
        (give_deny_example_no_permitted_base, QUOTAS, "quota-exceeded", "made from a permitted one"),
        (drop_every_permit_example, "permit.cedar", "exchange-under-an-agreement", "no example that it permits"),
        (drop_no_agreement_examples, "permit.cedar", "exchange-under-an-agreement", "would not permit"),
        (expect_another_policy, EXAMPLE, "", "decided by other policies: quota-exceeded"),
        (expect_another_code, EXAMPLE, "", "other reason codes: quota_exceeded"),
        (put_in_wrong_folder, "examples/permit/quota-exceeded.json", "", "it is refused: quota_exceeded"),
        (weaken_a_rule, EXAMPLE, "", "it is permitted"),
        (break_example_json, EXAMPLE, "", "not readable as JSON"),
        (misspell_example_key, EXAMPLE, "", "an object of"),
        (misspell_fact, EXAMPLE, "", "quota_usde: unknown key"),
        (change_what_is_not_there, EXAMPLE, "", "no place for agreement.terms.7.notice"),
        (change_in_a_circle, EXAMPLE, "", "names no example"),
        (leave_out_what_it_is_about, EXAMPLE, "", "`about`"),
        (leave_out_the_codes, EXAMPLE, "", "without `codes`"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_each_kind_of_problem_is_found(
    folder: Path, spoil: Callable[[Path], None], file: str, policy: str, says: str
) -> None:
    spoil(folder)
    problems = check(folder)
    found = [problem for problem in problems if (problem.file, problem.policy) == (file, policy)]
    assert any(says in problem.en for problem in found), problems
    assert all(any("ก" <= letter <= "๛" for letter in problem.th) for problem in problems)


def test_a_folder_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    (problem,) = check(tmp_path / "nowhere")
    assert "cannot be read" in problem.en


def test_every_problem_is_reported_not_only_the_first(folder: Path) -> None:
    misspell_attribute(folder)
    replaced(folder / "standing.cedar", "principal.status", "principal.state")
    assert {problem.file for problem in check(folder)} >= {"quotas.cedar", "standing.cedar"}
