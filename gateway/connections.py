"""Connections on which no request comes: given up in time, and the first to go where there are too many.

uvicorn waits for a request's head for ever, so that whoever opens connections and says nothing, or one byte a
second, holds them all. Here the head has `LINKAGE_HEAD_TIMEOUT` seconds from the connection's beginning, and from
the first byte after an earlier request; the time between two requests is uvicorn's own keep-alive. A body's time is
`gateway.http.reading`'s. Over TLS the handshake comes first, and has asyncio's 60 seconds.
"""

from __future__ import annotations

import asyncio
import resource
from typing import Any, ClassVar

from starlette.responses import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.errors import GatewayError, MalformedRequest, RequestTimeout
from gateway.http.problems import render
from gateway.observe import logger

RESERVED = 256
"""File descriptors that are kept for the database, the sources and the log."""
FEWEST = 64


class Patience(HttpToolsProtocol):
    """One connection, whose requests' heads have to come within a time."""

    head_timeout: ClassVar[float]
    """Seconds."""
    most: ClassVar[int]
    """Connections that may be open at once."""
    silent: ClassVar[dict[Patience, asyncio.TimerHandle]]
    """Those that wait for a head, with what ends it; the one that has waited longest first."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait, in the place of the one that has waited longest where there are too many."""
        self._spoken = False
        super().connection_made(transport)
        if len(self.connections) > self.most:
            longest = next(iter(self.silent), self)
            longest.hang_up()
        if not transport.is_closing():
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._heard()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Part of a head, of a body, or of a body that nobody waits for any more: that one's time is a head's too."""
        self._spoken = True
        super().data_received(data)
        if self not in self.silent and (self.cycle is None or self.cycle.response_complete):
            self._wait()

    def on_headers_complete(self) -> None:
        """The head is there."""
        self._heard()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What is not HTTP is told so as every mistake is."""
        self._say(MalformedRequest("this is not HTTP/1.1", "ไม่ใช่คำขอแบบ HTTP/1.1"))

    def hang_up(self) -> None:
        """Ends it without a word."""
        self._heard()
        self.transport.abort()

    def _wait(self) -> None:
        if not self.transport.is_closing():
            self.silent[self] = self.loop.call_later(self.head_timeout, self._waited)

    def _heard(self) -> None:
        timer = self.silent.pop(self, None)
        if timer is not None:
            timer.cancel()

    def _waited(self) -> None:
        self.silent.pop(self, None)
        if self._spoken:
            self._say(RequestTimeout())
        else:  # a connection made in advance: nobody listens for an answer
            self.transport.close()

    def _say(self, error: GatewayError) -> None:
        """The problem document, and the end; nothing where it would come after another answer's beginning."""
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_bytes(render(error)))
        self.transport.close()


def protocol(*, head_timeout: float, most: int) -> type[Patience]:
    """The class of a server's connections. `head_timeout`: seconds. `most`: how many may be open at once."""
    own: dict[str, Any] = {"head_timeout": head_timeout, "most": most, "silent": {}}
    return type("Connection", (Patience,), own)


def most_connections() -> int:
    """How many connections the process can hold, after raising its limit of open files as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (ValueError, OSError):  # a system whose hard limit is a wish only
            logger.warning("open_files_not_raised", limit=soft)
    if soft == resource.RLIM_INFINITY:
        soft = 1 << 20
    return max(FEWEST, soft - RESERVED)


def _bytes(response: Response) -> bytes:
    headers = b"".join(b"%b: %b\r\n" % header for header in [*response.raw_headers, (b"connection", b"close")])
    return b"HTTP/1.1 %d \r\n%b\r\n%b" % (response.status_code, headers, bytes(response.body))
