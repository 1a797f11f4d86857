"""The gateway's client: a token and a question in three lines.

    with Gateway("https://gateway.example.go.th", "client-id", "client.jwk") as gateway:
        answer = gateway.exchange(service="dopa.person.v1", purpose="welfare.old-age-allowance",
                                  citizen_id="9…", officer="A-0117")
        print(answer.data, answer.receipt)

Tokens (RFC 6749 client credentials with RFC 7523 assertions) are fetched, kept until shortly before they expire, and
renewed. Every answer's seal is checked with the gateway's published key, or with `gateway_keys` (a JWK set) where you
pin it. A citizen ID goes into a body, never into a URL. Redirects are not followed, and neither proxies nor other
settings are taken from the environment.

`AsyncGateway` is the same with `async with` and `await`. What a call may raise: `gateway.client.failures`.
"""

from __future__ import annotations

from gateway.client.answer import Answer
from gateway.client.awaited import AsyncGateway
from gateway.client.blocking import Gateway
from gateway.client.failures import ClientError, NotForUrl, Problem, UnexpectedAnswer, Unreachable, UntrustedAnswer

__all__ = [
    "Answer",
    "AsyncGateway",
    "ClientError",
    "Gateway",
    "NotForUrl",
    "Problem",
    "UnexpectedAnswer",
    "Unreachable",
    "UntrustedAnswer",
]
