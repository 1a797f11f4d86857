"""Thousands of requests from nobody: counted to the last one, while the log hardly grows and questions are answered."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from connectors import population
from gateway.client import AsyncGateway
from tests.acceptance.trail import entries_since, size
from tests.harness import OLD_AGE, PERSON, running, token_of

ELDER = population.story("elder")
EACH = 700
ADDRESSES = 300


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A gateway behind a proxy, so that a test can come from many addresses."""
    with running(tmp_path_factory.mktemp("proxied"), LINKAGE_TRUSTED_PROXIES="127.0.0.1") as pair:
        yield pair[0]


def request_of(path: str, body: bytes, *headers: str, kind: str = "application/json") -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "host: gateway",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def send(port: int, requests: list[bytes]) -> Counter[int]:
    """Sends them over eight connections, one after the other on each; statuses."""
    statuses: Counter[int] = Counter()
    work = iter(requests)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in work:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))
            statuses[int(head.split()[1])] += 1
            if "connection: close" in head:
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(8)))
    return statuses


async def test_a_flood_is_counted_and_does_not_fill_the_log(proxied: Any) -> None:
    gateway = proxied
    good = f"authorization: Bearer {token_of(gateway, 'city-a-welfare')}"
    question = orjson.dumps({"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE})
    addresses = itertools.cycle(f"x-forwarded-for: 203.0.{n // 250}.{n % 250 + 1}" for n in range(ADDRESSES))
    kinds: dict[str, list[bytes]] = {
        "invalid_token": [request_of("/v1/exchanges", question)] * EACH
        + [request_of("/v1/exchanges", question, "authorization: Bearer e30.e30.x")] * EACH,
        "malformed_request": [request_of("/v1/exchanges", question[:-9], good)] * EACH,
        "invalid_citizen_id": [request_of("/v1/exchanges", question.replace(ELDER.encode(), b"1" * 13), good)] * EACH,
        "token_refused": [
            request_of(
                "/oauth/token",
                b"grant_type=client_credentials",
                next(addresses),
                kind="application/x-www-form-urlencoded",
            )
            for _ in range(EACH)
        ],
    }
    since = size(gateway)
    flood = [request for several in kinds.values() for request in several]
    async with AsyncGateway(gateway.url, "city-a-welfare", gateway.keys / "city-a-welfare.jwk") as client:
        await client.exchange(service=PERSON, citizen_id=ELDER, purpose=OLD_AGE)
        flooding = asyncio.create_task(send(gateway.port, flood))
        answered = 0
        while not flooding.done():
            await client.exchange(service=PERSON, citizen_id=ELDER, purpose=OLD_AGE)
            answered += 1
        statuses = await flooding
    assert answered > 3
    assert statuses == {401: 3 * EACH, 400: 2 * EACH}
    metrics = httpx.get(f"{gateway.url}/metrics", trust_env=False).text
    for kind, requests in kinds.items():
        assert f'linkage_turned_away_total{{kind="{kind}"}} {len(requests)}.0' in metrics
    gateway.stop()
    gateway.start()
    entries = entries_since(gateway, since)
    by_kind = Counter(entry["public"]["kind"] for entry in entries)
    assert by_kind["exchange.decided"] == by_kind["exchange.released"] == answered + 1
    counted = [entry["content"] for entry in entries if entry["public"]["kind"] == "requests.counted"]
    assert 1 <= len(counted) <= 3
    others = len(entries) - 2 * (answered + 1) - by_kind["audit.search"]
    assert others <= 6, by_kind
    total: Counter[str] = Counter()
    for content in counted:
        assert len(content["addresses"]) <= 64
        for each in content["addresses"]:
            total.update(each["counts"])
        total.update(content["others"])
    assert total == {kind: len(requests) for kind, requests in kinds.items()}
