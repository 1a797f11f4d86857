"""The auditor's summary, and what a source needs to hold its own count against the log."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.errors import Denied, MalformedRequest
from gateway.exchangelog import Search
from gateway.exchangelog.summary import LONGEST_DAYS, Thresholds, Wanted, summary
from gateway.http.edge import Edge
from gateway.http.json import Json
from gateway.http.reading import form_of
from gateway.http.record_exports import LARGEST, NDJSON
from gateway.http.report_documents import AskedRequest, KnownBody, KnownRequest, SummaryBody
from gateway.http.reporting import record_report, source_of, span_of
from gateway.http.responses import BODY, LOG, SCOPE, Responses, answers, problems, takes
from gateway.model import bangkok_day, now

USUAL = Thresholds()
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_ID = r"^[a-z][a-z0-9.-]{0,95}$"
_TOLD = ("exchange_id", "service", "decided_at", "outcome", "fault")
Day = str | None
Party = Annotated[str | None, Query(pattern=_ID)]


def routes(edge: Edge) -> APIRouter:
    """The routes of this module."""
    router = APIRouter()

    @router.get(
        "/v1/audit/summary",
        tags=["audit"],
        responses=answers(SummaryBody, "Counts, times and what stands out") | problems(*SCOPE, *LOG, MalformedRequest),
    )
    async def audit_summary(
        request: Request,
        from_: Annotated[
            Day, Query(alias="from", pattern=_DAY, description="Day (Asia/Bangkok); 29 before `to`.")
        ] = None,
        to: Annotated[Day, Query(pattern=_DAY, description="Day (Asia/Bangkok), included; today.")] = None,
        consumer: Party = None,
        source: Party = None,
        service: Party = None,
        people_factor: Annotated[float, Query(ge=1, le=1000)] = USUAL.people_factor,
        people_least: Annotated[int, Query(ge=1, le=10**6)] = USUAL.people_least,
        same_person: Annotated[int, Query(ge=2, le=10**6)] = USUAL.same_person,
        hours_from: Annotated[int, Query(ge=0, le=24)] = USUAL.hours_from,
        hours_to: Annotated[int, Query(ge=0, le=24)] = USUAL.hours_to,
        out_of_hours_least: Annotated[int, Query(ge=1, le=10**6)] = USUAL.out_of_hours_least,
        refusals: Annotated[int, Query(ge=2, le=10**6)] = USUAL.refusals,
        refusals_minutes: Annotated[int, Query(ge=1, le=1440)] = USUAL.refusals_minutes,
    ) -> Response:
        """Counts and refusals by agency, service, purpose and day; times; officers whose numbers stand out.

        Plain numbers, each with its basis (`basis`); the thresholds are the asker's. It is itself an entry.
        """
        caller = await edge.caller(request, "audit")
        last = _day(to) if to is not None else bangkok_day(now())
        first = _day(from_) if from_ is not None else last - timedelta(days=29)
        if not 0 <= (last - first).days < LONGEST_DAYS:
            raise MalformedRequest(
                f"from is not after to, and they are at most {LONGEST_DAYS} days",
                f"from ต้องไม่หลัง to และห่างกันไม่เกิน {LONGEST_DAYS} วัน",
            )
        named = {"consumer": consumer, "source": source, "service": service}
        only = {name: value for name, value in named.items() if value is not None}
        limits = Thresholds(
            people_factor,
            people_least,
            same_person,
            hours_from,
            hours_to,
            out_of_hours_least,
            refusals,
            refusals_minutes,
        )
        await record_report(edge, caller, "summary", {"first": str(first), "last": str(last), **only})
        await edge.search.caught_up()
        return Json(await summary(edge.store, Wanted(first, last, only, limits)))

    streamed: Responses = {200: {"description": "An exchange a line, newest first", "content": {NDJSON: {}}}}

    @router.post(
        "/v1/disclosures/asked",
        tags=["reports"],
        responses=streamed | problems(*SCOPE, *BODY, *LOG, Denied),
        openapi_extra=takes(AskedRequest, {"from": "2026-11-01T00:00:00+07:00", "to": "2026-11-02T00:00:00+07:00"}),
    )
    async def asked(request: Request) -> Response:
        """Every exchange in which a source was asked, or was about to be: to hold its own list against."""
        caller = await edge.caller(request)
        wanted = await form_of(request, edge.settings, AskedRequest)
        source = source_of(caller, wanted.source)
        equals = {"source": source} | ({"service": wanted.service} if wanted.service else {})
        rows, fixed = await edge.search.counted_now(Search(equals, **span_of(wanted)))
        await record_report(edge, caller, "reconcile", {**equals, **span_of(wanted), "looked_at": rows})
        pages = edge.search.stream(fixed, rows)
        return StreamingResponse(_lines(pages), 200, {"cache-control": "no-store"}, NDJSON)

    @router.post(
        "/v1/disclosures/known",
        tags=["reports"],
        responses=answers(KnownBody, "Those that the log has, with this source")
        | problems(*SCOPE, *BODY, *LOG, Denied),
        openapi_extra=takes(KnownRequest, {"exchanges": ["ex_01m7wb6qj8t193z10bnff2mwqt"]}),
    )
    async def known(request: Request) -> Response:
        """Which of these exchanges the log has, and with what outcome; another source's count as unknown."""
        caller = await edge.caller(request)
        wanted = await form_of(request, edge.settings, KnownRequest, limit=LARGEST)
        source = source_of(caller, wanted.source)
        await record_report(edge, caller, "reconcile", {"source": source, "asked": len(wanted.exchanges)})
        found = await edge.search.these(wanted.exchanges)
        return Json({"known": [_told(one) for one in found if one["source"] == source]})

    return router


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise MalformedRequest("there is no such day", "ไม่มีวันที่ระบุ") from None


async def _lines(pages: AsyncIterator[list[dict[str, Any]]]) -> AsyncIterator[bytes]:
    async for page in pages:
        yield b"".join(
            orjson.dumps(_told(one), option=orjson.OPT_APPEND_NEWLINE) for one in page if one["outcome"] != "refused"
        )


def _told(one: dict[str, Any]) -> dict[str, Any]:
    return {name: one[name] for name in _TOLD}
