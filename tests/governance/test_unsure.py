"""An act that was answered with 503 may be written after that: it says so, and can be given again."""

from __future__ import annotations

import asyncio
import copy
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from gateway.app import initialise
from gateway.client.signing import signed_act
from gateway.current import Current
from gateway.errors import Conflict, LogUnavailable, NotFound
from gateway.exchangelog import ExchangeLog
from gateway.governance import Done, Governance
from gateway.keys import Keys, new_key, read_key, write_key
from gateway.model import Caller
from gateway.settings import Settings
from gateway.store import Store, writer
from tests.cli.conftest import run_linkage
from tests.harness import ROOT, title
from tests.registers.test_who_may_act import MATRIX, town
from tests.registers.town import Town

__all__ = ["town"]
WHO = Caller("admin", "", "operator", "admin", frozenset({"admin"}), "")
PROPOSALS = {"agreement.propose", "log.forget.propose", "opening.propose", "policies.propose"}
"""Taken again, in the place of the first."""


class Office:
    """A founded gateway's governance, without the gateway."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(state_dir=folder / "state", issuer="http://127.0.0.1:9", sandbox=True)
        self.key = read_key(initialise(self.settings, first_admin="admin", policies=ROOT / "policies"))
        keys, self.store = Keys.load(self.settings.keys), Store(self.settings.database)
        log = ExchangeLog(self.store, keys, origin=self.settings.origin, gateway="g")
        self.current = Current(self.store, changed=lambda _: None)
        self.governance = Governance(
            self.current, self.store, log, keys, audience=self.settings.issuer, retention_months=0
        )

    def signed(self, name: str, body: dict[str, Any]) -> str:
        return signed_act(self.key, "admin", self.settings.issuer, name, body)

    async def act(self, text: str) -> Done:
        return await self.governance.act(WHO, text)

    def patience(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        """How long whoever waits for the log does so from now on."""
        monkeypatch.setattr(writer, "SILENT_SECONDS", seconds)
        self.store._writer._desks.clear()

    async def known(self, kind: str, name: str) -> bool:
        return (await self.current.refresh()).registers.record(kind, name) is not None


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    held = Office(tmp_path)
    yield held
    held.store.close()


async def test_one_that_is_written_after_its_503(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database hangs while the act is in its hands; the gateway gives up, and it is written all the same."""
    await office.act(office.signed("agency.add", {"id": "before", "title": title("before")}))
    reached, go, write = threading.Event(), threading.Event(), writer.write

    def slow(*given: Any) -> None:
        reached.set()
        assert go.wait(60)
        write(*given)

    monkeypatch.setattr(writer, "write", slow)
    office.patience(monkeypatch, 0.3)
    first = office.signed("agency.add", {"id": "late", "title": title("late")})
    with pytest.raises(LogUnavailable) as told:
        await office.act(first)
    assert reached.is_set()
    assert "it may yet be written" in told.value.detail_en
    assert "give the act again" in told.value.detail_en
    assert "อาจถูกเขียนภายหลัง" in told.value.detail_th
    assert told.value.retry_after == 1
    assert not await office.known("agency", "late")
    # Given again while the first is still on its way: judged before it is there, it is judged again after.
    office.patience(monkeypatch, 60.0)
    again = asyncio.create_task(office.act(office.signed("agency.add", {"id": "late", "title": title("late")})))
    await asyncio.sleep(0.2)
    go.set()
    with pytest.raises(Conflict, match="there is a agency of this id already"):
        await again
    assert await office.known("agency", "late")
    with pytest.raises(Conflict):
        await office.act(first)
    found = await office.store.read(lambda c: c.rows("SELECT COUNT(*) FROM log_entries"))
    assert found == [(3,)]  # the founding, what was before, and the act: once


async def test_the_very_same_act_is_refused_as_sent_before(office: Office) -> None:
    """Also where the state would allow it again."""
    await office.act(office.signed("agency.add", {"id": "one", "title": title("one")}))
    first = office.signed("agency.suspend", {"id": "one"})
    await office.act(first)
    await office.act(office.signed("agency.resume", {"id": "one"}))
    with pytest.raises(Conflict, match="sent before"):
        await office.act(first)


@pytest.mark.parametrize(("name", "what", "body", "allowed"), MATRIX, ids=[f"{m[0]} {m[1]}".strip() for m in MATRIX])
def test_whatever_is_given_again_is_refused_or_takes_its_own_place(
    town: Town, name: str, what: str, body: Any, allowed: set[str]
) -> None:
    given = body(town) if callable(body) else body
    for operator in sorted(allowed):
        grown = copy.copy(town)
        grown.rows = dict(town.rows)
        first = grown.act(operator, name, given)
        if name not in PROPOSALS:
            with pytest.raises((Conflict, NotFound)) as told:
                grown.tried(operator, name, given)
            assert told.value.detail_en
            assert told.value.detail_th
            continue
        again = grown.tried(operator, name, given)
        if name == "agreement.propose":
            assert (first["pending"]["version"], again["pending"]["version"]) == (1, 2)
            again["pending"]["version"] = 1
        assert again == first


@pytest.fixture
def silent() -> Iterator[str]:
    """A gateway's address that gives a token, and breaks off when it is sent an act; below /full it answers 503."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answers: dict[str, Any] = {
                "/oauth/token": {"access_token": "t", "token_type": "Bearer", "expires_in": 600},
                "/v1/audit/subject": {"subject": "ab" * 32},
            }
            self.rfile.read(int(self.headers["content-length"]))
            path = self.path.removeprefix("/full")
            if path in answers:
                self.answer(200, "application/json", answers[path])
            elif path != self.path:
                self.answer(503, "application/problem+json", {"status": 503, "code": "log_unavailable", "detail": "x"})

        def answer(self, status: int, kind: str, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_command_whose_act_was_not_answered_says_so(silent: str, tmp_path: Path) -> None:
    write_key(tmp_path / "me.jwk", new_key("EdDSA"))
    own = ["--as", "admin", "--key", tmp_path / "me.jwk", "--url"]
    add = ["agency", "add", "one", "--title-th", "ก", "--title-en", "a", *own]
    ran = run_linkage(*add, silent)
    assert ran.code == 1
    assert "whether the act is on record is not known" in ran.err
    assert "none is done twice" in ran.err
    assert "ไม่ทราบว่ารายการนี้บันทึกแล้วหรือไม่" in ran.err
    assert json.loads(run_linkage(*add, silent, "--json").err)["error"]["code"] == "unreachable"
    # A question is no act, and where there is no connection nothing was sent.
    for arguments in (["agency", "list", *own, silent], [*add, "http://127.0.0.1:9"]):
        ran = run_linkage(*arguments)
        assert (ran.code, "not known" in ran.err) == (1, False)


@pytest.mark.parametrize("where", ["", "/full"])
def test_a_command_that_draws_a_number_says_which_it_was(silent: str, tmp_path: Path, where: str) -> None:
    """Given again without it, a person's request would be entered twice, and its source given notice twice."""
    write_key(tmp_path / "me.jwk", new_key("EdDSA"))
    add = ["rights", "add", "--agency", "city", "--right", "access", "--as", "dpo", "--key", tmp_path / "me.jwk"]
    ran = run_linkage(*add, "--url", silent + where, stdin="9111111111114")
    assert ran.code == 1
    (number,) = set(re.findall(r"--id (rq-[0-9a-z]{26})", ran.err))
    assert ran.err.count(number) == 2  # in Thai and in English
    ran = run_linkage(*add, "--id", "rq-1", "--url", silent + where, stdin="9111111111114")
    assert (ran.code, "--id" in ran.err) == (1, False)
