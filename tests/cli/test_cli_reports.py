"""`linkage report` and `linkage rights`: told from what was really exchanged, and no one is named."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import population
from gateway.model import bangkok_day, now
from tests.cli.desk import HOUSE, PERSON, PURPOSE, Desk, agreement
from tests.cli.government import governed

REASON = ["--reason", "request RQ-1"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, linkage: Any) -> Iterator[Desk]:
    """Two persons asked about: one twice and once refused, the other once."""
    with governed(tmp_path_factory.mktemp("reports"), linkage) as held:
        first, second = people()
        assert held.ask("--officer", "A-0117", "--case-reference", "=1+1", stdin=first).code == 1
        assert held.ask("--officer", "A-0117", "--case-reference", "OAA/1", stdin=first).code == 0
        assert held.ask("--field", "life_status", stdin=first).code == 0
        assert held.ask("--field", "father_name", stdin=first).code == 1
        assert held.ask("--officer", "A-0118", stdin=second).code == 0
        yield held


def people() -> list[str]:
    return [person.citizen_id for person in population.story_people()[:2]]


def rows(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_a_person_is_told_of_every_access(desk: Desk, tmp_path: Path) -> None:
    first, _ = people()
    ran = desk("dpo", "report", "subject", *REASON, "--json", stdin=first)
    assert ran.code == 0, ran.err
    accesses = ran.json["accesses"]
    assert [one["outcome"] for one in accesses] == ["refused", "released", "released"]
    newest, full = accesses[1], accesses[2]
    assert [field["name"] for field in newest["fields"]] == ["life_status"]
    assert {field["name"] for field in full["fields"]} == {"date_of_birth", "life_status", "nationality"}
    assert full["consumer"]["title"]["th"] == "เทศบาลนคร"
    assert full["officer_of"]["id"] == "city"
    assert newest["officer_of"] is None
    assert full["source"]["title"]["th"] == "กรมการปกครอง"
    assert full["authority"]["th"] == "พ.ร.บ.ผู้สูงอายุ"
    assert full["lawful_basis"] == "24(4)"
    assert ran.json["complete"] is True
    assert ran.json["counted"]["count"] == 2
    assert "A-0117" not in ran.out

    own = desk("city-dpo", "report", "subject", *REASON, "--json", stdin=first)
    assert [one["exchange_id"] for one in own.json["accesses"]] == [one["exchange_id"] for one in accesses]
    assert own.json.keys().isdisjoint({"counted", "completeness"})  # which would tell of the other agencies' too

    printed = tmp_path / "report.html"
    assert desk("city-dpo", "report", "subject", *REASON, "--out", tmp_path / "own.html", stdin=first).code == 0
    assert desk("auditor", "report", "subject", *REASON, "--out", printed, stdin=first).code == 0
    html = printed.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>\n<html lang='th'><head><meta charset='utf-8'>")
    for text in ("เทศบาลนคร", "กรมการปกครอง", "เบี้ยยังชีพผู้สูงอายุ", "มาตรา 24(4)", "@page", str(date.today().year + 543)):
        assert text in html
    assert first not in html + ran.out + ran.err
    assert desk("auditor", "report", "subject", *REASON, "--out", printed, stdin=first).code == 1

    # Who may not, and without a reason: nothing. And every look is on record, the person as pseudonym.
    for who in ("admin", "owner-1", "city-owner", "city-welfare"):
        assert desk(who, "report", "subject", *REASON, stdin=first).code == 1
    assert desk("dpo", "report", "subject", stdin=first).code == 2
    with desk.gateway.as_("auditor") as auditor:
        looks = [
            entry
            for entry in auditor.entries(limit=500)["entries"]
            if entry["public"]["kind"] == "audit.search" and entry["content"].get("report") == "subject"
        ]
    assert [entry["parties"]["operator"] for entry in looks] == ["dpo", "city-dpo", "city-dpo", "auditor", "auditor"]
    assert all(entry["content"]["reason"] == "request RQ-1" for entry in looks)
    assert {entry["subject"]["pseudonym"] for entry in looks} == {ran.json["subject"]}


def test_a_report_without_proof_says_what_is_not_proved(desk: Desk, tmp_path: Path) -> None:
    """An agency's DPO's never has one; what is proved of it is each exchange, and that is true of its exchanges."""
    first, _ = people()
    own = desk("city-dpo", "report", "subject", *REASON, "--json", stdin=first)
    assert own.json["agency"]["id"] == "city"
    vkey = httpx.get(f"{desk.gateway.url}/log/vkey", trust_env=False).text.strip()

    def verified(body: Any) -> list[str]:
        file = tmp_path / "report.json"
        file.write_text(json.dumps(body), encoding="utf-8")
        ran = desk.linkage("report", "verify", file, "--vkey", vkey, "--json")
        assert ran.code == 1
        error = json.loads(ran.err)["error"]
        assert "nothing in the file proves any of it" in error["title"]
        assert "ไม่มีหลักฐานใดให้ตรวจ" in error["title_th"]
        return list(error["details"])

    why, unproved, provable, whose = verified(own.json)
    assert "รายงานของหน่วยงานเดียว" in why
    assert "that agency's accesses alone" in why
    assert "ว่า 3 รายการที่ระบุเกิดขึ้นจริง" in unproved
    assert "not proved: that every access is in it, nor that the 3" in unproved
    assert "gateway's auditor or DPO" in whose
    assert "`linkage proof fetch`" in provable
    for one in own.json["accesses"]:
        proof = tmp_path / f"{one['exchange_id']}.json"
        assert desk("city-dpo", "proof", "fetch", one["exchange_id"], "--out", proof).code == 0
        assert desk.linkage("proof", "verify", proof, "--vkey", vkey).code == 0
    whole = desk("dpo", "report", "subject", *REASON, "--json", stdin=first).json
    assert whole["agency"] is None
    whole.pop("completeness", None)
    assert "no map of its subjects" in verified(whole)[0]
    assert "it says itself that it is a part" in verified({**whole, "complete": False})[0]
    for other in ({**own.json, "report": "breach"}, {**own.json, "accesses": None}, {"report": "subject"}):
        file = tmp_path / "other.json"
        file.write_text(json.dumps(other), encoding="utf-8")
        ran = desk.linkage("report", "verify", file, "--vkey", vkey)
        assert (ran.code, "not a report about a person" in ran.err) == (1, True)

    for who, mine in (("city-dpo", True), ("dpo", False)):
        page = tmp_path / f"{who}.html"
        assert desk(who, "report", "subject", *REASON, "--out", page, stdin=first).code == 0
        html = page.read_text(encoding="utf-8")
        assert ("ซึ่งเทศบาลนครเป็นผู้ขอหรือเป็นเจ้าของข้อมูล" in html) is mine
        assert ("ไม่มีหลักฐานว่าไม่มีรายการอื่น" in html) is mine


def test_a_source_has_its_register_of_disclosures(desk: Desk) -> None:
    ran = desk("owner-1", "report", "disclosures", "--agency", "dopa", "--json")
    assert ran.code == 0, ran.err
    found = ran.json["disclosures"]
    assert len(found) == 3
    assert all(one["oia_ground"] == "24(2)" and one["consumer"]["id"] == "city" for one in found)
    assert len({one["subject"] for one in found}) == 2
    table = rows(desk("auditor", "report", "disclosures", "--agency", "dopa", "--csv").out)
    assert [row["exchange_id"] for row in table] == [one["exchange_id"] for one in found]
    assert desk("owner-1", "report", "disclosures", "--agency", "dopa", "--limit", "1", "--json").json["next_cursor"]
    assert desk("city-owner", "report", "disclosures", "--agency", "dopa").code == 1
    assert desk("city-owner", "report", "disclosures", "--agency", "city", "--json").json["disclosures"] == []
    assert desk("admin", "report", "disclosures", "--agency", "dopa").code == 1
    later = (now() + timedelta(hours=1)).isoformat()
    assert (
        desk("owner-1", "report", "disclosures", "--agency", "dopa", "--from", later, "--json").json["disclosures"]
        == []
    )


def test_a_breach_is_told_in_numbers_and_pseudonyms(desk: Desk, tmp_path: Path) -> None:
    span = ["--from", (now() - timedelta(hours=1)).isoformat(), "--to", (now() + timedelta(hours=1)).isoformat()]
    ran = desk("auditor", "report", "breach", "--client", "city-welfare", *span, *REASON, "--json")
    assert ran.code == 0, ran.err
    body = ran.json
    assert (body["exchanges"], body["subject_count"], body["complete"]) == (4, 2, True)
    assert body["outcomes"] == {"released": 3, "refused": 1}
    assert {field["name"]: field["subjects"] for field in body["fields"]} == {
        "date_of_birth": 2,
        "life_status": 2,
        "nationality": 2,
    }
    assert {(one["officer"], one["exchanges"]) for one in body["officers"]} == {(None, 2), ("A-0117", 1), ("A-0118", 1)}
    assert [one["id"] for one in body["sources"]] == ["dopa"]
    one = desk(
        "dpo", "report", "breach", "--client", "city-welfare", "--officer", "A-0118", *span, *REASON, "--json"
    ).json
    assert (one["exchanges"], one["subject_count"]) == (1, 1)
    assert desk("auditor", "report", "breach", "--client", "nobody", *span, *REASON).code == 1
    assert desk("auditor", "report", "breach", *span, *REASON).code == 1
    assert desk("admin", "report", "breach", "--client", "city-welfare", *span, *REASON).code == 1
    printed = tmp_path / "breach.html"
    assert desk("dpo", "report", "breach", "--consumer", "city", *span, *REASON, "--out", printed).code == 0
    html = printed.read_text(encoding="utf-8")
    assert all(subject["subject"] in html for subject in body["subjects"])
    assert not any(person in html + ran.out for person in people())


def test_the_register_of_rights_and_the_record_of_processing(desk: Desk, tmp_path: Path) -> None:
    first, second = people()
    own = ["--agency", "city", "--json"]
    added = desk("dpo", "rights", "add", *own, "--right", "access", stdin=first)
    assert added.code == 0, added.err
    record = added.json["record"]
    today = bangkok_day(now())
    assert (record["status"], record["due"]) == ("open", str(today + timedelta(days=30)))
    correction = ["--right", "correction", "--service", PERSON, "--about", "วันเกิดผิด", "--id", "rq-2"]
    early = str(today - timedelta(days=40))
    assert desk("dpo", "rights", "add", *own, *correction, "--received", early, stdin=second).code == 0
    assert desk("dpo", "rights", "add", *own, *correction, stdin=second).code == 1
    late = str(today + timedelta(days=1))
    assert desk("dpo", "rights", "add", *own, "--right", "erasure", "--received", late, stdin=first).code == 1
    for who in ("admin", "auditor", "owner-1", "city-welfare"):
        assert desk(who, "rights", "add", *own, "--right", "access", stdin=first).code == 1

    # The correction reaches the source; the access request is nobody's but the consumer's.
    assert [one["id"] for one in desk("owner-1", "rights", "list", "--json").json["records"]] == ["rq-2"]
    assert len(desk("city-owner", "rights", "list", "--json").json["records"]) == 2
    assert desk("owner-1", "rights", "answer", "rq-2", "--answer", "x").code == 1
    (sent,) = waiting_for(desk, "owner-1")
    assert (sent["kind"], sent["id"], sent["text"]) == ("notice_to_source", "rq-2", "วันเกิดผิด")
    assert "rq-2" in desk("owner-1", "notices").out
    assert desk("city-owner", "rights", "acknowledge", "rq-2").code == 1
    assert desk("owner-1", "rights", "acknowledge", record["id"]).code == 1
    assert desk("owner-1", "rights", "acknowledge", "rq-2").code == 0
    assert desk("owner-1", "rights", "acknowledge", "rq-2").code == 1
    assert desk("owner-1", "rights", "resolve", "rq-2", "--answer", "ตรวจแล้วถูกต้อง", "--not-done").code == 0
    assert desk("owner-1", "rights", "resolve", "rq-2", "--answer", "แก้ไขแล้ว").code == 1
    assert waiting_for(desk, "owner-1") == []
    assert [one["kind"] for one in waiting_for(desk, "dpo")] == ["right_requested"] * 2
    told = {row["id"]: row for row in rows(desk("city-owner", "rights", "list", "--csv").out)}["rq-2"]
    assert (told["notice_status"], told["notice_answer"]) == ("not_done", "ตรวจแล้วถูกต้อง")
    waiting = desk("dpo", "rights", "list", "--open", "--json").json["records"]
    assert [(one["id"], one["late"]) for one in waiting] == [("rq-2", True), (record["id"], False)]
    assert desk("city-owner", "rights", "reject", "rq-2", "--ground", "ข้อมูลถูกต้องตามหลักฐาน").code == 0
    assert desk("dpo", "rights", "answer", "rq-2", "--answer", "x").code == 1
    assert desk("dpo", "rights", "answer", record["id"], "--answer", "ส่งรายงานแล้ว").code == 0
    listed = rows(desk("dpo", "rights", "list", "--csv").out)
    assert {row["id"]: row["late"] for row in listed} == {"rq-2": "yes", record["id"]: "no"}
    assert len({row["subject"] for row in listed}) == 2

    ran = desk("dpo", "report", "ropa", "--agency", "city", "--json")
    assert ran.code == 0, ran.err
    assert [one["service"]["id"] for one in ran.json["as_consumer"]] == [PERSON]
    activity = ran.json["as_consumer"][0]
    assert activity["exchanges"] == {"refused": 1, "released": 3}
    assert activity["retention"] == {"days": 90, "destruction": "shredded"}
    told = {"date_of_birth", "life_status", "nationality", "name_matches"}
    assert {field["name"] for field in activity["data"]} == told
    assert ran.json["rights_requests"]["rejected"][0]["ground"] == "ข้อมูลถูกต้องตามหลักฐาน"
    assert ran.json["as_source"] == []
    theirs = desk("owner-1", "report", "ropa", "--agency", "dopa", "--json").json
    assert theirs["disclosed_to"] == [
        {"consumer": {"id": "city", "title": {"th": "เทศบาลนคร", "en": "The city"}}, "exchanges": 3}
    ]
    assert desk("owner-1", "report", "ropa", "--agency", "city").code == 1
    assert desk("dpo", "report", "ropa", "--agency", "nowhere").code == 1
    assert desk("city-welfare", "report", "ropa", "--agency", "city").code == 1
    printed = tmp_path / "ropa.html"
    assert desk("admin", "report", "ropa", "--agency", "city", "--out", printed).code == 0
    html = printed.read_text(encoding="utf-8")
    assert "<html lang='th'>" in html
    assert "ข้อมูลถูกต้องตามหลักฐาน" in html
    assert rows(desk("admin", "report", "ropa", "--agency", "city", "--csv").out)[0]["purpose"] == "เบี้ยยังชีพผู้สูงอายุ"
    with desk.gateway.as_("auditor") as auditor:
        text = str(auditor.entries(limit=500))
    assert not any(person in text for person in people())


def waiting_for(desk: Desk, who: str) -> list[dict[str, Any]]:
    """The notices about persons' requests."""
    return [one for one in desk(who, "notices", "--json").json["notices"] if one["register"] == "rights"]


