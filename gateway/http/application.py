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

from gateway import __version__
from gateway.errors import GatewayError, MalformedRequest
from gateway.http import admin, catalogue, documents, health, oauth, records
from gateway.http.edge import Edge
from gateway.http.exchange import ExchangeRoute
from gateway.http.problems import Shield, from_framework, render

TITLE = "Linkage Gateway"
_OPEN = ("/oauth/token", "/healthz", "/readyz", "/metrics", "/.well-known/")
_ASKS = {
    "post": {
        "tags": ["exchanges"],
        "summary": "Ask one question about one person",
        "operationId": "exchange",
        "description": (
            "Judged by the agreement, the purpose and the rules; only granted fields pass; the exchange is on "
            "record before the source is asked, and its outcome before the answer leaves. The answer is signed "
            "(RFC 9421, label `linkage`). A repeated POST is a new exchange."
        ),
        **documents.takes(
            documents.QuestionBody,
            {
                "service": "dopa.person.v1",
                "citizen_id": "9000000000017",
                "purpose": "welfare.old-age-allowance",
                "officer": "somsri.j",
                "case_reference": "OAA/2569/0042",
            },
        ),
        "responses": {
            str(status): response
            for status, response in (
                documents.answers(documents.AnswerBody, "The granted fields, sealed")
                | documents.problems(400, 401, 403, 404, 408, 413, 415, 429, 500, 502, 503, 504)
            ).items()
        },
    }
}


def application(edge: Edge, lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]]) -> ASGIApp:
    """The whole edge over one gateway."""
    app = FastAPI(title=TITLE, version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    exchange = ExchangeRoute(edge)
    app.router.routes.append(Route("/v1/exchanges", exchange.answer, methods=["POST"]))
    for module in (oauth, catalogue, records, admin, health):
        app.include_router(module.routes(edge))
    app.add_exception_handler(GatewayError, _ours)
    app.add_exception_handler(HTTPException, _framework)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]
    return Shield(app, {("POST", "/v1/exchanges"): exchange})


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, generated once."""
    if app.openapi_schema is None:
        schema = get_openapi(title=TITLE, version=__version__, routes=app.routes, description=_DESCRIPTION)
        models = [
            (model, "validation")
            for model in vars(documents).values()
            if isinstance(model, type) and issubclass(model, BaseModel) and model not in (BaseModel, documents.Document)
        ]
        _, definitions = models_json_schema(models, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
        components = schema.setdefault("components", {})
        components["schemas"] = dict(sorted(definitions["$defs"].items()))
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
                operation["responses"].pop("422", None)
                if not path.startswith(_OPEN):
                    operation["security"] = [{"token": []}]
        app.openapi_schema = schema
    return app.openapi_schema


_DESCRIPTION = (
    "An agency's system asks one question about one citizen, under an agreement, for a purpose; the gateway judges "
    "it, asks the agency that holds the answer, passes on only the granted fields, and leaves a record that anyone "
    "can check. Errors are application/problem+json (RFC 9457) with a stable `code`."
)


async def _ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, GatewayError)
    return render(error)


async def _framework(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return render(from_framework(error))


async def _invalid(_: Request, error: Exception) -> Response:
    """FastAPI's own 422 would quote the input."""
    assert isinstance(error, RequestValidationError)
    places = "; ".join(str(mistake["loc"][0]) for mistake in error.errors()[:10])
    return render(MalformedRequest(f"a parameter is not valid: {places}", f"พารามิเตอร์ไม่ถูกต้อง: {places}"))
