"""A source's own list against the log, both ways, and the auditor's summary over HTTP and on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import population
from gateway.client import Problem
from tests.cli.conftest import run_linkage
from tests.harness import COVER, OLD_AGE, PERSON, RunningGateway, token_of

CITIZEN = population.story_people()[0].citizen_id
UNKNOWN = "ex_00000000000000000000000000"


@pytest.fixture(scope="module")
def exchanges(world: Any) -> dict[str, str]:
    """One exchange of each kind with dopa, in order: two released, one failed, one refused, one released at the end."""
    gateway, agencies = world
    found = {}
    with gateway.as_("city-a-welfare") as client:

        def ask(name: str, purpose: str = OLD_AGE, service: str = PERSON) -> None:
            try:
                found[name] = client.exchange(service=service, citizen_id=CITIZEN, purpose=purpose).exchange_id
            except Problem as problem:
                found[name] = problem.exchange_id or ""

        ask("first")
        ask("second")
        agencies["dopa"].fault("error_500")
        ask("failed")
        agencies["dopa"].fault("none")
        ask("refused", "health.coverage-check")
        ask("other", "health.coverage-check", COVER)
        ask("last")
    return found


def reconcile(gateway: RunningGateway, file: Path, *more: object, who: str = "dopa-owner-1") -> Any:
    own = ["--url", gateway.url, "--as", who, "--key", gateway.keys / f"{who}.jwk"]
    return run_linkage("log", "reconcile", file, "--json", *more, *own)


def test_a_list_that_is_whole_fits(running_gateway: RunningGateway, exchanges: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    lines = [f'2026-11-26,"{exchanges[name]}",ok' for name in ("first", "second", "last")]
    file.write_text("\ufefftime,exchange,result\r\n" + "\r\n".join(lines) + "\r\n", encoding="utf-8")
    ran = reconcile(running_gateway, file)
    assert ran.code == 0, ran.out + ran.err
    body = ran.json
    assert (body["good"], body["matched"], body["listed"], body["lines_without"]) == (True, 3, 3, 1)
    assert [one["exchange_id"] for one in body["perhaps_not_reached"]] == [exchanges["failed"]]
    assert reconcile(running_gateway, file, "--source", "dopa", who="auditor").json["matched"] == 3
    with running_gateway.as_("auditor") as auditor:
        looks = [e for e in _newest(auditor) if e["content"] and e["content"].get("report") == "reconcile"]
    assert looks[-1]["content"]["looked_at"] >= 3


def test_what_does_not_fit_is_named_both_ways(
    running_gateway: RunningGateway, exchanges: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "list.ndjson"
    listed = [exchanges[name] for name in ("first", "refused", "other", "last", "last")] + [UNKNOWN]
    file.write_text("".join(json.dumps({"id": one}) + "\n" for one in listed))
    span = ["--from", "2026-01-01T00:00:00Z", "--to", "2099-01-01T00:00:00Z", "--service", PERSON]
    ran = reconcile(running_gateway, file, *span)
    body = ran.json
    assert (ran.code, body["good"], body["matched"]) == (1, False, 2)
    assert sorted(body["not_in_log"]) == sorted([UNKNOWN, exchanges["other"]])  # another source's is not told
    assert [one["exchange_id"] for one in body["never_asked"]] == [exchanges["refused"]]
    assert exchanges["second"] in [one["exchange_id"] for one in body["not_at_source"]]
    assert {one["outcome"] for one in body["not_at_source"]} <= {"released", "withheld"}
    assert body["duplicates"] == [{"exchange_id": exchanges["last"], "times": 2}]


def test_whose_list_it_may_be(running_gateway: RunningGateway, exchanges: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text(exchanges["first"])
    assert reconcile(running_gateway, file, "--source", "dopa", who="nhso-owner-1").code == 1
    assert reconcile(running_gateway, file, who="auditor").code == 1  # which source?
    assert reconcile(running_gateway, file, who="admin").code == 1
    mine = reconcile(running_gateway, file, who="nhso-owner-1").json
    assert mine["not_in_log"] == [exchanges["first"]]
    assert reconcile(running_gateway, tmp_path / "none").code == 2
    file.write_text("no exchange in here\n")
    assert reconcile(running_gateway, file).code == 2
    file.write_text("ex_zzzzzzzzzzzzzzzzzzzzzzzzzz\n")
    assert reconcile(running_gateway, file).code == 2
    file.write_bytes(b"\xff\xfe\x00")
    assert reconcile(running_gateway, file).code == 2


def test_the_summary(running_gateway: RunningGateway, exchanges: dict[str, str]) -> None:
    own = ["--url", running_gateway.url, "--as", "auditor", "--key", running_gateway.keys / "auditor.jwk"]
    ran = run_linkage("log", "summary", "--source", "dopa", "--same-person", "3", "--json", *own)
    assert ran.code == 0, ran.err
    body = ran.json
    assert body["outcomes"]["released"] >= 3
    assert [one["id"] for one in body["by_source"]] == ["dopa"]
    assert body["parameters"]["same_person"] == 3
    assert {"purpose_not_covered", "agency_misbehaved"} <= {one["reason"] for one in body["by_reason"]}
    text = run_linkage("log", "summary", *own)
    assert (text.code, "p99" in text.out, body["basis"]["refusals"]["th"][:20] in text.out) == (0, True, True)
    assert CITIZEN not in ran.out + text.out
    assert run_linkage("log", "summary", "--from", "2569-01-01", *own).code == 2
    for query in (
        "from=2026-02-01&to=2026-01-01",
        "from=2020-01-01",
        "from=x",
        "from=2026-02-30",
        "to=0",
        "consumer=9-9",
        "people_factor=nan",
    ):
        headers = {"authorization": f"Bearer {token_of(running_gateway, 'auditor', 'audit')}"}
        answer = httpx.get(f"{running_gateway.url}/v1/audit/summary?{query}", headers=headers, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request"), query
    with running_gateway.as_("dopa-owner-1") as owner, pytest.raises(Problem):
        owner.summary()


def _newest(auditor: Any) -> list[dict[str, Any]]:
    after, entries = 0, []
    while after is not None:
        page = auditor.entries(after=after, limit=500)
        entries, after = [*entries, *page["entries"]], page["next"]
    return entries
