"""What the rules say without an exchange: a question explained, and the recorded facts to try draft rules on."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import (
    Denied,
    InsufficientScope,
    InvalidCitizenId,
    MalformedRequest,
    NotFound,
    Reason,
    UnknownField,
    UnknownService,
)
from gateway.exchangelog import GROUPS, OPENERS
from gateway.exchangelog.entry import OpenedEntry
from gateway.http.edge import Edge
from gateway.http.governance_documents import ExplainBody, ExplanationBody, FactsBody, FactsRequest
from gateway.http.json import Json
from gateway.http.reading import body_of, form_of
from gateway.http.responses import BODY, LOG, SCOPE, answers, problems, takes
from gateway.model import REGISTER_ID, Caller, Client, Decision, now, timestamp
from gateway.policy import Judge
from gateway.questions import question_of, read_object

PAGE = 1000
"""Entries of the log that one page of facts looks at."""
_QUESTION = {"service": "dopa.person.v1", "purpose": "welfare.old-age-allowance", "fields": ["date_of_birth"]}


def routes(edge: Edge) -> APIRouter:
    """The routes of this module."""
    router = APIRouter()

    @router.post(
        "/v1/exchanges/explain",
        tags=["exchanges"],
        responses=answers(ExplanationBody, "What would be decided")
        | problems(*SCOPE, *BODY, *LOG, Denied, NotFound, InvalidCitizenId, UnknownField, UnknownService),
        openapi_extra=takes(ExplainBody, _QUESTION),
    )
    async def explain(request: Request) -> Response:
        """What would be decided on a question now, by which rules, and what would have to change for a permit.

        No source is asked, nothing is recorded and no quota is used. A client may have its own questions explained;
        an operator those of a client: an owner where the agency is the client's or the service's.
        """
        caller = await edge.caller(request)
        if not caller.scopes & {"exchange", "admin", "audit"}:
            raise InsufficientScope(
                "this needs the scope exchange, admin or audit", "ต้องมีขอบเขตสิทธิ์ exchange admin หรือ audit"
            )
        value = read_object(await body_of(request, edge.settings))
        client = _client_named(value)
        question = question_of(value, sandbox=edge.settings.sandbox, about_someone=False)
        asker = _asker(edge, caller, client, question.service)
        decision = await edge.pipeline.explain(asker, question)
        return Json(_explained(decision, edge.current.holding.judge))

    @router.post(
        "/v1/audit/facts",
        tags=["audit"],
        responses=answers(FactsBody, "Recorded decisions with their facts") | problems(*SCOPE, *BODY, *LOG),
        openapi_extra=takes(FactsRequest, {"from": "2026-11-13T00:00:00Z"}),
    )
    async def facts(request: Request) -> Response:
        """Recorded decisions and the facts that they rest on, to try draft rules on. Each page is itself an entry."""
        caller = await edge.caller(request, "audit")
        wanted = await form_of(request, edge.settings, FactsRequest)
        moment = now()
        await edge.log.ready(moment)
        looked = {"facts": wanted.model_dump(mode="json", exclude_none=True)}
        parties = {"operator": caller.id, "role": caller.role}
        await edge.store.append([edge.log.draft("audit.search", moment, parties=parties, content=looked)])
        until = timestamp(wanted.until or moment)
        after = wanted.after if wanted.after is not None else await edge.search.first_since(timestamp(wanted.since))
        if after is None:
            return Json({"recorded": [], "next": None})

        def in_time(entry: OpenedEntry) -> bool:
            public = entry.group("public")
            return public["kind"] in OPENERS and public["time"] < until

        found = await edge.log.entries(after, PAGE, in_time)
        following = after + PAGE
        opened = [entry for entry in found if entry["public"] is not None]
        kept = await edge.pipeline.recording.facts_of([entry["subject"].get("facts") for entry in opened])
        recorded = [_recorded(entry, facts) for entry, facts in zip(opened, kept, strict=True)]
        return Json({"recorded": recorded, "next": following if following < await edge.log.size() else None})

    return router


def _client_named(value: dict[str, Any]) -> str:
    """Takes `client` out of the question; empty where it names none."""
    if "client" not in value:
        return ""
    name = value.pop("client")
    if not isinstance(name, str) or REGISTER_ID.fullmatch(name) is None:
        raise MalformedRequest("client has not the documented form", "รูปแบบ client ไม่ถูกต้อง")
    return name


def _asker(edge: Edge, caller: Caller, name: str, service: str) -> Caller:
    """The client whose question it is. Raises MalformedRequest, NotFound, Denied."""
    clients = edge.current.holding.registers.clients
    if caller.kind == "client":
        if name and name != caller.id:
            raise _not_yours()
        return caller
    if not name:
        raise MalformedRequest("an operator names the client", "ผู้ปฏิบัติงานต้องระบุ client")
    client = clients.get(name)
    if client is None:
        raise NotFound("there is no client of this id", "ไม่พบระบบตามรหัสนี้")
    if caller.agency and caller.agency not in (client.agency, service.partition(".")[0]):
        raise _not_yours()
    return _as_caller(client)


def _as_caller(client: Client) -> Caller:
    return Caller(client.id, client.agency, "client", "", client.scopes, "")


def _not_yours() -> Denied:
    reason = Reason(
        code="role_not_allowed",
        policy="governance",
        section="PDPA B.E. 2562 s.37(1)",
        title_en="the question is another agency's",
        title_th="คำถามนี้เป็นของหน่วยงานอื่น",
        remedy_en="have one of your own agency's clients explained, or a question on your own agency's services",
        remedy_th="ขอคำอธิบายของระบบในหน่วยงานท่าน หรือคำถามต่อบริการของหน่วยงานท่าน",
    )
    return Denied((reason,))


def _explained(decision: Decision, judge: Judge) -> dict[str, Any]:
    named = {info.id: info for info in judge.policies.policies}
    rules = [
        {
            "id": info.id,
            "effect": info.effect,
            "section": info.section,
            "title": info.title_en,
            "title_th": info.title_th,
        }
        for info in (named[name] for name in decision.policies if name in named)
    ]
    return {
        "permit": decision.permit,
        "agreement": decision.agreement,
        "term": decision.term,
        "lawful_basis": decision.lawful_basis,
        "authority": decision.authority,
        "consent_id": decision.consent_id,
        "fields": list(decision.fields),
        "rules": rules,
        "policy_digest": decision.policy_digest,
        "reasons": [reason.as_json() for reason in decision.reasons],
    }


def _recorded(entry: dict[str, Any], facts: dict[str, Any] | None) -> dict[str, Any]:
    public, parties, _, legal, content = (entry[name] for name in GROUPS)
    return {
        "exchange_id": public["exchange"],
        "decided_at": public["time"],
        "client": parties["client"],
        "service": parties["service"],
        "purpose": legal["purpose"],
        "policy_digest": legal["policy_digest"],
        "reasons": content["reasons"],
        "facts": facts,
    }
