"""What the agencies' sandboxes share: a real HTTP server on loopback, and faults on order.

    python -m connectors.<agency>.sandbox --port N --state DIR [--host 127.0.0.1] [--seed N]

Port 0 lets the system choose. One line of JSON on standard output says that it listens:
`{"ready": true, "port": N, "pid": N}`. What it holds lies under DIR, one file a dataset. It logs nothing, ends
on SIGTERM, and when its parent ends.

The key it wants is the one agency.yaml refers to, from the same environment variable.

    PUT /_sandbox/fault   {"fault": NAME, "seconds": S, "times": N}   the next N data requests (all, without `times`)
    GET /_sandbox/count   {"count": N}: data requests since the start
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gzip
import hmac
import os
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import uvicorn

from connectors.population import SEED, Person, population

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_JSON: Final = b"application/json; charset=utf-8"
_MAX_QUESTION: Final = 65536
FAULTS: Final = (
    "none", "late", "never", "half", "not_json", "wrong_person", "error_500", "unavailable", "huge", "redirect",
    "wrong_schema", "unmappable", "no_echo", "tis620", "wrong_charset", "duplicate_key", "nan", "bomb", "gzip",
)  # fmt: skip
"""What can be ordered. `wrong_schema`: fits the mapping, not the schema. `unmappable`: fits neither."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One question an agency answers.

    `identify`: the identifier in a request's query string and body. `record`: a person's record, None where it
    has none. `unknown`: status and answer for who is not in it. `echo`: the key that names the person.
    `misfit`: what `wrong_schema` puts into a record.
    """

    name: str
    method: str
    path: str
    identify: Callable[[bytes, bytes], str]
    record: Callable[[Person], dict[str, Any] | None]
    unknown: tuple[int, dict[str, Any]]
    echo: str
    misfit: Mapping[str, Any]


@dataclass(slots=True)
class _Order:
    fault: str = "none"
    seconds: float = 2.0
    times: int | None = None

    def take(self) -> str:
        """The fault for this request; counts down."""
        if self.fault == "none" or self.times is None:
            return self.fault
        self.times -= 1
        fault = self.fault
        if self.times <= 0:
            self.fault, self.times = "none", None
        return fault


class Sandbox:
    """The ASGI application of one agency's sandbox."""

    def __init__(self, datasets: tuple[Dataset, ...], key_header: str, key: str, seed: int, state: Path) -> None:
        self._datasets = {dataset.path: dataset for dataset in datasets}
        self._header, self._key = key_header.lower().encode(), key.encode()
        self._order = _Order()
        self._count = 0
        self._answers: dict[str, dict[str, bytes]] = {}
        state.mkdir(parents=True, exist_ok=True)
        for dataset in datasets:
            records = {one.citizen_id: dataset.record(one) for one in population(seed).values()}
            held = {identifier: record for identifier, record in records.items() if record is not None}
            (state / f"{dataset.name}.json").write_bytes(orjson.dumps(held, option=orjson.OPT_INDENT_2))
            self._answers[dataset.path] = {identifier: orjson.dumps(record) for identifier, record in held.items()}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        dataset = self._datasets.get(scope["path"])
        if dataset is None or scope["method"] != dataset.method:
            await self._control(scope, receive, send)
            return
        body = await _body(receive) if dataset.method == "POST" else b""
        if not any(name == self._header and hmac.compare_digest(value, self._key) for name, value in scope["headers"]):
            await _answer(send, 401, b'{"errorNumber":40100}')
            return
        self._count += 1
        try:
            identifier = dataset.identify(scope["query_string"], body)
        except (ValueError, KeyError, TypeError):
            await _answer(send, 400, b'{"errorNumber":40000}')
            return
        found = self._answers[dataset.path].get(identifier)
        fault = self._order.take()
        if fault != "none":
            await self._misbehave(fault, dataset, identifier, found, receive, send)
        else:
            await _plain(send, dataset, found)

    async def _control(self, scope: Message, receive: Receive, send: Send) -> None:
        where = (scope["method"], scope["path"])
        if where == ("GET", "/_sandbox/count"):
            await _answer(send, 200, orjson.dumps({"count": self._count}))
        elif where == ("PUT", "/_sandbox/fault"):
            try:
                order = orjson.loads(await _body(receive))
                if order["fault"] not in FAULTS:
                    raise ValueError
                self._order = _Order(order["fault"], float(order.get("seconds", 2.0)), order.get("times"))
            except (ValueError, KeyError, TypeError):
                await _answer(send, 400, orjson.dumps({"faults": FAULTS}))
                return
            await _answer(send, 200, orjson.dumps({"fault": self._order.fault}))
        else:
            await _answer(send, 404, b'{"errorNumber":40400}')

    async def _misbehave(
        self, fault: str, dataset: Dataset, identifier: str, found: bytes | None, receive: Receive, send: Send
    ) -> None:
        body = found or b"{}"
        if fault == "late":
            await asyncio.sleep(self._order.seconds)
            await _plain(send, dataset, found)
        elif fault == "never":
            while (await receive())["type"] != "http.disconnect":
                pass
        elif fault == "half":
            await _start(send, 200, _JSON, (b"content-length", str(len(body)).encode()))
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            # Ends here: the server closes the connection under the rest.
        elif fault == "huge":
            await _start(send, 200, _JSON)
            await send({"type": "http.response.body", "body": b'{"filler":"', "more_body": True})
            for _ in range(160):
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await send({"type": "http.response.body", "body": b'"}'})
        else:
            status, answer, kind, *headers = self._faulty(fault, dataset, identifier, body)
            await _answer(send, status, answer, kind, *headers)

    def _faulty(self, fault: str, dataset: Dataset, identifier: str, body: bytes) -> tuple[Any, ...]:
        """(status, body, content type, headers…) of the faults that are one plain answer."""
        record: dict[str, Any] = orjson.loads(body)
        others = self._answers[dataset.path]
        made: dict[str, Callable[[], tuple[Any, ...]]] = {
            "not_json": lambda: (200, b"<html>\xe0\xb8\xa3\xe0\xb8\xb0\xe0\xb8\x9a\xe0\xb8\x9a</html>", _JSON),
            "wrong_person": lambda: (200, next(each for other, each in others.items() if other != identifier), _JSON),
            "error_500": lambda: (500, body, _JSON),
            "unavailable": lambda: (503, body, _JSON, (b"retry-after", b"7")),
            "redirect": lambda: (302, b"", _JSON, (b"location", b"/_sandbox/count")),
            "wrong_schema": lambda: (200, orjson.dumps({**record, **dataset.misfit}), _JSON),
            "unmappable": lambda: (
                200,
                orjson.dumps({k: v if k == dataset.echo else [v] for k, v in record.items()}),
                _JSON,
            ),
            "no_echo": lambda: (200, orjson.dumps({k: v for k, v in record.items() if k != dataset.echo}), _JSON),
            "tis620": lambda: (200, body.decode().encode("tis_620"), b"application/json; charset=TIS-620"),
            "wrong_charset": lambda: (200, body.decode().encode("tis_620"), _JSON),
            "duplicate_key": lambda: (200, b'{"twice":1,"twice":2,' + body[1:], _JSON),
            "nan": lambda: (200, b'{"odd":NaN,' + body[1:], _JSON),
            "gzip": lambda: (200, _gzip(body), _JSON, (b"content-encoding", b"gzip")),
            "bomb": lambda: (200, _gzip(b'{"a":"' + b"x" * (64 << 20) + b'"}'), _JSON, (b"content-encoding", b"gzip")),
        }
        return made[fault]()


