"""A source as cheap as one can be, so that the bench measures what stands before it: `python -m bench.source`.

It answers `POST /api/person` as the sandbox of the population register does, record by record, and wants the same
key. `PUT /delay` with a number of seconds: each answer takes so long from then on. One line of JSON on standard
output says where it listens.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from dataclasses import dataclass

import orjson
import uvloop

from bench.load import REQUEST_LINE, answer_bytes
from connectors.dopa.sandbox import person
from connectors.population import population

KEY = os.environ.get("SOURCE_DOPA__API_KEY", "")


@dataclass(slots=True)
class Register:
    """`answers`: each person's whole answer, head and all; `delay`: seconds until one is sent."""

    answers: dict[str, bytes]
    delay: float = 0.0


class Answering(asyncio.Protocol):
    """One connection."""

    def __init__(self, register: Register) -> None:
        self._register = register
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps where to write."""
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Answers each request that is whole."""
        held = self._held + data if self._held else data
        while (end := held.find(b"\r\n\r\n")) >= 0:
            head = held[:end].lower()
            mark = head.find(b"content-length:")
            length = int(head[mark + 15 : (head + b"\r\n").index(b"\r\n", mark)]) if mark >= 0 else 0
            if len(held) < end + 4 + length:
                break
            self._answer(head, held[end + 4 : end + 4 + length])
            held = held[end + 4 + length :]
        self._held = held

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"put /delay "):
            self._register.delay = float(body)
            self._write(answer_bytes(200, b"{}"))
            return
        if not head.startswith(REQUEST_LINE):
            answer = answer_bytes(404, b"{}")
        elif b"\r\nx-api-key: " + KEY.lower().encode() not in head:
            answer = answer_bytes(401, b"{}")
        else:
            answer = self._register.answers.get(orjson.loads(body)["personalID"]) or answer_bytes(404, b"{}")
        if self._register.delay:
            asyncio.get_running_loop().call_later(self._register.delay, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    answers = {each.citizen_id: answer_bytes(200, orjson.dumps(person(each))) for each in population().values()}
    register = Register(answers)
    server = await loop.create_server(lambda: Answering(register), "127.0.0.1", 0, backlog=2048)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    parent = os.getppid()
    while not ended.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), 0.5)


if __name__ == "__main__":
    uvloop.run(_serve())
