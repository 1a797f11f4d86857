"""Requests as bytes: what no well-behaved client would send; and a gateway of its own that has no sources."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from gateway.errors import GatewayError
from gateway.model import check_digit
from tests.harness import RunningGateway, title

JSON = "application/json"


def made_up(number: int) -> str:
    """A made-up person's citizen ID: leading 9, valid check digit."""
    twelve = f"9{number:011d}"
    return twelve + str(check_digit(twelve))


def fresh_id(what: str = "x") -> str:
    """An id that nobody has had: letters only, since digits might look like a citizen ID."""
    return f"{what}-" + "".join(secrets.choice("abcdefghjkmnpqrstvwxyz") for _ in range(12))


def known(code: str) -> type[GatewayError]:
    """The error class of a code."""

    def tree(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
        yield kind
        for below in kind.__subclasses__():
            yield from tree(below)

    return next(kind for kind in tree(GatewayError) if vars(kind).get("code") == code)


def post(gateway: RunningGateway, path: str, body: Any, token: str | None = None, **headers: str) -> httpx.Response:
    """One POST of these very bytes (an iterator goes chunked), `Content-Type: application/json` unless given."""
    sent = {"content-type": JSON} | ({"authorization": f"Bearer {token}"} if token else {})
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(
        gateway.url + path,
        content=body,
        headers={name: value for name, value in sent.items() if value},
        trust_env=False,
        timeout=20,
    )


def get(gateway: RunningGateway, path: str, token: str | None = None, **headers: str) -> httpx.Response:
    """One GET."""
    sent = {"authorization": f"Bearer {token}"} if token else {}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(gateway.url + path, headers=sent, trust_env=False, timeout=20)


def refused(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document, after checking that it is the one of `code`, in two languages."""
    kind = known(code)
    assert (response.status_code, kind.status) == (status, status), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    body: dict[str, Any] = response.json()
    assert (body["status"], body["code"]) == (status, code)
    assert (body["title"], body["title_th"]) == (kind.title_en, kind.title_th)
    assert ("detail" in body) == ("detail_th" in body)
    return body


def raw(gateway: RunningGateway, *parts: bytes, close: bool = False, seconds: float = 10) -> bytes:
    """Sends these bytes and reads until the gateway closes or has answered."""
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=seconds) as wire:
        for part in parts:
            wire.sendall(part)
        if close:
            wire.shutdown(socket.SHUT_WR)
        answer = b""
        while b"\r\n\r\n" not in answer or not answer.rstrip().endswith(b"}"):
            try:
                chunk = wire.recv(65536)
            except TimeoutError:
                break
            if not chunk:
                break
            answer += chunk
        return answer


@contextmanager
def bare(state: Path, **settings: Any) -> Iterator[RunningGateway]:
    """A gateway with an agency, its clients and an auditor, and nothing to ask."""
    gateway = RunningGateway(state, **settings)
    try:
        gateway.initialise()
        gateway.start()
        with gateway.as_("admin") as admin:
            admin.act("agency.add", {"id": "city-a", "title": title("city-a")})
            for name, more in (("city-a-welfare", {}), ("city-a-inside", {"networks": ["203.0.113.0/24"]})):
                form = {"id": name, "agency": "city-a", "title": title(name), "keys": [gateway.person(name)], **more}
                admin.act("client.add", form)
            admin.act(
                "operator.add",
                {"id": "auditor", "name": "auditor", "role": "auditor", "keys": [gateway.person("auditor")]},
            )
        yield gateway
    finally:
        gateway.stop()
