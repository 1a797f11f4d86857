"""What the agencies' sandboxes share: a real HTTP server on loopback, and faults on order.

    python -m connectors.<agency>.sandbox --port N --state DIR [--host 127.0.0.1] [--seed N]

Port 0 lets the system choose. One line of JSON on standard output says that it listens:
`{"ready": true, "port": N, "pid": N}`. What it holds lies under DIR, one file a dataset. It logs nothing, ends
on SIGTERM, and when its parent ends.

The key it wants is the one agency.yaml refers to, from the same environment variable.

    PUT /_sandbox/fault   {"fault": NAME, "seconds": S, "times": N}   the next N data requests (all, without `times`)
    GET /_sandbox/count   {"count": N}: data requests since the start
    GET /_sandbox/exchanges   {"exchanges": […]}: the `Linkage-Exchange` headers of the last data requests
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
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
import uvicorn

from connectors.population import SEED, population

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

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
    `misfit`: what `wrong_schema` puts into a record. `finish`: the whole answer (an envelope, a page) made of the
    query string and a record. `subjects`: whom it holds records of, by identifier, for a seed.
    """

    name: str
    method: str
    path: str
    identify: Callable[[bytes, bytes], str]
    record: Callable[[Any], dict[str, Any] | None]
    unknown: tuple[int, dict[str, Any]]
    echo: str
    misfit: Mapping[str, Any]
    finish: Callable[[bytes, dict[str, Any]], Any] | None = None
    subjects: Callable[[int], Mapping[str, Any]] = population

    def answer(self, query: bytes, record: bytes) -> bytes:
        """The whole answer that holds `record` (JSON)."""
        return record if self.finish is None else orjson.dumps(self.finish(query, orjson.loads(record)))


