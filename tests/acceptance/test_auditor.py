"""The auditor at work, from another desk: searching, exporting, matching files, and all of it itself in the log."""

from __future__ import annotations

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import population
from gateway.client import AsyncGateway, Problem
from tests.cli.conftest import run_linkage
from tests.harness import OLD_AGE, PERSON, RunningGateway, token_of
from tests.verification import independent_verifier
from tests.verification.copied_log import settled

CITIZEN = population.story_people()[0].citizen_id
CASES = [f"AUDIT/{number}" for number in range(6)]


@pytest.fixture(scope="module")
def asked(world: Any) -> dict[str, str]:
    """Case reference -> exchange: three released, one refused for an officer that nobody enrolled, one failed."""
    gateway, agencies = world
    found = {}
    with gateway.as_("city-a-welfare") as client:
        for case in CASES[:3]:
            answer = client.exchange(
                service=PERSON, citizen_id=CITIZEN, purpose=OLD_AGE, case_reference=case, officer="somsri.j"
            )
            found[case] = answer.exchange_id
        agencies["dopa"].fault("error_500")
        for case, officer in ((CASES[3], "-cmd"), (CASES[4], "somsri.j")):
            with pytest.raises(Problem) as refused:
                client.exchange(
                    service=PERSON, citizen_id=CITIZEN, purpose=OLD_AGE, case_reference=case, officer=officer
                )
            found[case] = refused.value.exchange_id or ""
        agencies["dopa"].fault("none")
    return found


def command(gateway: RunningGateway, *arguments: object, who: str = "auditor", stdin: str = "") -> Any:
    given = ["--url", gateway.url, "--as", who, "--key", gateway.keys / f"{who}.jwk"]
    return run_linkage(*arguments, *given, stdin=stdin)


def looks(gateway: RunningGateway) -> list[dict[str, Any]]:
    """The newest entries that say who looked at the log."""
    with gateway.as_("auditor") as auditor:
        size = settled(gateway).size
        entries = auditor.entries(after=max(0, size - 30), limit=30)["entries"]
    return [entry for entry in entries if entry["public"]["kind"] == "audit.search"]


def test_a_search_by_why_nothing_was_released(running_gateway: RunningGateway, asked: dict[str, str]) -> None:
    for code, case in (("officer_not_enrolled", CASES[3]), ("agency_misbehaved", CASES[4])):
        found = command(running_gateway, "log", "search", "--reason-code", code, "--json", "--limit", "1")
        assert found.json["exchanges"][0]["exchange_id"] == asked[case], found.err
    look = looks(running_gateway)[-1]
    assert look["content"]["reason_code"] == "agency_misbehaved"
    assert look["parties"] == {"operator": "auditor", "role": "auditor"}


def test_an_export_is_one_entry_with_how_many_it_gave(
    running_gateway: RunningGateway, asked: dict[str, str], tmp_path: Path
) -> None:
    before = len(looks(running_gateway))
    out, sheet = tmp_path / "all.ndjson", tmp_path / "all.csv"
    ran = command(running_gateway, "log", "export", "--officer", "somsri.j", "--out", out, "--json")
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert ran.json == {"file": str(out), "exchanges": len(rows)}
    assert {row["officer"] for row in rows} == {"somsri.j"}
    assert {asked[case] for case in (*CASES[:3], CASES[4])} <= {row["exchange_id"] for row in rows}
    after = looks(running_gateway)
    assert len(after) <= before + 2  # of this test's own two looks, one came after the export
    export = next(look for look in reversed(after) if "rows" in look["content"])
    assert export["content"] == {"officer": "somsri.j", "rows": len(rows)}

    assert command(running_gateway, "log", "export", "--case-reference", CASES[3], "--csv", "--out", sheet).code == 0
    raw = sheet.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    (row,) = csv.DictReader(io.StringIO(raw.decode("utf-8-sig")))
    assert (row["officer"], row["outcome"]) == ("'-cmd", "refused")
    assert command(running_gateway, "log", "export", "--out", sheet).code == 1
    assert sheet.read_bytes() == raw
    printed = command(running_gateway, "log", "export", "--case-reference", CASES[0])
    assert json.loads(printed.out)["exchange_id"] == asked[CASES[0]]
    assert command(running_gateway, "log", "export", "--citizen", stdin=CITIZEN).code == 2
    person = command(running_gateway, "log", "export", "--citizen", "--reason", "complaint 7", stdin=CITIZEN)
    assert asked[CASES[0]] in person.out
    assert CITIZEN not in person.out + person.err
    assert looks(running_gateway)[-1]["content"]["reason"] == "complaint 7"
    assert not list(tmp_path.glob("*.part"))


