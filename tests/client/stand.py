"""A gateway of a few lines, and the same calls through either client."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import parse_qs

import httpx
from http_message_signatures import HTTPMessageSigner, algorithms
from http_message_signatures.resolvers import MappingKeyResolver

from gateway.client import AsyncGateway, Gateway
from gateway.keys import import_key, new_key, public_key

URL = "https://gateway.example.go.th"
CITIZEN = "9100000000011"
COVERED = ("@status", "content-type", "content-digest", '"@method";req', '"@path";req')
QUESTION: Any = {"service": "dopa.person.v1", "purpose": "welfare.old-age-allowance", "citizen_id": CITIZEN}


@dataclass
class Stand:
    """A gateway's outside, scripted: it issues tokens, and seals answers with another library's signer."""

    seal_key: dict[str, Any] = field(default_factory=lambda: new_key("EdDSA", "seal-1"))
    expires_in: int = 600
    tokens: list[str] = field(default_factory=list)
    revoked: set[str] = field(default_factory=set)
    forms: list[dict[str, list[str]]] = field(default_factory=list)
    asked: list[httpx.Request] = field(default_factory=list)
    jwks_fetched: int = 0
    answer: Callable[[httpx.Request], httpx.Response] | None = None
    change: Callable[[httpx.Response], httpx.Response] = field(default=lambda response: response)
    created: int | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            self.forms.append(parse_qs(request.content.decode()))
            self.tokens.append(f"token-{len(self.tokens) + 1}")
            body = {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": self.expires_in}
            return httpx.Response(200, json=body)
        if request.url.path == "/.well-known/jwks.json":
            self.jwks_fetched += 1
            return httpx.Response(200, json={"keys": [public_key(new_key("ES256")), public_key(self.seal_key)]})
        self.asked.append(request)
        token = request.headers["authorization"].removeprefix("Bearer ")
        if token in self.revoked or token not in self.tokens:
            return httpx.Response(401, json={"code": "invalid_token", "title": "no", "status": 401})
        if self.answer is not None:
            return self.answer(request)
        return self.change(self.sealed(request))

    def sealed(self, request: httpx.Request, service: str | None = None) -> httpx.Response:
        """A 200 as the contract gives it, signed by http-message-signatures."""
        body = {
            "exchange_id": "ex_01",
            "service": service or json.loads(request.content)["service"],
            "source": {"agency": "dopa", "retrieved_at": "2026-11-20T04:17:08Z", "as_of": None},
            "data": {"life_status": "alive"},
            "decision": {"agreement": "a", "term": "t", "lawful_basis": "24(4)", "consent_id": None},
            "receipt": {"log": "log", "entry": "00" * 32, "index": 7},
        }
        content = json.dumps(body).encode()
        digest = b64encode(hashlib.sha256(content).digest()).decode()
        headers = {"content-type": "application/json", "content-digest": f"sha-256=:{digest}:"}
        response = httpx.Response(200, headers=headers, content=content, request=request)
        keys = MappingKeyResolver(
            public_keys={}, private_keys={self.seal_key["kid"]: cast(Any, import_key(self.seal_key).private_key)}
        )
        HTTPMessageSigner(signature_algorithm=algorithms.ED25519, key_resolver=keys).sign(
            response,
            key_id=self.seal_key["kid"],
            label="linkage",
            created=datetime.fromtimestamp(self.created or int(time.time()), UTC),
            covered_component_ids=(
                *COVERED,
                *(('"content-digest";req',) if "content-digest" in request.headers else ()),
            ),
            use_existing_digest=True,
        )
        return response


class Both:
    """The same calls through either client."""

    def __init__(self, kind: str, stand: Stand, key: Any, **options: Any) -> None:
        self._loop = asyncio.new_event_loop() if kind == "async" else None
        transport = httpx.MockTransport(stand)
        client = AsyncGateway if kind == "async" else Gateway
        self._client: Any = client(URL, "city", key, transport=transport, **options)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*given: Any, **named: Any) -> Any:
            result = method(*given, **named)
            return self._loop.run_until_complete(result) if self._loop else result

        return call
