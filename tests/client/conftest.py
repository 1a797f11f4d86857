"""Each test of the client runs twice: through the one that waits, and through the one that is awaited."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.keys import new_key
from tests.client.stand import Both, Stand


@pytest.fixture
def stand() -> Stand:
    return Stand()


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, stand: Stand) -> Any:
    opened: list[Both] = []

    def make(key: Any = None, **options: Any) -> Both:
        opened.append(Both(request.param, stand, key or new_key("EdDSA", "k1"), **options))
        return opened[-1]

    yield make
    for one in opened:
        one.close()
        if one._loop:
            one._loop.close()
