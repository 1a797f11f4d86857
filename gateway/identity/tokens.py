"""Access tokens: issued for a client assertion, and checked on every other call.

A client or operator proves itself with `private_key_jwt` (RFC 7523): ES256 or EdDSA, by a key it registered. The
token it gets is an ES256 JWT (RFC 9068) of ten minutes that names the key it was got with, so that revoking that key,
suspending the client or its agency ends its tokens at once. A checked token is remembered until it expires; whose it
is, and whether that one still may, is looked up in the registers on each call.
"""

from __future__ import annotations

import hmac
import secrets
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.util import urlsafe_b64decode

from gateway.errors import BoundToken, HolderNotAccepted, InsufficientScope, InvalidDpopProof, InvalidToken, OAuthError
from gateway.identity.directory import Directory, allowed_scopes, current_key
from gateway.identity.proofs import Proofs, access_token_hash
from gateway.identity.sender import Binding, Presented
from gateway.keys import Keys, algorithm_of, import_key
from gateway.model import Caller, Client, Operator, Proof
from gateway.store import AlreadyUsed, Once, Store

TOKEN_SECONDS = 600
ASSERTION_SECONDS = 300
LEEWAY = 10
"""Seconds that a caller's clock may be off."""
_LONGEST_TOKEN = 4096
_MOST_REMEMBERED = 4096
"""Verified tokens kept, some 2.5 KiB each: of so many clients within ten minutes, the oldest let go of first."""


@dataclass(frozen=True, slots=True)
class _Checked:
    """An access token whose signature has held: what it says, what it is bound to, its hash (RFC 9449 `ath`)."""

    claims: dict[str, Any]
    binding: Binding
    ath: str


