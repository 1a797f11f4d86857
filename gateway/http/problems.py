"""The one handler of errors: problem+json (RFC 9457), or RFC 6749's form for the token endpoint.

Titles in English and Thai, a stable code, the exchange's id; never an input's value, a path or a source's
words. What is not one of ours becomes `gateway_failed`, and only its kind and place go to the process's log.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import (
    BoundToken,
    Denied,
    GatewayError,
    GatewayFailed,
    InsufficientScope,
    InvalidToken,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    OAuthError,
    OutsideServiceHours,
    QuotaExceeded,
)
from gateway.http.drain import Drain, going_away
from gateway.observe import logger

PROBLEM = "application/problem+json"
_ALGORITHMS = "ES256 EdDSA"


def render(error: GatewayError) -> Response:
    """The response for any error of ours."""
    if isinstance(error, OAuthError):
        return _oauth(error)
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.title_en,
        "title_th": error.title_th,
        "status": error.status,
        "code": error.code,
    }
    if error.detail_en:
        body["detail"], body["detail_th"] = error.detail_en, error.detail_th
    if error.exchange_id:
        body["exchange_id"] = error.exchange_id
    if isinstance(error, Denied | QuotaExceeded):
        body["reasons"] = [reason.as_json() for reason in error.reasons]
    if isinstance(error, OutsideServiceHours) and error.service_hours:
        body["service_hours"] = error.service_hours
    headers = {"cache-control": "no-store"}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, BoundToken):
        headers["www-authenticate"] = f'DPoP error="{error.code}", algs="{_ALGORITHMS}"'
    elif isinstance(error, InvalidToken):
        headers["www-authenticate"] = f'Bearer error="{error.code}", DPoP algs="{_ALGORITHMS}"'
    elif isinstance(error, InsufficientScope):
        headers["www-authenticate"] = f'Bearer error="{error.code}"'
    if isinstance(error, MethodNotAllowed) and error.detail_en:
        headers["allow"] = error.detail_en
        body.pop("detail")
        body.pop("detail_th")
    return Response(orjson.dumps(body), error.status, headers, PROBLEM)


def _oauth(error: OAuthError) -> Response:
    body = {"error": error.error}
    if error.detail_en:
        body["error_description"] = error.detail_en
    headers = {"cache-control": "no-store", "pragma": "no-cache"}
    return Response(orjson.dumps(body), error.http_status, headers, "application/json")


def from_framework(error: HTTPException) -> GatewayError:
    """Starlette's own 404, 405 and 400 as ours."""
    if error.status_code == 405:
        return MethodNotAllowed((error.headers or {}).get("Allow", ""))
    if error.status_code == 404:
        return NotFound()
    return MalformedRequest()


def report(error: GatewayError) -> None:
    """Tells the operator what failed of ours: kinds and codes, never what a failure said."""
    cause = error.__cause__ or error
    at = cause.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    logger.error(
        error.code,
        exchange=error.exchange_id,
        kind=type(cause).__name__,
        reason=getattr(cause, "sqlite_errorname", None) or getattr(cause, "sqlstate", None),
        at=f"{at.tb_frame.f_code.co_filename.rpartition('/')[2]}:{at.tb_lineno}" if at else None,
    )


class Shield:
    """The outermost layer: nothing escapes to the server, whose log would quote it.

    `short_cuts`: (method, path) -> an application that is called at once, past the framework's own layers
    (some 60 µs a call); it renders its own errors. `nonce`: the DPoP nonce of now, that every answer to a request
    with a proof tells (RFC 9449 section 8.2), so that the next proof has a fresh one. `drain`: whether the gateway is
    going away; new requests are then refused.
    """

    def __init__(
        self, app: ASGIApp, short_cuts: Mapping[tuple[str, str], ASGIApp], *, nonce: Callable[[], str], drain: Drain
    ) -> None:
        self._app = app
        self._short_cuts = short_cuts
        self._nonce = nonce
        self._drain = drain

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on; answers 500 where something fell through and nothing was sent yet."""
        started = proves = False

        async def watch(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if proves:
                    message["headers"] = [*message["headers"], (b"dpop-nonce", self._nonce().encode())]
                if drain.begun:
                    message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        app, drain = self._app, self._drain
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        app = self._short_cuts.get((scope["method"], scope["path"]), app)
        proves = any(name == b"dpop" for name, _ in scope["headers"])
        if drain.refuses(scope["path"]):  # and is not waited for: a flood would keep it from ever ending
            await render(going_away())(scope, receive, watch)
            return
        drain.under_way += 1
        try:
            await app(scope, receive, watch)
        except Exception as error:
            logger.error("gateway_failed", kind=type(error).__name__, at=_place(error))
            if not started:
                await render(GatewayFailed())(scope, receive, watch)
        finally:
            drain.under_way -= 1


def _place(error: BaseException) -> str:
    """Where it was raised: file and line, not what it said."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames[-4:]))