def test_how_long_proposals_waited(desk: Desk) -> None:
    form = {**agreement(PERSON, ["life_status"]), "id": "city-more"}
    file = desk.write("more.yaml", form)
    assert desk("admin", "agreement", "propose", file).code == 0
    assert desk("owner-1", "agreement", "refuse", "city-more", "--ground", "=ไม่จำเป็น", "--yes").code == 0
    ran = desk("auditor", "report", "proposals", "--json")
    assert ran.code == 0, ran.err
    told = {(one["agreement"], one["outcome"]): one for one in ran.json["proposals"]}
    assert told["city-more", "refused"]["ground"] == "=ไม่จำเป็น"
    assert told["city-more", "refused"]["decided_by"] == "owner-1"
    assert told["city-person", "approved"]["waited_hours"] >= 0
    assert told[f"city-{HOUSE.split('.')[1]}", "waiting"]["decided_at"] is None
    table = rows(desk("owner-1", "report", "proposals", "--csv").out)
    assert [row["ground"] for row in table if row["outcome"] == "refused"] == ["'=ไม่จำเป็น"]
    assert desk("owner-1", "report", "proposals", "--agency", "city").code == 1
    assert len(desk("city-owner", "report", "proposals", "--json").json["proposals"]) == len(ran.json["proposals"])
    assert desk("city-welfare", "report", "proposals").code == 1


