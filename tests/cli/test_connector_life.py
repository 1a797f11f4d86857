"""An agency's connector as its administrators see it: probed, compared, replaced while questions are asked, watched."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.population import population, story
from gateway.client import Problem
from tests.cli.desk import HOUSE, PERSON, PURPOSE, Desk, opened
from tests.harness import ROOT, SANDBOX_KEYS

ELDER = story("elder")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, linkage: Any) -> Iterator[Desk]:
    with opened(tmp_path_factory.mktemp("life"), linkage) as found:
        found.onboard()
        assert found("owner-2", "agreement", "approve", "city-house", "--yes").code == 0
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The agency's folder and its schemas, to be changed."""
    shutil.copytree(ROOT / "connectors" / "dopa", tmp_path / "connectors" / "dopa")
    shutil.copytree(ROOT / "schemas", tmp_path / "schemas")
    return tmp_path / "connectors" / "dopa"


def edit(folder: Path, old: str, new: str) -> None:
    text = (folder / "agency.yaml").read_text(encoding="utf-8")
    assert old in text
    (folder / "agency.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")


def edit_schema(folder: Path, change: Any, service: str = PERSON) -> None:
    file = folder.parent.parent / "schemas" / f"{service}.json"
    schema = json.loads(file.read_text(encoding="utf-8"))
    change(schema)
    file.write_text(json.dumps(schema, ensure_ascii=False), encoding="utf-8")


def changed(ran: Any) -> dict[tuple[str, str, str], Any]:
    rows = ran.json["changes"]
    return {(row["service"], row["field"], row["code"]): (row["breaks"], row["agreements"]) for row in rows}


def test_what_a_folder_changes_and_whom_it_breaks(desk: Desk, folder: Path) -> None:
    same = desk("owner-1", "connector", "diff", folder, "--endpoint", desk.endpoint, "--json")
    assert same.code == 0, same.err
    assert (same.json["changes"], same.json["breaking"]) == ([], False)
    edit(folder, "nationality: {type: coded", "nationality_x: {type: coded")
    edit_schema(folder, lambda schema: rename(schema, "nationality", "nationality_x"))
    edit(folder, "deadline_seconds: 5", "deadline_seconds: 4")
    ran = desk("owner-1", "connector", "diff", folder, "--endpoint", desk.endpoint, "--json")
    assert changed(ran) == {
        (PERSON, "nationality", "field_removed"): (True, ["city-person"]),
        (PERSON, "nationality_x", "field_added"): (False, []),
        (PERSON, "", "deadline_seconds"): (False, []),
        (PERSON, "", "connector"): (False, []),
    }
    assert ran.code == 0
    told = desk("owner-1", "connector", "diff", folder, "--endpoint", desk.endpoint, "--strict")
    assert told.code == 1
    assert "city-person" in told.out
    assert "ตัดรายการข้อมูล / the field is taken away" in told.out
    assert desk("owner-1", "connector", "diff", folder / "nowhere").code == 2
    assert desk("owner-1", "connector", "diff", "dopa", "--pending").code == 1


def rename(schema: dict[str, Any], old: str, new: str) -> None:
    schema["properties"][new] = schema["properties"].pop(old)
    schema["required"] = [new if name == old else name for name in schema["required"]]


def test_a_new_version_is_taken_up_while_questions_are_asked_and_drops_none(desk: Desk, folder: Path) -> None:
    """Questions without pause while versions are registered and approved: every one is answered."""
    ended, answers, faults = threading.Event(), [0], []

    def asks() -> None:
        with desk.gateway.as_("city-welfare") as client:
            while not ended.is_set():
                try:
                    answer = client.exchange(service=PERSON, citizen_id=ELDER, purpose=PURPOSE)
                    assert set(answer.data) == {"date_of_birth", "life_status", "nationality"}
                    answers[0] += 1
                except (Problem, AssertionError) as fault:
                    faults.append(str(fault))

    hammers = [threading.Thread(target=asks) for _ in range(4)]
    for hammer in hammers:
        hammer.start()
    try:
        for version in range(3):
            edit(folder, f"deadline_seconds: {5 + version}", f"deadline_seconds: {6 + version}")
            assert desk("owner-1", "connector", "register", folder, "--endpoint", desk.endpoint).code == 0
            waiting = desk("owner-2", "connector", "diff", "dopa", "--pending", "--json")
            assert (PERSON, "", "deadline_seconds") in changed(waiting)
            assert desk("owner-2", "connector", "approve", "dopa", "--yes").code == 0
            before = answers[0]
            with desk.gateway.as_("city-welfare") as client:
                begun = time.monotonic()
                while client.service(PERSON)["deadline_seconds"] != 6 + version:
                    assert time.monotonic() - begun < 30
                    time.sleep(0.05)
            while answers[0] < before + 8 and not faults:
                time.sleep(0.01)
    finally:
        ended.set()
        for hammer in hammers:
            hammer.join(30)
    assert faults == []
    assert answers[0] >= 24


