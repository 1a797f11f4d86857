"""That the systems under test do what is claimed of them: refuse a bad token, and write a line for each request."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import httpx

from bench.systems import System


def check(system: System) -> None:
    """That it does what we claim of it: the record comes, and only with a good token (the source: its key)."""
    url = f"http://127.0.0.1:{system.port}"
    good = _send(url, system.requests(1)[0])
    if good.status_code != 200 or not ("data" in good.json() or "personalID" in good.json()):
        raise SystemExit(f"{system.name} does not answer as it should: {good.status_code}")
    if system.key == "bare":
        return
    for spoil in (_spoilt, _without):
        refused = _send(url, system.requests(1)[0], spoil)
        if refused.status_code != 401:
            raise SystemExit(f"{system.name} takes a request {spoil.__doc__}: {refused.status_code}")


def logged(system: System, sent: Mapping[str, int], wait: float = 12) -> list[str]:
    """What is wrong with its log, if it has one: each request left a line. `wait`: Envoy flushes every ten seconds."""
    if system.log is None:
        return []
    deadline, wanted = time.monotonic() + wait, sent.get(system.key, 0)
    while (lines := system.log.read_bytes().count(b"\n")) < wanted and time.monotonic() < deadline:
        time.sleep(min(0.5, wait))
    return [] if lines >= wanted else [f"{system.name} logged {lines:,} of {wanted:,} requests."]


def _send(url: str, request: bytes, spoil: Callable[[dict[str, str]], None] | None = None) -> httpx.Response:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    if spoil is not None:
        spoil(headers)
    method, path, _ = first.split(" ")
    return httpx.request(method, url + path, headers=headers, content=body, trust_env=False, timeout=30)


def _spoilt(headers: dict[str, str]) -> None:
    """with a spoilt token"""
    name = "Authorization" if "Authorization" in headers else "X-API-Key"
    headers[name] = headers[name][:-20] + "".join("A" if each != "A" else "B" for each in headers[name][-20:])


def _without(headers: dict[str, str]) -> None:
    """without a token"""
    headers.pop("Authorization", None)
    headers.pop("X-API-Key", None)
