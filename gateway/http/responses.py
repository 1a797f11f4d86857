"""What a route may answer, as the OpenAPI document shows it: good answers, and errors straight from the error tree.

A route names the errors it may end with; statuses, codes, titles and examples come from the classes themselves,
so that the document cannot say anything else than what is rendered.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel

from gateway.errors import (
    Denied,
    GatewayError,
    GatewayFailed,
    InsufficientScope,
    InvalidDpopProof,
    InvalidToken,
    LogUnavailable,
    MalformedRequest,
    MethodNotAllowed,
    OAuthError,
    Overloaded,
    QuotaExceeded,
    Reason,
    RequestTimeout,
    TooLarge,
    TooManyRequests,
    UnsupportedMediaType,
    UseDpopNonce,
)
from gateway.http.problems import PROBLEM, render

Responses = dict[int | str, dict[str, Any]]

TOKEN = (InvalidToken, InvalidDpopProof, UseDpopNonce, TooManyRequests)
"""Any route that wants a token."""
SCOPE = (*TOKEN, InsufficientScope)
"""Any route that wants a token of a certain scope."""
BODY = (MalformedRequest, RequestTimeout, TooLarge, UnsupportedMediaType)
"""Any route that reads a JSON body."""
LOG = (LogUnavailable, Overloaded)
"""Any route that writes or reads the database."""
ALWAYS = (MethodNotAllowed, GatewayFailed)
"""Any route at all."""

_MEANINGS = {
    400: "Not well formed",
    401: "No good access token",
    403: "Refused by scope, role or the rules",
    404: "Not found",
    405: "Method not allowed",
    408: "The body did not arrive in time",
    409: "Conflicts with the present state",
    413: "Too large",
    415: "Wrong content type",
    429: "Quota used up, or too many requests",
    500: "A fault of the gateway",
    502: "The source's answer cannot be used",
    503: "The source, the log or the gateway is not available",
    504: "The source did not answer in time",
}
_NO_STORE = {"Cache-Control": {"schema": {"type": "string", "const": "no-store"}, "required": True}}
_REASON = Reason(
    code="field_not_covered",
    policy="agreement-fields",
    section="PDPA s.22",
    title_en="The agreement's term does not cover a field asked for",
    title_th="ข้อตกลงไม่ครอบคลุมรายการข้อมูลที่ขอ",
    remedy_en="leave the field out, or have the agreement amended",
    remedy_th="ไม่ขอรายการนั้น หรือแก้ไขข้อตกลง",
    ask="data-owner@agency.example",
    fields=("father_name",),
)


def codes() -> list[str]:
    """Every code of the error tree."""
    return sorted(_by_code())


def examples() -> dict[str, Any]:
    """An example of each code, as it is rendered."""
    return {code: {"summary": kind.title_en, "value": _example(kind)} for code, kind in sorted(_by_code().items())}


def _by_code() -> dict[str, type[GatewayError]]:
    """The first class of each code, from the root down (SourceFault has none of its own)."""
    found: dict[str, type[GatewayError]] = {}
    for kind in _tree(GatewayError):
        if kind is not OAuthError and "code" in vars(kind):
            found.setdefault(kind.code, kind)
    return found


def problems(*errors: type[GatewayError]) -> Responses:
    """The `responses` of a route: the errors' statuses, each with an example a code."""
    responses: Responses = {}
    for kind in sorted(set(errors), key=lambda error: (error.status, error.code)):
        response = responses.setdefault(
            kind.status,
            {
                "description": _MEANINGS[kind.status],
                "headers": dict(_NO_STORE),
                "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemBody"}, "examples": {}}},
            },
        )
        response["headers"] |= _headers(kind)
        response["content"][PROBLEM]["examples"][kind.code] = {"$ref": f"#/components/examples/{kind.code}"}
    for response in responses.values():
        named = ", ".join(f"`{code}`" for code in response["content"][PROBLEM]["examples"])
        response["description"] += f" ({named})"
    return responses


def answers(
    model: type[BaseModel], description: str, status: int = 200, headers: dict[str, str] | None = None
) -> Responses:
    """The `responses` entry of a good answer. `headers`: name -> what it says, of those that always come."""
    more = {
        name: {"description": text, "schema": {"type": "string"}, "required": True}
        for name, text in (headers or {}).items()
    }
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    content = {"application/json": {"schema": schema}}
    return {status: {"description": description, "headers": _NO_STORE | more, "content": content}}


def an_object(description: str) -> Responses:
    """The `responses` entry of a good answer whose shape is documented elsewhere (a schema, a register's record)."""
    content = {"application/json": {"schema": {"type": "object"}}}
    return {200: {"description": description, "headers": dict(_NO_STORE), "content": content}}


def takes(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its own body."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema, "example": example}}}}


def _headers(kind: type[GatewayError]) -> dict[str, Any]:
    if kind is UseDpopNonce:
        return {
            "DPoP-Nonce": {"description": "For the next proof; on every answer to one.", "schema": {"type": "string"}}
        }
    if kind is InvalidToken:
        return {"WWW-Authenticate": {"schema": {"type": "string"}, "required": True}}
    if kind is InsufficientScope:
        return {"WWW-Authenticate": {"description": "With `insufficient_scope`.", "schema": {"type": "string"}}}
    if kind is MethodNotAllowed:
        return {"Allow": {"description": "The methods there are.", "schema": {"type": "string"}, "required": True}}
    if kind.status in (429, 503):
        return {"Retry-After": {"description": "Seconds, where they are known.", "schema": {"type": "integer"}}}
    return {}


def _example(kind: type[GatewayError]) -> dict[str, Any]:
    if issubclass(kind, Denied | QuotaExceeded):
        error: GatewayError = kind((_REASON,))
    else:
        error = kind()
    body: dict[str, Any] = json.loads(bytes(render(error).body))
    return body


def _tree(kind: type[GatewayError]) -> list[type[GatewayError]]:
    """The kind and those below it that `gateway.errors` draws: a connector may have classes of its own."""
    ours = [child for child in kind.__subclasses__() if child.__module__ == GatewayError.__module__]
    return [kind, *(below for child in ours for below in _tree(child))]
