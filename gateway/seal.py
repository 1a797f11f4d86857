"""The answer's seal: an HTTP message signature (RFC 9421) over status, content and the request it answers.

Label `linkage`, Ed25519, over `@status`, `content-type`, `content-digest` (RFC 9530), the method and path of the
request, and its Content-Digest where it had one: without that, whoever stands in between could show a caller the
fresh answer to another question of its own. The receipt is in the body and so under the seal: a promise that the
entry is in the log.

And the gateway's introduction to a source: what it is asked for, on whose behalf, as a JWS (RFC 7515) by the same key
that the source can verify, count and keep. It never names the person.
"""

from __future__ import annotations

import hashlib
import time
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass, field

import orjson
from nacl.bindings import crypto_sign, crypto_sign_BYTES

from gateway.keys import Keys
from gateway.model import Answer

CONTENT_TYPE = "application/json"
INTRODUCTION = "linkage-exchange+jwt"
_COMPONENTS = '"@status" "content-type" "content-digest" "@method";req "@path";req'


@dataclass(frozen=True, slots=True)
class Sealed:
    """An answer as bytes, with the headers that carry its seal."""

    body: bytes = field(repr=False)
    headers: dict[str, str]


class Sealer:
    """Signs answers, and introductions to sources, with the gateway's sealing key. `issuer`: the gateway's base URL."""

    def __init__(self, keys: Keys, issuer: str = "") -> None:
        key = keys.sealing_key()
        self._secret = key.private_bytes_raw() + key.public_key().public_bytes_raw()
        self._kid = keys.seal["kid"]
        self._issuer = issuer
        self._header = _base64url(orjson.dumps({"alg": "EdDSA", "kid": self._kid, "typ": INTRODUCTION}))

    def introduction(self, exchange_id: str, agency: str, service: str, consumer: str, purpose: str) -> str:
        """The `Linkage-Exchange` of one question to `agency`: header, claims and signature, a compact JWS.

        `typ` keeps it apart from all else that this key signs; `exchange` is what the log has the exchange under.
        """
        claims = {
            "iss": self._issuer,
            "aud": agency,
            "iat": int(time.time()),
            "exchange": exchange_id,
            "service": service,
            "consumer": consumer,
            "purpose": purpose,
        }
        signed = f"{self._header}.{_base64url(orjson.dumps(claims))}"
        return f"{signed}.{_base64url(self._signed(signed.encode()))}"

    def seal(
        self, answer: Answer, *, method: str = "POST", path: str = "/v1/exchanges", request_digest: str | None = None
    ) -> Sealed:
        """The answer's JSON with Content-Digest, Signature-Input and Signature.

        `request_digest`: the request's own Content-Digest, which was found to be its body's.
        """
        body = orjson.dumps(answer.as_json())
        digest = f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"
        covered, asked = _COMPONENTS, ""
        if request_digest is not None:
            covered, asked = f'{_COMPONENTS} "content-digest";req', f'"content-digest";req: {request_digest}\n'
        parameters = f'({covered});created={int(time.time())};keyid="{self._kid}";alg="ed25519"'
        base = (
            f'"@status": 200\n"content-type": {CONTENT_TYPE}\n"content-digest": {digest}\n'
            f'"@method";req: {method}\n"@path";req: {path}\n{asked}"@signature-params": {parameters}'
        )
        signature = b64encode(self._signed(base.encode())).decode()
        return Sealed(
            body,
            {
                "content-type": CONTENT_TYPE,
                "content-digest": digest,
                "signature-input": f"linkage={parameters}",
                "signature": f"linkage=:{signature}:",
                "cache-control": "no-store",
            },
        )

    def _signed(self, message: bytes) -> bytes:
        """The Ed25519 signature of `message`, by libsodium: OpenSSL takes three times as long for the same one."""
        return crypto_sign(message, self._secret)[:crypto_sign_BYTES]


def _base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
