"""What the log holds of an exchange, as an auditor sees it; and whether all of it holds."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from gateway.client import Answer, Problem
from gateway.keys import Keys
from gateway.store import Connection
from gateway.tlog.note import Signer
from gateway.verification.database import verify_database
from tests.harness import RunningGateway

OUTCOMES = ("released", "failed", "withheld", "interrupted")


def ask(gateway: RunningGateway, client: str = "city-a-welfare", **question: Any) -> Answer | Problem:
    """The answer, or the problem as a value."""
    with gateway.as_(client) as caller:
        try:
            return caller.exchange(**question)
        except Problem as problem:
            return problem


def post(gateway: RunningGateway, token: str, question: Any) -> httpx.Response:
    """The plain response, as it came; `question` as JSON, or bytes as they are."""
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    body = question if isinstance(question, bytes) else orjson.dumps(question)
    return httpx.post(f"{gateway.url}/v1/exchanges", content=body, headers=headers, trust_env=False, timeout=40)


def entries_since(gateway: RunningGateway, index: int) -> list[dict[str, Any]]:
    """Every entry of the log from an index on."""
    found: list[dict[str, Any]] = []
    with gateway.as_("auditor") as auditor:
        following: int | None = index
        while following is not None:
            page = auditor.entries(after=following, limit=500)
            found += page["entries"]
            following = page["next"]
    return found


def size(gateway: RunningGateway) -> int:
    """The index that the next entry will have, or a little less."""
    with gateway.as_("auditor") as auditor:
        page, following = auditor.entries(limit=500), 0
        while page["next"] is not None:
            following = page["next"]
            page = auditor.entries(after=following, limit=500)
    return int(page["entries"][-1]["index"]) + 1 if page["entries"] else following


def of_exchange(entries: list[dict[str, Any]], exchange_id: str | None) -> list[dict[str, Any]]:
    """An exchange's own entries among them."""
    return [entry for entry in entries if entry["public"]["exchange"] == exchange_id]


def on_record(gateway: RunningGateway, exchange_id: str | None, outcome: str) -> list[dict[str, Any]]:
    """The exchange's entries with contents, after checking that they are one `decided` and one outcome, or one
    `refused`, and that search, single view and entries agree."""
    assert exchange_id is not None
    with gateway.as_("auditor") as auditor:
        found = auditor.audited(exchange_id)
    contents: list[dict[str, Any]] = found["contents"]
    kinds = [entry["public"]["kind"] for entry in contents]
    assert kinds == (["exchange.refused"] if outcome == "refused" else ["exchange.decided", f"exchange.{outcome}"])
    assert found["outcome"] == outcome == contents[-1]["content"]["outcome"]
    assert [(entry["index"], entry["kind"]) for entry in found["entries"]] == [
        (entry["index"], entry["public"]["kind"]) for entry in contents
    ]
    assert found["closed_at"] is not None
    assert all(entry["proof"] for entry in contents)
    bare = [{name: entry[name] for name in entry if name != "proof"} for entry in contents]
    assert of_exchange(entries_since(gateway, contents[0]["index"]), exchange_id) == bare
    return contents


def not_on_record(gateway: RunningGateway, exchange_id: str | None, since: int) -> None:
    """No entry tells of this exchange."""
    assert exchange_id is not None
    assert of_exchange(entries_since(gateway, since), exchange_id) == []
    with gateway.as_("auditor") as auditor, pytest.raises(Problem, match="not_found"):
        auditor.audited(exchange_id)


def workers(gateway: RunningGateway) -> list[int]:
    """The workers' process ids; none where it is one process."""
    assert gateway.process is not None
    pid = gateway.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for(condition: Any, seconds: float = 60) -> None:
    """Until `condition()` is true; fails after `seconds`."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to it"
        time.sleep(0.05)


def the_log_holds(gateway: RunningGateway, url: str) -> None:
    """What `linkage log verify` looks at, finds nothing."""
    keys = Keys.load(gateway.state / "gateway" / "keys")
    key = Signer(f"{gateway.url.partition('://')[2]}/log", keys.log_key()).verifier
    connection = Connection(url, read_only=True)
    try:
        report = verify_database(connection, key, keys.master)
    finally:
        connection.close()
    assert not report.findings, report.findings
