"""`linkage policy`: checked and tried at the desk, explained, replaced by two people, and tried on what was decided."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import population
from gateway.client import Problem
from gateway.policy import PolicySet
from tests.cli.desk import PERSON, PURPOSE, Desk
from tests.cli.government import governed

POLICIES = Path(__file__).parents[2] / "policies"
QUESTION = ["--service", PERSON, "--purpose", PURPOSE]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, linkage: Any) -> Iterator[Desk]:
    with governed(tmp_path_factory.mktemp("policies"), linkage) as held:
        yield held


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """A copy of the shipped rules, to be changed."""
    shutil.copytree(POLICIES, tmp_path / "policies")
    return tmp_path / "policies"


NIGHT = """
@id("asked-by-the-wrong-client") @code("asked_by_the_wrong_client") @section("Test s.1") @title_en("Not this client")
@title_th("ไม่ใช่ระบบนี้") @remedy_en("Ask through another") @remedy_th("ใช้ระบบอื่น")
forbid (principal, action, resource) when { principal == Client::"CLIENT" };
"""


def forbidding(folder: Path, client: str) -> Path:
    """A rule against one client, with its example."""
    (folder / "night.cedar").write_text(NIGHT.replace("CLIENT", client), encoding="utf-8")
    (folder / "examples/deny/wrong-client.json").write_text(
        '{"about": {"en": "a", "th": "ก"}, "from": "permit/old-age-allowance", '
        f'"change": {{"client.id": "{client}"}}, '
        '"policies": ["asked-by-the-wrong-client"], "codes": ["asked_by_the_wrong_client"]}',
        encoding="utf-8",
    )
    return folder


def test_the_shipped_rules_are_in_order(linkage: Any) -> None:
    ran = linkage("policy", "check", "--json")
    assert ran.code == 0, ran.err
    tried = linkage("policy", "test", "--json")
    assert (tried.code, tried.json["failed"]) == (0, 0)
    assert all(row["passed"] for row in tried.json["examples"])


def test_a_rule_that_no_example_reaches_and_one_that_fails_are_told(linkage: Any, draft: Path) -> None:
    assert linkage("policy", "check", forbidding(draft, "someone")).code == 0
    (draft / "examples/deny/wrong-client.json").unlink()
    ran = linkage("policy", "check", draft)
    assert (ran.code, "asked-by-the-wrong-client" in ran.err, "no example reaches it" in ran.err) == (1, True, True)
    assert linkage("policy", "test", draft).code == 0
    forbidding(draft, "tha-kham-welfare")
    ran = linkage("policy", "test", draft)
    assert (ran.code, "examples/permit/old-age-allowance.json" in ran.err) == (1, True)
    (draft / "night.cedar").write_text("permit (principal, action", encoding="utf-8")
    assert linkage("policy", "check", draft).code == 1
    assert linkage("policy", "check", draft / "nowhere").code == 1


def test_a_question_is_explained_and_leaves_nothing(desk: Desk) -> None:
    before = desk("auditor", "log", "search", "--json", "--limit", "200").json["exchanges"]
    mine = desk("city-welfare", "policy", "explain", *QUESTION, "--json")
    assert mine.code == 0, mine.err
    assert mine.json["permit"] is True
    assert mine.json["fields"] == ["date_of_birth", "life_status", "nationality"]
    assert [rule["id"] for rule in mine.json["rules"]] == ["exchange-under-an-agreement"]
    refused = desk(
        "city-welfare", "policy", "explain", *QUESTION, "--field", "father_name", "--officer", "X-1", "--json"
    )
    assert refused.json["permit"] is False
    assert {reason["code"] for reason in refused.json["reasons"]} == {"field_not_covered", "officer_not_enrolled"}
    assert all(reason["remedy_th"] for reason in refused.json["reasons"])
    told = desk("city-welfare", "policy", "explain", *QUESTION, "--field", "father_name")
    assert "field_not_covered" in told.out
    assert "ทางแก้" in told.out
    person = population.story_people()[0].citizen_id
    about = desk("city-welfare", "policy", "explain", *QUESTION, "--citizen", "--consent", "con_x", stdin=person)
    assert person not in about.out + about.err
    for who in ("admin", "auditor", "dpo", "owner-1", "city-owner"):
        ran = desk(who, "policy", "explain", *QUESTION, "--client", "city-welfare", "--json")
        assert ran.json["permit"] is True, ran.err
        assert desk(who, "policy", "explain", *QUESTION).code == 1
        assert desk(who, "policy", "explain", *QUESTION, "--client", "nobody").code == 1
    assert desk("city-welfare", "policy", "explain", *QUESTION, "--client", "city-owner").code == 1
    assert desk("city-welfare", "policy", "explain", "--service", "dopa.nothing.v1", "--purpose", PURPOSE).code == 1
    after = desk("auditor", "log", "search", "--json", "--limit", "200").json["exchanges"]
    assert after == before


def test_an_owner_of_neither_side_is_told_nothing(desk: Desk) -> None:
    desk("admin", "agency", "add", "stranger", "--title-th", "อื่น", "--title-en", "Other")
    desk.gateway.person("stranger-owner")
    public = ["--public-key", desk.gateway.keys / "stranger-owner.jwk"]
    desk(
        "admin", "operator", "add", "stranger-owner", "--name", "x", "--role", "owner", "--agency", "stranger", *public
    )
    ran = desk("stranger-owner", "policy", "explain", *QUESTION, "--client", "city-welfare")
    assert (ran.code, "role_not_allowed" in ran.err) == (1, True)


def test_rules_are_replaced_by_two_people_and_hold_at_once(desk: Desk, draft: Path) -> None:
    person = population.story_people()[0].citizen_id
    assert desk.ask(stdin=person).code == 0
    assert desk.ask("--field", "father_name", stdin=person).code == 1

    # First tried on what was decided: the answered question would have been refused.
    forbidding(draft, "city-welfare")
    tried = desk("auditor", "policy", "replay", draft, "--days", "1", "--json")
    assert tried.code == 0, tried.err
    assert tried.json["without_facts"] == 0
    assert tried.json["judged"] >= 2
    turned = [row for row in tried.json["otherwise"] if row["was"] == ["permitted"]]
    assert turned
    assert all(row["would_be"] == ["asked_by_the_wrong_client"] for row in turned)
    other = [row for row in tried.json["otherwise"] if row["was"] != ["permitted"]]
    assert all({"field_not_covered", "asked_by_the_wrong_client"} <= set(row["would_be"]) for row in other)
    assert tried.json["turned"] == len(turned)
    same = desk("auditor", "policy", "replay", POLICIES, "--days", "1", "--json").json
    assert (same["otherwise"], same["judged"] >= tried.json["judged"]) == ([], True)
    text = desk("dpo", "policy", "replay", draft, "--days", "1", "--csv")
    assert text.out.startswith("\ufeffexchange_id,")
    assert desk("admin", "policy", "replay", draft).code == 1

    old = desk("admin", "policy", "show", "--json").json["digest"]
    assert desk("owner-1", "policy", "propose", draft).code == 1
    proposed = desk("admin", "policy", "propose", draft, "--json")
    assert proposed.code == 0, proposed.err
    new = proposed.json["record"]["pending"]["digest"]
    assert desk("admin", "policy", "show", "--json").json["pending"]["digest"] == new
    assert desk.ask(stdin=person).code == 0
    for who, digest in (("admin", new), ("owner-1", new), ("admin-2", old), ("admin-2", "0" * 64)):
        assert desk(who, "policy", "approve", digest).code == 1
    approved = desk("admin-2", "policy", "approve", new, "--json")
    assert approved.code == 0, approved.err
    ran = desk.ask(stdin=person)
    assert (ran.code, "asked_by_the_wrong_client" in ran.err) == (1, True)
    entry = desk("auditor", "log", "show", approved.json["receipt"]["index"], "--json").json
    assert (entry["legal"]["old_digest"], entry["legal"]["new_digest"]) == (old, new)

    # And back, also by two; the second proposal is the other's.
    assert desk("admin-2", "policy", "propose", POLICIES).code == 0
    assert desk("admin-2", "policy", "propose", draft).code == 1
    assert desk("admin-2", "policy", "approve", old).code == 1
    assert desk("admin", "policy", "approve", old).code == 0
    assert desk.ask(stdin=person).code == 0


@pytest.mark.parametrize(
    "document",
    [
        {"schema": "", "files": {"a.cedar": "permit (principal, action, resource);"}},
        {"schema": "entity A;", "files": {"a.cedar": "nonsense"}},
        {"schema": "entity A;", "files": {}},
        {"schema": "entity A;"},
    ],
)
def test_a_set_that_does_not_validate_is_refused_and_the_old_one_stays(desk: Desk, document: dict[str, Any]) -> None:
    with desk.gateway.as_("admin") as admin:
        before = admin.record("policies", "active")
        with pytest.raises(Problem) as refused:
            admin.act("policies.propose", {"document": document})
        assert refused.value.code == "malformed_request"
        assert admin.record("policies", "active") == before


def test_a_set_for_another_version_is_refused_though_it_validates_by_its_own_schema(desk: Desk, draft: Path) -> None:
    schema = draft / "schema.cedarschema"
    text = schema.read_text(encoding="utf-8")
    schema.write_text(text.replace("today: Long,", "today: Long,\n    weekday: Long,"), encoding="utf-8")
    rule = (draft / "quotas.cedar").read_text(encoding="utf-8")
    (draft / "quotas.cedar").write_text(rule.replace("context.quota_left <=", "context.weekday <="), encoding="utf-8")
    document = PolicySet.from_folder(draft).as_json()
    with desk.gateway.as_("admin") as admin, pytest.raises(Problem) as refused:
        admin.act("policies.propose", {"document": document})
    assert refused.value.code == "malformed_request"
    assert "another version of the gateway, which states other facts: quota-exceeded" in refused.value.detail
    assert desk("admin", "policy", "show", "--json").json["pending"] is None
