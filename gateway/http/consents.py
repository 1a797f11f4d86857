"""Consents over HTTP: collected by offices, and shown and withdrawn by whoever holds the code."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, TypeVar

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import (
    Conflict,
    Denied,
    GatewayError,
    InvalidCitizenId,
    NotFound,
    TooManyRequests,
    UnknownField,
    UnknownService,
)
from gateway.http.by_code import Tries
from gateway.http.consent_documents import (
    AddGuardian,
    ChangeConsent,
    ConfirmConsent,
    ConsentBody,
    ConsentChanged,
    ConsentGiven,
    ConsentList,
    ConsentSearch,
    GiveConsent,
    WithdrawalCode,
)
from gateway.http.edge import Edge
from gateway.http.json import Json
from gateway.http.reading import address_of, form_of
from gateway.http.responses import BODY, LOG, SCOPE, answers, problems, takes

T = TypeVar("T")
ConsentId = Annotated[str, Path(description="The consent's id.", examples=["cns_01m7wb6qj8t193z10bnff2mwqt"])]
GIVE_LIMIT = 192 * 1024
"""A notice of the longest in Thai, written as JSON escapes, and the rest."""
_GIVE = {
    "citizen_id": "9000000000012",
    "service": "moe.student.v1",
    "purpose": "education.scholarship",
    "fields": ["grade", "gpax"],
    "notice": {"id": "scholarship-notice", "version": "1", "language": "th", "text": "เทศบาลขอใช้ผลการเรียนของท่าน…"},
    "validity": {"to": "2027-03-31T16:59:59Z"},
    "use_limit": {"times": 2, "per": "all"},
    "age_band": "adult",
    "evidence": {
        "method": "id-card-at-counter",
        "assurance": 3,
        "officer": "somsri.j",
        "reference": "SCH/2569/0042",
        "notice_sha256": "0" * 64,
    },
}
_SEARCH = {"citizen_id": "9000000000012", "reason": "the citizen asks at the counter"}
_CODE = {"code": "7Q4M-2B9X-0KTW-E5RD-3HGV"}
_WHY = {"reason": "the citizen asked at the counter"}
_PROOF = {"method": "id-card-at-counter", "assurance": 3, "reference": "SCH/2569/0042", "notice_sha256": "0" * 64}
_GUARDIAN = {
    "citizen_id": "9000000000012",
    "guardian": {"relation": "parent", "citizen_id": "9000000000021", "evidence": _PROOF},
}
_CONFIRM = {
    "citizen_id": "9000000000012",
    "age_band": "minor_10_19",
    "confirm_by": "2027-11-20T00:00:00+07:00",
    "by": "citizen",
    "evidence": _PROOF,
}
_DOES = {
    "withdraw": ("withdrawn", "Withdraws a consent for the citizen: from its entry on, nothing is released on it."),
    "pause": ("paused", "Pauses a consent for the citizen, who may resume it (PDPA s.34)."),
    "resume": ("resumed", "Resumes a paused consent for the citizen."),
}


def routes(edge: Edge) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(tags=["consents"])
    tries = Tries()

    async def counted(request: Request, work: Awaitable[T]) -> T:
        """What `work` gives; one that is turned away for its form is counted."""
        try:
            return await work
        except GatewayError as error:
            if error.status in (400, 408, 413, 415, 429):
                edge.turned_away.count(address_of(request, edge.settings), error.code)
            raise

    @router.post(
        "/v1/consents",
        status_code=201,
        responses=answers(ConsentGiven, "The consent is on record", 201)
        | problems(*SCOPE, *BODY, *LOG, InvalidCitizenId, UnknownField, UnknownService, Denied),
        openapi_extra=takes(GiveConsent, _GIVE),
    )
    async def give(request: Request) -> Response:
        """Takes a citizen's consent, as a collector that the agreement's term names."""
        caller = await edge.caller(request, "consent")
        form = await counted(request, form_of(request, edge.settings, GiveConsent, limit=GIVE_LIMIT))
        given = await counted(request, edge.consenting.give(caller, form))
        return Json(given.as_json(), 201)

    @router.post(
        "/v1/consents/search",
        responses=answers(ConsentList, "The citizen's consents") | problems(*SCOPE, *BODY, *LOG, InvalidCitizenId),
        openapi_extra=takes(ConsentSearch, _SEARCH),
    )
    async def search(request: Request) -> Response:
        """A citizen's consents as far as they concern the caller. Each look is itself an entry in the log."""
        caller = await edge.caller(request, "consent")
        form = await counted(request, form_of(request, edge.settings, ConsentSearch))
        found = await counted(request, edge.consenting.search(caller, form.citizen_id, form.reason))
        return Json({"consents": found})

    @router.post(
        "/v1/consents/by-code/view",
        responses=answers(ConsentBody, "The consent") | problems(*BODY, *LOG, NotFound, TooManyRequests),
        openapi_extra=takes(WithdrawalCode, _CODE),
    )
    async def view_by_code(request: Request) -> Response:
        """Shows the consent that the code of the printed receipt is of. Needs no token."""
        form = await coded(request)
        return Json(await edge.consenting.view_by_code(form.code))

    @router.post(
        "/v1/consents/by-code/withdraw",
        responses=answers(ConsentChanged, "Withdrawn, and on record")
        | problems(*BODY, *LOG, NotFound, Conflict, TooManyRequests),
        openapi_extra=takes(WithdrawalCode, _CODE),
    )
    async def withdraw_by_code(request: Request) -> Response:
        """Withdraws the consent that the code of the printed receipt is of. Needs no token."""
        form = await coded(request)
        return Json((await edge.consenting.withdraw_by_code(form.code)).as_json())

    async def coded(request: Request) -> WithdrawalCode:
        address = address_of(request, edge.settings)
        try:
            tries.take(address)
        except TooManyRequests as error:
            edge.turned_away.count(address, error.code)
            raise
        return await counted(request, form_of(request, edge.settings, WithdrawalCode))

    @router.get(
        "/v1/consents/{consent_id}",
        responses=answers(ConsentBody, "The consent") | problems(*SCOPE, *LOG, NotFound),
    )
    async def view(request: Request, consent_id: ConsentId) -> Response:
        """One consent, for its consumer, collector and source."""
        caller = await edge.caller(request, "consent")
        return Json(await edge.consenting.view(caller, consent_id))

    changed = answers(ConsentChanged, "Done, and on record")
    changed = changed | problems(*SCOPE, *BODY, *LOG, InvalidCitizenId, Denied, NotFound, Conflict)

    @router.post("/v1/consents/{consent_id}/guardian", responses=changed, openapi_extra=takes(AddGuardian, _GUARDIAN))
    async def add_guardian(request: Request, consent_id: ConsentId) -> Response:
        """A parent, guardian or curator consents too, to a consent that was given before (PDPA s.20)."""
        caller = await edge.caller(request, "consent")
        form = await counted(request, form_of(request, edge.settings, AddGuardian))
        return Json((await counted(request, edge.consenting.add_guardian(caller, consent_id, form))).as_json())

    @router.post("/v1/consents/{consent_id}/confirm", responses=changed, openapi_extra=takes(ConfirmConsent, _CONFIRM))
    async def confirm(request: Request, consent_id: ConsentId) -> Response:
        """Confirms the citizen's age band and legal capacity, or says what they are now (PDPA s.20)."""
        caller = await edge.caller(request, "consent")
        form = await counted(request, form_of(request, edge.settings, ConfirmConsent))
        return Json((await counted(request, edge.consenting.confirm(caller, consent_id, form))).as_json())

    for verb in _DOES:
        _change_route(router, edge, verb)
    return router


def _change_route(router: APIRouter, edge: Edge, verb: str) -> None:
    kind, description = _DOES[verb]

    @router.post(
        f"/v1/consents/{{consent_id}}/{verb}",
        name=f"{verb}_consent",
        description=description,
        responses=answers(ConsentChanged, "Done, and on record")
        | problems(*SCOPE, *BODY, *LOG, Denied, NotFound, Conflict),
        openapi_extra=takes(ChangeConsent, _WHY),
    )
    async def change(request: Request, consent_id: ConsentId) -> Response:
        caller = await edge.caller(request, "consent")
        form = await form_of(request, edge.settings, ChangeConsent)
        return Json((await edge.consenting.change(caller, consent_id, kind, form.reason)).as_json())