def run(datasets: tuple[Dataset, ...], *, key_header: str, key_env: str) -> None:
    """Serves until SIGTERM, or until the parent process is gone. `key_env`: where the key that callers need lies."""
    arguments = argparse.ArgumentParser(description="A sandbox agency, on loopback, with made-up people only.")
    arguments.add_argument("--port", type=int, required=True, help="0: the system chooses")
    arguments.add_argument("--state", type=Path, required=True, help="folder for what it holds")
    arguments.add_argument("--host", default="127.0.0.1")
    arguments.add_argument("--seed", type=int, default=SEED)
    given = arguments.parse_args()
    key = os.environ.get(key_env, "")
    if not key:
        sys.exit(f"set {key_env} to the made-up key that callers shall show")
    listening = socket.socket(socket.AF_INET6 if ":" in given.host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted sockets inherit it; without it head and body of an answer wait for each other 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind((given.host, given.port))
    except OSError as error:
        sys.exit(f"cannot listen on {given.host} port {given.port}: {error.strerror}")
    app = Sandbox(datasets, key_header, key, given.seed, given.state)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(app, listening))


async def _serve(app: Sandbox, listening: socket.socket) -> None:
    config = uvicorn.Config(
        app,
        http="httptools",
        lifespan="off",
        access_log=False,
        log_config=None,
        log_level="critical",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
        server_header=False,
        date_header=False,
    )
    server = uvicorn.Server(config)
    parent = os.getppid()
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not (server.started or serving.done()):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    if server.started:
        port = listening.getsockname()[1]
        print(orjson.dumps({"ready": True, "port": port, "pid": os.getpid()}).decode(), flush=True)
    while not serving.done():
        await asyncio.wait([serving], timeout=0.5)
        if os.getppid() != parent:
            server.should_exit = True
    await serving


async def _plain(send: Send, dataset: Dataset, found: bytes | None) -> None:
    if found is None:
        status, answer = dataset.unknown
        await _answer(send, status, orjson.dumps(answer))
    else:
        await _answer(send, 200, found)


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body") or len(body) > _MAX_QUESTION:
            return body


async def _start(send: Send, status: int, kind: bytes, *headers: tuple[bytes, bytes]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind), *headers]})


async def _answer(send: Send, status: int, body: bytes, kind: bytes = _JSON, *headers: tuple[bytes, bytes]) -> None:
    await _start(send, status, kind, (b"content-length", str(len(body)).encode()), *headers)
    await send({"type": "http.response.body", "body": body})


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body)
