"""An agreement after its approval: narrowed at once, told before it ends, proposed from a template, and on paper."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jws

from connectors import population
from gateway.keys import import_key
from tests.cli.desk import PERSON, Desk, agreement
from tests.cli.government import governed

WHY = ["--reason", "review"]


def until(found: Callable[[], Any]) -> Any:
    """What is found, once there is something: the gateway looks every half second."""
    for _ in range(200):
        if something := found():
            return something
        time.sleep(0.1)
    raise AssertionError("it does not come")


@pytest.fixture
def desk(tmp_path: Path, linkage: Any) -> Iterator[Desk]:
    with governed(tmp_path, linkage) as held:
        yield held


def test_narrowing_holds_at_once_and_widening_does_not(desk: Desk) -> None:
    person = population.story_people()[0].citizen_id
    narrow = ["agreement", "narrow", "city-person", *WHY]
    assert desk.ask("--field", "nationality", stdin=person).code == 0
    for who in ("admin", "auditor", "dpo", "city-welfare"):
        assert desk(who, *narrow, "--term", "t1", "--field", "life_status").code == 1
    ran = desk("city-owner", *narrow, "--term", "t1", "--field", "life_status", "--field", "date_of_birth", "--json")
    assert ran.code == 0, ran.err
    assert (ran.json["record"]["version"], ran.json["record"]["status"]) == (2, "active")
    refused = desk.ask("--field", "nationality", stdin=person)
    assert (refused.code, "field_not_covered" in refused.err) == (1, True)
    assert desk.ask("--field", "life_status", stdin=person).code == 0

    assert desk("owner-1", *narrow, "--term", "t1", "--quota-per-day", "1").code == 0
    assert desk.ask(stdin=person).code == 0
    assert "quota_exceeded" in desk.ask(stdin=person).err
    for wider in (
        ["--term", "t1", "--field", "nationality"],
        ["--term", "t1", "--quota-per-day", "2"],
        ["--to", str(date.today() + timedelta(days=9999))],
        ["--from", str(date.today() - timedelta(days=1))],
        ["--drop-term", "t1"],
        ["--drop-term", "nothing"],
        ["--client", "nobody"],
        ["--term", "t1", "--field", "life_status", "--field", "date_of_birth"],
    ):
        ran = desk("owner-1", *narrow, *wider)
        assert ran.code == 1, wider
    assert desk("owner-1", *narrow, "--field", "life_status").code == 2
    assert desk("owner-1", *narrow, "--term", "t1").code == 2
    assert desk("owner-1", *narrow, "--client", "city-welfare", "--to", str(date.today())).code == 0

    # A proposal that waits would undo it: it falls, and the source is asked anew.
    form = agreement(PERSON, ["life_status", "date_of_birth", "nationality"])
    assert desk("admin", "agreement", "propose", desk.write("again.yaml", form)).code == 0
    assert desk("owner-2", *narrow, "--term", "t1", "--officer-required").code == 0
    assert desk("owner-2", "agreement", "approve", "city-person", "--version", "5").code == 1
    record = desk("owner-2", "agreement", "show", "city-person", "--json").json
    assert [one["outcome"] for one in record["decisions"]] == ["approved", "superseded"]
    assert record["pending"] is None
    assert record["version"] > 5
    refused = desk.ask("--field", "life_status", stdin=person)
    assert "officer_required" in refused.err
    assert desk("admin", "agreement", "propose", desk.write("again.yaml", form)).code == 0
    assert desk("owner-2", "agreement", "approve", "city-person", "--yes").code == 0
    assert desk.ask("--field", "nationality", stdin=person).code == 0


def test_what_ends_soon_is_told(desk: Desk) -> None:
    assert desk("admin", "agreement", "expiring", "--json").json["agreements"] == []
    assert "no agreement ends soon" in desk("admin", "agreement", "expiring").out
    ends = str(date.today() + timedelta(days=20))
    assert desk("owner-1", "agreement", "narrow", "city-person", *WHY, "--to", ends).code == 0
    found = desk("admin", "agreement", "expiring", "--json").json["agreements"]
    assert [(one["id"], one["ends"], one["renewal"]) for one in found] == [("city-person", ends, None)]
    assert found[0]["days_left"] in (19, 20, 21)
    assert desk("admin", "agreement", "expiring", "--within", "10", "--json").json["agreements"] == []
    # The gateway reminds once, at the nearest mark, of its own accord; both sides see it, and so does who watches.
    reminders = until(lambda: desk("owner-1", "agreement", "expiring", "--json").json["agreements"][0]["reminders"])
    assert [one["days"] for one in reminders] == [30]
    assert desk("owner-1", "agreement", "suspend", "city-person", *WHY).code == 0
    assert desk("owner-1", "agreement", "resume", "city-person").code == 0
    for who in ("owner-1", "city-owner", "admin"):
        ends_soon = desk(who, "notices", "--json").json["notices"][0]
        assert (ends_soon["kind"], ends_soon["id"], ends_soon["due"]) == ("agreement_ends", "city-person", ends)
    assert len(desk("admin", "agreement", "expiring", "--json").json["agreements"][0]["reminders"]) == 1
    metrics = httpx.get(f"{desk.gateway.url}/metrics", trust_env=False).text
    marks = [
        f'linkage_agreements_ending{{days="{mark}"}} {count}' for mark, count in ((90, "1.0"), (30, "1.0"), (7, "0.0"))
    ]
    assert all(mark in metrics for mark in marks)
    with desk.gateway.as_("auditor") as auditor:
        entries = auditor.entries(limit=500)["entries"]
        kept = [one for one in entries if one["public"]["kind"] == "agreement.reminded"]
    assert [one["index"] for one in kept] == [reminders[0]["entry"]]
    form = agreement(PERSON, ["life_status"])
    assert desk("admin", "agreement", "propose", desk.write("renewal.yaml", form)).code == 0
    kinds = {one["kind"] for one in desk("owner-2", "notices", "--json").json["notices"]}
    assert kinds == {"agreement_renewal_waits", "agreement_proposed"}
    assert desk("city-welfare", "notices").code == 1
    text = desk("owner-1", "agreement", "expiring", "--csv").out
    assert [row["renewal"] for row in csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))] == ["3"]
    assert desk("owner-1", "agreement", "expiring", "--csv", "--json").code == 2


def test_an_agreement_on_paper_with_both_signatures(desk: Desk, tmp_path: Path) -> None:
    page = tmp_path / "agreement.html"
    ran = desk("owner-2", "agreement", "render", "city-person", "--out", page)
    assert ran.code == 0, ran.err
    html = page.read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>\n<html lang='th'>")
    for clause in (
        *("คู่สัญญาและผู้ลงนาม", "ผู้ประสานงาน", "ชุดข้อมูล", "รายการข้อมูล", "วัตถุประสงค์", "ฐานอำนาจตามกฎหมาย"),
        *("กลุ่มเจ้าของข้อมูลส่วนบุคคล", "ระยะเวลา", "ชั้นความลับของข้อมูล", "ความถี่และรูปแบบ", "ห้ามเปิดเผยต่อ"),
        *("การเก็บรักษาและทำลาย", "ความมั่นคงปลอดภัย", "การแจ้งเหตุละเมิด", "การตรวจสอบ", "การสิ้นสุด"),
        *("เทศบาลนคร", "กรมการปกครอง", "วันเกิด", "date_of_birth", "24(4)", "24(2)", "city-notice 1.0", "shredded"),
    ):
        assert clause in html, clause
    signed = json.loads((tmp_path / "agreement.html.signed.json").read_bytes())
    assert signed["page_sha256"] == hashlib.sha256(html.encode()).hexdigest()
    assert [(act["act"], act["checked"]) for act in signed["acts"]] == [
        ("agreement.propose", True),
        ("agreement.approve", True),
    ]
    proposer, approver = signed["acts"]
    assert proposer["operator"] != approver["operator"]
    for act in signed["acts"]:
        payload = json.loads(jws.deserialize_compact(act["jws"], import_key(act["key"]), algorithms=["EdDSA"]).payload)
        assert payload["body"]["id"] == "city-person"
        assert f">{act['index']}<" in html
    assert desk("owner-2", "agreement", "render", "city-person", "--out", page).code == 1

    english = desk("admin", "agreement", "render", "city-person", "--lang", "en", "--json")
    assert english.code == 0, english.err
    assert "<html lang='en'>" in english.json["page"]
    assert "Onward sharing" in english.json["page"]
    assert desk("admin", "agreement", "render", "city-house").code == 1
    assert desk("owner-1", "agreement", "narrow", "city-person", *WHY, "--term", "t1", "--quota-per-day", "7").code == 0
    narrowed = desk("admin", "agreement", "render", "city-person", "--lang", "en", "--json").json
    assert [act["act"] for act in narrowed["acts"]][2:] == ["agreement.narrow"]
    assert "7 a day" in narrowed["page"]
