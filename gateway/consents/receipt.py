"""The consent receipt that the citizen keeps: a JWS by the gateway's sealing key over the record as it then was.

Anyone can check it with the keys at /.well-known/jwks.json; it names the entry of the exchange log that the event
left, so that it can be held against the log years later.
"""

from __future__ import annotations

import time
from typing import Any

import orjson
from joserfc import jws

from gateway.consents.record import Record, for_citizen
from gateway.keys import Keys, import_key
from gateway.model import Receipt

TYPE = "linkage-consent+jwt"


def signed_receipt(keys: Keys, issuer: str, record: Record, revision: int, entry: Receipt) -> str:
    """The receipt in JWS compact form (EdDSA, Ed25519). `entry`: where the log has the latest event."""
    header = {"alg": "EdDSA", "kid": keys.seal["kid"], "typ": TYPE}
    payload: dict[str, Any] = {
        "iss": issuer,
        "iat": int(time.time()),
        "jti": f"{record['id']}@{revision}",
        "consent": {**for_citizen(record), "revision": revision},
        "log": {"log": entry.log, "entry": entry.entry, "index": entry.index},
    }
    key = import_key(keys.seal)
    return jws.serialize_compact(header, orjson.dumps(payload, option=orjson.OPT_SORT_KEYS), key, algorithms=["EdDSA"])
