"""A bounded load on loopback: keep-alive connections that each send the next request when the last is answered.

A raw asyncio client, so that the measuring costs little beside what is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement. Times in seconds."""

    in_flight: int
    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def request_bytes(method: str, path: str, host: str, headers: dict[str, str], body: bytes) -> bytes:
    """One HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def _one(host: str, port: int, requests: Sequence[bytes], until: float, times: list[float]) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    errors, place = 0, 0
    loop = asyncio.get_running_loop()
    try:
        while loop.time() < until:
            begun = time.perf_counter()
            writer.write(requests[place % len(requests)])
            place += 1
            head = await reader.readuntil(b"\r\n\r\n")
            lower = head.lower()
            mark = lower.find(b"content-length:")
            length = int(lower[mark + 15 : lower.index(b"\r\n", mark)])
            await reader.readexactly(length)
            times.append(time.perf_counter() - begun)
            if head[9:12] != b"200":
                errors += 1
    finally:
        writer.close()
    return errors


async def measure(port: int, requests: Sequence[bytes], in_flight: int, seconds: float) -> Figures:
    """`in_flight` connections for `seconds`; each goes through `requests` from a place of its own."""
    times: list[float] = []
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    until = loop.time() + seconds
    shifted = [[*requests[i * 7 % len(requests) :], *requests[: i * 7 % len(requests)]] for i in range(in_flight)]
    errors = sum(await asyncio.gather(*(_one("127.0.0.1", port, shifted[i], until, times) for i in range(in_flight))))
    took = time.perf_counter() - begun
    times.sort()
    return Figures(
        in_flight, len(times), took, times[len(times) // 2], times[min(len(times) - 1, len(times) * 99 // 100)], errors
    )