def test_the_catalogue_is_ckan(desk: Desk) -> None:
    ran = desk("auditor", "report", "catalogue", "--json")
    assert ran.code == 0, ran.err
    found = {one["name"]: one for one in ran.json["packages"]}
    person = found["dopa-person-v1"]
    fourteen = (
        *("data_type", "title", "owner_org", "maintainer", "maintainer_email", "tags", "notes", "objective"),
        *("update_frequency_unit", "geo_coverage", "data_source", "data_format", "data_category", "license_id"),
    )
    assert all(person[name] for name in fourteen)
    assert person["title"] == "ข้อมูลบุคคลตามทะเบียนราษฎร"
    assert {"name": "ทะเบียนราษฎร"} in person["tags"]
    dictionary = {field["name"]: field for field in person["resources"][0]["data_dictionary"]}
    assert {"date_of_birth", "father_name"} <= dictionary.keys()
    types = {name: dictionary[name]["type"] for name in ("date_of_birth", "life_status", "name_matches")}
    assert types == {"date_of_birth": "string", "life_status": "object", "name_matches": "boolean"}
    assert "endpoint" not in ran.out


def test_times_of_the_buddhist_era_are_not_taken(desk: Desk) -> None:
    year = datetime.now().year + 543
    ran = desk("owner-1", "report", "disclosures", "--agency", "dopa", "--from", f"{year}-01-01T00:00:00Z")
    assert (ran.code, "543" in ran.err) == (2, True)
    assert desk("owner-1", "report", "proposals", "--csv", "--json").code == 2
    assert PURPOSE not in ran.err


