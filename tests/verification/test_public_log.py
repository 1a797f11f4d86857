"""What a running gateway serves, checked by a verifier that shares no code with it, and by the commands."""

from __future__ import annotations

import ast
import copy as copying
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors import population
from gateway import cli
from tests.harness import OLD_AGE, PERSON, RunningGateway, token_of
from tests.verification import independent_verifier
from tests.verification.copied_log import filled, settled


@pytest.fixture
def gateway(running_gateway: RunningGateway) -> RunningGateway:
    filled(running_gateway)
    settled(running_gateway)
    return running_gateway


def get(gateway: RunningGateway, path: str) -> httpx.Response:
    return httpx.get(f"{gateway.url}/log/{path}", trust_env=False)


def vkey(gateway: RunningGateway) -> str:
    return get(gateway, "vkey").text.strip()


def asked(gateway: RunningGateway, client: str = "city-a-welfare", **more: Any) -> dict[str, Any]:
    with gateway.as_(client) as session:
        citizen = population.story_people()[0].citizen_id
        return dict(session.exchange(service=PERSON, citizen_id=citizen, purpose=OLD_AGE, **more).body)


def proof(
    gateway: RunningGateway, exchange: str, who: str = "city-a-welfare", scope: str = "exchange"
) -> httpx.Response:
    return httpx.get(
        f"{gateway.url}/v1/exchanges/{exchange}/proof",
        headers={"authorization": f"Bearer {token_of(gateway, who, scope)}"},
        trust_env=False,
        timeout=20,
    )


def test_the_independent_verifier_is_independent() -> None:
    tree = ast.parse(Path(independent_verifier.__file__).read_text())
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    assert not any(str(module).startswith(("gateway", "tests", "connectors")) for module in modules)


def test_the_whole_log_holds_for_a_stranger(gateway: RunningGateway) -> None:
    checkpoint = get(gateway, "checkpoint").content

    def fetch(path: str) -> bytes:
        return checkpoint if path == "checkpoint" else get(gateway, path).raise_for_status().content

    size, entries = independent_verifier.verify_log(fetch, vkey(gateway))
    assert size == len(entries) > 512
    with pytest.raises(ValueError, match="root"):
        independent_verifier.verify_log(
            lambda path: bytes(fetch(path)[:-1]) + b"\x00" if path == "tile/entries/000" else fetch(path), vkey(gateway)
        )


def test_an_answers_receipt_is_in_the_log(gateway: RunningGateway) -> None:
    answer = asked(gateway, case_reference="P/1")
    document = proof(gateway, answer["exchange_id"]).json()
    shown = independent_verifier.verify_document(document, vkey(gateway))
    assert [entry["public"]["kind"] for entry in shown] == ["exchange.decided", "exchange.released"]
    assert answer["receipt"]["entry"] in [entry["entry"] for entry in document["entries"]]
    assert shown[0]["legal"]["case_reference"] == "P/1"
    assert all("subject" not in entry for entry in shown)
    for change, at in (
        ("salt", 5),
        ("content", 20),
        ("entry", 5),
        ("proof", len("c2sp.org/tlog-proof@v1\nindex 600\n") + 9),
    ):
        forged = copying.deepcopy(document)
        entry = forged["entries"][0]
        where = entry["groups"]["legal"] if change in ("salt", "content") else entry
        other = "a" if where[change][at] == "b" else "b"
        where[change] = where[change][:at] + other + where[change][at + 1 :]
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the stranger's code raises
            independent_verifier.verify_document(forged, vkey(gateway))


def test_a_refusal_has_its_proof_too(gateway: RunningGateway) -> None:
    from gateway.client import Problem

    with gateway.as_("city-a-other") as client, pytest.raises(Problem) as refused:
        client.exchange(
            service=PERSON, citizen_id=population.story_people()[0].citizen_id, purpose="health.coverage-check"
        )
    document = proof(gateway, refused.value.exchange_id or "", "city-a-other").json()
    (entry,) = independent_verifier.verify_document(document, vkey(gateway))
    assert entry["public"]["kind"] == "exchange.refused"


def test_who_sees_a_proof(gateway: RunningGateway) -> None:
    exchange = asked(gateway)["exchange_id"]
    assert proof(gateway, exchange, "city-a-other").status_code == 200  # of the same agency
    assert proof(gateway, exchange, "city-b-welfare").status_code == 404
    assert proof(gateway, "ex_00000000000000000000000000").status_code == 404
    assert httpx.get(f"{gateway.url}/v1/exchanges/{exchange}/proof", trust_env=False).status_code == 401
    owner = proof(gateway, exchange, "dopa-owner-1", "admin")
    assert owner.status_code == 200
    audited = proof(gateway, exchange, "auditor", "audit")
    assert audited.status_code == 200
    for response in (owner, audited):
        assert all(set(entry["groups"]["subject"]) == {"commitment"} for entry in response.json()["entries"])
    # That an auditor looked is itself in the log.
    with gateway.as_("auditor") as auditor:
        last = settled(gateway).size
        entries = auditor.entries(after=last - 20, limit=20)["entries"]
    assert any(e["public"]["kind"] == "audit.search" and e["content"].get("exchange") == exchange for e in entries)


