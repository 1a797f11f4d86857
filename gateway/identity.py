"""Who calls: client assertions in (RFC 7523), access tokens out (RFC 9068), access tokens checked.

A client or operator proves itself with `private_key_jwt`: ES256 or EdDSA, by a key it registered. The token it
gets is an ES256 JWT of ten minutes that names the key it was got with, so that revoking that key, suspending
the client or its agency ends its tokens at once. A checked token is remembered until it expires; whose it
is, and whether that one still may, is looked up in the registers on each call.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from gateway.errors import InsufficientScope, InvalidToken, OAuthError
from gateway.keys import Keys, algorithm_of, import_key
from gateway.model import Caller, Client, Operator
from gateway.store import AlreadyUsed, Once, Store

TOKEN_SECONDS = 600
ASSERTION_SECONDS = 300
LEEWAY = 10
"""Seconds that a caller's clock may be off."""
_LONGEST_TOKEN = 4096
_MOST_REMEMBERED = 20_000
ROLE_SCOPES = {
    "admin": frozenset({"admin", "consent"}),
    "owner": frozenset({"admin", "consent"}),
    "auditor": frozenset({"audit"}),
    "dpo": frozenset({"admin", "audit", "consent"}),
}
"""What an operator of each role may ask a token for. A dpo reads; every act checks the role again."""


@dataclass(frozen=True, slots=True)
class Directory:
    """Those who may hold tokens, as the registers have them now."""

    clients: Mapping[str, Client]
    operators: Mapping[str, Operator]
    active_agencies: frozenset[str]

    def holder(self, name: str) -> Client | Operator | None:
        """The client or operator of this id."""
        return self.clients.get(name) or self.operators.get(name)

    def may_act(self, holder: Client | Operator) -> bool:
        """Active, and of an active agency where it has one."""
        return holder.status == "active" and (not holder.agency or holder.agency in self.active_agencies)


