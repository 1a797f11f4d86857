"""What there is to ask: services, schemas, purposes, and one's own agreements."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from gateway.catalogue import describe
from gateway.errors import UnknownService
from gateway.http.documents import AgreementList, PurposeList, ServiceList
from gateway.http.edge import Edge
from gateway.http.json import Json
from gateway.http.responses import TOKEN, an_object, answers, problems
from gateway.model import Service

ServiceId = Annotated[str, Path(description="The service's id.", examples=["dopa.person.v1"])]


def routes(edge: Edge) -> APIRouter:
    """The routes of this module. Any good token may read them."""
    router = APIRouter(tags=["catalogue"])
    refusals = problems(*TOKEN)
    no_service = problems(*TOKEN, UnknownService)

    def service_of(name: str) -> Service:
        service = edge.current.holding.services.get(name)
        if service is None:
            raise UnknownService
        return service

    @router.get("/v1/services", responses=answers(ServiceList, "Every service offered") | refusals)
    async def services(request: Request) -> Response:
        """Every service offered, with its fields and how each is classified."""
        await edge.caller(request)
        held = edge.current.holding.services.values()
        return Json({"services": [describe(service) for service in sorted(held, key=lambda s: s.id)]})

    @router.get("/v1/services/{service_id}", responses=an_object("One service") | no_service)
    async def service(request: Request, service_id: ServiceId) -> Response:
        """One service, with its metadata and data dictionary."""
        await edge.caller(request)
        return Json(describe(service_of(service_id)))

    @router.get("/v1/services/{service_id}/schema", responses=an_object("A JSON Schema") | no_service)
    async def schema(request: Request, service_id: ServiceId) -> Response:
        """The service's JSON Schema 2020-12, each field annotated."""
        await edge.caller(request)
        return Json(dict(service_of(service_id).schema))

    @router.get("/v1/purposes", responses=answers(PurposeList, "Every purpose") | refusals)
    async def purposes(request: Request) -> Response:
        """Every purpose, its legal authority, and the paper documents it replaces."""
        await edge.caller(request)
        records = edge.current.holding.registers.records["purpose"].values()
        keys = ("code", "title", "authority", "replaces", "status")
        return Json({"purposes": [{key: record[key] for key in keys} for record in records]})

    @router.get("/v1/agreements", responses=answers(AgreementList, "One's own agreements") | refusals)
    async def agreements(request: Request) -> Response:
        """The agreements in which the caller's agency is consumer (itself or by a group) or source."""
        caller = await edge.caller(request)
        registers = edge.current.holding.registers
        agency = registers.agencies.get(caller.agency)
        groups = agency.groups if agency else frozenset()
        mine = [
            record
            for record in registers.records["agreement"].values()
            if caller.agency
            and (
                caller.agency in (record["source"], record["consumer"].get("agency"))
                or record["consumer"].get("group") in groups
            )
        ]
        return Json({"agreements": mine})

    return router
