"""The bare hand-written proxy that the gateway is measured against: FastAPI and httpx, and no governance at all."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response

SOURCE = os.environ.get("BENCH_SOURCE", "")
KEY = os.environ.get("SOURCE_DOPA__API_KEY", "")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One httpx client with room for every connection."""
    limits = httpx.Limits(max_connections=256, max_keepalive_connections=256)
    async with httpx.AsyncClient(base_url=SOURCE, limits=limits, timeout=30, trust_env=False) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/v1/exchanges")
async def exchange(question: dict[str, Any], request: Request) -> Response:
    """Passes the ID on, and the whole answer back."""
    answer = await request.app.state.client.post(
        "/api/person", json={"personalID": question["citizen_id"]}, headers={"X-API-Key": KEY}
    )
    return Response(answer.content, answer.status_code, media_type="application/json")
