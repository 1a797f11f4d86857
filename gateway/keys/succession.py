"""Which key takes which one's place: a statement signed by the log's key of that time.

A compact JWS (EdDSA, type `linkage-key+jwt`) over `{"key": kind, "kid", "previous", "public": JWK or null, "time"}`.
The log's own key is followed the same way: the old one signs for the new one. So whoever holds one verifier key
can follow the chain to every later one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError

from gateway.keys.jwk import import_key

KINDS = ("log", "seal", "token", "pseudonym", "master")
TYPE = "linkage-key+jwt"


class BadSuccession(Exception):
    """A statement is not signed by the log's key, or does not say what it should."""


@dataclass(frozen=True, slots=True)
class Succession:
    """One key in another's place. `public`: the new one's public JWK, None for a secret key. `time`: RFC 3339."""

    kind: str
    kid: str
    previous: str
    public: dict[str, Any] | None
    time: str

    def signed(self, log_key: dict[str, Any]) -> str:
        """The statement, signed by the log's private JWK."""
        payload = {
            "key": self.kind,
            "kid": self.kid,
            "previous": self.previous,
            "public": self.public,
            "time": self.time,
        }
        header = {"alg": "EdDSA", "kid": log_key["kid"], "typ": TYPE}
        text = orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)
        return jws.serialize_compact(header, text, import_key(log_key), algorithms=["EdDSA"])


def read_succession(text: str, log_keys: Mapping[str, dict[str, Any]]) -> Succession:
    """A statement, checked with the log's public JWK that it names. `log_keys`: kid -> JWK. BadSuccession."""
    try:
        signed = jws.extract_compact(text.encode())
        key = log_keys[str(signed.headers()["kid"])]
        payload = orjson.loads(jws.deserialize_compact(text, import_key(key), algorithms=["EdDSA"]).payload)
        if signed.headers().get("typ") != TYPE or payload["key"] not in KINDS:
            raise BadSuccession("not a statement about a key")
        found = Succession(
            payload["key"], str(payload["kid"]), str(payload["previous"]), payload["public"], payload["time"]
        )
    except (JoseError, ValueError, KeyError, TypeError, AttributeError):
        raise BadSuccession("the statement about a key is not signed by a key of the log") from None
    return found
