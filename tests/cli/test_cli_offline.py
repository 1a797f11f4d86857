"""The commands as far as they go without a gateway: use, keys, settings, files, and what they say when it fails."""

from __future__ import annotations

import ast
import json
import shutil
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from gateway import form_texts
from gateway.catalogue.yaml_lines import MAX_BYTES
from gateway.cli import yaml_files
from gateway.cli.connectors import endpoints_of
from gateway.cli.onboarding_file import read_onboarding
from gateway.keys import Keys, new_key, read_key, write_key
from tests.harness import free_port

CITIZEN = "9100000000011"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    write_key(tmp_path / "me.jwk", new_key("EdDSA"))
    return tmp_path / "me.jwk"


def test_help_and_wrong_use(linkage: Any) -> None:
    assert linkage("--help").code == 0
    assert linkage("agency", "add", "--help").code == 0
    for wrong in (["nonsense"], ["agency", "add"], ["agency", "add", "x", "--nope"], ["log", "search", "--limit", "0"]):
        ran = linkage(*wrong)
        assert (ran.code, ran.out) == (2, "")
        assert "--help" in ran.err
        assert "เรียกคำสั่งไม่ถูกต้อง" in ran.err
        assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["exchange", CITIZEN],
        ["exchange", "--service", "dopa.person.v1", "--purpose", "a.b", CITIZEN],
        ["exchange", "--citizen", CITIZEN],
        ["log", "show", CITIZEN],
        ["log", "show", f"ex_{CITIZEN}"],
        ["agency", "show", "9-1000-00000-01-1"],
        ["officer", "add", "city", CITIZEN],
        ["log", "search", "--limit", CITIZEN + "x"],
        [CITIZEN],
    ],
)
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_an_identifier_in_the_wrong_place_is_never_repeated(
    linkage: Any, key: Path, arguments: list[str], more: list[str]
) -> None:
    ran = linkage(*arguments, "--as", "x", "--key", key, *more)
    assert ran.code == 2
    assert CITIZEN not in ran.err + ran.out
    assert "1000" not in ran.err + ran.out
    if more:
        assert set(json.loads(ran.err)) == {"error"}


def test_who_you_are_has_to_be_said(linkage: Any, tmp_path: Path, key: Path) -> None:
    assert "--as" in linkage("agency", "list").err
    assert "--key" in linkage("agency", "list", "--as", "me").err
    missing = linkage("agency", "list", "--as", "me", "--key", tmp_path / "none.jwk")
    assert (missing.code, "none.jwk" in missing.err) == (2, True)
    (tmp_path / "bad.jwk").write_text('{"kty": "OKP", "d": "secret-part"}')
    bad = linkage("agency", "list", "--as", "me", "--key", tmp_path / "bad.jwk")
    assert bad.code == 2
    assert "secret-part" not in bad.err
    plain = linkage("agency", "list", "--as", "me", "--key", key, "--url", "http://gateway.example")
    assert (plain.code, "https" in plain.err) == (2, True)
    no_ca = linkage("agency", "list", "--as", "me", "--key", key, "--ca-file", tmp_path / "none.pem")
    assert no_ca.code in (1, 2)
    assert "Traceback" not in no_ca.err


