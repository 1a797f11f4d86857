"""`private_key_jwt`: who we are, shown to a source's token endpoint by an assertion that we sign (RFC 7523, RFC 7521).

Each assertion is good for one minute and carries an id of its own, so that one that was seen is worth nothing.
"""

from __future__ import annotations

import secrets
import time
from typing import Any, Final

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from gateway.plugin import AgencyUnavailable

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SECONDS: Final = 60
_LEAST_RSA_BITS: Final = 2048
_KEYS: Final[dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {
    "RS256": RSAKey,
    "PS256": RSAKey,
    "ES256": ECKey,
    "EdDSA": OKPKey,
}


def client_assertion(private_key: str, client_id: str, audience: str, *, algorithm: str, kid: str | None = None) -> str:
    """The assertion as a compact JWS. Raises AgencyUnavailable (`secret_unusable`) where the key is not one for it."""
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "jti": secrets.token_urlsafe(24),
        "iat": now,
        "exp": now + _SECONDS,
    }
    try:
        key = _key(private_key, algorithm)
        named = kid or key.kid
        header = {"alg": algorithm, "typ": "JWT", **({"kid": named} if named else {})}
        return jwt.encode(header, claims, key, algorithms=[algorithm])
    except (JoseError, ValueError, TypeError, KeyError):
        pass  # the error's text may quote the key
    raise AgencyUnavailable("secret_unusable")


def _key(text: str, algorithm: str) -> Key:
    kind = _KEYS[algorithm]
    key: Key = kind.import_key(text if text.startswith("-----") else orjson.loads(text))
    if not key.is_private:
        raise ValueError("not a private key")
    if isinstance(key, RSAKey) and key.raw_value.key_size < _LEAST_RSA_BITS:
        raise ValueError("too short a key")
    return key
