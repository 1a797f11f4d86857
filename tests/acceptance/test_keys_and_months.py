"""A gateway whose keys are replaced and whose oldest months are forgotten, from the desk to the verifier."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from connectors import population
from gateway import cli
from gateway.exchangelog import ExchangeLog
from gateway.exchangelog.vault import Vault
from gateway.keys import Keys
from gateway.model import new_id
from gateway.store import CloseExchange, Connection, OpenExchange, Store
from gateway.store.migrate import upgrade
from gateway.tlog.note import parse_key
from gateway.verification.database import verify_database
from tests.exchangelog.conftest import Book
from tests.harness import OLD_AGE, PERSON, Agency, RunningGateway, seed, token_of
from tests.verification.copied_log import settled

LONG_AGO = datetime(2023, 5, 17, 3, 0, tzinfo=UTC)
AGED = 40


async def with_a_past(gateway: RunningGateway) -> None:
    """Exchanges of years ago, in the database before anything else: as a gateway of then would have left it."""
    state = gateway.state / "gateway"
    state.mkdir(parents=True)
    url = f"sqlite:///{state / 'linkage.db'}"
    upgrade(url)
    store = Store(url)
    log = ExchangeLog(store, Keys.create(state / "keys"), origin=f"127.0.0.1:{gateway.port}/log", gateway="gateway-1")
    book = Book(url, Keys.load(state / "keys"), store, log)
    await log.ready(LONG_AGO)
    for _ in range(AGED):
        exchange = new_id("ex")
        drafts = [book.draft(exchange, "9111111111114", OLD_AGE, permit=True), log.closed("released", exchange)]
        for draft, change in zip(
            drafts, (OpenExchange(exchange, "gateway-1", "boot", 1), CloseExchange(exchange)), strict=True
        ):
            await store.append([draft], [change])
    store.close()


@pytest.fixture(scope="module")
def aged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that has been running for years, and has two administrators."""
    import asyncio

    folder = tmp_path_factory.mktemp("aged")
    agencies = {name: Agency(name, folder / name) for name in ("dopa", "nhso")}
    gateway = RunningGateway(folder, LINKAGE_LOG_RETENTION_MONTHS=24, LINKAGE_SUBJECT_MAP_INTERVAL=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.exchangelog.log.now", lambda: LONG_AGO)
        asyncio.run(with_a_past(gateway))
    try:
        gateway.initialise()
        gateway.start()
        seed(gateway, agencies)
        yield gateway
    finally:
        gateway.stop()
        for agency in agencies.values():
            agency.stop()


def linkage(gateway: RunningGateway, who: str, *arguments: str) -> int:
    options = ["--url", gateway.url, "--as", who, "--key", str(gateway.keys / f"{who}.jwk")]
    return cli.run([*arguments, *options])


def asked(gateway: RunningGateway) -> Any:
    with gateway.as_("city-a-welfare") as client:
        return client.exchange(service=PERSON, citizen_id=population.story_people()[0].citizen_id, purpose=OLD_AGE)


def served(gateway: RunningGateway, path: str) -> httpx.Response:
    return httpx.get(f"{gateway.url}{path}", trust_env=False).raise_for_status()


def checked(gateway: RunningGateway, database: Path, keys: Path) -> Any:
    connection = Connection(f"sqlite:///{database}", read_only=True)
    try:
        known = parse_key(served(gateway, "/log/vkey").text)
        return verify_database(connection, known, Keys.load(keys).master)
    finally:
        connection.close()


def backup(gateway: RunningGateway, to: Path) -> Path:
    with sqlite3.connect(gateway.state / "gateway" / "linkage.db") as source, sqlite3.connect(to) as target:
        source.backup(target)
    return to


def test_every_key_is_replaced_and_what_the_old_ones_signed_still_holds(
    aged: RunningGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in aged.environment.items():
        if name.startswith("LINKAGE_"):
            monkeypatch.setenv(name, value)
    keys = aged.state / "gateway" / "keys"
    answer = asked(aged)
    old_vkey = served(aged, "/log/vkey").text.strip()
    seen, document = tmp_path / "seen.json", tmp_path / "proof.json"
    settled(aged)
    verify = ["log", "verify", "--from", aged.url, "--seen", str(seen)]
    assert cli.run([*verify, "--vkey", old_vkey]) == 0
    exchange = answer.body["exchange_id"]
    assert linkage(aged, "city-a-welfare", "proof", "fetch", exchange, "--out", str(document)) == 0
    token, jwks = token_of(aged, "city-a-welfare"), served(aged, "/.well-known/jwks.json").json()["keys"]
    aged.stop()
    for kind in ("token", "seal", "master", "log"):
        capsys.readouterr()
        assert cli.run(["keys", "rotate", kind, "--json"]) == 0
        said = orjson.loads(capsys.readouterr().out)
        assert (said["key"], said["kid"]) == (kind, Keys.load(keys).kids[kind])
    assert cli.run(["log", "verify"]) == 0  # in between: the new key is there, and the log does not know it yet
    assert cli.run(["keys", "rotate", "master", "--finish"]) == 1  # its months are wrapped by the earlier one only
    aged.start()
    capsys.readouterr()

    # What was handed out before: the token, the proof, the checkpoint, the keys.
    held = {"authorization": f"Bearer {token}"}
    reached = httpx.get(f"{aged.url}/v1/exchanges/{exchange}", headers=held, trust_env=False)
    assert reached.status_code == 200
    assert cli.run(["proof", "verify", str(document), "--vkey", old_vkey]) == 0
    listed = served(aged, "/.well-known/jwks.json").json()["keys"]
    assert {key["kid"] for key in jwks} < {key["kid"] for key in listed}

    # What is new: another verifier key, reached from the old one by its own statement.
    after = asked(aged)
    settled(aged)
    history = served(aged, "/log/keys").json()
    assert [item["vkey"] for item in history["keys"]] == [old_vkey, served(aged, "/log/vkey").text.strip()]
    assert cli.run([*verify, "--vkey", old_vkey]) == 0
    assert orjson.loads(seen.read_bytes())["vkey"] == history["keys"][1]["vkey"]
    newer = after.body["exchange_id"]
    assert linkage(aged, "city-a-welfare", "proof", "fetch", newer, "--out", str(document)) == 0
    assert cli.run(["proof", "verify", str(document), "--vkey", old_vkey]) == 0
    # An exchange of before is proved anew under the new key: for whoever knows only that, or only the old one.
    assert linkage(aged, "city-a-welfare", "proof", "fetch", exchange, "--out", str(document)) == 0
    for known in (old_vkey, history["keys"][1]["vkey"]):
        assert cli.run(["proof", "verify", str(document), "--vkey", known]) == 0
    body = orjson.loads(document.read_bytes())
    body["keys"][1]["succession"] = body["keys"][1]["succession"][:-4] + "AAAA"
    document.write_bytes(orjson.dumps(body))
    assert cli.run(["proof", "verify", str(document), "--vkey", old_vkey]) == 1
    assert checked(aged, backup(aged, tmp_path / "now.db"), keys).findings == []
    assert cli.run(["keys", "rotate", "master", "--finish"]) == 0
    assert not list((keys / "retired").glob("master-*.key"))


def test_a_report_about_a_person_proves_that_it_leaves_nothing_out(aged: RunningGateway, tmp_path: Path) -> None:
    asked(aged)
    person = {"citizen_id": population.story_people()[0].citizen_id, "reason": "request RQ-1 under section 30"}
    report: dict[str, Any] = {}
    deadline = time.monotonic() + 30
    with aged.as_("auditor") as auditor:
        while not report.get("completeness") and time.monotonic() < deadline:
            report = auditor.report("subject", person, "audit")
            time.sleep(0.2)
    file, vkey = tmp_path / "report.json", served(aged, "/log/vkey").text.strip()
    file.write_bytes(orjson.dumps(report))
    assert cli.run(["report", "verify", str(file), "--vkey", vkey]) == 0
    assert not any(word in file.read_text() for word in ("candidates", person["citizen_id"]))
    file.write_bytes(orjson.dumps({**report, "accesses": report["accesses"][1:]}))
    assert cli.run(["report", "verify", str(file), "--vkey", vkey]) == 1
    assert cli.run(["report", "verify", str(file)]) == 2


def test_old_months_are_forgotten_by_two_and_in_backups_too(
    aged: RunningGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = aged.state / "gateway" / "keys"
    old, old_keys = backup(aged, tmp_path / "old.db"), tmp_path / "old-keys"
    shutil.copytree(keys, old_keys)
    forget = ("log", "forget", "--month")
    assert linkage(aged, "admin", *forget, f"{datetime.now(UTC):%Y-%m}", "--reason", "too young") == 1
    assert "24 months" in capsys.readouterr().err
    assert linkage(aged, "admin", *forget, "2023-05", "--approve") == 1
    assert linkage(aged, "admin", *forget, "2023-05", "--reason", "past its retention") == 0
    assert linkage(aged, "admin", *forget, "2023-05", "--approve") == 1
    assert "two_people" in capsys.readouterr().err
    assert linkage(aged, "admin-2", *forget, "2023-04", "--approve") == 1
    assert linkage(aged, "admin-2", *forget, "2023-05", "--approve") == 0
    deadline = time.monotonic() + 20
    while orjson.loads((keys / "master.key").read_bytes())["month"] != "2023-06" and time.monotonic() < deadline:
        time.sleep(0.05)
    settled(aged)

    # Now, and in the copy of before: the contents are gone for whoever holds the keys of now.
    now = backup(aged, tmp_path / "now.db")
    for database in (now, old):
        connection, vault = Connection(f"sqlite:///{database}", read_only=True), Vault(Keys.load(keys).master)
        assert vault.open(connection, "2023-05") is None
        assert vault.open(connection, f"{datetime.now(UTC):%Y-%m}") is not None
        connection.close()
        report = checked(aged, database, keys)
        assert report.findings == []
        assert report.counts["forgotten"] == 2 * AGED
        assert report.counts["signatures"] > 20
    assert checked(aged, old, old_keys).counts.get("forgotten") is None  # a backup of the key file has to go too
    kinds = checked(aged, now, keys).counts
    assert kinds["kind month.forgotten"] == 1

    # A proof of a forgotten entry still shows its place, by anyone's verifier.
    assert cli.run(["log", "verify", "--from", aged.url, "--vkey", served(aged, "/log/vkey").text.strip()]) == 0
    assert asked(aged).body["data"]


def test_a_gateway_with_other_keys_does_not_start(aged: RunningGateway, tmp_path: Path) -> None:
    aged.stop()
    strange = RunningGateway(
        tmp_path,
        port=aged.port,
        LINKAGE_KEYS_DIR=tmp_path / "keys",
        LINKAGE_DATABASE_URL=f"sqlite:///{aged.state / 'gateway' / 'linkage.db'}",
    )
    Keys.create(tmp_path / "keys")
    with pytest.raises(RuntimeError, match=r"is not the one in use|pseudonym key was replaced"):
        strange.start()