def test_what_is_withheld_from_a_person_is_told_when_two_people_open_it(desk: Desk, tmp_path: Path) -> None:
    person, purpose = population.story_people()[2].citizen_id, "investigation.benefit-fraud"
    law = {"th": "พ.ร.ป.ว่าด้วยการป้องกันและปราบปรามการทุจริต", "en": "Anti-corruption act"}
    names = [
        "--title-th",
        "การไต่สวน",
        "--title-en",
        "Inquiry",
        "--authority-th",
        law["th"],
        "--authority-en",
        law["en"],
    ]
    assert desk("admin", "purpose", "add", purpose, *names).code == 0
    form = {**agreement(PERSON, ["life_status"]), "id": "city-inquiry"}
    form["terms"][0] |= {
        "purpose": purpose,
        "oia_ground": "24(6)",
        "withheld_from_subject": {"authority": law, "days": 90},
    }
    consented = {**form["terms"][0], "lawful_basis": "consent"}
    refused = desk("owner-1", "agreement", "propose", desk.write("bad.yaml", {**form, "terms": [consented]}))
    assert refused.code == 2
    assert "withheld" in refused.err
    assert desk("owner-1", "agreement", "propose", desk.write("inquiry.yaml", form)).code == 0
    assert desk("owner-2", "agreement", "approve", "city-inquiry", "--yes").code == 0
    for language, words in (("th", "ไม่เปิดเผยต่อเจ้าของข้อมูล"), ("en", "Withheld from the data subject")):
        page = desk("owner-1", "agreement", "render", "city-inquiry", "--lang", language).out
        assert words in page
        assert law[language] in page

    def asked(*more: str) -> Any:
        question = ["exchange", "--service", PERSON, "--purpose", purpose, *more, "--json"]
        return desk("city-welfare", *question, stdin=person)

    def report() -> Any:
        ran = desk("dpo", "report", "subject", *REASON, "--json", stdin=person)
        assert ran.code == 0, ran.err
        return ran.json

    exchange = asked().json["exchange_id"]
    assert asked("--field", "nationality").code == 1  # refused on that term: it would tip off as well
    assert (report()["accesses"], report()["counted"]["count"]) == ([], 0)
    found = desk("auditor", "log", "search", "--citizen", "--reason", "an audit", "--json", stdin=person).json[
        "exchanges"
    ]
    assert {one["outcome"] for one in found} == {"released", "refused"}
    assert all(one["withheld"]["authority"] == law for one in found)

    opening = ["log", "open", "--exchange", exchange]
    assert desk("dpo", *opening).code == 2
    assert desk("owner-1", *opening, "--reason", "the inquiry is closed").code == 1
    assert desk("dpo", "log", "open", "--exchange", f"ex_{'0' * 26}", "--reason", "x").code == 1
    assert desk("dpo", *opening, "--reason", "the inquiry is closed").code == 0
    assert desk("dpo", *opening, "--approve").code == 1
    assert report()["accesses"] == []
    ran = desk("admin-2", *opening, "--approve")
    assert ran.code == 0, ran.err
    deadline = time.monotonic() + 20
    # What is told while a report is made is in its list, and in the count of the next.
    while not ((told := report())["accesses"] and told["counted"]["count"]) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert [(one["exchange_id"], one["withheld"]["authority"]) for one in told["accesses"]] == [(exchange, law)]
    assert told["counted"]["count"] == 1
    assert desk("dpo", *opening, "--reason", "again").code == 1
    printed = tmp_path / "told.html"
    assert desk("dpo", "report", "subject", *REASON, "--out", printed, stdin=person).code == 0
    assert law["th"] in printed.read_text(encoding="utf-8")