@dataclass(slots=True)
class Order:
    """The fault that was ordered, and for how many requests more."""

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
        self._order = Order()
        self._count = 0
        self._exchanges: deque[bytes] = deque(maxlen=1000)
        self._answers: dict[str, dict[str, bytes]] = {}
        state.mkdir(parents=True, exist_ok=True)
        for dataset in datasets:
            records = {identifier: dataset.record(one) for identifier, one in dataset.subjects(seed).items()}
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
        body = await read_body(receive) if dataset.method == "POST" else b""
        if not any(name == self._header and hmac.compare_digest(value, self._key) for name, value in scope["headers"]):
            await send_answer(send, 401, b'{"errorNumber":40100}')
            return
        self._count += 1
        self._exchanges.extend(value for name, value in scope["headers"] if name == b"linkage-exchange")
        try:
            identifier = dataset.identify(scope["query_string"], body)
        except (ValueError, KeyError, TypeError):
            await send_answer(send, 400, b'{"errorNumber":40000}')
            return
        found = self._answers[dataset.path].get(identifier)
        fault = self._order.take()
        if fault != "none":
            await self._misbehave(fault, dataset, scope["query_string"], identifier, found, receive, send)
        else:
            await _plain(send, dataset, scope["query_string"], found)

    async def _control(self, scope: Message, receive: Receive, send: Send) -> None:
        where = (scope["method"], scope["path"])
        if where == ("GET", "/_sandbox/count"):
            await send_answer(send, 200, orjson.dumps({"count": self._count}))
        elif where == ("GET", "/_sandbox/exchanges"):
            told = [value.decode("latin-1") for value in self._exchanges]
            await send_answer(send, 200, orjson.dumps({"exchanges": told}))
        elif where == ("PUT", "/_sandbox/fault"):
            try:
                order = orjson.loads(await read_body(receive))
                if order["fault"] not in FAULTS:
                    raise ValueError
                self._order = Order(order["fault"], float(order.get("seconds", 2.0)), order.get("times"))
            except (ValueError, KeyError, TypeError):
                await send_answer(send, 400, orjson.dumps({"faults": FAULTS}))
                return
            await send_answer(send, 200, orjson.dumps({"fault": self._order.fault}))
        else:
            await send_answer(send, 404, b'{"errorNumber":40400}')

    async def _misbehave(
        self,
        fault: str,
        dataset: Dataset,
        query: bytes,
        identifier: str,
        found: bytes | None,
        receive: Receive,
        send: Send,
    ) -> None:
        body = b"{}" if found is None else dataset.answer(query, found)
        if fault == "late":
            await asyncio.sleep(self._order.seconds)
            await _plain(send, dataset, query, found)
        elif fault == "never":
            while (await receive())["type"] != "http.disconnect":
                pass
        elif fault == "half":
            await send_start(send, 200, _JSON, (b"content-length", str(len(body)).encode()))
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            # Ends here: the server closes the connection under the rest.
        elif fault == "huge":
            await send_start(send, 200, _JSON)
            await send({"type": "http.response.body", "body": b'{"filler":"', "more_body": True})
            for _ in range(160):
                await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            await send({"type": "http.response.body", "body": b'"}'})
        else:
            status, answer, kind, *headers = self._faulty(fault, dataset, query, identifier, found or b"{}")
            await send_answer(send, status, answer, kind, *headers)

    def _faulty(self, fault: str, dataset: Dataset, query: bytes, identifier: str, found: bytes) -> tuple[Any, ...]:
        """(status, body, content type, headers…) of the faults that are one plain answer."""
        record: dict[str, Any] = orjson.loads(found)
        others = self._answers[dataset.path]
        body = dataset.answer(query, found)

        def changed(one: Mapping[str, Any]) -> bytes:
            return dataset.answer(query, orjson.dumps(one))

        made: dict[str, Callable[[], tuple[Any, ...]]] = {
            "not_json": lambda: (200, b"<html>\xe0\xb8\xa3\xe0\xb8\xb0\xe0\xb8\x9a\xe0\xb8\x9a</html>", _JSON),
            "wrong_person": lambda: (
                200,
                dataset.answer(query, next(each for other, each in others.items() if other != identifier)),
                _JSON,
            ),
            "error_500": lambda: (500, body, _JSON),
            "unavailable": lambda: (503, body, _JSON, (b"retry-after", b"7")),
            "redirect": lambda: (302, b"", _JSON, (b"location", b"/_sandbox/count")),
            "wrong_schema": lambda: (200, changed({**record, **dataset.misfit}), _JSON),
            "unmappable": lambda: (
                200,
                changed({k: v if k == dataset.echo else [v] for k, v in record.items()}),
                _JSON,
            ),
            "no_echo": lambda: (200, changed({k: v for k, v in record.items() if k != dataset.echo}), _JSON),
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

    def make(state: Path, seed: int) -> Application:
        return Sandbox(datasets, key_header, needed(key_env), seed, state)

    serve(make)


def needed(variable: str) -> str:
    """The made-up secret that callers shall show, from the environment; ends the process where there is none."""
    value = os.environ.get(variable, "")
    if not value:
        sys.exit(f"set {variable} to the made-up secret that callers shall show")
    return value


def arguments(description: str) -> argparse.ArgumentParser:
    """What every sandbox is started with."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--port", type=int, required=True, help="0: the system chooses")
    parser.add_argument("--state", type=Path, required=True, help="folder for what it holds")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seed", type=int, default=SEED)
    return parser


def serve(make: Callable[[Path, int], Application]) -> None:
    """Serves the application that `make(state, seed)` gives until SIGTERM, or until the parent process is gone."""
    given = arguments("A sandbox agency, on loopback, with made-up people only.").parse_args()
    app = make(given.state, given.seed)
    listening = socket.socket(socket.AF_INET6 if ":" in given.host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted sockets inherit it; without it head and body of an answer wait for each other 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listening.bind((given.host, given.port))
    except OSError as error:
        sys.exit(f"cannot listen on {given.host} port {given.port}: {error.strerror}")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(app, listening))


async def _serve(app: Application, listening: socket.socket) -> None:
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


async def _plain(send: Send, dataset: Dataset, query: bytes, found: bytes | None) -> None:
    if found is None:
        status, answer = dataset.unknown
        await send_answer(send, status, orjson.dumps(answer))
    else:
        await send_answer(send, 200, dataset.answer(query, found))


async def read_body(receive: Receive) -> bytes:
    """A request's body."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body") or len(body) > _MAX_QUESTION:
            return body


async def send_start(send: Send, status: int, kind: bytes, *headers: tuple[bytes, bytes]) -> None:
    """An answer's head."""
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind), *headers]})


async def send_answer(send: Send, status: int, body: bytes, kind: bytes = _JSON, *headers: tuple[bytes, bytes]) -> None:
    """A whole answer."""
    await send_start(send, status, kind, (b"content-length", str(len(body)).encode()), *headers)
    await send({"type": "http.response.body", "body": body})


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body)