class Identity:
    """Issues and checks tokens. `issuer`: the gateway's base URL."""

    def __init__(self, keys: Keys, store: Store, issuer: str) -> None:
        self.issuer = issuer
        self.token_endpoint = f"{issuer.rstrip('/')}/oauth/token"
        self._store = store
        self._key = import_key(keys.token)
        self._kid = keys.token["kid"]
        self._replay_key = keys.derive("replay")
        self._checked: dict[str, dict[str, Any]] = {}

    # -- the token endpoint -------------------------------------------------------------------------------

    async def issue(
        self, assertion: str, scope: str | None, directory: Directory, address: str, client_id: str | None = None
    ) -> dict[str, Any]:
        """An access token for a good assertion. Raises OAuthError (RFC 6749 s.5.2), LogUnavailable."""
        holder, kid, claims = self._proven(assertion, directory, address)
        if client_id is not None and client_id != holder.id:  # RFC 7521 s.4.2: one and the same
            raise OAuthError("invalid_client", "the client assertion is not valid")
        allowed = holder.scopes if isinstance(holder, Client) else ROLE_SCOPES[holder.role]
        asked = frozenset(scope.split()) if scope else allowed
        if not asked or not asked <= allowed:
            raise OAuthError("invalid_scope", "a scope is asked for that this client may not have")
        try:
            digest = hmac.digest(self._replay_key, f"{holder.id}\0{claims['jti']}".encode(), "sha256")
            await self._store.append([], [Once(digest, int(claims["exp"]) + LEEWAY)])
        except AlreadyUsed:
            raise OAuthError("invalid_client", "the assertion was used before") from None
        now = int(time.time())
        token = jwt.encode(
            {"alg": "ES256", "typ": "at+jwt", "kid": self._kid},
            {
                "iss": self.issuer,
                "aud": self.issuer,
                "sub": holder.id,
                "client_id": holder.id,
                "key_id": kid,
                "scope": " ".join(sorted(asked)),
                "iat": now,
                "exp": now + TOKEN_SECONDS,
                "jti": secrets.token_urlsafe(12),
            },
            self._key,
        )
        return {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": " ".join(sorted(asked)),
        }

    def _proven(
        self, assertion: str, directory: Directory, address: str
    ) -> tuple[Client | Operator, str, dict[str, Any]]:
        """Whose assertion it is, by which key, with which claims; invalid_client where anything is wrong."""
        refused = OAuthError("invalid_client", "the client assertion is not valid")
        if len(assertion) > _LONGEST_TOKEN:
            raise refused
        try:
            header, unproven = (orjson.loads(urlsafe_b64decode(part.encode())) for part in assertion.split(".")[:2])
            holder, kid = directory.holder(unproven["sub"]), header["kid"]
            jwk = _current_key(holder, kid) if holder else None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise refused from None
        if holder is None or jwk is None or not _may(holder, directory, address):
            raise refused
        try:
            claims = jwt.decode(assertion, import_key(jwk), algorithms=[algorithm_of(jwk)]).claims
        except (JoseError, ValueError, TypeError, RecursionError):
            raise refused from None
        now = time.time()
        expires, begins, issued = claims.get("exp", 0), claims.get("nbf", now), claims.get("iat", now)
        jti = claims.get("jti")
        good = (
            claims.get("iss") == claims.get("sub") == holder.id
            and claims.get("aud") in (self.issuer, self.token_endpoint)
            and all(
                isinstance(moment, int | float) and not isinstance(moment, bool) for moment in (expires, begins, issued)
            )
            and now - LEEWAY < expires <= now + ASSERTION_SECONDS + LEEWAY
            and begins <= now + LEEWAY
            and issued <= now + LEEWAY
            and isinstance(jti, str)
            and 0 < len(jti) <= 256
        )
        if not good:
            raise refused
        return holder, kid, claims

    # -- every other call ---------------------------------------------------------------------------------

    def identify(self, authorization: str | None, directory: Directory, address: str, scope: str | None) -> Caller:
        """The caller behind `Authorization: Bearer …`. Raises InvalidToken or InsufficientScope."""
        kind, _, token = (authorization or "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise InvalidToken(
                "send Authorization: Bearer and an access token", "ต้องส่ง Authorization: Bearer พร้อมโทเคน"
            )
        claims = self._checked.get(token) or self._check(token)
        if claims["exp"] <= time.time():
            self._checked.pop(token, None)
            raise InvalidToken("the access token has expired", "โทเคนการเข้าถึงหมดอายุ")
        holder = directory.holder(claims["sub"])
        if holder is None or _current_key(holder, claims["key_id"]) is None or not _may(holder, directory, address):
            raise InvalidToken(
                "the access token's client, its key, or the address it is used from is no longer accepted",
                "ระบบผู้ใช้ กุญแจ หรือที่อยู่เครือข่ายของโทเคนนี้ไม่เป็นที่ยอมรับ",
            )
        caller = _caller(holder, claims["scope"], claims["key_id"], address)
        if scope is not None and scope not in caller.scopes:
            raise InsufficientScope(f"this needs the scope {scope}", f"ต้องมีขอบเขตสิทธิ์ {scope}")
        return caller

    def _check(self, token: str) -> dict[str, Any]:
        if len(token) > _LONGEST_TOKEN:
            raise InvalidToken
        try:
            decoded = jwt.decode(token, self._key, algorithms=["ES256"])
        except (JoseError, ValueError, TypeError, RecursionError):
            raise InvalidToken("the access token is not one of this gateway's", "โทเคนไม่ได้ออกโดยเกตเวย์นี้") from None
        claims = decoded.claims
        if (
            decoded.header.get("typ") != "at+jwt"
            or claims.get("iss") != self.issuer
            or claims.get("aud") != self.issuer
        ):
            raise InvalidToken("the access token is not one of this gateway's", "โทเคนไม่ได้ออกโดยเกตเวย์นี้")
        if len(self._checked) >= _MOST_REMEMBERED:
            self._checked.clear()
        self._checked[token] = claims
        return claims


def _current_key(holder: Client | Operator, kid: object) -> dict[str, Any] | None:
    for key in holder.keys:
        if key["kid"] == kid and kid not in holder.revoked_kids:
            return key
    return None


def _may(holder: Client | Operator, directory: Directory, address: str) -> bool:
    """Active, of an active agency where it has one, and calling from a network it may call from."""
    if not directory.may_act(holder):
        return False
    return not isinstance(holder, Client) or not holder.networks or _within(address, holder.networks)


@lru_cache(maxsize=4096)
def _within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in ipaddress.ip_network(block) for block in networks)


@lru_cache(maxsize=4096)
def _scopes(scope: str) -> frozenset[str]:
    return frozenset(scope.split())


def _caller(holder: Client | Operator, scope: str, kid: str, address: str) -> Caller:
    client = isinstance(holder, Client)
    return Caller(
        id=holder.id,
        agency=holder.agency,
        kind="client" if client else "operator",
        role="" if isinstance(holder, Client) else holder.role,
        scopes=_scopes(scope),
        key_id=kid,
        address=address,
    )
