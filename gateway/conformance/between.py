"""A server between connector and source that bends what passes, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from gateway.plugin import INTRODUCTION

_BLOCK: Final = b"x" * 65536
_MOST: Final = 64 * 1024 * 1024


@dataclass(slots=True)
class Bend:
    """What is done to what passes. `way`: one of

    straight, never, half, garbage (any protocol); charset, mislabelled, huge, error, redirect (HTTP).
    `seconds`: answers are held back so long. `swap`: bytes replaced in questions.
    `words`: what an `error`'s body says. `location`: where a `redirect` points.
    """

    way: str = "straight"
    seconds: float = 0.0
    swap: tuple[bytes, bytes] | None = None
    words: bytes = b""
    location: str = ""


@dataclass(slots=True)
class Between:
    """The server's port, and what it has seen: connections made, those open now, questions, bytes it could send.

    `introduced`: each question's `Linkage-Exchange`, or None.
    """

    port: int
    bend: Bend
    made: int = 0
    open: int = 0
    questions: int = 0
    swapped: int = 0
    sent: int = 0
    introduced: list[bytes | None] = field(default_factory=list)
    source: Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]] | None = field(default=None)

    async def idle(self, seconds: float = 5.0) -> bool:
        """Whether, within some seconds, no connection is open any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.open:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        return self.open == 0


