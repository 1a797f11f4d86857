"""Reports about agencies: disclosures, processing, proposals, and the signed acts behind a record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import Denied, NotFound
from gateway.exchangelog import Search
from gateway.http.edge import Edge
from gateway.http.json import Json
from gateway.http.reading import form_of
from gateway.http.report_documents import (
    ActList,
    DisclosureList,
    DisclosureSearch,
    ProposalsReport,
    RopaReport,
)
from gateway.http.reporting import governing, head_of, may_see, not_yours, record_report, source_of, span_of
from gateway.http.responses import BODY, LOG, SCOPE, an_object, answers, problems, takes
from gateway.model import now, timestamp
from gateway.registers import KINDS
from gateway.reports import disclosure, proposals, record_of_processing

Kind = Annotated[str, Path(description="The register.", examples=["agreement"])]
RecordId = Annotated[str, Path(description="The record's id.", examples=["municipalities-person"])]


def routes(edge: Edge) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(tags=["reports"])
    refused = (*SCOPE, *BODY, *LOG, Denied)

    @router.post(
        "/v1/disclosures/search",
        responses=answers(DisclosureList, "A page of disclosures") | problems(*refused),
        openapi_extra=takes(DisclosureSearch, {"from": "2026-11-01T00:00:00+07:00", "limit": 50}),
    )
    async def disclosures(request: Request) -> Response:
        """A source's own register of who was given its data (Official Information Act; PDPA s.27)."""
        caller = await edge.caller(request)
        wanted = await form_of(request, edge.settings, DisclosureSearch)
        source = source_of(caller, wanted.source)
        equals = {"source": source, "outcome": "released"}
        equals |= {name: v for name in ("consumer", "service", "purpose") if (v := getattr(wanted, name)) is not None}
        await record_report(edge, caller, "disclosures", {**equals, **span_of(wanted)})
        search = Search(equals, limit=wanted.limit, cursor=wanted.cursor, **span_of(wanted))
        found, cursor = await edge.search.about(search)
        holding = edge.current.holding
        lines = [disclosure(one, holding.registers, holding.services) for one in found]
        return Json({"disclosures": lines, "next_cursor": cursor})

    @router.post(
        "/v1/reports/ropa",
        responses=an_object("A record of processing") | problems(*refused, NotFound),
        openapi_extra=takes(RopaReport, {"agency": "city-chiangmai"}),
    )
    async def ropa(request: Request) -> Response:
        """An agency's record of processing activities, as far as this gateway knows it (PDPA s.39)."""
        caller = await governing(edge, request)
        wanted = await form_of(request, edge.settings, RopaReport)
        holding = edge.current.holding
        if caller.agency and caller.agency != wanted.agency:
            raise not_yours()
        if wanted.agency not in holding.registers.agencies:
            raise NotFound("there is no agency of this id", "ไม่พบหน่วยงานตามรหัสนี้")
        await record_report(edge, caller, "ropa", {"agency": wanted.agency, **span_of(wanted)})
        span = span_of(wanted)
        counts = {
            side: await edge.search.counts(side, wanted.agency, span["since"], span["until"])
            for side in ("consumer", "source")
        }
        body = record_of_processing(wanted.agency, holding.registers, holding.services, counts)
        return Json({**head_of("ropa", caller, wanted), **body})

    @router.post(
        "/v1/reports/proposals",
        responses=an_object("How long each proposal waited") | problems(*refused),
        openapi_extra=takes(ProposalsReport, {"agency": "city-chiangmai"}),
    )
    async def proposed(request: Request) -> Response:
        """How long each proposal of an agreement waited for its source, and each refusal with its ground."""
        caller = await governing(edge, request)
        wanted = await form_of(request, edge.settings, ProposalsReport)
        if caller.agency and wanted.agency not in (None, caller.agency):
            raise not_yours()
        lines = proposals(edge.current.holding.registers, now(), wanted.agency or caller.agency or None)
        return Json({"report": "proposals", "made_at": timestamp(now()), "proposals": lines})

    @router.get(
        "/v1/admin/registers/{kind}/{record_id}/acts",
        tags=["governance"],
        responses=answers(ActList, "The signed acts") | problems(*SCOPE, *LOG, NotFound),
    )
    async def acts(request: Request, kind: Kind, record_id: RecordId) -> Response:
        """The acts that made a record what it is, as their operators signed them, with their entries in the log."""
        caller = await edge.caller(request, "admin")
        record = edge.current.holding.registers.record(kind, record_id) if kind in KINDS else None
        if record is None or not may_see(caller, kind, record):
            raise NotFound("no record of this id", "ไม่พบรายการตามรหัสนี้")
        found = []
        for index in record.get("acts", ()):
            found += [
                _act(entry) for entry in await edge.log.entries(index, 1) if "signed" in (entry.get("content") or {})
            ]
        return Json({"acts": found})

    return router


def _act(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "index": entry["index"],
        "entry": entry["entry"],
        "time": entry["public"]["time"],
        "act": entry["legal"]["act"],
        "operator": entry["parties"]["operator"],
        "role": entry["parties"]["role"],
        "agency": entry["parties"]["agency"],
        "key_id": entry["content"]["key_id"],
        "signed": entry["content"]["signed"],
    }
