"""Looking back: one's own exchanges, and the auditor's search. Every search is itself an entry in the log."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import GatewayError, InvalidCitizenId, MalformedRequest, NotFound
from gateway.exchangelog import EQUALS, Search
from gateway.http.documents import EntryList, ExchangeBody, ExchangeContents, OneEntry
from gateway.http.edge import Edge
from gateway.http.json import Json
from gateway.http.reading import address_of, form_of
from gateway.http.record_documents import Criteria, ExportRequest, SearchBody, SearchRequest
from gateway.http.responses import BODY, LOG, SCOPE, TOKEN, answers, problems, takes
from gateway.model import Caller, IdentifierKind, now, require_identifier, timestamp

ExchangeId = Annotated[str, Path(description="The exchange's id.", examples=["ex_01m7wb6qj8t193z10bnff2mwqt"])]
_EXAMPLE = {"consumer": "city-chiangmai", "outcome": "refused", "limit": 20}


def routes(edge: Edge) -> APIRouter:
    """The routes of this module."""
    router = APIRouter()

    @router.get(
        "/v1/exchanges/{exchange_id}",
        tags=["exchanges"],
        responses=answers(ExchangeBody, "The exchange") | problems(*TOKEN, *LOG, NotFound),
    )
    async def exchange(request: Request, exchange_id: ExchangeId) -> Response:
        """One exchange, for the consumer that asked and the source that was asked."""
        caller = await edge.caller(request)
        found = await edge.search.one(exchange_id)
        if not caller.agency or caller.agency not in (found["consumer"], found["source"]):
            raise NotFound("no exchange of this id", "ไม่พบรายการแลกเปลี่ยนตามรหัสนี้")
        return Json(found)

    @router.post(
        "/v1/audit/exchanges/search",
        tags=["audit"],
        responses=answers(SearchBody, "A page of exchanges") | problems(*SCOPE, *BODY, *LOG, InvalidCitizenId),
        openapi_extra=takes(SearchRequest, _EXAMPLE),
    )
    async def search(request: Request) -> Response:
        """Exchanges by time, party, service, purpose, case, outcome, agreement or person."""
        caller = await edge.caller(request, "audit")
        try:
            wanted = await form_of(request, edge.settings, SearchRequest)
            query = query_of(edge, wanted)
        except GatewayError as error:
            edge.turned_away.count(address_of(request, edge.settings), error.code)
            raise
        await record_search(edge, caller, wanted)
        exchanges, cursor = await edge.search.run(query)
        return Json({"exchanges": exchanges, "next_cursor": cursor})

    @router.get(
        "/v1/audit/exchanges/{exchange_id}",
        tags=["audit"],
        responses=answers(ExchangeContents, "The exchange with its entries") | problems(*SCOPE, *LOG, NotFound),
    )
    async def contents(request: Request, exchange_id: ExchangeId) -> Response:
        """One exchange with what its entries hold."""
        caller = await edge.caller(request, "audit")
        found = await edge.search.one(exchange_id)
        await record_search(edge, caller, None, exchange=exchange_id)
        return Json({**found, "contents": await _proved(edge, [one["index"] for one in found["entries"]])})

    @router.get(
        "/v1/audit/entries",
        tags=["audit"],
        responses=answers(EntryList, "Entries in order") | problems(*SCOPE, *LOG, MalformedRequest),
    )
    async def entries(
        request: Request,
        after: Annotated[int, Query(ge=0, le=2**62, description="The first index wanted.")] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Response:
        """The log's entries of every kind, with their contents."""
        caller = await edge.caller(request, "audit")
        await record_search(edge, caller, None, entries=[after, limit])
        found = await edge.log.entries(after, limit)
        return Json({"entries": found, "next": found[-1]["index"] + 1 if len(found) == limit else None})

    @router.get(
        "/v1/audit/entries/{index}",
        tags=["audit"],
        responses=answers(OneEntry, "The entry") | problems(*SCOPE, *LOG, NotFound, MalformedRequest),
    )
    async def entry(
        request: Request, index: Annotated[int, Path(ge=0, le=2**62, description="Its place in the log.", examples=[1])]
    ) -> Response:
        """One entry of any kind with its contents, and the proof that it is in the log."""
        caller = await edge.caller(request, "audit")
        if index >= await edge.log.size():
            raise NotFound("the log has no entry of that index", "ไม่มีรายการลำดับนี้")
        await record_search(edge, caller, None, entries=[index, 1])
        return Json((await _proved(edge, [index]))[0])

    return router


async def _proved(edge: Edge, indexes: list[int]) -> list[dict[str, Any]]:
    """Entries with their contents, each with its proof."""
    proofs = await edge.published.proofs(indexes)
    opened = [one for index in indexes for one in await edge.log.entries(index, 1)]
    return [{**one, "proof": proof} for one, proof in zip(opened, proofs, strict=True)]


def query_of(edge: Edge, wanted: Criteria) -> Search:
    """The search that a body asks for, a person in it as the pseudonym. MalformedRequest, InvalidCitizenId."""
    person = None
    for kind in IdentifierKind:
        value = getattr(wanted, kind.value)
        if value is None:
            continue
        if wanted.reason is None:
            raise MalformedRequest(
                "a search about a person needs a reason, which is recorded",
                "การค้นหาตามบุคคลต้องระบุเหตุผล ซึ่งจะถูกบันทึกไว้",
            )
        identifier = require_identifier(value, kind, sandbox=edge.settings.sandbox)
        person = edge.log.subject(kind.value, identifier)
    return Search(
        equals={name: value for name in EQUALS if (value := getattr(wanted, name)) is not None},
        since=timestamp(wanted.since) if wanted.since else None,
        until=timestamp(wanted.until) if wanted.until else None,
        subject=person.pseudonym if person else None,
        earlier=person.earlier if person else (),
        reason=wanted.reason_code,
        cases=tuple(wanted.case_references) if isinstance(wanted, ExportRequest) and wanted.case_references else None,
        limit=wanted.limit if isinstance(wanted, SearchRequest) else 1,
        cursor=wanted.cursor if isinstance(wanted, SearchRequest) else None,
    )


async def record_search(edge: Edge, caller: Caller, wanted: Criteria | None, **asked: Any) -> int:
    """`audit.search`: who looked at the log, for what, and why; a person only as the pseudonym. Returns its index.

    `asked`: what else there is to say of it, as the entry's content is to have it.
    """
    moment = now()
    await edge.log.ready(moment)
    subject: dict[str, Any] = {}
    if wanted is not None:
        asked |= wanted.model_dump(mode="json", exclude={"citizen_id", "juristic_id", "cursor"}, exclude_none=True)
        for kind in IdentifierKind:
            if (value := getattr(wanted, kind.value)) is not None:
                subject = {"pseudonym": edge.log.subject(kind.value, value).hex}
    entry = edge.log.draft(
        "audit.search",
        moment,
        parties={"operator": caller.id, "role": caller.role},
        subject=subject,
        content=asked,
    )
    return (await edge.store.append([entry])).indexes[0]


async def record_reading(edge: Edge, caller: Caller, exchange: str) -> None:
    """`audit.search` for an auditor's look at one exchange."""
    await record_search(edge, caller, None, exchange=exchange)
