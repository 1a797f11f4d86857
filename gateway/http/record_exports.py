"""All that fits a search, in one stream: NDJSON, read from the database as it is taken, so that it may be large."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.errors import GatewayError, InvalidCitizenId
from gateway.http.edge import Edge
from gateway.http.reading import address_of, form_of
from gateway.http.record_documents import ExportRequest
from gateway.http.records import query_of, record_search
from gateway.http.responses import BODY, LOG, SCOPE, Responses, problems, takes

NDJSON = "application/x-ndjson"
LARGEST = 512 * 1024
"""Room for every case reference that one export may name."""
_EXAMPLE = {"from": "2026-11-01T00:00:00+07:00", "to": "2026-12-01T00:00:00+07:00", "consumer": "city-chiangmai"}


def routes(edge: Edge) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(tags=["audit"])
    streamed: Responses = {
        200: {"description": "An exchange (`ExchangeBody`) a line, newest first", "content": {NDJSON: {}}}
    }

    @router.post(
        "/v1/audit/exchanges/export",
        responses=streamed | problems(*SCOPE, *BODY, *LOG, InvalidCitizenId),
        openapi_extra=takes(ExportRequest, _EXAMPLE),
    )
    async def export(request: Request) -> Response:
        """Every exchange that fits. One entry in the log says who took how many, before the first leaves."""
        caller = await edge.caller(request, "audit")
        try:
            wanted = await form_of(request, edge.settings, ExportRequest, limit=LARGEST)
            query = query_of(edge, wanted)
        except GatewayError as error:
            edge.turned_away.count(address_of(request, edge.settings), error.code)
            raise
        rows, fixed = await edge.search.counted_now(query)
        await record_search(edge, caller, wanted, rows=rows)
        headers = {"cache-control": "no-store"}
        return StreamingResponse(_lines(edge.search.stream(fixed, rows)), 200, headers, NDJSON)

    return router


async def _lines(pages: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    async for page in pages:
        yield b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in page)
