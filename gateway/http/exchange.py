"""POST /v1/exchanges, an ASGI application of its own: it is the one that must be fast."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.errors import Denied, GatewayError, GatewayFailed, LogUnavailable, Overloaded, QuotaExceeded, SourceFault
from gateway.http.edge import Edge
from gateway.http.problems import render, report
from gateway.http.reading import address_of, body_of, content_digest, presented
from gateway.observe import Course, follow, logger
from gateway.pipeline import Incoming
from gateway.seal import Sealed

TURNED_AWAY = frozenset(
    (
        "invalid_token",
        "invalid_dpop_proof",
        "use_dpop_nonce",
        "insufficient_scope",
        "malformed_request",
        "invalid_citizen_id",
        "unknown_field",
        "unknown_service",
        "unsupported_media_type",
        "request_timeout",
        "too_large",
        "too_many_requests",
    )
)
"""What ends before stage 4, so that no entry of its own tells of it: counted instead."""


class ExchangeRoute:
    """The endpoint: reads, runs the pipeline, answers. At most `max_in_flight` at once."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        response = await self.answer(Request(scope, receive))
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """The sealed answer, or the problem."""
        edge, begun, code, outcome = self._edge, time.perf_counter(), "ok", "released"
        course = follow()
        try:
            body = await body_of(request, edge.settings)  # a body that is slow to come takes no one's place
            incoming = Incoming(presented(request, edge.settings), body, content_digest(request))
            sealed = await self._exchange(incoming)
            return Response(sealed.body, 200, sealed.headers)
        except GatewayError as error:
            code, outcome = error.code, _outcome(error)
            if code in TURNED_AWAY:
                edge.turned_away.count(address_of(request, edge.settings), code)
            if isinstance(error, LogUnavailable | GatewayFailed):
                report(error)
            elif isinstance(error, SourceFault):
                _report_source(error, course)
            return render(error)
        except Exception:
            code, outcome = GatewayFailed.code, "gateway"  # the outermost layer says so to the caller
            raise
        finally:
            edge.metrics.exchanges.count(course.service, code, outcome, time.perf_counter() - begun)

    async def _exchange(self, incoming: Incoming) -> Sealed:
        """Runs the pipeline if there is a place; Overloaded if not."""
        exchanges = self._edge.metrics.exchanges
        if exchanges.under_way >= self._edge.settings.max_in_flight:
            raise Overloaded(retry_after=1)
        exchanges.under_way += 1
        try:
            return await self._edge.pipeline.exchange(incoming)
        finally:
            exchanges.under_way -= 1


def _outcome(error: GatewayError) -> str:
    """On whose account an exchange ended without an answer: few words, as each has a histogram of its own."""
    if error.code in TURNED_AWAY:
        return "turned_away"
    if isinstance(error, Denied | QuotaExceeded):
        return "refused"
    return "source" if isinstance(error, SourceFault) else "not_found" if error.status == 404 else "gateway"


def _report_source(error: SourceFault, course: Course) -> None:
    """Tells the operator which source failed, and how, by our own short code; the exchange's log has the rest."""
    fault = getattr(error, "fault", None)
    logger.warning(error.code, exchange=error.exchange_id, service=course.service, fault=fault)
