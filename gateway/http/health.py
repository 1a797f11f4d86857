"""Whether it lives, whether it serves, and its metrics."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import GatewayError
from gateway.http.documents import Status
from gateway.http.edge import Edge
from gateway.http.json import Json
from gateway.http.responses import answers


def routes(edge: Edge) -> APIRouter:
    """The routes of this module. They need no token and tell nothing of anyone."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz", responses=answers(Status, "The process lives"))
    async def healthz(_: Request) -> Response:
        """The process answers."""
        return Json({"status": "ok"})

    @router.get("/readyz", responses=answers(Status, "Ready") | answers(Status, "Not ready", 503))
    async def readyz(_: Request) -> Response:
        """The log can be written and the registers are read: questions are answered."""
        try:
            await edge.store.append([])
        except GatewayError:
            return Json({"status": "not_ready"}, 503)
        return Json({"status": "ready"})

    @router.get("/metrics", responses={200: {"description": "Prometheus text", "content": {"text/plain": {}}}})
    async def metrics(_: Request) -> Response:
        """Counts and durations, with no person in them."""
        return Response(edge.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
