"""Evidence of one exchange, for an auditor to hand to a court: gathered, entered in the log, and given as one file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import Conflict, NotFound
from gateway.http.edge import Edge
from gateway.http.reading import form_of
from gateway.http.record_documents import EvidenceRequest
from gateway.http.records import ExchangeId, record_search
from gateway.http.responses import BODY, LOG, SCOPE, Responses, problems, takes
from gateway.http.transparency import proof_document
from gateway.model import now, timestamp
from gateway.reports.evidence import (
    FORMAT,
    agreement_acts,
    digest_of,
    page_bytes,
    policy_acts,
    sealed,
)
from gateway.reports.evidence_page import evidence_page

HTML = "text/html; charset=utf-8"


def routes(edge: Edge) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(tags=["audit"])
    page: Responses = {200: {"description": "One HTML file (`docs/verify.md`)", "content": {"text/html": {}}}}

    @router.post(
        "/v1/audit/exchanges/{exchange_id}/evidence",
        responses=page | problems(*SCOPE, *BODY, *LOG, NotFound, Conflict),
        openapi_extra=takes(EvidenceRequest, {"reason": "หมายเรียกพยานเอกสาร / the court's order"}),
    )
    async def evidence(request: Request, exchange_id: ExchangeId) -> Response:
        """All that proves one exchange, as a page to print that can be checked without the gateway, years later."""
        caller = await edge.caller(request, "audit")
        wanted = await form_of(request, edge.settings, EvidenceRequest)
        found = await edge.search.one(exchange_id)
        (decided,) = await edge.log.entries(found["entries"][0]["index"], 1)
        if decided["public"] is None:
            raise Conflict(
                "what the exchange's entries held is forgotten or broken: there is nothing left to show",
                "เนื้อหาของรายการนี้ถูกลบตามกำหนดหรือเสียหาย จึงไม่มีสิ่งที่จะแสดง",
            )
        acts, forgotten = await _acts_behind(edge, decided)
        document = {
            "format": FORMAT,
            "made_at": timestamp(now()),
            "made_by": caller.id,
            "exchange": await proof_document(edge, exchange_id, found["entries"]),
            "agreement": agreement_acts(acts, decided["legal"]["agreement"]),
            "policies": policy_acts(acts, decided["legal"]["policy_digest"]),
            "acts": await edge.published.proved([act["index"] for act in acts]),
            "forgotten": forgotten,
            "witnesses": [witness.partition(" ")[0] for witness in edge.settings.witnesses],
        }
        html = page_bytes(evidence_page(document), document)
        index = await record_search(
            edge, caller, None, exchange=exchange_id, reason=wanted.reason, evidence=digest_of(html)
        )
        export = (await edge.published.proved([index]))[0]
        headers = {"cache-control": "no-store", "content-disposition": f'attachment; filename="{exchange_id}.html"'}
        return Response(sealed(html, export), 200, headers, HTML)

    return router


async def _acts_behind(edge: Edge, decided: Mapping[str, Any]) -> tuple[list[dict[str, Any]], list[int]]:
    """The acts before a decision that made what it stands on, and those that made their signers' keys, in order.

    And the indexes of those whose contents are forgotten.
    """
    parties, legal = decided["parties"], decided["legal"]
    found: dict[int, dict[str, Any]] = {}
    forgotten: set[int] = set()

    async def take(indexes: Iterable[int]) -> None:
        for index in indexes:
            if index < decided["index"] and index not in found and index not in forgotten:
                (act,) = await edge.log.entries(index, 1)
                if act["public"] is None:
                    forgotten.add(index)
                else:
                    found[index] = act

    for kind, name in (
        ("agency", parties["consumer"]),
        ("agency", parties["source"]),
        ("client", parties["client"]),
        ("purpose", legal["purpose"]),
        ("agreement", legal["agreement"]),
        ("policies", "active"),
    ):
        await take(_acts_of(edge, kind, name))
    known: set[str] = set()
    while signers := {act["parties"]["operator"] for act in found.values()} - known:
        known |= signers
        for signer in signers:
            await take(_acts_of(edge, "operator", signer))
    acts = [found[index] for index in sorted(found)]
    needed = policy_acts(acts, legal["policy_digest"]) or {}
    kept = [act for act in acts if act["legal"]["register"] != "policies" or act["index"] in needed.values()]
    return kept, sorted(forgotten)


def _acts_of(edge: Edge, kind: str, name: str | None) -> list[int]:
    record = edge.current.holding.registers.record(kind, name) if name else None
    return list(record["acts"]) if record else []
