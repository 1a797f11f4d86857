"""What waits for an operator."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.http.edge import Edge
from gateway.http.json import Json
from gateway.http.report_documents import NoticeList
from gateway.http.reporting import governing
from gateway.http.responses import SCOPE, answers, problems
from gateway.model import bangkok_day, now
from gateway.reports import notices


def routes(edge: Edge) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(tags=["governance"])

    @router.get(
        "/v1/notices",
        responses=answers(NoticeList, "What waits") | problems(*SCOPE),
    )
    async def waiting(request: Request) -> Response:
        """What waits for the operator who asks, or has to be known: proposals, requests of persons, what ends soon."""
        caller = await governing(edge, request)
        return Json({"notices": notices(edge.current.holding.registers, caller, bangkok_day(now()))})

    return router
