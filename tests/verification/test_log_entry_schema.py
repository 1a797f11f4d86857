"""schemas/log-entry.v1.json describes every entry that a gateway wrote, and refuses what is none."""

from __future__ import annotations

import copy
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

from connectors import population
from gateway.client import Problem
from gateway.exchangelog.entry import open_entry
from gateway.exchangelog.vault import Vault
from gateway.store import Connection
from tests.harness import OLD_AGE, PERSON
from tests.verification.copied_log import CopiedLog, copied


@pytest.fixture(scope="module")
def schema() -> Any:
    document = json.loads((Path(__file__).resolve().parents[2] / "schemas" / "log-entry.v1.json").read_text())
    jsonschema_rs.meta.validate(document)
    return jsonschema_rs.validator_for(document)


@pytest.fixture(scope="module")
def entries(world: Any, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """All that the shared gateway wrote, with a refusal, a failure, a search and a start among it."""
    gateway, agencies = world
    citizen = population.story_people()[0].citizen_id
    with gateway.as_("city-a-welfare") as client:
        with pytest.raises(Problem):
            client.exchange(service=PERSON, citizen_id=citizen, purpose="health.coverage-check")
        agencies["dopa"].fault("error_500")
        with pytest.raises(Problem):
            client.exchange(service=PERSON, citizen_id=citizen, purpose=OLD_AGE)
        agencies["dopa"].fault("none")
    with gateway.as_("auditor") as auditor:
        auditor.search(citizen_id=citizen, reason="a complaint about the test", limit=1)
    httpx.get(f"{gateway.url}/v1/purposes", trust_env=False)
    log = copied(gateway, tmp_path_factory.mktemp("entries"))
    return opened(log)


def opened(log: CopiedLog) -> list[dict[str, Any]]:
    connection, vault = Connection(log.url, read_only=True), Vault(log.keys.master)
    try:
        found = []
        for index, entry, month, sealed in connection.rows("SELECT idx, entry, month, sealed FROM log_entries"):
            key = vault.open(connection, month)
            assert key is not None
            found.append(open_entry(index, bytes(entry), bytes(sealed), key).as_json())
        return found
    finally:
        connection.close()


def test_every_entry_is_as_documented(schema: Any, entries: list[dict[str, Any]]) -> None:
    kinds = Counter(entry["public"]["kind"] for entry in entries)
    for entry in entries:
        wrong = [f"{error.instance_path}: {error.message[:200]}" for error in schema.iter_errors(entry)]
        assert not wrong, (entry["public"]["kind"], wrong[:3])
    assert {
        "act",
        "audit.search",
        "exchange.decided",
        "exchange.failed",
        "exchange.refused",
        "exchange.released",
        "gateway.started",
    } <= kinds.keys()


def test_what_is_no_entry(schema: Any, entries: list[dict[str, Any]]) -> None:
    decided = next(entry for entry in entries if entry["public"]["kind"] == "exchange.decided")
    changes: list[tuple[str, str, Any]] = [
        ("public", "kind", "exchange.invented"),
        ("public", "exchange", None),
        ("public", "version", 2),
        ("parties", "citizen_id", "x"),
        ("subject", "counter", 0),
        ("legal", "granted", None),
        ("content", "outcome", "released"),
    ]
    for group, name, value in changes:
        changed = copy.deepcopy(decided)
        changed[group][name] = value
        assert not schema.is_valid(changed), (group, name)
    assert schema.is_valid(decided)