def test_the_list_tells_how_each_source_fares(desk: Desk) -> None:
    known = f"{ELDER}\n"
    assert desk.ask(stdin=known).code == 0
    ran = desk("owner-1", "connector", "list", "--json")
    assert ran.code == 0, ran.err
    fared = {one["service"]: one for one in ran.json["health"]["sources"]}
    assert {one["id"] for one in ran.json["records"]} == {"dopa"}
    before = fared[PERSON]
    assert before["breaker"] == "closed"
    assert before["answers"] >= 1
    assert 0 < before["p50_ms"] <= before["p99_ms"]
    assert (fared["dopa.marriage.v1"]["answers"], fared["dopa.marriage.v1"]["p50_ms"]) == (0, None)
    broken(desk, "not_json")
    try:
        assert desk.ask(stdin=known).code == 1
    finally:
        broken(desk, "none")
    after = {one["service"]: one for one in desk("admin", "connector", "list", "--json").json["health"]["sources"]}
    assert after[PERSON]["failures"] == before["failures"] + 1
    assert after[PERSON]["last_failure"] is not None
    assert sum(after[PERSON]["faults"].values()) == after[PERSON]["failures"]
    shown = desk("admin", "connector", "list").out
    assert "not_json" in shown
    assert "as the gateway" in shown


def broken(desk: Desk, fault: str) -> None:
    """Makes the source's next answers go wrong (`none`: right again)."""
    httpx.put(f"{desk.endpoint}/_sandbox/fault", json={"fault": fault}, trust_env=False).raise_for_status()


def test_a_disabled_service_is_told_as_such_and_comes_back(desk: Desk) -> None:
    asking = ["exchange", "--service", HOUSE, "--purpose", PURPOSE]
    known = f"{ELDER}\n"
    assert desk("city-welfare", *asking, stdin=known).code == 0
    assert desk("owner-1", "connector", "disable", "dopa", "--service", HOUSE, "--reason", "moving house").code == 0
    refused = desk("city-welfare", *asking, "--json", stdin=known)
    assert [reason["code"] for reason in json.loads(refused.err)["error"]["reasons"]] == ["connector_disabled"]
    listed = desk("owner-1", "connector", "list").out
    assert next(line for line in listed.splitlines() if HOUSE in line).split()[2] == "disabled"
    assert desk.ask(stdin=known).code == 0
    assert desk("owner-1", "connector", "enable", "dopa", "--service", HOUSE).code == 0
    assert desk("city-welfare", *asking, stdin=known).code == 0


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SANDBOX_KEYS.items():
        monkeypatch.setenv(name, value)


def test_a_probe_shows_names_and_types_and_no_value(desk: Desk, linkage: Any, folder: Path, secrets: None) -> None:
    probing = ["connector", "probe", folder, "--endpoint", desk.endpoint]
    ran = linkage(*probing, "--json")
    assert ran.code == 0, ran.err
    person = population()[ELDER]
    probes = {one["service"]: one for one in ran.json["probes"]}
    assert set(probes) == {PERSON, HOUSE, "dopa.name-change.v1", "dopa.marriage.v1"}
    found = {field["name"]: field["type"] for field in probes[PERSON]["fields"]}
    assert found["first_name"] == "text"
    assert found["life_status"] == "group of code, label"
    assert "name_matches" not in found
    assert {"name", "connect", "answer"} <= probes[PERSON]["milliseconds"].keys()
    for said in (ran.out, linkage(*probing).out):
        assert person.first_name not in said
        assert ELDER not in said
    values = linkage(*probing, "--values", "--service", PERSON, "--json").json["probes"][0]
    assert {"name": "first_name", "type": "text", "value": person.first_name} in values["fields"]


def test_a_probe_says_what_is_wrong_without_a_value(
    desk: Desk, linkage: Any, folder: Path, secrets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = ["--service", PERSON, "--json"]

    def fault(*more: object) -> str:
        ran = linkage("connector", "probe", folder, *only, *more)
        assert ran.code == 1
        return str(ran.json["probes"][0]["fault"])

    edit(folder, "path: /firstName, required: true", "path: /firstNam, required: true")
    assert fault("--endpoint", desk.endpoint) == "agency_misbehaved: unmapped"
    edit(folder, "path: /firstNam, required: true", "path: /firstName, required: true")
    assert fault("--endpoint", "http://127.0.0.1:9") == "agency_unavailable: refused"
    edit(folder, 'test_identifier: "9111111111114"', 'test_identifier: "' + story("unknown") + '"')
    assert fault("--endpoint", desk.endpoint) == "citizen_not_found"
    edit(folder, 'test_identifier: "' + story("unknown") + '"\n', "\n")
    assert fault("--endpoint", desk.endpoint) == "no_test_identifier"
    edit(folder, "    echo:", '    test_identifier: "' + ELDER + '"\n    echo:')
    monkeypatch.delenv("SOURCE_DOPA__API_KEY")
    lacking = "agency_unavailable: secret_missing: env:SOURCE_DOPA__API_KEY"
    assert fault("--endpoint", desk.endpoint) == lacking, "the reference that leads nowhere is named"
    real = linkage("connector", "probe", folder, "--values", *only)
    assert (real.code, "sandbox" in real.err) == (1, True)
    assert linkage("connector", "probe", folder, "--service", "dopa.ghost.v1").code == 2
