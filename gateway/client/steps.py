"""How a call is carried out one step at a time, and the connection settings both clients share."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypedDict

import httpx
import orjson

from gateway.client.failures import UnexpectedAnswer, Unreachable
from gateway.client.session import Flow, Renew, T


class Options(TypedDict, total=False):
    """`issuer`: what the gateway calls itself, where that is not the URL it is reached by. `gateway_keys`: its JWK
    set, pinned. `verify_answers`: False switches the seal's check off. `allow_plaintext`: http beyond loopback, for
    where TLS ends elsewhere. `timeout`: seconds a call may wait for bytes. `dpop`: tokens are bound to a key of this
    session's own (RFC 9449), so that nobody else can use one.
    """

    issuer: str | None
    gateway_keys: Mapping[str, Any] | None
    verify_answers: bool
    allow_plaintext: bool
    timeout: float
    dpop: bool


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """The call has ended, with this result."""

    result: T


class Lines:
    """A stream of JSON objects, a line each, as it comes in pieces. UnexpectedAnswer where it is something else."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        """The objects that are whole by now."""
        *whole, self._rest = (self._rest + chunk).split(b"\n")
        for line in whole:
            try:
                value = orjson.loads(line)
            except ValueError:
                value = None
            if not isinstance(value, dict):
                raise UnexpectedAnswer(200, "the stream is not of JSON objects, one a line")
            yield value

    def end(self) -> None:
        """No more comes; UnexpectedAnswer where an object is not whole."""
        if self._rest:
            raise UnexpectedAnswer(200, "the stream ended in the middle of a line")


def resume(flow: Flow[T], response: httpx.Response | None) -> httpx.Request | Renew | Done[T]:
    """The flow's next step after `response` (None to begin, and after a renewal), or what it returned."""
    try:
        return next(flow) if response is None else flow.send(response)
    except StopIteration as stop:
        return Done(stop.value)


def trust(url: str, ca_file: str | Path | None = None) -> ssl.SSLContext | bool:
    """Whose certificates count: those in a PEM file, or the public ones. Without TLS nobody's: to read the public ones
    takes some 40 ms, more than a command's question does.
    """
    if ca_file is not None:
        return ssl.create_default_context(cafile=str(ca_file))
    return True if url.lower().startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def unreachable(error: Exception) -> Unreachable:
    """The kind of failure only: what the library says of it may quote what was sent."""
    kinds = {
        httpx.ConnectTimeout: "no connection in time",
        httpx.ConnectError: "no connection",
        httpx.TimeoutException: "no answer in time",
    }
    said = next((text for kind, text in kinds.items() if isinstance(error, kind)), "the connection broke")
    sent = not isinstance(error, httpx.ConnectTimeout | httpx.ConnectError)
    return Unreachable(f"the gateway cannot be reached: {said}", sent=sent)
