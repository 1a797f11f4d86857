"""Evidence of one exchange: one file that the command, and a stranger, check offline, and nobody can change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import population
from gateway.client import Problem
from gateway.reports.evidence import EVIDENCE, EXPORT, digest_of, page_bytes, sealed
from tests.cli.conftest import run_linkage
from tests.harness import OLD_AGE, PERSON, RunningGateway
from tests.verification import independent_verifier

CITIZEN = population.story_people()[0].citizen_id
REASON = "หมายเรียกของศาล คดีแดง 1/2569"


def taken_out(gateway: RunningGateway, exchange: str, out: Path, *more: str, who: str = "auditor") -> Any:
    own = ["--url", gateway.url, "--as", who, "--key", gateway.keys / f"{who}.jwk"]
    return run_linkage("log", "export", "--exchange", exchange, "--reason", REASON, "--out", out, *own, *more)


@pytest.fixture(scope="module")
def released(world: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes]:
    """(exchange, its evidence)."""
    gateway, _ = world
    with gateway.as_("city-a-welfare") as client:
        answer = client.exchange(service=PERSON, citizen_id=CITIZEN, purpose=OLD_AGE, case_reference="COURT/1")
    out = tmp_path_factory.mktemp("evidence") / "released.html"
    ran = taken_out(gateway, answer.exchange_id, out)
    assert ran.code == 0, ran.err
    return answer.exchange_id, out.read_bytes()


@pytest.fixture
def vkey(running_gateway: RunningGateway) -> str:
    return httpx.get(f"{running_gateway.url}/log/vkey", trust_env=False).text.strip()


@pytest.fixture
def verify(tmp_path: Path, vkey: str) -> Callable[[bytes], Any]:
    """`linkage proof verify` of these bytes."""

    def run(data: bytes) -> Any:
        file = tmp_path / "evidence.html"
        file.write_bytes(data)
        return run_linkage("proof", "verify", file, "--vkey", vkey, "--json")

    return run


def parts(data: bytes) -> tuple[str, dict[str, Any], dict[str, Any]]:
    page, tail = data.split(EXPORT)
    html, inner = page.split(EVIDENCE)
    return html.decode(), json.loads(inner.removesuffix(b"</script>")), json.loads(tail.split(b"</script>")[0])


def test_it_holds_for_the_command_and_for_a_stranger(
    released: tuple[str, bytes], verify: Callable[[bytes], Any], vkey: str
) -> None:
    exchange, data = released
    ran = verify(data)
    assert (ran.code, ran.json["good"], ran.json["exchange_id"]) == (0, True, exchange), ran.json
    assert ran.json["counts"]["signatures"] >= 8
    assert any(REASON in note for note in ran.json["notes"])
    shown = independent_verifier.verify_evidence(data, vkey)
    assert [entry["public"]["kind"] for entry in shown["exchange"]] == ["exchange.decided", "exchange.released"]
    assert shown["agreement"]["id"] == shown["exchange"][0]["legal"]["agreement"] == "city-a-person"
    assert "agreements.cedar" in shown["policies"]["files"]
    assert shown["export"]["content"]["reason"] == REASON
    assert shown["export"]["parties"]["operator"] == "auditor"


def test_the_page_says_what_the_log_says_and_nothing_of_the_citizen(released: tuple[str, bytes]) -> None:
    exchange, data = released
    text = data.decode()
    assert text.startswith("<!doctype html>\n<html lang='th'>")
    for word in (exchange, "COURT/1", "city-a-welfare", "date_of_birth", "ส่งข้อมูลให้ผู้ขอแล้ว", "วิธีตรวจสอบ"):
        assert word in text, word
    for value in (CITIZEN, "pseudonym", *population.sentinels(population.population()[CITIZEN])):
        assert value not in text
    assert "<script>" not in text
    assert not re.search(r"(src|href)=", text)


def test_every_part_that_is_changed_is_named(
    released: tuple[str, bytes], verify: Callable[[bytes], Any], vkey: str
) -> None:
    exchange, data = released
    html, evidence, export = parts(data)
    first = evidence["exchange"]["entries"][0]
    approved, proposed = evidence["agreement"]["approved"], evidence["agreement"]["proposed"]

    def with_evidence(change: Callable[[dict[str, Any]], None]) -> bytes:
        changed = json.loads(json.dumps(evidence))
        change(changed)
        return sealed(page_bytes(html, changed), export)

    def act(document: dict[str, Any], index: int) -> dict[str, Any]:
        return next(one for one in document["acts"] if one["index"] == index)

    def content(entry: dict[str, Any], group: str, old: str, new: str) -> None:
        assert old in entry["groups"][group]["content"]
        entry["groups"][group]["content"] = entry["groups"][group]["content"].replace(old, new)

    def forged_signature(document: dict[str, Any]) -> None:
        signed = json.loads(act(document, approved)["groups"]["content"]["content"])["signed"]
        content(act(document, approved), "content", signed[-9:], "AAAAAAAA" + signed[-1])

    def another_case(document: dict[str, Any]) -> None:
        content(document["exchange"]["entries"][0], "legal", "COURT/1", "COURT/2")

    def another_signer(document: dict[str, Any]) -> None:
        content(act(document, proposed), "parties", "dopa-owner-1", "dopa-owner-2")

    cases: list[tuple[str, bytes]] = [
        ("page", data.replace("ส่งข้อมูลให้ผู้ขอแล้ว".encode(), "ไม่ได้ส่งข้อมูลให้ใคร".encode())),
        ("page", data.replace(b"COURT/1</td>", b"COURT/2</td>")),
        (f"entry {first['index']}", with_evidence(another_case)),
        (f"entry {approved}", with_evidence(forged_signature)),
        (f"entry {proposed}", with_evidence(another_signer)),
        ("agreement", with_evidence(lambda d: d["acts"].remove(act(d, approved)))),
        ("agreement", with_evidence(lambda d: d["agreement"].update(proposed=approved))),
        ("agreement", with_evidence(lambda d: d.update(agreement=None))),
        ("policies", with_evidence(lambda d: d["policies"].update(approved=approved))),
        ("policies", with_evidence(lambda d: d["acts"].pop(0))),
        ("page", with_evidence(lambda d: d["acts"].remove(d["acts"][1]))),
        (f"entry {evidence['acts'][0]['index']}", with_evidence(lambda d: d["acts"].insert(1, d["acts"][0]))),
        ("page", with_evidence(lambda d: d.update(made_at="2020-01-01T00:00:00.000Z"))),
    ]
    for place, forged in cases:
        assert forged != data, place
        ran = verify(forged)
        assert ran.code == 1, place
        places = {finding["place"] for finding in ran.json["findings"]}
        assert {place, "page"} <= places, (place, places)
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the stranger's code raises
            independent_verifier.verify_evidence(forged, vkey)

    # Who owns the file also rewrites what was exported: then that entry is another than the log's.
    page = page_bytes(html.replace("COURT/1", "COURT/2"), evidence)
    claimed = json.loads(json.dumps(export))
    content(claimed, "content", exchange, exchange)
    content(claimed, "content", digest_of(data.split(EXPORT)[0]), digest_of(page))
    ran = verify(sealed(page, claimed))
    assert [finding["place"] for finding in ran.json["findings"]] == [f"entry {export['index']}"]


def test_what_is_no_evidence_and_who_may_have_it(
    running_gateway: RunningGateway, released: tuple[str, bytes], verify: Callable[[bytes], Any], tmp_path: Path
) -> None:
    exchange, data = released
    for broken in (data[:-20], data.split(EXPORT)[0], b"<!doctype html>", data.replace(b"evidence/v1", b"evidence/v9")):
        assert verify(broken).code == 1
    assert taken_out(running_gateway, exchange, tmp_path / "x.html", who="dopa-owner-1").code == 1
    assert taken_out(running_gateway, "ex_00000000000000000000000000", tmp_path / "x.html").code == 1
    assert taken_out(running_gateway, exchange, tmp_path / "x.html", "--consumer", "city-a").code == 2
    assert not (tmp_path / "x.html").exists()


def test_a_refusal_has_its_evidence_too(
    running_gateway: RunningGateway, verify: Callable[[bytes], Any], tmp_path: Path, vkey: str
) -> None:
    with running_gateway.as_("city-a-welfare") as client, pytest.raises(Problem) as refused:
        client.exchange(service=PERSON, citizen_id=CITIZEN, purpose="health.coverage-check")
    out = tmp_path / "refused.html"
    assert taken_out(running_gateway, refused.value.exchange_id or "", out).code == 0
    assert verify(out.read_bytes()).json["good"]
    shown = independent_verifier.verify_evidence(out.read_bytes(), vkey)
    assert shown["exchange"][0]["content"]["reasons"] == ["purpose_not_covered"]