def test_headers_paths_and_what_is_not_there(gateway: RunningGateway) -> None:
    checkpoint = get(gateway, "checkpoint")
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint.headers["cache-control"] == "no-cache"
    size = int(checkpoint.text.splitlines()[1])
    for path in ("tile/0/000", "tile/entries/000", f"tile/1/000.p/{size // 256}", "tile/0/000.p/7"):
        response = get(gateway, path)
        assert response.status_code == 200, path
        assert response.headers["content-type"] == "application/octet-stream"
        assert "immutable" in response.headers["cache-control"]
    assert len(get(gateway, "tile/0/000").content) == 8192
    assert get(gateway, "tile/entries/000.p/7").content == get(gateway, "tile/entries/000").content[: 7 * 34]
    for path in ("tile/0/999", "tile/0/0", "tile/9/000", "tile/0/000.p/0", "tile/x/000", "tile/1/000", "other"):
        response = get(gateway, path)
        assert response.status_code == 404, path
        assert response.headers["content-type"] == "application/problem+json"
        assert "immutable" not in response.headers.get("cache-control", "")


def test_checkpoints_go_on_over_a_restart_and_never_back(tmp_path: Path) -> None:
    from gateway.tlog.checkpoint import open_checkpoint
    from gateway.tlog.note import parse_key

    gateway = RunningGateway(tmp_path)
    try:
        gateway.initialise()
        seen = []
        for _ in range(2):
            gateway.start()
            deadline = time.monotonic() + 10
            while get(gateway, "checkpoint").status_code == 404 and time.monotonic() < deadline:
                time.sleep(0.05)
            for _ in range(6):
                seen.append(open_checkpoint(get(gateway, "checkpoint").text, parse_key(vkey(gateway)))[0].size)
                time.sleep(0.15)
            gateway.kill()
        assert seen == sorted(seen)
        assert seen[-1] > seen[0]
    finally:
        gateway.stop()


def test_log_verify_from_afar_remembers(
    gateway: RunningGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = tmp_path / "seen.json"
    command = ["log", "verify", "--from", gateway.url, "--seen", str(seen), "--json"]
    assert cli.run(command) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["good"]
    assert "ask elsewhere" in first["notes"][0]
    asked(gateway)
    settled(gateway)
    assert cli.run(command) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["counts"]["size"] > first["counts"]["size"]
    assert second["notes"] == []
    other = "other.example/log+" + vkey(gateway).split("+", 1)[1]
    assert cli.run([*command, "--vkey", other]) == 2


def test_proof_verify_offline(gateway: RunningGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = proof(gateway, asked(gateway)["exchange_id"]).json()
    file, key_file = tmp_path / "exchange.json", tmp_path / "log.vkey"
    own = ["--url", gateway.url, "--as", "city-a-welfare", "--key", str(gateway.keys / "city-a-welfare.jwk")]
    assert cli.run(["proof", "fetch", document["exchange_id"], "--out", str(file), *own]) == 0
    assert json.loads(file.read_text())["entries"][0]["groups"] == document["entries"][0]["groups"]
    key_file.write_text(vkey(gateway) + "\n")
    assert cli.run(["proof", "verify", str(file)]) == 2
    assert cli.run(["proof", "verify", str(file), "--vkey", str(key_file)]) == 0
    capsys.readouterr()
    for change in ("index", "proof", "groups", "order", "course"):
        forged = copying.deepcopy(document)
        first = forged["entries"][0]
        if change == "index":
            first["index"] -= 1
        elif change == "proof":
            first["proof"] = forged["entries"][1]["proof"]
        elif change == "groups":
            first["groups"]["legal"]["content"] = first["groups"]["legal"]["content"].replace("t1", "t2")
        elif change == "order":
            forged["entries"].reverse()
        else:
            forged["entries"] = forged["entries"][1:]
        file.write_text(json.dumps(forged))
        assert cli.run(["proof", "verify", str(file), "--vkey", vkey(gateway), "--json"]) == 1, change
        assert json.loads(capsys.readouterr().out)["findings"], change
    file.write_text("{}")
    assert cli.run(["proof", "verify", str(file), "--vkey", vkey(gateway)]) == 1
