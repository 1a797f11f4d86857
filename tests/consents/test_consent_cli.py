"""`linkage consent` at an office's desk: the citizen ID and the code come on standard input."""

from __future__ import annotations

import hashlib
import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import yaml

from gateway.cli import run
from tests.consents.desk_of_consents import (
    ADULT,
    COLLECTOR,
    ELDER,
    MINOR,
    NOTICE,
    Office,
    codes_of,
    evidence,
    form,
    later,
)


@pytest.fixture
def consent(office: Office, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`consent("show", ID, stdin="…")` -> (exit code, printed, errors), as the collector."""
    for name in ("LINKAGE_URL", "LINKAGE_OPERATOR", "LINKAGE_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)

    def command(*arguments: object, stdin: str = "") -> tuple[int, str, str]:
        who = ("--url", office.gateway.url, "--as", COLLECTOR, "--key", office.gateway.keys / f"{COLLECTOR}.jwk")
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", io.StringIO(stdin)):
            code = run(["consent", *(str(argument) for argument in (*arguments, *who))])
        return code, out.getvalue(), err.getvalue()

    return command


def written(folder: Path, purpose: str, **more: Any) -> tuple[Path, Path]:
    """The form as an office keeps it, and the notice's text beside it."""
    body = form(purpose, **more)
    body.pop("citizen_id")
    body["notice"].pop("text")
    body["evidence"].pop("notice_sha256")
    (folder / "consent.yaml").write_text(yaml.safe_dump(body, allow_unicode=True), encoding="utf-8")
    (folder / "notice.txt").write_text(NOTICE, encoding="utf-8")
    return folder / "consent.yaml", folder / "notice.txt"


def test_from_given_to_withdrawn(consent: Any, office: Office, tmp_path: Path) -> None:
    file, notice = written(tmp_path, office.own())
    page = tmp_path / "page.html"
    dashed = f"{ADULT[0]}-{ADULT[1:5]}-{ADULT[5:10]}-{ADULT[10:12]}-{ADULT[12]}"
    code, out, err = consent("give", file, "--notice", notice, "--page", page, "--json", stdin=f"{dashed}\n")
    assert (code, err) == (0, "")
    given = json.loads(out)
    assert given["withdrawal_code"] in page.read_text(encoding="utf-8")
    name = given["consent"]["id"]
    assert json.loads(consent("show", name, "--json")[1])["status"] == "given"
    code, out, _ = consent("list", "--reason", "at the counter", "--json", stdin=f"{ADULT}\n")
    assert name in [one["id"] for one in json.loads(out)["consents"]]
    assert name in consent("list", "--reason", "at the counter", stdin=f"{ADULT}\n")[1]
    for verb, status in (("pause", "paused"), ("resume", "given")):
        code, out, _ = consent(verb, name, "--reason", "the citizen asks")
        assert code == 0
        assert status in out
    code, out, _ = consent("show", "--code", "--json", stdin=given["withdrawal_code"] + "\n")
    assert json.loads(out)["id"] == name
    code, out, _ = consent("withdraw", "--code", stdin=given["withdrawal_code"].lower() + "\n")
    assert (code, "withdrawn" in out) == (0, True)
    code, _, err = consent("withdraw", name)
    assert code == 1
    assert "conflict" in err


def test_a_guardians_id_is_the_second_line(consent: Any, office: Office, tmp_path: Path) -> None:
    guardian = {"relation": "parent", "evidence": evidence()}
    young = {"age_band": "minor_10_19", "confirm_by": later(days=100), "guardian": guardian}
    file, notice = written(tmp_path, office.own(), **young)
    given = ("give", file, "--notice", notice, "--guardian", "--json")
    code, out, err = consent(*given, stdin=f"{MINOR}\n{ELDER}\n")
    assert (code, err) == (0, "")
    assert len(json.loads(out)["consent"]["guardian"]["subject"]) == 64
    assert consent(*given, stdin=f"{MINOR}\n")[0] == 2


def test_wrong_use_says_what_is_missing(consent: Any, office: Office, tmp_path: Path) -> None:
    assert consent("withdraw")[0] == 2
    assert consent("withdraw", "--code", stdin="\n")[0] == 2
    assert consent("show", "cns_x", "--code", stdin="x\n")[0] == 2
    assert consent("show", "cns_01m7wb6qj8t193z10bnff2mwqt")[0] == 1
    file, notice = written(tmp_path, office.own())
    assert consent("give", file, "--notice", notice, "--guardian", stdin=f"{ADULT}\n")[0] == 2
    code, out, err = consent("give", file, "--notice", notice, stdin=f"{ADULT[:-1]}x\n")
    assert (code, out) == (1, "")
    assert ADULT[:-1] not in err


def test_a_guardian_and_a_confirmation_by_command(consent: Any, office: Office, tmp_path: Path) -> None:
    purpose = office.own()
    young = {"age_band": "minor_10_19", "confirm_by": later(days=100)}
    one = office.give(purpose, MINOR, **young)["consent"]["id"]
    proof = {name: value for name, value in evidence().items() if name != "notice_sha256"}
    for name, body in (
        ("guardian", {"relation": "parent", "evidence": proof}),
        ("confirm", {**young, "confirm_by": later(days=300), "by": "citizen", "evidence": proof}),
    ):
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(body))
    guardian = ("add-guardian", one, tmp_path / "guardian.yaml", "--guardian")
    code, _, said = consent(*guardian, stdin=f"{MINOR}\n{ELDER}\n")
    assert code == 0, said
    code, printed, said = consent("confirm", one, tmp_path / "confirm.yaml", "--json", stdin=f"{MINOR}\n")
    assert code == 0, said
    event = json.loads(printed)["consent"]["events"][-1]
    assert event["evidence"]["notice_sha256"] == hashlib.sha256(NOTICE.encode()).hexdigest()
    assert not codes_of(office.ask(purpose, MINOR))
    code, _, said = consent("confirm", one, tmp_path / "confirm.yaml", stdin=f"{ADULT}\n")
    assert code == 1
    assert ADULT not in said
