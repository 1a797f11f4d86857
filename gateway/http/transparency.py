"""What anyone may check: the log's checkpoint, its verifier key, its tiles (C2SP tlog-tiles); and proofs.

Tiles and bundles never change, so that anyone may keep them; a checkpoint is asked for again each time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import NotFound
from gateway.http.edge import Edge
from gateway.http.json import Json
from gateway.http.log_documents import LogKeys, ProofBody
from gateway.http.records import ExchangeId, record_reading
from gateway.http.responses import LOG, TOKEN, Responses, answers, problems
from gateway.keyhistory import verifier_keys
from gateway.model import Caller
from gateway.tlog.tiles import TileError, parse_path

FOR_EVER = "public, max-age=31536000, immutable"
_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"


def routes(edge: Edge) -> APIRouter:
    """The routes of this module. Those of the log need no token: 32 bytes an entry tell nothing of anyone."""
    router = APIRouter()
    checkpoint_text: Responses = {
        200: {"description": "The newest checkpoint, a C2SP signed note", "content": {"text/plain": {}}}
    }
    vkey_text: Responses = {200: {"description": "The verifier key (C2SP signed-note)", "content": {"text/plain": {}}}}
    tile_bytes: Responses = {200: {"description": "A tile of hashes, or a bundle of entries", "content": {_BYTES: {}}}}

    @router.get(
        "/log/checkpoint",
        tags=["log"],
        responses=checkpoint_text | problems(*LOG, NotFound),
    )
    async def checkpoint(_: Request) -> Response:
        """How large the log is and what its root is, signed; with the witnesses' cosignatures that it has."""
        latest = await edge.checkpoints.latest()
        if latest is None:
            raise NotFound("no checkpoint has been signed yet", "ยังไม่มีจุดตรวจสอบที่ลงลายมือชื่อ")
        return Response(await edge.checkpoints.text(latest), 200, {"cache-control": "no-cache"}, _TEXT)

    @router.get(
        "/log/vkey",
        tags=["log"],
        responses=vkey_text | problems(),
    )
    async def vkey(_: Request) -> Response:
        """The key that checkpoints verify with. Whoever checks pins it, and asks for it elsewhere too."""
        history = key_history(edge)
        return Response(f"{history[-1]['vkey']}\n", 200, {"cache-control": "no-cache"}, _TEXT)

    @router.get(
        "/log/keys",
        tags=["log"],
        responses=answers(LogKeys, "The log's verifier keys") | problems(),
    )
    async def keys(_: Request) -> Response:
        """Every verifier key that the log has had, the first one first, each vouched for by the one before."""
        return Json({"log": edge.log.origin, "keys": key_history(edge)})

    @router.get(
        "/log/tile/{path:path}",
        tags=["log"],
        responses=tile_bytes | problems(*LOG, NotFound),
    )
    async def tile(
        _: Request,
        path: Annotated[str, Path(description="`<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`.", examples=["0/000"])],
    ) -> Response:
        """A tile as the newest checkpoint has it, or a narrower beginning of it."""
        try:
            wanted = parse_path(f"tile/{path}")
        except TileError:
            raise NotFound("not a tile's path", "ไม่ใช่ที่อยู่ของส่วนในบันทึก") from None
        return Response(await edge.published.tile(wanted), 200, {"cache-control": FOR_EVER}, _BYTES)

    @router.get(
        "/v1/exchanges/{exchange_id}/proof",
        tags=["exchanges"],
        responses=answers(ProofBody, "The proof") | problems(*TOKEN, *LOG, NotFound),
    )
    async def proof(request: Request, exchange_id: ExchangeId) -> Response:
        """That the exchange is in the log, for its consumer, its source and an auditor, with what they may see."""
        caller = await edge.caller(request)
        found = await edge.search.one(exchange_id)
        if not _audits(caller) and (not caller.agency or caller.agency not in (found["consumer"], found["source"])):
            raise NotFound("no exchange of this id", "ไม่พบรายการแลกเปลี่ยนตามรหัสนี้")
        if _audits(caller):
            await record_reading(edge, caller, exchange_id)
        return Json(await proof_document(edge, exchange_id, found["entries"]))

    return router


async def proof_document(edge: Edge, exchange: str, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """An exchange's proof, with all of the log's keys where it has had more than one."""
    document, history = await edge.published.proof(exchange, entries), key_history(edge)
    return {**document, "keys": history} if len(history) > 1 else document


def key_history(edge: Edge) -> list[dict[str, Any]]:
    """Every verifier key that the log has had, as `/log/keys` lists them."""
    return verifier_keys(edge.log.origin, edge.current.holding.registers) or [
        {"vkey": str(edge.checkpoints.verifier), "from_entry": None, "succession": None}
    ]


def _audits(caller: Caller) -> bool:
    return "audit" in caller.scopes
