"""The witness over HTTP: POST /add-checkpoint, and GET /<origin hash>/checkpoint for monitors."""

from __future__ import annotations

import re
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.tlog.note import Signer
from gateway.witness.cosigning import Refused, cosign
from gateway.witness.state import WitnessState

LARGEST_BODY = 128 * 1024
_SIZE = "text/x.tlog.size"
_DIGEST = re.compile("[0-9a-f]{64}", re.ASCII)


def application(state: WitnessState, signer: Signer) -> Starlette:
    """The ASGI application of one witness."""

    async def add_checkpoint(request: Request) -> Response:
        body = b""
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > LARGEST_BODY:
                    return PlainTextResponse("too large\n", 413)
            return PlainTextResponse(await run_in_threadpool(cosign, state, signer, body))
        except Refused as refused:
            if refused.size is not None:
                return Response(f"{refused.size}\n", refused.status, media_type=_SIZE)
            return PlainTextResponse(f"{refused.why}\n", refused.status)
        except ClientDisconnect:
            return PlainTextResponse("", 400)

    async def checkpoint(request: Request) -> Response:
        digest = request.path_params["digest"]
        latest = await run_in_threadpool(state.latest_of, digest) if _DIGEST.fullmatch(digest) else None
        if latest is None:
            return PlainTextResponse("nothing cosigned of this log\n", 404)
        return PlainTextResponse(latest.note, headers={"cache-control": "no-cache"})

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/{digest}/checkpoint", checkpoint, methods=["GET"]),
        ]
    )


def serve(directory: Path, *, host: str, port: int, signer: Signer) -> None:
    """Runs the witness until SIGTERM or Ctrl-C."""
    config = uvicorn.Config(
        application(WitnessState(directory), signer),
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run()
