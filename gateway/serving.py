"""One worker's server: uvicorn, ending as `gateway.http.drain` says; and the socket that several share."""

from __future__ import annotations

import os
import signal
import socket
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from gateway.connections import most_connections, protocol
from gateway.http.drain import Drain
from gateway.settings import Settings

LINGER_TICKS = 5
"""Tenths of a second for which connections that are kept open are still told to go elsewhere."""


class Server(uvicorn.Server):
    """Serves until SIGTERM or Ctrl-C, or until its parent (where it has one) is gone. A second signal cuts it short."""

    def __init__(self, config: uvicorn.Config, drain: Drain, *, parent: int | None = None) -> None:
        super().__init__(config)
        self._drain = drain
        self._parent = parent
        self._lingered = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The signals' handler. Ctrl-C reaches a worker beside its parent, which passes it on."""
        if self._parent is not None and sig == signal.SIGINT:
            return
        if self._drain.begun:
            self.should_exit = True
            self.force_exit = self.force_exit or sig == signal.SIGINT
        self._drain.begin()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to stop listening now."""
        if self._parent is not None and os.getppid() != self._parent:
            self._drain.begin()
        if self._drain.begun and not self._drain.under_way:
            self._lingered += 1
            if not self.server_state.connections or self._lingered > LINGER_TICKS:
                self.should_exit = True
        if self._drain.over:
            self.should_exit = True
        return await super().on_tick(counter)


def configured(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """uvicorn's configuration: no access log (paths could hold anything), no Server header. The drain is our own."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=protocol(head_timeout=settings.head_timeout, most=most_connections()),
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        log_config=None,
        server_header=False,
        proxy_headers=False,
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        ssl_certfile=str(settings.tls_certificate) if settings.tls_certificate else None,
        ssl_keyfile=str(settings.tls_key) if settings.tls_key else None,
    )


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens, for several processes to accept from."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=2048)
    listener.set_inheritable(True)
    return listener