class Identity:
    """Issues and checks tokens. `issuer`: the gateway's base URL."""

    def __init__(self, keys: Keys, store: Store, issuer: str) -> None:
        self.issuer = issuer
        self.token_endpoint = f"{issuer.rstrip('/')}/oauth/token"
        self.proofs = Proofs(keys, issuer)
        self._store = store
        self._key = import_key(keys.token)
        self._kid = keys.token["kid"]
        self._replay_keys = keys.derive_all("replay")
        self._checked: dict[str, _Checked] = {}

    # -- the token endpoint -------------------------------------------------------------------------------

    async def issue(
        self, assertion: str, scope: str | None, directory: Directory, sender: Presented, client_id: str | None = None
    ) -> dict[str, Any]:
        """An access token for a good assertion. Raises OAuthError (RFC 6749 s.5.2), LogUnavailable."""
        holder, kid, claims = self._proven(assertion, directory, sender.address)
        if client_id is not None and client_id != holder.id:  # RFC 7521 s.4.2: one and the same
            raise OAuthError("invalid_client", "the client assertion is not valid")
        allowed = allowed_scopes(holder)
        asked = frozenset(scope.split()) if scope else allowed
        if not asked or not asked <= allowed:
            raise OAuthError("invalid_scope", "a scope is asked for that this client may not have")
        binding, proof = self._binding(holder, sender)
        try:
            mark, until = f"{holder.id}\0{claims['jti']}".encode(), int(claims["exp"]) + LEEWAY
            used = [Once(hmac.digest(key, mark, "sha256"), until) for key in self._replay_keys]
            await self._store.append([], [*used, *([Once(proof.digest, proof.expires)] if proof else ())])
        except AlreadyUsed:
            raise OAuthError("invalid_client", "the assertion, or its DPoP proof, was used before") from None
        now = int(time.time())
        confirmed = {"cnf": binding.claim()} if binding.claim() else {}
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
                **confirmed,
            },
            self._key,
        )
        return {
            "access_token": token,
            "token_type": "Bearer" if binding.jkt is None else "DPoP",
            "expires_in": TOKEN_SECONDS,
            "scope": " ".join(sorted(asked)),
        }

    def _binding(self, holder: Client | Operator, sender: Presented) -> tuple[Binding, Proof | None]:
        """What the token is to be bound to: all that its request shows, and no less than the client demands."""
        jkt, proof = None, None
        if sender.proofs:
            try:
                jkt, proof = self.proofs.check(sender)
            except BoundToken as error:
                raise OAuthError(error.code, error.detail_en) from None
        binding = Binding(jkt, sender.certificate)
        if not binding.satisfies(holder):
            raise OAuthError("invalid_request", "this client has its tokens bound: send a DPoP proof or a certificate")
        return binding, proof

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
            jwk = current_key(holder, kid) if holder else None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise refused from None
        if holder is None or jwk is None or not directory.may_call(holder, address):
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

    def identify(self, sender: Presented, directory: Directory, scope: str | None) -> Caller:
        """The caller behind `Authorization`. Raises InvalidToken (or of its kind) or InsufficientScope.

        Its `proof`, where it has one, is still to be spent: with what records the call, or by `spend`.
        """
        scheme, _, token = (sender.authorization or "").partition(" ")
        scheme = scheme.lower()
        if scheme not in ("bearer", "dpop") or not token:
            raise InvalidToken(
                "send Authorization: Bearer (or DPoP) and an access token",
                "ต้องส่ง Authorization: Bearer (หรือ DPoP) พร้อมโทเคน",
            )
        checked = self._checked.get(token) or self._check(token, directory)
        claims = checked.claims
        if claims["exp"] <= time.time():
            self._checked.pop(token, None)
            raise InvalidToken("the access token has expired", "โทเคนการเข้าถึงหมดอายุ")
        holder = directory.accepted(claims["sub"], claims["key_id"], sender.address)
        if holder is None:
            raise _no_longer_accepted()
        if not checked.binding.satisfies(holder):
            raise InvalidToken(
                "this client's tokens have to be bound: ask for a new one, with a DPoP proof or a certificate",
                "โทเคนของระบบนี้ต้องผูกกับกุญแจหรือใบรับรอง โปรดขอโทเคนใหม่",
            )
        checked.binding.require(scheme, sender)
        proof = None
        if checked.binding.jkt is not None:
            _, proof = self.proofs.check(sender, jkt=checked.binding.jkt, ath=checked.ath)
        caller = _caller(holder, claims["scope"], claims["key_id"], sender.address, proof)
        if scope is not None and scope not in caller.scopes:
            raise InsufficientScope(f"this needs the scope {scope}", f"ต้องมีขอบเขตสิทธิ์ {scope}")
        return caller

    def require_accepted(self, caller: Caller, directory: Directory) -> None:
        """HolderNotAccepted where the registers as they are no longer accept the caller, its key or its address."""
        if directory.accepted(caller.id, caller.key_id, caller.address) is None:
            raise _no_longer_accepted()

    async def spend(self, caller: Caller) -> None:
        """Marks the call's proof as used, where no entry does so. Raises InvalidDpopProof, LogUnavailable."""
        if caller.proof is None:
            return
        try:
            await self._store.append([], [Once(caller.proof.digest, caller.proof.expires)])
        except AlreadyUsed:
            raise used_before() from None

    def _check(self, token: str, directory: Directory) -> _Checked:
        if len(token) > _LONGEST_TOKEN:
            raise InvalidToken
        try:
            decoded = jwt.decode(token, self._key_of(token, directory), algorithms=["ES256"])
        except (JoseError, ValueError, TypeError, KeyError, RecursionError):
            raise InvalidToken("the access token is not one of this gateway's", "โทเคนไม่ได้ออกโดยเกตเวย์นี้") from None
        claims = decoded.claims
        if (
            decoded.header.get("typ") != "at+jwt"
            or claims.get("iss") != self.issuer
            or claims.get("aud") != self.issuer
        ):
            raise InvalidToken("the access token is not one of this gateway's", "โทเคนไม่ได้ออกโดยเกตเวย์นี้")
        if len(self._checked) >= _MOST_REMEMBERED:
            del self._checked[next(iter(self._checked))]
        self._checked[token] = checked = _Checked(claims, Binding.of(claims), access_token_hash(token))
        return checked

    def _key_of(self, token: str, directory: Directory) -> Key:
        """Our own key, or the one that another gateway has taken up already or that we had until just now."""
        kid = orjson.loads(urlsafe_b64decode(token.partition(".")[0].encode()))["kid"]
        other = directory.token_keys.get(kid) if kid != self._kid else None
        if other is None or (other.until is not None and other.until <= time.time()):
            return self._key
        return import_key(dict(other.jwk))


def used_before() -> InvalidDpopProof:
    """For a proof that comes a second time."""
    return InvalidDpopProof("the DPoP proof was used before: sign one for each request", "หลักฐาน DPoP ถูกใช้ไปแล้ว")


def _no_longer_accepted() -> HolderNotAccepted:
    return HolderNotAccepted(
        "the access token's client, its key, or the address it is used from is no longer accepted",
        "ระบบผู้ใช้ กุญแจ หรือที่อยู่เครือข่ายของโทเคนนี้ไม่เป็นที่ยอมรับ",
    )


@lru_cache(maxsize=4096)
def _scopes(scope: str) -> frozenset[str]:
    return frozenset(scope.split())


def _caller(holder: Client | Operator, scope: str, kid: str, address: str, proof: Proof | None) -> Caller:
    client = isinstance(holder, Client)
    return Caller(
        id=holder.id,
        agency=holder.agency,
        kind="client" if client else "operator",
        role="" if isinstance(holder, Client) else holder.role,
        scopes=_scopes(scope),
        key_id=kid,
        address=address,
        proof=proof,
    )
