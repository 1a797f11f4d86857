"""`linkage doctor` on a copy of a real gateway's state, with one thing broken at a time: it names it, and the mend."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.doctor import machine
from gateway.keys import Keys, Master
from gateway.tlog.note import Signer
from gateway.witness.cosigning import cosign
from gateway.witness.state import WitnessState
from tests.cli.conftest import run_linkage
from tests.databases import fresh
from tests.harness import SANDBOX_KEYS, RunningGateway, end, free_port
from tests.stranger.cases import registration
from tests.witness.processes import Witness

STATES = {"ok", "note", "wrong"}


@pytest.fixture(scope="module")
def original(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the shared gateway's state directory."""
    gateway: RunningGateway = world[0]
    source, folder = gateway.state / "gateway", tmp_path_factory.mktemp("original") / "state"
    folder.mkdir(mode=0o700)
    with sqlite3.connect(source / "linkage.db") as live, sqlite3.connect(folder / "linkage.db") as copy:
        live.backup(copy)
    shutil.copytree(source / "keys", folder / "keys")
    (folder / "issuer").write_text(gateway.url)
    return folder


@pytest.fixture
def state(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the copy, and the settings that fit it."""
    folder = tmp_path / "state"
    shutil.copytree(original, folder)
    folder.chmod(0o700)
    monkeypatch.setenv("LINKAGE_STATE_DIR", str(folder))
    monkeypatch.setenv("LINKAGE_ISSUER", (folder / "issuer").read_text())
    for name, value in SANDBOX_KEYS.items():
        monkeypatch.setenv(name, value)
    return folder


def examined() -> tuple[int, list[dict[str, str]]]:
    ran = run_linkage("doctor", "--json")
    assert ran.err == ""
    body = json.loads(ran.out)
    assert body["good"] is (ran.code == 0)
    assert all(finding["state"] in STATES for finding in body["findings"])
    assert all(
        finding.get("mend") and finding.get("mend_th") for finding in body["findings"] if finding["state"] != "ok"
    )
    return ran.code, body["findings"]


def wrong(check: str, saying: str) -> None:
    code, findings = examined()
    said = [(finding["check"], finding["title"]) for finding in findings if finding["state"] == "wrong"]
    assert code == 1
    assert any(name == check and saying in title for name, title in said), said


def test_nothing_is_wrong_with_a_gateway_in_good_order(state: Path) -> None:
    code, findings = examined()
    assert code == 0, findings
    checks = {finding["check"] for finding in findings if finding["state"] == "ok"}
    assert checks >= {"settings", "keys", "certificates", "disk", "database", "lock", "log", "projection", "secrets"}
    ran = run_linkage("doctor")
    assert "nothing is wrong" in ran.out
    assert "ไม่พบสิ่งผิดปกติ" in ran.out


def test_of_one_that_is_serving(running_gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**running_gateway.environment}.items():
        if name.startswith(("LINKAGE_", "SOURCE_")):
            monkeypatch.setenv(name, value)
    code, findings = examined()
    assert code == 0, findings
    assert any("is serving" in finding["title"] for finding in findings)


@pytest.mark.parametrize(
    ("settings", "saying"),
    [
        ({"LINKAGE_SANDBOX": "true", "LINKAGE_HOST": "0.0.0.0", "LINKAGE_TRUSTED_PROXIES": "10.0.0.1"}, "sandbox mode"),
        ({"LINKAGE_HOST": "0.0.0.0", "LINKAGE_TRUSTED_PROXIES": "10.0.0.1"}, "address of this machine"),
        ({"LINKAGE_ISSUER": "http://gateway.example.go.th"}, "does not begin with https"),
    ],
)
def test_settings_that_do_not_go_together(
    state: Path, settings: dict[str, str], saying: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    wrong("settings", saying)


def test_keys_that_are_missing_broken_or_open_to_others(state: Path) -> None:
    (state / "keys" / "seal.jwk").chmod(0o644)
    wrong("permissions", "seal.jwk")
    (state / "keys" / "seal.jwk").chmod(0o600)
    (state / "keys" / "token.jwk").write_text("{}")
    wrong("keys", "token.jwk")
    (state / "keys" / "master.key").unlink()
    wrong("keys", "master.key")
    shutil.rmtree(state / "keys")
    wrong("keys", "no folder of keys")


def test_keys_of_another_log(state: Path) -> None:
    Master.new(state / "keys" / "master.key").write()
    wrong("log", "master.key")


def certificate(path: Path, days: int) -> None:
    key, name = generate_private_key(SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    until = datetime.now(UTC) + timedelta(days=days, hours=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(until - timedelta(days=400))
        .not_valid_after(until)
        .sign(key, SHA256())
    )
    path.write_bytes(made.public_bytes(Encoding.PEM))


def test_certificates(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = state / "chain.pem"
    monkeypatch.setenv("LINKAGE_TLS_CERTIFICATE", str(file))
    monkeypatch.setenv("LINKAGE_TLS_KEY", str(file))
    wrong("certificates", "no certificate")
    certificate(file, -3)
    wrong("certificates", "not good now")
    certificate(file, 10)
    code, findings = examined()
    assert code == 0
    assert [finding["state"] for finding in findings if finding["check"] == "certificates"] == ["note"]


def test_a_disk_that_is_nearly_full_and_a_folder_that_is_not_there(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "LEAST_FREE", 1 << 60)
    wrong("disk", "are free")
    monkeypatch.setenv("LINKAGE_STATE_DIR", str(state / "nowhere"))
    wrong("disk", "no folder")


def test_a_database_that_is_not_there_not_reached_or_of_another_version(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(state / "linkage.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
    wrong("database", "of migration 0001")
    monkeypatch.setenv("LINKAGE_DATABASE_URL", f"sqlite:///{state}/other.db")
    wrong("database", "never set up")
    assert not (state / "other.db").exists()
    monkeypatch.setenv("LINKAGE_DATABASE_URL", f"postgresql://linkage:a-secret@127.0.0.1:{free_port()}/linkage")
    wrong("database", "does not answer")
    assert "a-secret" not in run_linkage("doctor", "--json").out


def test_a_log_that_was_changed_or_goes_by_another_name(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite3.connect(state / "linkage.db") as connection:
        last = connection.execute("SELECT MAX(idx) FROM log_entries").fetchone()[0]
        connection.execute("UPDATE log_entries SET sealed = zeroblob(LENGTH(sealed)) WHERE idx = ?", (last,))
    wrong("log", f"entry {last} does not open")
    with sqlite3.connect(state / "linkage.db") as connection:
        connection.execute("UPDATE log_entries SET entry = zeroblob(32) WHERE idx = 3")
        connection.execute("DELETE FROM log_tiles")
    wrong("log", "no longer the beginning")
    monkeypatch.setenv("LINKAGE_LOG_ORIGIN", "gateway.example/log-2")
    wrong("log", "is called")


def test_a_clock_that_went_back(state: Path) -> None:
    with sqlite3.connect(state / "linkage.db") as connection:
        connection.execute("UPDATE checkpoints SET signed_at = signed_at + 86400")
    wrong("clock", "went back")


def test_a_connector_s_secret_that_is_not_there(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DOPA__API_KEY")
    wrong("secrets", "env:SOURCE_DOPA__API_KEY")
    assert SANDBOX_KEYS["SOURCE_NHSO__API_KEY"] not in run_linkage("doctor", "--json").out


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    held = Witness(tmp_path / "witness", "witness.example/w1")
    yield held
    end(held.process)


def test_witnesses(state: Path, witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKAGE_WITNESSES", f"{witness.key} {witness.url}")
    wrong("witnesses", "has cosigned nothing")
    origin = (state / "issuer").read_text().removeprefix("http://") + "/log"
    vkey = str(Signer(origin, Keys.load(state / "keys").log_key()).verifier)
    witness.watch(vkey)
    with sqlite3.connect(state / "linkage.db") as connection:
        size, note = connection.execute("SELECT size, note FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
    held = WitnessState(witness.state)
    cosign(held, held.signer(None), f"old 0\n\n{note}".encode())
    code, findings = examined()
    assert code == 0, findings
    assert any(f"has cosigned {size}" in finding["title"] for finding in findings)
    with sqlite3.connect(state / "linkage.db") as connection:  # as an old copy of the database would be
        connection.execute("DELETE FROM checkpoints WHERE size > ?", (size // 2,))
        connection.execute("DELETE FROM log_entries WHERE idx >= ?", (size // 2,))
        connection.execute("DELETE FROM log_tiles")
        connection.execute("UPDATE head SET size = ?", (size // 2,))
    wrong("witnesses", "a rollback")
    end(witness.process)
    wrong("witnesses", "does not answer")


def test_a_postgresql_that_does_not_keep_what_it_confirms(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_linkage("backup", tmp_path / "backup").code == 0
    with fresh("postgresql", tmp_path) as url:
        monkeypatch.setenv("LINKAGE_DATABASE_URL", url)
        assert run_linkage("restore", tmp_path / "backup", "--unwitnessed").code == 0
        findings = examined()[1]
        # A server made for tests may itself be set to lose what it confirmed.
        assert {finding["check"] for finding in findings if finding["state"] == "wrong"} <= {"server"}, findings
        name = url.partition("?")[0].rpartition("/")[2]
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
            connection.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
        wrong("server", "synchronous_commit = off")
        wrong("server", "read-only")
        assert any(finding["check"] == "settings" and finding["state"] == "note" for finding in examined()[1])


def test_a_connectors_package_that_is_not_as_it_was_approved(state: Path) -> None:
    body = registration("https://cover.nhso.example", "sha256:" + "0" * 64)
    with sqlite3.connect(state / "linkage.db") as connection:
        ((held,),) = connection.execute("SELECT body FROM registers WHERE kind = 'connector' AND id = 'nhso'")
        record = {**json.loads(held), "registration": body}
        connection.execute(
            "UPDATE registers SET body = ? WHERE kind = 'connector' AND id = 'nhso'", (json.dumps(record),)
        )
    wrong("connectors", "nhso.coverage.v1: /connector/settings/connector: no installed package")


def test_text_that_a_terminal_would_obey_is_told_and_never_printed(state: Path) -> None:
    """As a registration may hold that was made before such text was refused, or that someone wrote into the table."""
    hostile = "\x1b[2J\x9b31m\u202e\x07"
    with sqlite3.connect(state / "linkage.db") as connection:
        rows = connection.execute("SELECT id, body FROM registers WHERE kind = 'connector'").fetchall()
        held = {name: json.loads(body) for name, body in rows}
        body = held["nhso"]["registration"]
        body["title"]["en"] += hostile
        body["services"][0]["metadata"][hostile] = {"env": f"SOURCE_{hostile}"}
        connection.execute(
            "UPDATE registers SET id = ?, body = ? WHERE kind = 'connector' AND id = 'nhso'",
            (f"nhso{hostile}", json.dumps(held["nhso"])),
        )
    wrong("connectors", f"the registration of nhso{hostile} does not fit this version: /services/0/metadata: ")
    wrong("secrets", f"lacks its secret env:SOURCE_{hostile}")
    # One agency's own fault keeps nothing else from being looked at.
    assert {finding["check"] for finding in examined()[1] if finding["state"] == "ok"} >= {"policies", "secrets"}
    for options in ((), ("--json",)):
        ran = run_linkage("doctor", *options)
        assert (ran.code, ran.err) == (1, "")
        assert not set(ran.out) & set(hostile.replace("[2J", "").replace("31m", ""))
    assert "nhso<U+001B>[2J<U+009B>31m<U+202E><U+0007>" in run_linkage("doctor").out
