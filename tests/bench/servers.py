"""A server that answers whatever it is asked with the same bytes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def answering(*parts: bytes) -> Iterator[int]:
    """Its port. Each request (it ends with `}`) is answered with these parts, one write each; an empty one hangs up."""
    ready = threading.Event()
    held: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, int]] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not reader.at_eof():
            try:
                await reader.readuntil(b"}")
            except asyncio.IncompleteReadError:
                break
            for part in parts:
                if not part:
                    break
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0.01)
            else:
                continue
            break
        writer.close()

    async def serve() -> None:
        ended = asyncio.Event()
        async with await asyncio.start_server(one, "127.0.0.1", 0) as server:
            held.append((asyncio.get_running_loop(), ended, server.sockets[0].getsockname()[1]))
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    loop, ended, port = held[0]
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(10)