async def test_the_same_awaited(running_gateway: RunningGateway, asked: dict[str, str]) -> None:
    key = running_gateway.keys / "auditor.jwk"
    async with AsyncGateway(running_gateway.url, "auditor", key) as auditor:
        found = [one async for one in auditor.export(case_references=CASES)]
    assert {one["case_reference"]: one["exchange_id"] for one in found} == asked
    async with AsyncGateway(running_gateway.url, "dopa-owner-1", running_gateway.keys / "dopa-owner-1.jwk") as owner:
        with pytest.raises(Problem) as refused:
            _ = [one async for one in owner.export()]
    assert refused.value.status in (400, 403)


def test_files_matched_with_their_exchanges(
    running_gateway: RunningGateway, asked: dict[str, str], tmp_path: Path
) -> None:
    file, out = tmp_path / "cases.txt", tmp_path / "cases.csv"
    file.write_text("\ufeff" + "\r\n".join([*CASES, "", CASES[0], "AUDIT/none"]), encoding="utf-8")
    body = command(running_gateway, "log", "cases", file, "--json").json
    assert {one["case_reference"]: one["exchange_id"] for one in body["exchanges"]} == asked
    assert (body["cases"], body["without"]) == (7, [CASES[5], "AUDIT/none"])
    look = looks(running_gateway)[-1]["content"]
    assert (look["rows"], look["case_references"]) == (5, [*CASES, "AUDIT/none"])
    body = command(running_gateway, "log", "cases", file, "--csv", "--out", out, "--json").json
    assert body["exchanges"] == 5
    assert len(list(csv.DictReader(io.StringIO(out.read_text("utf-8-sig"))))) == 5
    file.write_text(f"{CASES[0]}\n{CITIZEN}\n")
    wrong = command(running_gateway, "log", "cases", file)
    assert (wrong.code, "line 2" in wrong.err, CITIZEN in wrong.err) == (2, True, False)


def test_a_shown_exchange_has_a_proof_for_each_entry(running_gateway: RunningGateway, asked: dict[str, str]) -> None:
    vkey = httpx.get(f"{running_gateway.url}/log/vkey", trust_env=False).text
    shown = command(running_gateway, "log", "show", asked[CASES[0]], "--json").json
    assert [entry["public"]["kind"] for entry in shown["contents"]] == ["exchange.decided", "exchange.released"]
    alone = command(running_gateway, "log", "show", shown["contents"][1]["index"], "--json").json
    assert alone["content"] == shown["contents"][1]["content"]
    for entry in (*shown["contents"], alone):
        head, note = entry["proof"].split("\n\n", 1)
        assert head.split("\n")[1] == f"index {entry['index']}"
        _, size, root = independent_verifier.open_note(note, vkey)[:3]
        path = [base64.b64decode(line) for line in head.split("\n")[2:]]
        leaf = independent_verifier.sha(b"\x00" + bytes.fromhex(entry["entry"]))
        assert independent_verifier.root_by_path(leaf, entry["index"], int(size), path) == base64.b64decode(root)
    assert command(running_gateway, "log", "show", 10**9).code == 1


def test_what_a_judgement_was_judged_on_is_shown_to_no_party(
    running_gateway: RunningGateway, asked: dict[str, str]
) -> None:
    for who, scope in (("city-a-welfare", "exchange"), ("dopa-owner-1", "admin")):
        response = httpx.get(
            f"{running_gateway.url}/v1/exchanges/{asked[CASES[0]]}/proof",
            headers={"authorization": f"Bearer {token_of(running_gateway, who, scope)}"},
            trust_env=False,
            timeout=20,
        )
        assert response.status_code == 200
        for entry in response.json()["entries"]:
            texts = [json.loads(group["content"]) for group in entry["groups"].values() if "content" in group]
            assert len(texts) == 4
            assert not any("facts" in text or "pseudonym" in text for text in texts)
    contents = command(running_gateway, "log", "show", asked[CASES[0]], "--json").json["contents"]
    assert contents[0]["subject"]["facts"]["candidates"]


def test_only_an_auditor_and_only_with_a_reason(running_gateway: RunningGateway) -> None:
    url, headers = f"{running_gateway.url}/v1/audit/exchanges/export", {"content-type": "application/json"}
    for who, scope, body, status in (
        ("city-a-welfare", "exchange", {}, 403),
        ("auditor", "audit", {"citizen_id": CITIZEN}, 400),
        ("auditor", "audit", {"citizen_id": CITIZEN[:-1] + str((int(CITIZEN[-1]) + 1) % 10), "reason": "why not"}, 400),
        ("auditor", "audit", {"case_references": []}, 400),
        ("auditor", "audit", {"case_references": [CITIZEN]}, 400),
        ("auditor", "audit", {"limit": 5}, 400),
    ):
        authorised = {**headers, "authorization": f"Bearer {token_of(running_gateway, who, scope)}"}
        answer = httpx.post(url, headers=authorised, json=body, trust_env=False)
        assert answer.status_code == status, body
        assert CITIZEN not in answer.text
