"""The token endpoint (RFC 6749, RFC 7523) and what a client finds out by itself (RFC 8414, RFC 7517)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.current import Holding
from gateway.errors import GatewayError, LogUnavailable, OAuthError, Overloaded
from gateway.http.documents import OAuthProblem, TokenBody
from gateway.http.edge import Edge
from gateway.http.reading import FORM, address_of, body_of, presented
from gateway.http.responses import LOG, answers, problems
from gateway.keyhistory import published_jwks

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_ASKED = ("client_assertion", "scope", "client_id")
_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["grant_type", "client_assertion_type", "client_assertion"],
    "properties": {
        "grant_type": {"type": "string", "enum": ["client_credentials"]},
        "client_assertion_type": {"type": "string", "enum": [ASSERTION_TYPE]},
        "client_assertion": {"type": "string"},
        "client_id": {"type": "string"},
        "scope": {"type": "string", "example": "exchange"},
    },
}
_DOCUMENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The document", "content": {"application/json": {"schema": {"type": "object"}}}}
}


def metadata(issuer: str) -> dict[str, Any]:
    """RFC 8414 metadata."""
    base = issuer.rstrip("/")
    return {
        "issuer": issuer,
        "token_endpoint": f"{base}/oauth/token",
        "jwks_uri": f"{base}/.well-known/jwks.json",
        "grant_types_supported": ["client_credentials"],
        "response_types_supported": [],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES256", "EdDSA"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
        "tls_client_certificate_bound_access_tokens": True,
        "scopes_supported": ["admin", "audit", "consent", "exchange"],
    }


def routes(edge: Edge) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(tags=["tokens"])

    @router.post(
        "/oauth/token",
        responses=answers(TokenBody, "An access token")
        | answers(OAuthProblem, "The request is refused", 400)
        | answers(OAuthProblem, "The client is not accepted", 401)
        | problems(*LOG),
        openapi_extra={"requestBody": {"required": True, "content": {FORM: {"schema": _FORM}}}},
    )
    async def token(request: Request) -> Response:
        """Client credentials with private_key_jwt: an assertion in, an access token of ten minutes out.

        With a DPoP proof (RFC 9449) the token is bound to its key, with a client certificate to that (RFC 8705).
        """
        address = address_of(request, edge.settings)
        try:
            parameters = _parameters(await body_of(request, edge.settings, media=FORM))
            _check(parameters)
            sender = presented(request, edge.settings)

            async def issue(holding: Holding) -> dict[str, Any]:
                assertion, scope, client_id = (parameters.get(name) for name in _ASKED)
                return await edge.identity.issue(str(assertion), scope, holding.directory, sender, client_id)

            issued = await edge.current.judged(issue, OAuthError)
        except OAuthError:
            edge.turned_away.count(address, "token_refused")
            raise
        except (LogUnavailable, Overloaded):
            raise
        except GatewayError as error:
            edge.turned_away.count(address, "token_refused")
            raise OAuthError("invalid_request", error.detail_en) from None
        return JSONResponse(issued, headers={"cache-control": "no-store", "pragma": "no-cache"})

    @router.get("/.well-known/oauth-authorization-server", responses=_DOCUMENT)
    async def authorization_server(_: Request) -> Response:
        """Where and how to get a token (RFC 8414)."""
        return JSONResponse(metadata(edge.settings.issuer))

    @router.get("/.well-known/jwks.json", responses=_DOCUMENT)
    async def jwks(_: Request) -> Response:
        """The public keys that tokens and answers are signed with (RFC 7517)."""
        return JSONResponse({"keys": published_jwks(edge.keys, edge.current.holding.registers)})

    return router


def _parameters(body: bytes) -> dict[str, str]:
    """The form's parameters; none may stand twice (RFC 6749 s.3.2)."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=20)
    except ValueError:
        raise OAuthError("invalid_request", "the form cannot be read") from None
    parameters = dict(pairs)
    if len(parameters) != len(pairs):
        raise OAuthError("invalid_request", "a parameter stands twice")
    return {key: value for key, value in parameters.items() if value}


def _check(parameters: dict[str, str]) -> None:
    if "grant_type" not in parameters:
        raise OAuthError("invalid_request", "grant_type is missing")
    if parameters["grant_type"] != "client_credentials":
        raise OAuthError("unsupported_grant_type", "only client_credentials")
    if parameters.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in parameters:
        raise OAuthError("invalid_client", "authenticate with private_key_jwt (RFC 7523)")
