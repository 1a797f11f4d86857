"""A bounded load on loopback: keep-alive connections that each send the next request when the last is answered.

A bare asyncio protocol, so that the measuring costs little beside what is measured.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter

import uvloop

REQUEST_LINE = b"post /api/person http/1.1\r\n"
"""The one question a source of the bench answers, in small letters."""
LONGEST_WAIT = 60.0
"""Seconds that the last answers may take."""
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"
_CHUNKED = b"transfer-encoding: chunked"


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement. Times in seconds."""

    in_flight: int
    requests: int
    seconds: float
    p50: float
    p99: float
    p999: float
    wrong: Mapping[str, int]
    """What came instead of a 200, and how often: a status, `closed`, or `unanswered`."""

    @property
    def errors(self) -> int:
        """How many were not answered 200."""
        return sum(self.wrong.values())

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def request_bytes(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    """One HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def answer_bytes(status: int, body: bytes) -> bytes:
    """One HTTP/1.1 answer in JSON."""
    head = f"HTTP/1.1 {status} Bench\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}"
    return head.encode() + _HEAD_END + body


class _Asking(asyncio.Protocol):
    """One connection: asks, waits for the whole answer, asks again, until `until`."""

    def __init__(self, requests: Iterator[bytes], until: float, times: list[float], over: asyncio.Future[None]) -> None:
        self._requests = requests
        self._until = until
        self._times = times
        self._over = over
        self._held = b""
        self._begun = 0.0
        self.wrong: Counter[str] = Counter()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._ask()

    def data_received(self, data: bytes) -> None:
        held = self._held + data if self._held else data
        if not _whole(held):
            self._held = held
            return
        self._held = b""
        now = perf_counter()
        self._times.append(now - self._begun)
        if held[9:12] != b"200":
            self.wrong[held[9:12].decode()] += 1
        if now >= self._until:
            self._end()
        else:
            self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._over.done():
            self.wrong["closed"] += 1
            self._over.set_result(None)

    def give_up(self) -> None:
        """Counts what is still not answered."""
        if not self._over.done():
            self.wrong["unanswered"] += 1
            self._end()

    def _ask(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._end()
            return
        self._begun = perf_counter()
        self._transport.write(request)

    def _end(self) -> None:
        if not self._over.done():
            self._over.set_result(None)
        self._transport.close()


def _whole(held: bytes) -> bool:
    """Whether `held` is one whole answer."""
    end = held.find(_HEAD_END)
    if end < 0:
        return False
    head = held[: end + 2].lower()
    mark = head.find(_LENGTH)
    if mark >= 0:
        return len(held) >= end + 4 + int(head[mark + len(_LENGTH) : head.index(b"\r\n", mark)])
    return _CHUNKED in head and held.endswith(b"0\r\n\r\n")


def measure(port: int, requests: Iterable[bytes], in_flight: int, seconds: float, *, once: bool = False) -> Figures:
    """`in_flight` connections for `seconds`, sharing `requests` out among them; over and over, unless `once`."""
    return uvloop.run(_measure(port, requests, in_flight, seconds, once))


async def _measure(port: int, requests: Iterable[bytes], in_flight: int, seconds: float, once: bool) -> Figures:
    loop = asyncio.get_running_loop()
    times: list[float] = []
    shared = iter(requests) if once else _endless(requests)
    gc.collect()
    gc.disable()
    try:
        begun = perf_counter()
        overs, asking = [], []
        for _ in range(in_flight):
            over = loop.create_future()
            _, one = await loop.create_connection(
                lambda over=over: _Asking(shared, begun + seconds, times, over),  # type: ignore[misc]
                "127.0.0.1",
                port,
            )
            overs.append(over)
            asking.append(one)
        await asyncio.wait(overs, timeout=seconds + LONGEST_WAIT)
        took = perf_counter() - begun
        for one in asking:
            one.give_up()
    finally:
        gc.enable()
    times.sort()

    def quantile(thousandths: int) -> float:
        return times[min(len(times) - 1, len(times) * thousandths // 1000)] if times else float("nan")

    wrong = sum((one.wrong for one in asking), Counter[str]())
    return Figures(in_flight, len(times), took, quantile(500), quantile(990), quantile(999), wrong)


def _endless(requests: Iterable[bytes]) -> Iterator[bytes]:
    while True:
        yield from requests
