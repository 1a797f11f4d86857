"""Reports about persons, for the auditor and the DPO: each is recorded, with the person as pseudonym and the reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import Denied, InvalidCitizenId, MalformedRequest, NotFound
from gateway.exchangelog import Search, Subject
from gateway.http.edge import Edge
from gateway.http.json import Json
from gateway.http.reading import form_of
from gateway.http.report_documents import BreachReport, Person, Pseudonym, SubjectReport
from gateway.http.reporting import head_of, not_yours, record_report, span_of
from gateway.http.responses import BODY, LOG, SCOPE, an_object, answers, problems, takes
from gateway.http.transparency import key_history
from gateway.model import IdentifierKind, now, require_identifier, timestamp
from gateway.reports import access, breach
from gateway.reports.titles import titled

MOST = 20_000
"""Exchanges that one report reads; `complete` says whether those were all."""
_PERSON = {"citizen_id": "9000000000012", "reason": "request RQ-1 under section 30"}


def routes(edge: Edge) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(tags=["reports"])
    refused = (*SCOPE, *BODY, *LOG, Denied)

    @router.post(
        "/v1/reports/subject",
        responses=an_object("Every access to one person's data") | problems(*refused, InvalidCitizenId),
        openapi_extra=takes(SubjectReport, _PERSON),
    )
    async def subject(request: Request) -> Response:
        """Every access about one person, for an answer under PDPA s.30; a DPO of an agency is told of its own alone."""
        caller = await edge.caller(request, "audit")
        wanted = await form_of(request, edge.settings, SubjectReport)
        person = _person(edge, wanted)
        await record_report(edge, caller, "subject", {**span_of(wanted), "reason": wanted.reason}, person)
        counted = await edge.search.counted(person.names)
        # Before the list: what is counted or told meanwhile is in it, and not missed.
        await edge.search.caught_up()
        completeness = None if caller.agency else await _completeness(edge, person)
        search = Search({}, subject=person.pseudonym, earlier=person.earlier, **span_of(wanted))
        found, complete = await edge.search.every(search, MOST)
        holding, withheld, moment = edge.current.holding, await edge.search.withheld(person.names), timestamp(now())
        found = [one for one in found if not _untold(one, withheld, moment)]
        mine = [one for one in found if not caller.agency or caller.agency in (one["consumer"], one["source"])]
        accesses = [access(one, holding.registers, holding.services) for one in mine]
        body: dict[str, Any] = {
            "subject": person.hex,
            "agency": titled(holding.registers, "agency", caller.agency or None),
            "reason": wanted.reason,
            "accesses": accesses,
            "complete": complete,
        }
        if not caller.agency:  # how many there are in all would tell an agency of the others'
            body["counted"] = counted
            if complete:
                body["completeness"] = completeness
        return Json({**head_of("subject", caller, wanted), **body})

    @router.post(
        "/v1/audit/subject",
        responses=answers(Pseudonym, "The pseudonym") | problems(*refused, InvalidCitizenId),
        openapi_extra=takes(Person, _PERSON),
    )
    async def pseudonym(request: Request) -> Response:
        """How the log knows a person: what the register of rights requests names them by."""
        caller = await edge.caller(request, "audit")
        wanted = await form_of(request, edge.settings, Person)
        person = _person(edge, wanted)
        await record_report(edge, caller, "pseudonym", {"reason": wanted.reason}, person)
        return Json({"subject": person.hex})

    @router.post(
        "/v1/reports/breach",
        responses=an_object("Whom and what a breach concerns") | problems(*refused, NotFound),
        openapi_extra=takes(
            BreachReport,
            {
                "client": "city-welfare",
                "from": "2026-11-18T00:00:00+07:00",
                "to": "2026-11-20T00:00:00+07:00",
                "reason": "the system's key was stolen",
            },
        ),
    )
    async def breached(request: Request) -> Response:
        """Whose data left through a client, an officer or a consumer in a time: what the 72-hour notice needs."""
        caller = await edge.caller(request, "audit")
        wanted = await form_of(request, edge.settings, BreachReport)
        equals = {name: v for name in ("client", "officer", "consumer") if (v := getattr(wanted, name)) is not None}
        if not equals.keys() & {"client", "consumer"}:
            raise MalformedRequest("name the client or the consumer", "ต้องระบุ client หรือ consumer")
        holding = edge.current.holding
        client = holding.registers.clients.get(wanted.client) if wanted.client else None
        if wanted.client and client is None:
            raise NotFound("there is no client of this id", "ไม่พบระบบตามรหัสนี้")
        if caller.agency and caller.agency != (client.agency if client else wanted.consumer):
            raise not_yours()
        await record_report(edge, caller, "breach", {**equals, **span_of(wanted), "reason": wanted.reason})
        found, complete = await edge.search.every(Search(equals, **span_of(wanted)), MOST)
        body = breach(found, holding.registers, holding.services)
        more = {"of": equals, "reason": wanted.reason, "complete": complete}
        return Json({**head_of("breach", caller, wanted), **more, **body})

    return router


def _untold(exchange: Mapping[str, Any], withheld: frozenset[str], moment: str) -> bool:
    """Whether the person is not told yet: a decided one until it is told in the log, which counts it; a refused one,
    which nothing counts, until its time.
    """
    until = (exchange.get("withheld") or {}).get("until")
    return exchange["exchange_id"] in withheld or (
        exchange["outcome"] == "refused" and until is not None and moment < until
    )


async def _completeness(edge: Edge, person: Subject) -> dict[str, Any] | None:
    """What shows that the list leaves nothing out, with the log's keys where it has had more than one."""
    document, history = await edge.completeness.document(person), key_history(edge)
    return {**document, "keys": history} if document is not None and len(history) > 1 else document


def _person(edge: Edge, wanted: Person) -> Subject:
    named = [(kind, value) for kind in IdentifierKind if (value := getattr(wanted, kind.value)) is not None]
    if len(named) != 1:
        raise MalformedRequest(
            "give citizen_id or juristic_id, one of them", "ระบุ citizen_id หรือ juristic_id อย่างใดอย่างหนึ่ง"
        )
    kind, value = named[0]
    return edge.log.subject(kind.value, require_identifier(value, kind, sandbox=edge.settings.sandbox))
