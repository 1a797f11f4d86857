"""A client that proves its key (RFC 9449), by hand: JWS from `cryptography` alone, and every part to be spoiled."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import Any

import httpx
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.client.signing import ASSERTION_TYPE
from tests.harness import RunningGateway
from tests.identity.assertions import claims_of, key_of, signed

WIRE = httpx.Client(trust_env=False, timeout=20)
GONE = object()
"""The value of a claim or header member that is left out."""


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Prover:
    """A key of its own, the newest nonce it was told, and its token once it has one."""

    def __init__(self, gateway: RunningGateway, name: str = "city-a-welfare", algorithm: str = "ES256") -> None:
        self.gateway, self.name, self.algorithm = gateway, name, algorithm
        self.key: Any = self.fresh_key()
        self.nonce: str | None = None
        self.token = ""

    def fresh_key(self) -> Any:
        if self.algorithm == "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        return ed25519.Ed25519PrivateKey.generate()

    def jwk(self, *, private: bool = False) -> dict[str, str]:
        if self.algorithm == "ES256":
            numbers = self.key.private_numbers()
            public = numbers.public_numbers
            jwk = {"kty": "EC", "crv": "P-256", "x": b64(public.x.to_bytes(32)), "y": b64(public.y.to_bytes(32))}
            return {**jwk, "d": b64(numbers.private_value.to_bytes(32))} if private else jwk
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(self.key.public_key().public_bytes_raw())}
        return {**jwk, "d": b64(self.key.private_bytes_raw())} if private else jwk

    def thumbprint(self) -> str:
        return b64(hashlib.sha256(json.dumps(self.jwk(), sort_keys=True, separators=(",", ":")).encode()).digest())

    def sign(self, data: bytes) -> bytes:
        if self.algorithm == "ES256":
            r, s = utils.decode_dss_signature(self.key.sign(data, ec.ECDSA(SHA256())))
            return r.to_bytes(32) + s.to_bytes(32)
        signature: bytes = self.key.sign(data)
        return signature

    def proof(self, method: str, url: str, header: dict[str, Any] | None = None, **change: Any) -> str:
        """A good proof, with members of header and claims changed, added or (GONE) left out."""
        head = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk(), **(header or {})}
        claims: dict[str, Any] = {"jti": secrets.token_hex(12), "htm": method, "htu": url, "iat": int(time.time())}
        if self.nonce is not None:
            claims["nonce"] = self.nonce
        if self.token:
            claims["ath"] = b64(hashlib.sha256(self.token.encode()).digest())
        parts = [
            b64(json.dumps({name: value for name, value in members.items() if value is not GONE}).encode())
            for members in (head, {**claims, **change})
        ]
        return ".".join([*parts, b64(self.sign(".".join(parts).encode()))])

    def ask_token(self, make: Callable[[], str | list[str]] | None = None, **headers: str) -> httpx.Response:
        """One token request, and once more with the nonce where the gateway wants it. `make`: the proof."""
        url = f"{self.gateway.url}/oauth/token"

        def once() -> httpx.Response:
            proofs = make() if make else self.proof("POST", url)
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": signed(key_of(self.gateway, self.name), claims_of(self.gateway, self.name)),
            }
            lines = [("dpop", proof) for proof in ([proofs] if isinstance(proofs, str) else proofs)]
            return WIRE.post(url, data=form, headers=[*lines, *headers.items()])

        return self._with_nonce(once)

    def bind(self) -> Prover:
        """Gets a token that is bound to the key."""
        response = self.ask_token()
        assert response.status_code == 200, response.text
        assert response.json()["token_type"] == "DPoP"
        self.token = response.json()["access_token"]
        return self

    def call(
        self,
        path: str = "/v1/services",
        make: Callable[[], str | list[str]] | None = None,
        *,
        method: str = "GET",
        scheme: str = "DPoP",
        content: bytes | None = None,
        header_name: str = "DPoP",
    ) -> httpx.Response:
        """One call, and once more with the nonce where the gateway wants it. `make`: the proofs of the call."""
        url = self.gateway.url + path

        def once() -> httpx.Response:
            proofs = make() if make else self.proof(method, url)
            lines = [(header_name, proof) for proof in ([proofs] if isinstance(proofs, str) else proofs)]
            headers = [("authorization", f"{scheme} {self.token}"), *lines]
            if content is not None:
                headers.append(("content-type", "application/json"))
            return WIRE.request(method, url, headers=headers, content=content)

        return self._with_nonce(once)

    def _with_nonce(self, once: Callable[[], httpx.Response]) -> httpx.Response:
        response = once()
        wanted = response.json() if response.status_code in (400, 401) else {}
        self.nonce = response.headers.get("dpop-nonce", self.nonce)
        if "use_dpop_nonce" in (wanted.get("error"), wanted.get("code")):
            response = once()
            self.nonce = response.headers.get("dpop-nonce", self.nonce)
        return response