@asynccontextmanager
async def between(
    source: tuple[str, int] | str, bend: Bend | None = None, *, http: bool = True, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Between]:
    """Stands in front of `source`: host and port, or the path of a Unix socket."""
    state = Between(0, bend or Bend())

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(source, str):
            return await asyncio.open_unix_connection(source)
        return await asyncio.open_connection(*source)

    state.source = connect
    handle = _http if http else _raw
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        state.made += 1
        state.open += 1
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
        try:
            await handle(state, reader, writer)
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError, asyncio.CancelledError):
            pass
        finally:
            state.open -= 1
            writer.transport.abort()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _http(state: Between, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        head, body = await _request(reader)
        state.questions += 1
        state.introduced.append(_header(head, INTRODUCTION.lower().encode()))
        bend = state.bend
        if bend.way == "never":
            await reader.read()
            return
        if bend.way == "garbage":
            writer.write(b"\x00\xff\x17 no protocol at all\r\n\r\n")
            await writer.drain()
            return
        status, headers, answer = await _asked(state, head, body)
        if bend.seconds:
            await _held_back(reader, bend.seconds)
        if bend.way == "huge":
            await _endless(state, headers, reader, writer)
            return
        whole = _bent(bend, status, headers, answer)
        if bend.way == "half":
            writer.write(whole[: whole.index(b"\r\n\r\n") + 4 + len(answer) // 2])
            await writer.drain()
            return
        writer.write(whole)
        await writer.drain()


async def _held_back(reader: asyncio.StreamReader, seconds: float) -> None:
    """Waits; ConnectionError if the other side leaves meanwhile."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            if not await reader.read(1):
                raise ConnectionError
            await asyncio.sleep(seconds)


async def _request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    return head, await reader.readexactly(int(_header(head, b"content-length") or 0))


async def _asked(state: Between, head: bytes, body: bytes) -> tuple[bytes, list[bytes], bytes]:
    """The source's answer: status line, header lines, body."""
    if state.source is None:
        raise ConnectionError
    swap = state.bend.swap
    if swap is not None:
        state.swapped += head.count(swap[0]) + body.count(swap[0])
        head, body = head.replace(*swap), body.replace(*swap)
    lines = [line for line in head[:-4].split(b"\r\n") if not line.lower().startswith((b"connection:", b"expect:"))]
    reader, writer = await state.source()
    try:
        writer.write(b"\r\n".join([*lines, b"Connection: close", b"", b""]) + body)
        await writer.drain()
        answer = await reader.read()
        while chunk := await reader.read():
            answer += chunk
    finally:
        writer.transport.abort()
    top, _, rest = answer.partition(b"\r\n\r\n")
    status, *headers = top.split(b"\r\n")
    if (_header(top, b"transfer-encoding") or b"").lower() == b"chunked":
        rest = _joined(rest)
    kept = [
        line
        for line in headers
        if not line.lower().startswith((b"content-length:", b"transfer-encoding:", b"connection:"))
    ]
    return status, kept, rest


def _bent(bend: Bend, status: bytes, headers: list[bytes], answer: bytes) -> bytes:
    if bend.way == "error":
        status, answer = b"HTTP/1.1 500 Fault", bend.words + answer
        headers = [line for line in headers if not line.lower().startswith(b"content-type:")]
        headers.append(b"Content-Type: text/plain; charset=utf-8")
    elif bend.way == "redirect":
        status, answer = b"HTTP/1.1 302 Found", b""
        headers = [*headers, b"Location: " + bend.location.encode()]
    elif bend.way in ("charset", "mislabelled"):
        answer = answer.decode().encode("tis_620", "replace")
        if bend.way == "charset":
            answer = answer.replace(b'encoding="utf-8"', b'encoding="TIS-620"', 1)
            headers = [_declared(line, b"TIS-620") for line in headers]
        else:
            headers = [_declared(line, b"UTF-8") for line in headers]
    return b"\r\n".join([status, *headers, b"Content-Length: %d" % len(answer), b"", b""]) + answer


def _declared(line: bytes, charset: bytes) -> bytes:
    if not line.lower().startswith(b"content-type:"):
        return line
    kept = [part for part in line.split(b";") if b"charset=" not in part.lower()]
    return b";".join(kept) + b"; charset=" + charset


async def _endless(
    state: Between, headers: list[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    writer.write(b"\r\n".join([b"HTTP/1.1 200 OK", *headers, b"Transfer-Encoding: chunked", b"", b""]))
    while state.sent < _MOST and not reader.at_eof():
        writer.write(b"%x\r\n" % len(_BLOCK) + _BLOCK + b"\r\n")
        await writer.drain()
        state.sent += len(_BLOCK)


async def _raw(state: Between, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Any protocol: bytes both ways."""
    bend = state.bend
    if bend.way == "never" or state.source is None:
        await reader.read()
        return
    if bend.way == "garbage":
        writer.write(b"\x00\xff\x17 no protocol at all\r\n\r\n")
        await writer.drain()
        return
    far_reader, far_writer = await state.source()

    async def out() -> None:
        while chunk := await reader.read(65536):
            if bend.swap is not None:
                state.swapped += chunk.count(bend.swap[0])
                chunk = chunk.replace(*bend.swap)
            far_writer.write(chunk)
            await far_writer.drain()
        far_writer.transport.abort()

    async def back() -> None:
        while chunk := await far_reader.read(65536):
            if bend.seconds:
                await asyncio.sleep(bend.seconds)
            state.sent += len(chunk)
            # A login is short and an answer long: the connection ends inside what comes after the first bytes.
            writer.write(chunk[: len(chunk) // 2] if bend.way == "half" and state.sent > 400 else chunk)
            await writer.drain()
            if bend.way == "half" and state.sent > 400:
                break
        writer.transport.abort()

    ways = [asyncio.ensure_future(out()), asyncio.ensure_future(back())]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        far_writer.transport.abort()


def _header(head: bytes, name: bytes) -> bytes | None:
    for line in head.split(b"\r\n"):
        key, colon, value = line.partition(b":")
        if colon and key.strip().lower() == name:
            return value.strip()
    return None


def _joined(chunked: bytes) -> bytes:
    """A chunked body without its framing (RFC 9112 section 7.1)."""
    body = b""
    while chunked:
        size, _, rest = chunked.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            break
        body += rest[:length]
        chunked = rest[length + 2 :]
    return body
