"""Governance over HTTP: signed acts in, registers out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import Conflict, Denied, NotFound
from gateway.governance import LONGEST_ACT
from gateway.http.documents import ActBody, ActRequest, RecordList, SourceList
from gateway.http.edge import Edge
from gateway.http.json import Json
from gateway.http.reading import form_of
from gateway.http.reporting import may_see
from gateway.http.responses import BODY, LOG, SCOPE, an_object, answers, problems, takes
from gateway.registers import KINDS

ACT_LIMIT = LONGEST_ACT + 1024
Kind = Annotated[str, Path(description="The register.", examples=["agency"])]
RecordId = Annotated[str, Path(description="The record's id.", examples=["city-chiangmai"])]
_EXAMPLE = {"act": "eyJhbGciOiJFZERTQSIsImtpZCI6Ii4uLiIsInR5cCI6Imxpbmth….….…"}


def routes(edge: Edge) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(tags=["governance"])

    @router.post(
        "/v1/admin/acts",
        status_code=201,
        responses=answers(ActBody, "The act is on record", 201)
        | problems(*SCOPE, *BODY, *LOG, Denied, NotFound, Conflict),
        openapi_extra=takes(ActRequest, _EXAMPLE),
    )
    async def act(request: Request) -> Response:
        """Performs one act of governance, signed by its operator."""
        caller = await edge.caller(request, "admin")
        signed = await form_of(request, edge.settings, ActRequest, limit=ACT_LIMIT)
        done = await edge.governance.act(caller, signed.act)
        receipt = {"log": done.receipt.log, "entry": done.receipt.entry, "index": done.receipt.index}
        record = done.record
        return Json(
            {"act": done.act, "kind": record["kind"], "id": record["id"], "record": record, "receipt": receipt}, 201
        )

    @router.get(
        "/v1/admin/registers/{kind}",
        responses=answers(RecordList, "The register's records") | problems(*SCOPE, *LOG, NotFound),
    )
    async def register(request: Request, kind: Kind) -> Response:
        """Every record of a register, as stored, by id."""
        caller = await edge.caller(request, "admin")
        if kind not in KINDS:
            raise NotFound("no register of this name", "ไม่มีทะเบียนชื่อนี้")
        records = (await edge.current.refresh()).registers.records[kind]
        return Json({"records": [records[name] for name in sorted(records) if may_see(caller, kind, records[name])]})

    @router.get(
        "/v1/admin/registers/{kind}/{record_id}",
        responses=an_object("The record") | problems(*SCOPE, *LOG, NotFound),
    )
    async def record(request: Request, kind: Kind, record_id: RecordId) -> Response:
        """One record, as stored."""
        caller = await edge.caller(request, "admin")
        found = (await edge.current.refresh()).registers.record(kind, record_id) if kind in KINDS else None
        if found is None or not may_see(caller, kind, found):
            raise NotFound("no record of this id", "ไม่พบรายการตามรหัสนี้")
        return Json(found)

    @router.get("/v1/admin/sources", responses=answers(SourceList, "How each source fares") | problems(*SCOPE))
    async def sources(request: Request) -> Response:
        """How each service's source has fared since this gateway started, as this gateway saw it.

        Where several gateways serve, each tells of itself; `/metrics` of all of them, added up, tells of the whole.
        """
        await edge.caller(request, "admin")
        held = sorted(edge.current.holding.services.values(), key=lambda service: service.id)
        health = [{"service": one.id, "agency": one.agency, **edge.pipeline.sources.health(one)} for one in held]
        return Json({"gateway": edge.log.gateway, "boot": edge.log.boot, "sources": health})

    return router
