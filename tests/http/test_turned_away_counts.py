"""Requests that end before anything is decided are counted, and the log does not grow with them."""

from __future__ import annotations

import re

import pytest

from tests.harness import RunningGateway, token_of
from tests.http.wire import get, post
from tests.identity.assertions import request


def counted(gateway: RunningGateway) -> dict[str, float]:
    text = get(gateway, "/metrics").text
    return {kind: float(n) for kind, n in re.findall(r'^linkage_turned_away_total\{kind="(\w+)"\} (\S+)$', text, re.M)}


def size(gateway: RunningGateway) -> int:
    """How many entries there are."""
    token, after = token_of(gateway, "auditor", "audit"), 0
    while True:
        page = get(gateway, f"/v1/audit/entries?after={after}&limit=500", token).json()
        if page["next"] is None:
            return int(page["entries"][-1]["index"]) + 1
        after = page["next"]


@pytest.mark.parametrize("times", [25])
def test_a_flood_is_a_number(running_gateway: RunningGateway, times: int) -> None:
    gateway = running_gateway
    token = token_of(gateway, "city-a-welfare")
    before, entries = counted(gateway), size(gateway)
    for _ in range(times):
        get(gateway, "/v1/services", "x.y.z")
        post(gateway, "/v1/exchanges", b"{}", "x.y.z")
        post(gateway, "/v1/exchanges", b"{", token)
        post(gateway, "/v1/exchanges", b"{}", token, content_type="text/plain")
        request(gateway, "x.y.z")
    after = counted(gateway)
    more = {kind: after[kind] - before.get(kind, 0) for kind in after}
    assert more["invalid_token"] == 2 * times
    assert more["malformed_request"] == times
    assert more["unsupported_media_type"] == times
    assert more["token_refused"] == times
    # Two looks at the log are entries of their own; a minute's counts may be one more.
    assert size(gateway) - entries <= 6
