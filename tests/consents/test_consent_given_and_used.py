"""A consent is given, used, paused, resumed and withdrawn, and every step is on record and nothing of it in plain."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import orjson
import pytest
from jose import jws as jose
from joserfc import jws
from joserfc.errors import BadSignatureError

from gateway.client import Answer, Problem
from gateway.exchangelog import GROUPS
from gateway.keys import import_key
from tests.acceptance.trail import entries_since, on_record, size
from tests.consents.desk_of_consents import (
    ADULT,
    COLLECTOR,
    ELDER,
    FIELDS,
    MINOR,
    NOTICE,
    OTHER,
    REFERENCE,
    Office,
    codes_of,
    evidence,
    form,
    later,
)


def test_an_exchange_stands_on_the_consent_and_says_so(office: Office) -> None:
    purpose = office.own()
    consent = office.give(purpose)["consent"]
    answer = office.ask(purpose, consent_id=consent["id"])
    assert isinstance(answer, Answer)
    assert set(answer.data) == set(FIELDS)
    assert answer.decision["consent_id"] == consent["id"]
    decided, _ = on_record(office.gateway, answer.exchange_id, "released")
    assert (decided["legal"]["consent"], decided["legal"]["consent_revision"]) == (consent["id"], 1)


def test_a_question_that_names_no_consent_finds_the_one_in_force(office: Office) -> None:
    purpose = office.own()
    assert codes_of(office.ask(purpose)) == {"consent_required"}
    old, new = office.give(purpose)["consent"]["id"], office.give(purpose)["consent"]["id"]
    found = office.ask(purpose)
    assert isinstance(found, Answer)
    assert found.decision["consent_id"] == new
    office.change(new, "withdraw")
    found = office.ask(purpose)
    assert isinstance(found, Answer)
    assert found.decision["consent_id"] == old
    office.change(old, "withdraw")
    assert codes_of(office.ask(purpose)) == {"consent_withdrawn"}
    assert codes_of(office.ask(purpose, ELDER)) == {"consent_required"}


def test_the_record_has_the_fields_of_the_standard(office: Office) -> None:
    purpose = office.own(uses={"times": 5, "per": "day"})
    given = office.give(purpose, confirm_by=later(days=400))
    consent = given["consent"]
    assert consent["schema_version"].startswith("ISO/IEC TS 27560")
    assert (consent["status"], consent["revision"], consent["given_by"]) == ("given", 1, "self")
    assert consent["notice"]["text"] == NOTICE
    assert consent["notice"]["sha256"] == consent["evidence"]["notice_sha256"]
    assert [item["name"] for item in consent["data_items"]] == FIELDS
    assert {item["sensitive"] for item in consent["data_items"]} == {False}
    assert consent["controller"]["agency"] == "city-a"
    assert [party["agency"] for party in consent["recipients"]] == ["city-a"]
    assert (consent["source"]["agency"], consent["collector"]["client"]) == ("dopa", COLLECTOR)
    assert consent["purpose"]["code"] == purpose
    assert consent["lawful_basis"] == "consent"
    assert consent["retention"] == {"days": 90, "destruction": "shredded"}
    assert consent["use_limit"] == {"times": 5, "per": "day"}
    assert len(consent["subject"]["pseudonym"]) == 64
    assert [event["kind"] for event in consent["events"]] == ["given"]
    assert ADULT not in str(given)


def test_each_change_is_an_event_an_entry_and_a_count_of_the_person(office: Office, repository: Path) -> None:
    purpose = office.own()
    start = size(office.gateway)
    consent = office.give(purpose, MINOR, age_band="adult")["consent"]["id"]
    for change in ("pause", "resume", "withdraw"):
        done = office.change(consent, change)
    assert [event["kind"] for event in done["consent"]["events"]] == ["given", "paused", "resumed", "withdrawn"]
    assert done["consent"]["revision"] == 4
    entries = [entry for entry in entries_since(office.gateway, start) if entry["legal"].get("consent") == consent]
    assert [entry["public"]["kind"] for entry in entries] == [
        f"consent.{kind}" for kind in ("given", "paused", "resumed", "withdrawn")
    ]
    assert entries[-1]["index"] == done["log"]["index"]
    assert entries[-1]["entry"] == done["log"]["entry"]
    first, *rest = entries
    for before, after in zip([first, *rest], rest, strict=False):
        assert after["subject"]["counter"] == before["subject"]["counter"] + 1
        assert after["subject"]["previous"] == before["entry"]
    assert done["consent"]["subject"]["pseudonym"] not in str(entries)
    schema = jsonschema_rs.validator_for(json.loads((repository / "schemas" / "log-entry.v1.json").read_text()))
    for entry in entries:
        schema.validate({name: entry[name] for name in GROUPS})
    with office.gateway.as_(COLLECTOR) as desk, pytest.raises(Problem) as refused:
        desk.change_consent(consent, "resume")
    assert refused.value.status == 409


def test_the_receipt_is_signed_by_the_gateway_and_leaves_out_the_offices_notes(office: Office) -> None:
    given = office.give(office.own())
    key = next(
        key
        for key in httpx.get(f"{office.gateway.url}/.well-known/jwks.json", trust_env=False).json()["keys"]
        if key["kid"] == jose.get_unverified_header(given["receipt"])["kid"]
    )
    payload = _verified(given["receipt"], key)
    assert payload["iss"] == office.gateway.url
    assert payload["log"] == given["log"]
    told = payload["consent"]
    assert (told["id"], told["status"]) == (given["consent"]["id"], "given")
    assert told["notice"]["text"] == NOTICE
    for private in (REFERENCE, "wanna.k", "log_subject", given["withdrawal_code"], ADULT):
        assert private not in str(payload)
    broken = given["receipt"][:-8] + ("AAAAAAAA" if given["receipt"][-8:] != "AAAAAAAA" else "BBBBBBBB")
    with pytest.raises(BadSignatureError):
        _verified(broken, key)


def _verified(receipt: str, key: dict[str, Any]) -> dict[str, Any]:
    assert key["crv"] == "Ed25519"
    payload: dict[str, Any] = orjson.loads(
        jws.deserialize_compact(receipt, import_key(key), algorithms=["EdDSA"]).payload
    )
    return payload


def test_the_printed_page_is_the_citizens_and_stands_alone(office: Office) -> None:
    given = office.give(office.own())
    page = given["page"]
    assert page.startswith("<!doctype html><html lang='th'>")
    assert given["withdrawal_code"] in page
    assert given["consent"]["id"] in page
    assert html.escape(NOTICE) in page
    for absent in (ADULT, REFERENCE, "wanna.k", "<script", "src=", "href="):
        assert absent not in page


def test_the_code_shows_and_withdraws_without_a_token(office: Office) -> None:
    purpose = office.own()
    given = office.give(purpose)
    code = given["withdrawal_code"].lower().replace("-", " ").replace("0", "o").replace("1", "l")
    base = f"{office.gateway.url}/v1/consents/by-code"
    shown = httpx.post(f"{base}/view", json={"code": code}, trust_env=False)
    assert shown.status_code == 200
    assert shown.json()["id"] == given["consent"]["id"]
    for private in (REFERENCE, "wanna.k", "log_subject", ADULT):
        assert private not in shown.text
    done = httpx.post(f"{base}/withdraw", json={"code": code}, trust_env=False)
    assert done.status_code == 200
    assert done.json()["consent"]["status"] == "withdrawn"
    assert done.json()["consent"]["events"][-1]["by"] == {"kind": "code"}
    assert codes_of(office.ask(purpose)) == {"consent_withdrawn"}
    assert httpx.post(f"{base}/withdraw", json={"code": code}, trust_env=False).status_code == 409
    unknown = httpx.post(f"{base}/withdraw", json={"code": "0000-0000-0000-0000-0000"}, trust_env=False)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


def test_an_office_sees_what_concerns_it_and_changes_what_it_keeps(office: Office) -> None:
    consent = office.give(office.own())["consent"]["id"]
    with office.gateway.as_(COLLECTOR) as desk:
        assert desk.consent(consent)["evidence"]["reference"] == REFERENCE
        assert consent in [one["id"] for one in desk.consents(ADULT, "asked at the counter")]
        assert consent not in [one["id"] for one in desk.consents(ELDER, "asked at the counter")]
    with office.gateway.as_(OTHER) as stranger:
        with pytest.raises(Problem, match="not_found"):
            stranger.consent(consent)
        with pytest.raises(Problem, match="not_found"):
            stranger.change_consent(consent, "withdraw")
        assert consent not in [one["id"] for one in stranger.consents(ADULT, "asked at the counter")]
    with office.gateway.as_("dopa-owner-1") as source:
        assert source.consent(consent)["id"] == consent
        with pytest.raises(Problem) as refused:
            source.change_consent(consent, "withdraw")
        assert codes_of(refused.value) == {"role_not_allowed"}
    with office.gateway.as_("auditor") as auditor, pytest.raises(Problem, match="invalid_scope"):
        auditor.consent(consent)
    with office.gateway.as_("city-a-welfare") as without, pytest.raises(Problem, match="invalid_scope"):
        without.consent(consent)
    with office.gateway.as_("admin") as admin:
        assert admin.change_consent(consent, "withdraw", "the citizen wrote")["consent"]["status"] == "withdrawn"
        with pytest.raises(Problem, match="insufficient_scope"):
            admin.give_consent(form(office.own()))


def test_a_search_is_on_record_without_the_id(office: Office) -> None:
    start = size(office.gateway)
    with office.gateway.as_(COLLECTOR) as desk:
        desk.consents(ADULT, "the citizen asks")
    (entry,) = [e for e in entries_since(office.gateway, start) if e["public"]["kind"] == "consent.search"]
    assert entry["content"] == {"reason": "the citizen asks"}
    assert entry["parties"]["client"] == COLLECTOR
    assert ADULT not in str(entry)


def test_nothing_of_a_consent_lies_on_disk_in_plain(office: Office) -> None:
    office.give(office.own())
    office.give(
        office.own(),
        MINOR,
        age_band="minor_10_19",
        confirm_by=later(days=100),
        guardian={"relation": "parent", "citizen_id": ELDER, "evidence": evidence()},
    )
    told = [code.replace("-", "") for code in office.codes] + office.codes
    secret = [ADULT, MINOR, ELDER, REFERENCE, "SENTINEL-NOTICE", NOTICE, *told]
    files = [file for folder in ("gateway", "output") for file in (office.gateway.state / folder).rglob("*")]
    searched = 0
    for file in (file for file in files if file.is_file()):
        content = file.read_bytes()
        searched += len(content)
        for text in secret:
            assert text.encode() not in content, file.name
    assert searched > 100_000
