"""Whether it lives, whether it serves and what keeps it from serving, and its metrics."""

from __future__ import annotations

import time

from cryptography.exceptions import InvalidTag
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import GatewayError
from gateway.exchangelog.condition import condition_of
from gateway.http.documents import Readiness, Status
from gateway.http.edge import Edge
from gateway.http.json import Json
from gateway.http.responses import answers
from gateway.model import now


def routes(edge: Edge) -> APIRouter:
    """The routes of this module. They need no token and tell nothing of anyone."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", responses=answers(Status, "The process lives"))
    async def healthz(_: Request) -> Response:
        """The process answers; nothing else is looked at."""
        return Json({"status": "ok"})

    @router.get("/readyz", responses=answers(Readiness, "Ready") | answers(Readiness, "Not ready", 503))
    async def readyz(_: Request) -> Response:
        """Questions are answered: the database takes appends, the registers are read, the keys fit, the log holds,
        and the process is not stopping."""
        parts = {**await _parts(edge), "process": "stopping" if edge.drain.begun else "ok"}
        ready = all(state == "ok" for state in parts.values())
        return Json({"status": "ready" if ready else "not_ready", "parts": parts}, 200 if ready else 503)

    @router.get("/metrics", responses={200: {"description": "Prometheus text", "content": {"text/plain": {}}}})
    async def metrics(_: Request) -> Response:
        """Counts and durations, with no person in them."""
        await _measure(edge)
        return Response(edge.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router


async def _parts(edge: Edge) -> dict[str, str]:
    """Part -> `ok`, or one word that says what it lacks."""
    parts = {"database": "ok", "registers": "ok", "keys": "ok", "log": "damaged" if edge.checkpoints.damaged else "ok"}
    try:
        await edge.store.append([])
    except GatewayError:
        parts["database"] = "unavailable"
    try:
        _ = edge.current.holding
    except LookupError:
        parts["registers"] = "not_read"
    try:
        await edge.log.ready(now())
    except GatewayError:
        parts["keys"] = "month_not_prepared"
    except InvalidTag:
        parts["keys"] = "master_key_does_not_fit"
    return parts


async def _measure(edge: Edge) -> None:
    """What is looked up only when somebody asks: the log's condition, the sources', the queue's."""
    metrics = edge.metrics
    metrics.appends_waiting.set(edge.store.waiting)
    metrics.log_damaged.set(edge.checkpoints.damaged)
    for service, (left_alone, under_way) in edge.pipeline.sources.states().items():
        metrics.breaker_open.labels(service).set(left_alone)
        metrics.source_under_way.labels(service).set(under_way)
    try:
        condition = await edge.store.read(condition_of)
    except GatewayError:  # the last figures stay, and this says how old they may be
        metrics.database_up.set(0)
        return
    metrics.database_up.set(1)
    metrics.log_size.set(condition.size)
    metrics.log_unsigned.set(max(0, condition.size - condition.signed))
    metrics.log_unprojected.set(max(0, condition.size - condition.projected))
    for witness, signed_at in condition.cosigned.items():
        metrics.cosignature_age.labels(witness.partition("+")[0]).set(max(0.0, time.time() - signed_at))
