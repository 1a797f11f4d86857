"""A gateway brought up by commands alone, each by the person whose act it is, against a real sandbox agency."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors import population
from tests.cli.desk import PERSON, PURPOSE, Desk, agreement, document, opened, title


@pytest.fixture
def fresh(tmp_path: Path, linkage: Any) -> Iterator[Desk]:
    """A gateway on which nothing is registered yet."""
    with opened(tmp_path, linkage) as desk:
        yield desk


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, linkage: Any) -> Iterator[Desk]:
    """A gateway with everything in place, for tests that only add."""
    with opened(tmp_path_factory.mktemp("shared"), linkage) as desk:
        desk.onboard()
        yield desk


@pytest.fixture
def elder() -> str:
    return population.story_people()[0].citizen_id


def states(ran: Any) -> dict[str, str]:
    return {f"{item['kind']} {item['id']}": item["state"] for item in ran.json["items"]}


def test_onboarding_from_nothing(fresh: Desk) -> None:
    file = fresh.write("onboarding.yaml", document(fresh.endpoint))
    nothing: dict[str, Any] = {"records": []}

    # A dry run tells, and sends nothing.
    ran = fresh("admin", "apply", file, "--dry-run", "--json")
    assert ran.code == 0, ran.err
    found = states(ran)
    assert found["agency dopa"] == found["connector dopa"] == found["officer city-welfare:A-0118"] == "would_add"
    assert found["agreement city-person"] == found["operator owner-2"] == "waits"
    assert fresh("admin", "agency", "list", "--json").json == nothing

    # What names nothing known is refused before anything is sent.
    wrong = document(fresh.endpoint)
    wrong["groups"][0]["members"].append("nowhere")
    wrong["agreements"][0]["terms"][0]["purpose"] = "welfare.unheard-of"
    wrong["agreements"][1]["service"] = "dopa.unheard-of.v1"
    ran = fresh("admin", "apply", fresh.write("wrong.yaml", wrong))
    assert ran.code == 1
    for missing in ("agency nowhere", "purpose welfare.unheard-of", "service dopa.unheard-of.v1"):
        assert f"there is no {missing}" in ran.err
    assert fresh("admin", "agency", "list", "--json").json == nothing

    ran = fresh("admin", "apply", file, "--json")
    assert ran.code == 0, ran.err
    assert states(ran)["connector dopa"] == "added"
    assert states(ran)["agreement city-person"] == "waits"

    # The second owner is enrolled by the first; the connector is approved by one who did not register it.
    own = fresh("owner-1", "apply", file, "--json")
    assert states(own)["operator owner-2"] == "added", own.err
    refused = fresh("admin", "connector", "approve", "dopa", "--yes")
    assert (refused.code, "ทางแก้" in refused.err) == (1, True)
    digest = fresh("owner-1", "connector", "show", "dopa", "--json").json["pending"]["digest"]
    unasked = fresh("owner-1", "connector", "approve", "dopa")
    assert (unasked.code, f"--digest {digest}" in unasked.err) == (2, True)
    assert fresh("owner-1", "connector", "approve", "dopa", "--digest", "0" * 64).code == 1
    # An owner whom one administrator enrolled is no second person to that administrator until another says so.
    approve = ("connector", "approve", "dopa", "--digest", digest)
    alone = fresh("owner-1", *approve)
    assert (alone.code, "operator confirm" in alone.err) == (1, True)
    public = ["--public-key", fresh.gateway.keys / "admin-2.jwk"]
    assert fresh("admin", "operator", "add", "admin-2", "--name", "x", "--role", "admin", *public).code == 0
    assert fresh("admin", "operator", "confirm", "owner-1").code == 1
    assert fresh("admin-2", "operator", "confirm", "owner-1").code == 0
    assert fresh("owner-1", *approve).code == 0

    ran = fresh("admin", "apply", file)
    assert ran.code == 0, ran.err
    assert re.search(r"เพิ่มแล้ว / added +agreement +city-person", ran.out)
    assert re.search(r"ไม่เปลี่ยนแปลง / unchanged +officer +city-welfare:A-0117", ran.out)
    assert set(states(fresh("admin", "apply", file, "--json")).values()) == {"unchanged"}

    # Agreements are approved by another than their proposer.
    assert "proposed" in fresh("owner-1", "agreement", "list").out
    assert fresh("owner-1", "agreement", "approve", "city-person", "--version", "9").code == 1
    assert fresh("owner-1", "agreement", "approve", "city-person", "--version", "1").code == 0
    ran = fresh("owner-2", "agreement", "refuse", "city-house", "--ground", "not needed", "--yes", "--json")
    assert ran.json["record"]["status"] == "refused", ran.err
    assert fresh("owner-2", "agreement", "refuse", "city-house", "--ground", "again", "--yes").code == 1
    assert fresh("owner-1", "agreement", "show", "city-person", "--json").json["approved_by"] == "owner-1"
    assert set(states(fresh("admin", "apply", file, "--json")).values()) == {"unchanged"}

    # What differs is an error, and changes nothing.
    other = document(fresh.endpoint)
    other["agencies"][1]["contact"] = "02-999-9999"
    other["agreements"][0]["terms"][0]["fields"].append("father_name")
    other["connectors"][0]["endpoint"] = "https://elsewhere.example"
    other["agencies"].append({"id": "new", "title": title("ใหม่", "New")})
    ran = fresh("admin", "apply", fresh.write("other.yaml", other))
    assert ran.code == 1
    for differs in ("agency city", "agreement city-person", "connector dopa"):
        assert f"{differs} ลงทะเบียนไว้แล้ว" in ran.err
    assert fresh("admin", "agency", "show", "new").code == 1
    assert fresh("admin", "agency", "show", "city", "--json").json["contact"] == "02-000-0000"


def test_an_interrupted_application_tells_what_was_sent_and_goes_on(fresh: Desk) -> None:
    # An owner applies a file of which only a part is an owner's to do.
    assert fresh("admin", "agency", "add", "dopa", *BOTH).code == 0
    public = ["--public-key", fresh.gateway.keys / "owner-1.jwk"]
    assert (
        fresh("admin", "operator", "add", "owner-1", "--name", "x", "--role", "owner", "--agency", "dopa", *public).code
        == 0
    )
    sources = document(fresh.endpoint)
    mine = {
        "agencies": [{**sources["agencies"][0], "title": title("ที่ว่าการ", "Office")}],
        "connectors": sources["connectors"],
        "purposes": sources["purposes"],
        "operators": [{**sources["operators"][1]}],
    }
    ran = fresh("owner-1", "apply", fresh.write("mine.yaml", mine), "--json")
    assert ran.code == 1
    assert states(ran) == {
        "agency dopa": "unchanged",
        "operator owner-2": "added",
        f"purpose {PURPOSE}": "not_sent",
        "connector dopa": "not_sent",
    }
    assert json.loads(ran.err)["error"]["reasons"][0]["code"] == "role_not_allowed"


def test_a_question(shared: Desk, elder: str) -> None:
    case = ["--officer", "A-0117", "--case-reference", "OAA/1"]
    ran = shared.ask(*case, "--json", stdin=f"{elder}\n")
    assert ran.code == 0, ran.err
    assert set(ran.json["data"]) == {"date_of_birth", "life_status", "nationality"}
    written = f"{elder[0]}-{elder[1:5]}-{elder[5:10]}-{elder[10:12]}-{elder[12]}"
    one = shared.ask("--field", "life_status", *case, stdin=written)
    assert one.code == 0, one.err
    assert "life_status" in one.out
    assert "date_of_birth" not in one.out
    assert "หลักฐานการบันทึกรายการ" in one.out
    assert elder not in ran.out + one.out + ran.err + one.err


def test_a_refusal_says_why_and_what_would_help(shared: Desk, elder: str) -> None:
    ran = shared.ask("--field", "father_name", stdin=elder)
    assert (ran.code, ran.out) == (1, "")
    for text in ("403", "field_not_covered", "father_name", "ทางแก้", "Remedy", "exchange: ex_"):
        assert text in ran.err
    as_json = shared.ask("--field", "father_name", "--json", stdin=elder)
    assert json.loads(as_json.err)["error"]["reasons"][0]["code"] == "field_not_covered"
    wrong = elder[:-1] + str((int(elder[-1]) + 1) % 10)
    invalid = shared.ask(stdin=wrong)
    assert (invalid.code, "invalid_citizen_id" in invalid.err) == (1, True)
    assert shared.ask(stdin="").code == 2
    assert not any(number in text.err for text in (ran, as_json, invalid) for number in (elder, wrong))


def test_the_auditor_looks(shared: Desk) -> None:
    person = population.story_people()[1].citizen_id
    case = ["--case-reference", "OAA/77"]
    for _ in range(2):
        assert shared.ask(*case, stdin=person).code == 0
    assert shared.ask(*case, "--field", "father_name", stdin=person).code == 1

    found = shared("auditor", "log", "search", *case, "--consumer", "city", "--json")
    assert found.code == 0, found.err
    assert sorted(exchange["outcome"] for exchange in found.json["exchanges"]) == ["refused", "released", "released"]
    about = shared("auditor", "log", "search", "--citizen", "--reason", "complaint 12", "--json", stdin=person)
    assert len(about.json["exchanges"]) == 3
    assert shared("auditor", "log", "search", "--citizen", stdin=person).code == 2
    one = shared("auditor", "log", "search", *case, "--limit", "1")
    assert one.out.count("OAA/77") == 1
    assert "--limit" in one.out

    text = shared("auditor", "log", "search", *case, "--outcome", "released", "--csv").out
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert text.startswith("\ufeff")
    assert [row["outcome"] for row in rows] == ["released", "released"]
    assert shared("auditor", "log", "search", "--csv", "--json").code == 2

    exchange = found.json["exchanges"][-1]
    shown = shared("auditor", "log", "show", exchange["exchange_id"], "--json").json
    assert shown["exchange_id"] == exchange["exchange_id"]
    assert shown["contents"]
    index = exchange["entries"][0]["index"]
    assert shared("auditor", "log", "show", index, "--json").json["index"] == index
    assert shared("auditor", "log", "show", 10**9).code == 1
    refused = shared("admin", "log", "search")
    assert (refused.code, "บทบาท" in refused.err) == (1, True)
    assert person not in found.out + about.out + one.out + text


def test_more_than_a_page_is_fetched_page_by_page(shared: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    person = population.story_people()[1].citizen_id
    for _ in range(5):
        assert shared.ask("--case-reference", "PAGES/1", stdin=person).code == 0
    monkeypatch.setattr("gateway.cli.log._PAGE", 2)
    search = ["log", "search", "--case-reference", "PAGES/1", "--json"]
    ids = [exchange["exchange_id"] for exchange in shared("auditor", *search).json["exchanges"]]
    assert len(ids) == len(set(ids)) == 5
    assert len(shared("auditor", *search, "--limit", "3").json["exchanges"]) == 3


def test_registers_change_by_command(fresh: Desk, linkage: Any, elder: str) -> None:
    fresh.onboard()
    assert fresh.ask("--officer", "A-0117", stdin=elder).code == 0
    officer, review, service = "city-welfare:A-0117", ["--reason", "review"], ["--service", PERSON]
    for who, off, on in (
        ("owner-1", ["agreement", "suspend", "city-person", *review], ["agreement", "resume", "city-person"]),
        ("admin", ["officer", "suspend", officer, *review], ["officer", "resume", officer]),
        (
            "owner-1",
            ["connector", "disable", "dopa", *service],
            ["connector", "enable", "dopa", *service],
        ),
        ("owner-1", ["connector", "disable", "dopa", *review], ["connector", "enable", "dopa"]),
        ("admin", ["purpose", "suspend", PURPOSE], ["purpose", "resume", PURPOSE]),
        ("admin", ["agency", "suspend", "city", *review], ["agency", "resume", "city"]),
        ("admin", ["client", "suspend", "city-welfare", *review], ["client", "resume", "city-welfare"]),
    ):
        for arguments, answered in ((off, 1), (on, 0)):
            ran = fresh(who, *arguments)
            assert ran.code == 0, ran.err
            assert fresh.ask("--officer", "A-0117", stdin=elder).code == answered, arguments
    assert fresh("admin", "officer", "suspend", "city-welfare").code == 2
    assert fresh("admin", "operator", "suspend", "auditor").code == 0
    assert fresh("auditor", "log", "search").code == 1
    assert fresh("admin", "group", "leave", "cities", "city").code == 0
    assert fresh("admin", "group", "show", "cities", "--json").json["members"] == []
    assert fresh("admin", "group", "join", "cities", "city").code == 0

    new = fresh.folder / "new.jwk"
    assert linkage("keys", "new", "--out", new, "--kid", "second").code == 0
    assert fresh("admin", "client", "key-add", "city-welfare", "--public-key", new).code == 0
    assert fresh.ask(stdin=elder, key=new).code == 0
    assert fresh("admin", "client", "key-revoke", "city-welfare", "second").code == 0
    ran = fresh.ask(stdin=elder, key=new)
    assert (ran.code, "invalid_client" in ran.err) == (1, True)
    assert ran.err.startswith("เกตเวย์ไม่ยอมรับ")
    assert fresh("owner-1", "agreement", "revoke", "city-person", "--reason", "over").code == 0
    assert fresh.ask(stdin=elder).code == 1


BOTH = ["--title-th", "ที่ว่าการ", "--title-en", "Office"]


def test_adding_one_by_one(shared: Desk) -> None:
    law = ["--authority-th", "พ.ร.บ.", "--authority-en", "Act", "--replaces", "สำเนา|Copy"]
    public = ["--public-key", shared.gateway.keys / "city-welfare.jwk"]
    shared.gateway.person("another")
    other = ["--public-key", shared.gateway.keys / "another.jwk"]
    for arguments in (
        ["agency", "add", "office", *BOTH, "--contact", "02-000-0001"],
        ["group", "add", "offices", *BOTH, "--member", "office"],
        ["client", "add", "office-system", "--agency", "office", *BOTH, *public, "--network", "10.0.0.0/8"],
        ["officer", "add", "office-system", "B-1"],
        ["operator", "add", "another", "--name", "อีกคน", "--role", "dpo", *other],
        ["purpose", "add", "office.work", *BOTH, *law],
    ):
        ran = shared("admin", *arguments)
        assert ran.code == 0, ran.err
        assert "log entry" in ran.out
        assert shared("admin", *arguments).code == 1
        assert str(arguments[2]) in shared("admin", arguments[0], "list").out
    record = shared("admin", "client", "show", "office-system", "--json").json
    assert record["networks"] == ["10.0.0.0/8"]
    assert "d" not in record["keys"][0]
    assert shared("admin", "purpose", "add", "x.y", *BOTH, *law[:4], "--replaces", "only Thai").code == 2
    form = agreement(PERSON, ["life_status"])
    ran = shared(
        "admin", "agreement", "propose", shared.write("form.yaml", {**form, "period": {"from": "x", "to": "x"}})
    )
    assert ran.code == 2
    assert re.search(r"form\.yaml:\d+: period\.from", ran.err)
    assert shared("admin", "agreement", "propose", shared.write("form.yaml", {**form, "id": "another-one"})).code == 0
    nhso = Path(__file__).resolve().parents[2] / "connectors" / "nhso"
    assert shared("admin", "connector", "register", nhso, "--endpoint", "https://cover.example").code == 1
    assert shared("admin", "agency", "add", "nhso", *BOTH).code == 0
    assert (
        shared("admin", "connector", "register", nhso, "--endpoint", "nhso.coverage.v1=https://cover.example").code == 0
    )
    assert "https://cover.example" in shared("admin", "connector", "show", "nhso").out


def test_another_issuer_is_said_to_be_the_reason(shared: Desk) -> None:
    url = shared.gateway.url.replace("127.0.0.1", "localhost")
    command = ["agency", "list", "--as", "admin", "--key", shared.gateway.keys / "admin.jwk", "--url", url]
    ran = shared.linkage(*command)
    assert (ran.code, "--issuer" in ran.err) == (1, True)
    assert shared.linkage(*command, "--issuer", shared.gateway.url).code == 0


def test_a_name_is_compared_and_comes_on_standard_input(shared: Desk) -> None:
    person = population.story_people()[0].citizen_id
    known = population.population()[person]
    asking = ["--field", "name_matches", "--given", "first_name", "--given", "last_name", "--json"]
    ran = shared.ask(*asking, stdin=f"{person}\n{known.first_name}\n{known.last_name}\n")
    assert ran.code == 0, ran.err
    assert ran.json["data"] == {"name_matches": True}
    assert known.first_name not in ran.out + ran.err
    other = shared.ask(*asking, stdin=f"{person}\nอื่น\n{known.last_name}\n")
    assert other.json["data"] == {"name_matches": False}
    missing = shared.ask(*asking, stdin=f"{person}\n{known.first_name}\n")
    assert (missing.code, "a line each" in missing.err) == (2, True)
    unasked = shared.ask("--field", "name_matches", stdin=f"{person}\n")
    assert (unasked.code, "given.first_name" in unasked.err) == (1, True)


def test_a_data_dictionary_is_written_and_what_is_on_offer_is_listed(shared: Desk, tmp_path: Path) -> None:
    page = tmp_path / "person.html"
    ran = shared("city-welfare", "service", "doc", PERSON, "--out", page)
    assert ran.code == 0, ran.err
    assert "given.mother_citizen_id" in page.read_text(encoding="utf-8")
    assert shared("city-welfare", "service", "doc", PERSON, "--out", page).code == 1
    assert shared("city-welfare", "service", "doc", PERSON).out == page.read_text(encoding="utf-8")
    both = shared("auditor", "service", "doc", PERSON, "--json").json
    assert both["schema"]["properties"]["life_status"]["examples"]
    assert shared("auditor", "service", "doc", "dopa.ghost.v1").code == 1
    listed = shared("city-welfare", "service", "list").out
    assert all(service in listed for service in (PERSON, "dopa.marriage.v1"))
