"""What every report needs: who may have it, of which time it is, and the entry that says that it was made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from starlette.requests import Request

from gateway.errors import Denied, InsufficientScope, MalformedRequest, Reason
from gateway.exchangelog import Subject
from gateway.http.edge import Edge
from gateway.http.report_documents import BreachReport, Span
from gateway.model import Caller, now, timestamp


def may_see(caller: Caller, kind: str, record: Mapping[str, Any]) -> bool:
    """Whether a reader of the registers is shown this record: requests of persons only to those concerned, and of
    exchanges withheld from a person to no agency's.
    """
    if kind == "opening":
        return not caller.agency
    return kind != "rights" or not caller.agency or caller.agency in (record["agency"], record["source"])


def scope_needed(name: str) -> InsufficientScope:
    """The token lacks it."""
    return InsufficientScope(f"this needs the scope {name}", f"ต้องมีขอบเขตสิทธิ์ {name}")


def not_yours() -> Denied:
    """Another agency's."""
    reason = Reason(
        code="role_not_allowed",
        policy="governance",
        section="PDPA B.E. 2562 s.37(1)",
        title_en="this is another agency's",
        title_th="รายการนี้เป็นของหน่วยงานอื่น",
        remedy_en="ask that agency, or the gateway's auditor or DPO",
        remedy_th="ติดต่อหน่วยงานนั้น หรือผู้ตรวจสอบหรือเจ้าหน้าที่คุ้มครองข้อมูลส่วนบุคคลของเกตเวย์",
    )
    return Denied((reason,))


async def governing(edge: Edge, request: Request) -> Caller:
    """An operator of any role."""
    caller = await edge.caller(request)
    if not caller.scopes & {"admin", "audit"}:
        raise scope_needed("admin or audit")
    return caller


def source_of(caller: Caller, named: str | None) -> str:
    """Whose exchanges as a source: a caller's own agency's; an auditor names one. Raises what stands against it."""
    source = named or caller.agency
    if not caller.agency and "audit" not in caller.scopes:
        raise scope_needed("audit")
    if caller.agency and caller.agency != source:
        raise not_yours()
    if not source:
        raise MalformedRequest("name the source", "ต้องระบุ source")
    return source


class Times(TypedDict):
    """RFC 3339 UTC; None: open."""

    since: str | None
    until: str | None


def span_of(wanted: Span | BreachReport) -> Times:
    """The time that a report is of."""
    return {
        "since": timestamp(wanted.since) if wanted.since else None,
        "until": timestamp(wanted.until) if wanted.until else None,
    }


def head_of(report: str, caller: Caller, wanted: Span | BreachReport) -> dict[str, Any]:
    """What every report begins with."""
    span = span_of(wanted)
    return {
        "report": report,
        "made_at": timestamp(now()),
        "made_by": caller.id,
        "from": span["since"],
        "to": span["until"],
    }


async def record_report(
    edge: Edge, caller: Caller, report: str, asked: Mapping[str, Any], person: Subject | None = None
) -> None:
    """`audit.search`: who had which report made, and why; a person only as the pseudonym."""
    moment = now()
    await edge.log.ready(moment)
    entry = edge.log.draft(
        "audit.search",
        moment,
        parties={"operator": caller.id, "role": caller.role or caller.kind, "agency": caller.agency},
        subject={"pseudonym": person.hex} if person else {},
        content={"report": report, **{name: value for name, value in asked.items() if value is not None}},
    )
    await edge.store.append([entry])