def test_a_gateway_that_is_not_there(linkage: Any, key: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        ran = linkage("agency", "list", "--as", "me", "--key", key, "--url", url)
        as_json = linkage("agency", "list", "--as", "me", "--key", key, "--url", url, "--json")
    assert ran.code == as_json.code == 1
    assert "ติดต่อเกตเวย์ไม่ได้" in ran.err
    assert json.loads(as_json.err)["error"]["code"] == "unreachable"


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_a_new_key_is_for_its_owner_only(linkage: Any, tmp_path: Path, algorithm: str) -> None:
    out = tmp_path / "keys" / "me.jwk"
    ran = linkage("keys", "new", "--out", out, "--alg", algorithm, "--kid", "me-1", "--json")
    assert ran.code == 0
    private = read_key(out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert ran.json["kid"] == "me-1"
    assert ran.json["x"] == private["x"]
    assert "d" not in ran.json
    assert private["d"] not in ran.out
    before = out.read_bytes()
    again = linkage("keys", "new", "--out", out)
    assert (again.code, out.read_bytes()) == (1, before)
    assert "not overwritten" in again.err


def test_an_agencys_folder_is_checked(linkage: Any, repository: Path, tmp_path: Path) -> None:
    ran = linkage("connector", "check", repository / "connectors" / "dopa", "--json")
    assert ran.code == 0
    assert ran.json["services"] == [f"dopa.{name}.v1" for name in ("person", "house", "name-change", "marriage")]
    assert len(ran.json["digest"]) == 64
    shutil.copytree(repository / "connectors" / "dopa", tmp_path / "connectors" / "dopa")
    broken = tmp_path / "connectors" / "dopa" / "agency.yaml"
    broken.write_text(broken.read_text().replace("deadline_seconds", "deadline_secs"))
    ran = linkage("connector", "check", tmp_path / "connectors" / "dopa", "--schemas", repository / "schemas")
    assert ran.code == 1
    assert "agency.yaml:" in ran.err
    assert "deadline_secs" in ran.err
    assert linkage("connector", "check", tmp_path).code == 1


def test_endpoints_of_all_and_of_one() -> None:
    assert endpoints_of(["https://a.example/x?y=1"]) == ("https://a.example/x?y=1", {})
    assert endpoints_of(["https://a.example", "dopa.house.v1=https://b.example/?q=1"]) == (
        "https://a.example",
        {"dopa.house.v1": "https://b.example/?q=1"},
    )


def test_settings_that_do_not_fit_are_named(linkage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKAGE_MAX_BODY", "12")
    ran = linkage("init", "--state-dir", tmp_path / "state")
    assert ran.code == 2
    assert "LINKAGE_MAX_BODY" in ran.err
    assert not (tmp_path / "state").exists()
    monkeypatch.delenv("LINKAGE_MAX_BODY")
    plain = linkage("serve", "--host", "0.0.0.0", "--state-dir", tmp_path / "state")
    assert (plain.code, "LINKAGE_TLS_CERTIFICATE" in plain.err) == (2, True)


def test_a_gateway_is_begun_once(linkage: Any, tmp_path: Path, repository: Path) -> None:
    state = tmp_path / "state"
    policies = ["--policies", repository / "policies"]
    ran = linkage("init", "--state-dir", state, "--first-admin", "somchai", "--json", *policies)
    assert ran.code == 0, ran.err
    assert read_key(Path(ran.json["key_file"]))["kid"]
    again = linkage("init", "--state-dir", state, "--first-admin", "somchai", *policies)
    assert again.code == 1
    assert "Traceback" not in again.err
    assert linkage("init", "--state-dir", state, "--first-admin", "../x", *policies).code == 2


def test_serving_what_was_never_begun_or_where_another_listens(linkage: Any, tmp_path: Path) -> None:
    ran = linkage("serve", "--state-dir", tmp_path / "none", "--port", "0")
    assert (ran.code, "linkage init" in ran.err) == (1, True)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = linkage("serve", "--state-dir", tmp_path / "none", "--port", port)
    assert (ran.code, str(port) in ran.err) == (1, True)


def test_an_unwritable_place_is_said(linkage: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = linkage("keys", "new", "--out", tmp_path / "file" / "me.jwk")
    assert ran.code == 1
    assert "อ่านหรือเขียนไฟล์ไม่ได้" in ran.err


FAULTY = """
agencies:
  - {id: dopa, title: {th: กรม, en: Department}, colour: red}
  - {id: BAD, title: {th: กรม}}
agencies_too: []
clients:
  - {id: city, agency: city, title: {th: ก, en: a}, keys: [none.jwk]}
officers:
  - {client: city, codes: [A-1, A-1, "9100000000011"]}
operators: {}
connectors: [nowhere]
"""


def test_everything_wrong_with_an_onboarding_file_is_told_with_its_line(
    linkage: Any, tmp_path: Path, key: Path
) -> None:
    file = tmp_path / "onboarding.yaml"
    file.write_text(FAULTY)
    ran = linkage("apply", file, "--as", "me", "--key", key, "--json")
    assert ran.code == 2
    assert "9100000000011" not in ran.err
    details = json.loads(ran.err)["error"]["details"]
    for line, what in (
        (3, "agencies[0].colour"),
        (4, "agencies[1].id"),
        (4, "agencies[1].title.en"),
        (5, "agencies_too"),
        (7, "none.jwk"),
        (9, "citizen ID"),
        (9, "there already"),
        (10, "operators has to be a list"),
        (11, "agency.yaml"),
    ):
        assert any(f"{file}:{line}:" in detail and what in detail for detail in details), (line, what, details)


def test_a_file_of_all_local_authorities_is_taken_and_none_without_end(
    linkage: Any, tmp_path: Path, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agency's folder is bounded more narrowly: half a megabyte, and what it unfolds into."""
    file = tmp_path / "f.yaml"
    town = "- {id: town, title: {th: ก, en: a}}  # " + "ก" * 200 + "\n"
    file.write_text("agencies:\n" + "".join(town.replace("town", f"town-{n}") for n in range(1000)), encoding="utf-8")
    assert file.stat().st_size > MAX_BYTES
    assert len(read_onboarding(file)) == 1000
    monkeypatch.setattr(yaml_files, "MOST", 1 << 19)
    ran = linkage("apply", file, "--as", "me", "--key", key)
    assert ran.code == 2
    assert "at most 512 KiB" in ran.err


@pytest.mark.parametrize("text", ["a: [", "a: 1\na: 2", "- 1", "", "a: !x 1", "\xff"])
def test_a_file_that_is_not_yaml(linkage: Any, tmp_path: Path, key: Path, text: str) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(text.encode("latin-1"))
    for command in (["apply", file], ["agreement", "propose", file]):
        ran = linkage(*command, "--as", "me", "--key", key)
        assert ran.code == 2
        assert "f.yaml" in ran.err
        assert "Traceback" not in ran.err


def test_a_year_of_the_buddhist_era_is_not_taken_for_a_date_centuries_ahead(
    linkage: Any, tmp_path: Path, key: Path
) -> None:
    me = ["--as", "me", "--key", key]
    ran = linkage("log", "search", "--from", "2569-11-01T00:00:00Z", *me)
    assert (ran.code, "คริสต์ศักราช" in ran.err) == (2, True)
    file = tmp_path / "agreement.yaml"
    file.write_text("period:\n  from: 2026-10-01\n  to: 2570-09-30\nterms:\n  - pdpa_exemption: {date: 2560-01-02}\n")
    ran = linkage("agreement", "propose", file, *me)
    assert ran.code == 2
    for place in (f"{file}:3: period.to", f"{file}:5: terms.0.pdpa_exemption.date"):
        assert f"{place}: เป็นปี พ.ศ." in ran.err
    assert ran.err.count("Buddhist") == 2


def test_what_a_form_or_setting_says_is_said_in_thai_too() -> None:
    said: set[str] = set()
    names = ["settings.py", "values.py", "http/documents.py", "consents/forms.py"]
    for file in [*Path("gateway/registers").glob("*.py"), *(Path("gateway", name) for name in names)]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name("ValueError"), args=[ast.Constant(str(text))]):
                    said.add(text)
    assert len(said) > 20
    assert said <= set(form_texts.OWN)


def test_a_setting_that_does_not_fit_is_told_in_both_languages(linkage: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value, thai, english in [
        ("PORT", "99999", "ค่ามากเกินไป", "LINKAGE_PORT"),
        ("HOST", "192.0.2.1", "พร็อกซี", "listening beyond loopback"),
        ("DATABASE_URL", "mysql://user:hunter2@db.example/x", "ฐานข้อมูล", "LINKAGE_DATABASE_URL"),
    ]:
        with monkeypatch.context() as patched:
            patched.setenv(f"LINKAGE_{name}", value)
            ran = linkage("doctor")
        assert (ran.code, ran.out) == (2, "")
        assert thai in ran.err
        assert english in ran.err
        assert "Value error" not in ran.err
        assert "hunter2" not in ran.err


def test_a_file_that_is_not_there_is_named_in_both_languages(linkage: Any, tmp_path: Path, key: Path) -> None:
    ca = linkage("agency", "list", "--as", "me", "--key", key, "--ca-file", tmp_path / "none.pem")
    assert ca.code == 2
    assert ca.err.count("none.pem (--ca-file)") == 2
    no_key = linkage("agency", "list", "--as", "me", "--key", tmp_path / "none.jwk")
    assert [line.count("none.jwk") for line in no_key.err.splitlines()] == [1, 1]
    rules = linkage("policy", "check", tmp_path / "none")
    assert (rules.code, rules.err.count(str(tmp_path / "none"))) == (1, 2)


@pytest.mark.parametrize("group", [[], ["agency"], ["log"]])
def test_a_group_named_alone_shows_its_help(linkage: Any, group: list[str]) -> None:
    ran = linkage(*group)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Usage: linkage")
    assert "see --help" not in ran.err


def test_a_gateway_without_a_log_says_what_begins_one(
    linkage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKAGE_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("LINKAGE_PORT", str(free_port()))
    Keys.create(tmp_path / "keys")
    assert linkage("db", "upgrade").code == 0
    ran = linkage("serve")
    assert (ran.code, ran.out) == (1, "")
    thai, english = ran.err.splitlines()
    assert "ฐานข้อมูลว่างเปล่า" in thai
    assert "`linkage init`" in thai
    assert "the database is empty" in english


def test_verifying_says_what_it_has_nothing_to_begin_with(
    linkage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINKAGE_STATE_DIR", str(tmp_path / "none"))
    here = linkage("log", "verify")
    assert (here.code, [line.count("--from URL") for line in here.err.splitlines()]) == (2, [1, 1])
    key = linkage("log", "verify", "--from", "http://127.0.0.1:1", "--vkey", tmp_path / "none.vkey")
    assert key.code in (1, 2)
    (tmp_path / "proof.json").write_text("{}")
    key = linkage("proof", "verify", tmp_path / "proof.json", "--vkey", tmp_path / "none.vkey")
    assert (key.code, "nor a file" in key.err, "ไม่มีไฟล์" in key.err) == (2, True, True)
