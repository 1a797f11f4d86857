"""Real sandbox processes, connectors to them, and small servers that say what a test tells them to."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from gateway.catalogue import Registration, machine_secrets, open_connector, read_folder, services_of
from gateway.model.service import Service
from gateway.plugin import Ask, Connector

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"SOURCE_DOPA__API_KEY": "made-up-dopa", "SOURCE_NHSO__API_KEY": "made-up-nhso"}


class Process:
    """A sandbox agency as a process of its own."""

    def __init__(self, agency: str, state: Path) -> None:
        self.agency, self.state = agency, state
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"connectors.{agency}.sandbox", "--port", "0", "--state", str(state)],
            cwd=ROOT,
            env={**os.environ, **KEYS},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.ready['port']}"

    def fault(self, fault: str, **more: Any) -> None:
        httpx.put(f"{self.url}/_sandbox/fault", json={"fault": fault, **more}, trust_env=False).raise_for_status()

    def count(self) -> int:
        return int(httpx.get(f"{self.url}/_sandbox/count", trust_env=False).json()["count"])

    def stop(self) -> tuple[str, str]:
        self.process.terminate()
        return self.process.communicate(timeout=10)

    def service(self, service: str) -> Service:
        return services_at(self.agency, self.url)[service]


def services_at(agency: str, url: str) -> dict[str, Service]:
    """The agency's services as registered with `url` for their endpoint."""
    registration = _folder(agency).with_endpoint(None, url)
    return {service.id: service for service in services_of(registration.as_json())}


@cache
def _folder(agency: str) -> Registration:
    return read_folder(ROOT / "connectors" / agency, ROOT / "schemas")


def loopback(address: str) -> bool:
    return address in ("127.0.0.1", "::1")


@asynccontextmanager
async def opened(
    service: Service, *, address_allowed: Callable[[str], bool] = loopback, secret: Callable[[str], str] | None = None
) -> AsyncIterator[Connector]:
    """A connector to the service's source, closed afterwards."""
    connector = open_connector(service, secret=secret or machine_secrets(), address_allowed=address_allowed)
    try:
        yield connector
    finally:
        await connector.close()


def ask(
    service: Service,
    identifier: str,
    *,
    seconds: float = 5.0,
    fields: set[str] | None = None,
    given: dict[str, str] | None = None,
) -> Ask:
    return Ask(
        identifier=identifier,
        identifier_kind=service.identifier_kind.value,
        service=service.id,
        fields=frozenset(service.fields if fields is None else fields),
        exchange_id="ex_test",
        consumer="city",
        purpose="welfare.test",
        deadline=asyncio.get_running_loop().time() + seconds,
        given=given or {},
    )


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handler: Handler, **more: Any) -> AsyncIterator[int]:
    """A TCP server on loopback that does with each connection what `handler` says; its port."""
    held: set[asyncio.StreamWriter] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.add(writer)
        try:
            await handler(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, **more)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in held:
            writer.transport.abort()


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of the next HTTP request."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head, await reader.readexactly(length)


def http_answer(body: bytes, *, status: int = 200, content_type: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def always(answer: bytes) -> Handler:
    """Answers every request with the same bytes."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()

    return handler
