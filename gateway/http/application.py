"""The ASGI application: routes, the one error handler, and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from gateway import __version__, errors
from gateway.errors import GatewayError, GatewayFailed, InvalidToken, LogUnavailable, MalformedRequest
from gateway.http import (
    admin,
    catalogue,
    consent_documents,
    consents,
    documents,
    evidence,
    governance_documents,
    health,
    judging,
    log_documents,
    notices,
    oauth,
    person_reports,
    record_documents,
    record_exports,
    records,
    report_documents,
    reports,
    responses,
    summaries,
    transparency,
)
from gateway.http.drain import Drain
from gateway.http.edge import Edge
from gateway.http.exchange import ExchangeRoute
from gateway.http.problems import Shield, from_framework, render, report
from gateway.http.reading import address_of

TITLE = "Linkage Gateway"
_DOCUMENTS = (documents, record_documents, governance_documents, consent_documents, log_documents, report_documents)
_OPEN = ("/oauth/token", "/healthz", "/readyz", "/metrics", "/.well-known/", "/log/", "/v1/consents/by-code/")
_ASKS = {
    "post": {
        "tags": ["exchanges"],
        "summary": "Ask one question about one person",
        "operationId": "exchange",
        "description": (
            "Judged by the agreement, the purpose and the rules; only granted fields pass; the exchange is on "
            "record before the source is asked, and its outcome before the answer leaves. The answer is signed "
            "(RFC 9421, label `linkage`). A repeated POST is a new exchange. A Content-Digest (RFC 9530, `sha-256` or "
            "`sha-512`) is checked, here as wherever a body is read, and is then under the answer's signature. A "
            "token that is bound to a key (RFC 9449) comes as `Authorization: DPoP`, with a proof in the header DPoP."
        ),
        **responses.takes(
            documents.QuestionBody,
            {
                "service": "dopa.person.v1",
                "citizen_id": "9111111111114",
                "purpose": "welfare.old-age-allowance",
                "officer": "somsri.j",
                "case_reference": "OAA/2569/0042",
            },
        ),
        "responses": responses.answers(
            documents.AnswerBody,
            "The granted fields, sealed",
            headers={
                "Content-Digest": "RFC 9530, `sha-256`.",
                "Signature-Input": "RFC 9421: what the seal covers, by which key, when. It covers the request's own "
                'Content-Digest (`"content-digest";req`) where it had one: send it, and demand it.',
                "Signature": "RFC 9421, Ed25519, by a key of /.well-known/jwks.json.",
            },
        )
        | responses.problems(
            *responses.SCOPE,
            *responses.BODY,
            *responses.LOG,
            errors.InvalidCitizenId,
            errors.UnknownField,
            errors.Denied,
            errors.UnknownService,
            errors.CitizenNotFound,
            errors.QuotaExceeded,
            errors.AgencyMisbehaved,
            errors.AgencyUnavailable,
            errors.OutsideServiceHours,
            errors.AgencyTimeout,
        ),
    }
}


def application(edge: Edge, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]], drain: Drain) -> ASGIApp:
    """The whole edge over one gateway."""
    exchange = ExchangeRoute(edge)

    def nonce() -> str:
        return edge.identity.proofs.nonce()

    return Shield(routed(edge, exchange, lifespan), {("POST", "/v1/exchanges"): exchange}, nonce=nonce, drain=drain)


def routed(
    edge: Edge,
    exchange: ExchangeRoute,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None,
) -> FastAPI:
    """Every route, with the error handlers. A redirect would repeat the query string: there are none."""
    app = FastAPI(
        title=TITLE, version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.router.routes.append(Route("/v1/exchanges", exchange.answer, methods=["POST"]))
    for module in (
        oauth,
        catalogue,
        consents,
        judging,
        record_exports,
        records,
        evidence,
        person_reports,
        reports,
        summaries,
        notices,
        transparency,
        admin,
        health,
    ):
        app.include_router(module.routes(edge))

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, GatewayError)
        if isinstance(error, InvalidToken):
            edge.turned_away.count(address_of(request, edge.settings), error.code)
        if isinstance(error, LogUnavailable | GatewayFailed):
            report(error)
        return render(error)

    app.add_exception_handler(GatewayError, ours)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(Exception, _failed)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    return app


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, generated once."""
    if app.openapi_schema is None:
        schema = get_openapi(title=TITLE, version=__version__, routes=app.routes, description=_DESCRIPTION)
        models = [
            (model, "validation")
            for module in _DOCUMENTS
            for model in vars(module).values()
            if isinstance(model, type) and issubclass(model, BaseModel) and model not in (BaseModel, documents.Document)
        ]
        _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
        components = schema.setdefault("components", {})
        components["schemas"] = dict(sorted(definitions["$defs"].items()))
        components["examples"] = responses.examples()
        components["securitySchemes"] = {
            "token": {
                "type": "oauth2",
                "flows": {
                    "clientCredentials": {
                        "tokenUrl": "/oauth/token",
                        "scopes": {
                            "exchange": "ask questions",
                            "consent": "record consents",
                            "audit": "search the exchange log",
                            "admin": "acts of governance",
                        },
                    }
                },
            }
        }
        schema["paths"] = {"/v1/exchanges": _ASKS, **schema["paths"]}
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                documented = operation["responses"] | responses.problems(*responses.ALWAYS)
                documented.pop("422", None)
                operation["responses"] = {str(status): documented[status] for status in sorted(documented, key=int)}
                if not path.startswith(_OPEN):
                    operation["security"] = [{"token": []}]
        app.openapi_schema = schema
    return app.openapi_schema


_DESCRIPTION = (
    "An agency's system asks one question about one citizen, under an agreement, for a purpose; the gateway judges "
    "it, asks the agency that holds the answer, passes on only the granted fields, and leaves a record that anyone "
    "can check. Errors are application/problem+json (RFC 9457) with a stable `code`."
)


async def _framework(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return render(from_framework(error))


async def _failed(_: Request, __: Exception) -> Response:
    """What nothing else caught: the framework sends this in place of its own text, and raises on to the shield."""
    return render(GatewayFailed())


async def _invalid(_: Request, error: Exception) -> Response:
    """FastAPI's own 422 would quote the input."""
    assert isinstance(error, RequestValidationError)
    places = "; ".join(".".join(str(part) for part in mistake["loc"][:2]) for mistake in error.errors()[:10])
    return render(MalformedRequest(f"a parameter is not valid: {places}", f"พารามิเตอร์ไม่ถูกต้อง: {places}"))
