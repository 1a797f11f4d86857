"""The answer's seal: an HTTP message signature (RFC 9421) over status, content and the request it answers.

Label `linkage`, Ed25519, over `@status`, `content-type`, `content-digest` (RFC 9530), the method and path of the
request, and its Content-Digest where it had one: without that, whoever stands in between could show a caller the
fresh answer to another question of its own. The receipt is in the body and so under the seal: a promise that the
entry is in the log.
"""

from __future__ import annotations

import hashlib
import time
from base64 import b64encode
from dataclasses import dataclass, field

import orjson

from gateway.keys import Keys
from gateway.model import Answer

CONTENT_TYPE = "application/json"
_COMPONENTS = '"@status" "content-type" "content-digest" "@method";req "@path";req'


@dataclass(frozen=True, slots=True)
class Sealed:
    """An answer as bytes, with the headers that carry its seal."""

    body: bytes = field(repr=False)
    headers: dict[str, str]


class Sealer:
    """Signs answers with the gateway's sealing key."""

    def __init__(self, keys: Keys) -> None:
        self._key = keys.sealing_key()
        self._kid = keys.seal["kid"]

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
        signature = b64encode(self._key.sign(base.encode())).decode()
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