def test_an_exemption_and_a_secrecy_release_are_shown_wherever_the_use_is(desk: Desk, tmp_path: Path) -> None:
    """As the entry names them, also once the term says something else; of a use without them, nothing."""
    person, purpose = population.story_people()[4].citizen_id, "justice.warrant"
    names = ["--title-th", "ตามหมาย", "--title-en", "Warrant", "--authority-th", "ก", "--authority-en", "a"]
    assert desk("admin", "purpose", "add", purpose, *names).code == 0
    form = {**agreement(PERSON, ["life_status"]), "id": "city-warrant"}
    order = {"authority": "ศาล<แขวง>", "date": "2026-10-02"}
    form["terms"][0] |= {
        "purpose": purpose,
        "pdpa_exemption": {**order, "clause": "4(5)", "reference": "17/2569"},
        "secrecy_release": {**order, "order": "12/2569"},
    }
    exempt, release = "4(5) · 17/2569 · ศาล<แขวง> · 2026-10-02", "12/2569 · ศาล<แขวง> · 2026-10-02"
    assert desk("owner-1", "agreement", "propose", desk.write("warrant.yaml", form)).code == 0
    assert desk("owner-2", "agreement", "approve", "city-warrant", "--yes").code == 0
    question = ["exchange", "--service", PERSON, "--purpose", purpose, "--json"]
    exchange = desk("city-welfare", *question, stdin=person).json["exchange_id"]
    assert desk.ask("--field", "life_status", stdin=person).code == 0
    del form["terms"][0]["pdpa_exemption"]
    form["terms"][0]["secrecy_release"] = {**order, "order": "99/2569"}
    assert desk("owner-1", "agreement", "propose", desk.write("later.yaml", form)).code == 0
    assert desk("owner-2", "agreement", "approve", "city-warrant", "--yes").code == 0

    for ran, name in (
        (desk("dpo", "report", "subject", *REASON, "--json", stdin=person), "accesses"),
        (desk("owner-1", "report", "disclosures", "--agency", "dopa", "--limit", "2", "--json"), "disclosures"),
    ):
        assert ran.code == 0, ran.err
        plain, exempted = ran.json[name]
        assert (plain["pdpa_exemption"], plain["secrecy_release"]) == (None, None)
        assert exempted["exchange_id"] == exchange
        assert (exempted["pdpa_exemption"], exempted["secrecy_release"]) == (exempt, release)
    for ran in (
        desk("dpo", "report", "subject", *REASON, "--csv", stdin=person),
        desk("owner-1", "report", "disclosures", "--agency", "dopa", "--limit", "2", "--csv"),
    ):
        found = [(row["pdpa_exemption"], row["secrecy_release"]) for row in rows(ran.out)]
        assert found == [("", ""), (exempt, release)]
    shown = desk("auditor", "log", "show", exchange, "--json").json
    assert (shown["pdpa_exemption"], shown["secrecy_release"]) == (exempt, release)

    printed, evidence, other = (tmp_path / name for name in ("report.html", "evidence.html", "plain.html"))
    assert desk("dpo", "report", "subject", *REASON, "--out", printed, stdin=person).code == 0
    for name, file in ((exchange, evidence), (plain_one(desk), other)):
        ran = desk("auditor", "log", "export", "--exchange", name, *REASON, "--out", file)
        assert ran.code == 0, ran.err
    for file in (printed, evidence):
        html = file.read_text(encoding="utf-8").partition("<script")[0]
        for words in ("มาตรา 4", "รักษาความลับของทางราชการ", "17/2569", "12/2569", "ศาล&lt;แขวง&gt;"):
            assert html.count(words) >= 1, (file, words)
        assert "99/2569" not in html
    html = other.read_text(encoding="utf-8")
    assert "ข้อยกเว้นตามมาตรา 4" not in html
    assert "รักษาความลับของทางราชการ" not in html


def plain_one(desk: Desk) -> str:
    """An exchange on the agreement without an exemption."""
    ran = desk("auditor", "log", "search", "--outcome", "released", "--purpose", PURPOSE, "--limit", "1", "--json")
    return str(ran.json["exchanges"][0]["exchange_id"])
