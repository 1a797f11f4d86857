"""JSON out, by orjson, never to be kept by anyone on the way."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response


class Json(Response):
    """A JSON response with `Cache-Control: no-store`."""

    def __init__(self, value: Any, status: int = 200) -> None:
        super().__init__(orjson.dumps(value), status, {"cache-control": "no-store"}, "application/json")
