"""Acts of governance, read from the log alone: each signed by a key that its operator had then.

The first act signs its own keys: whoever founded the register. From there on every key comes from an act, so a
changed, invented or forged one is found without the registers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from gateway.keys import ALGORITHMS, algorithm_of, import_key

TYPE = "linkage-act+jwt"
_SIZES = jws.JWSRegistry(algorithms=list(ALGORITHMS))
_SIZES.max_payload_length = 8 * 1024 * 1024


class BadAct(Exception):
    """An act is not what its operator signed, or not signed by a key that counted then."""


class UnknownKey(BadAct):
    """An act is signed with a key that is not known to have been its operator's."""


class Operators:
    """Which operators there are, and which of their keys count, act by act.

    `registered`: operator -> kid -> the keys that the registers name now. They count for acts after months that were
    forgotten, where the acts that enrolled an operator can no longer be read.
    """

    def __init__(self, registered: Mapping[str, Mapping[str, dict[str, Any]]] | None = None) -> None:
        self._registered = registered or {}
        self._keys: dict[str, dict[str, dict[str, Any]]] = {}
        self._suspended: set[str] = set()
        self._founded = False

    def take(
        self, parties: dict[str, Any], legal: dict[str, Any], content: dict[str, Any], *, forgotten: bool = False
    ) -> None:
        """The next act's groups, checked and then taken into account. BadAct where it does not hold.

        `forgotten`: acts before it are among what nobody can read.
        """
        operator, signed = parties.get("operator"), content.get("signed")
        if not isinstance(operator, str) or not isinstance(signed, str):
            raise BadAct("the act names no operator or has no signature")
        header, claimed = _parts(signed)
        founding = claimed.get("act") == "found" and not self._founded
        keys = {key["kid"]: key for key in claimed.get("keys", [])} if founding else self._keys.get(operator, {})
        kid = str(header.get("kid"))
        key = keys.get(kid) or (self._registered.get(operator, {}).get(kid) if forgotten else None)
        if key is None or operator in self._suspended:
            raise UnknownKey("the key that signed the act was not this operator's then")
        payload = _verified(signed, header, key)
        if payload.get("operator") != operator or payload.get("act") != legal.get("act"):
            raise BadAct("the entry says something else than the act that was signed")
        if content.get("key_id") != header["kid"]:
            raise BadAct("the entry names another key than the one that signed")
        if founding:
            self._founded = True
            self._keys[operator] = keys
        else:
            self._apply(str(payload["act"]), payload.get("body") or {})

    def _apply(self, act: str, body: dict[str, Any]) -> None:
        name = str(body.get("id"))
        if act == "operator.add":
            self._keys[name] = {key["kid"]: key for key in body["keys"]}
        elif act == "operator.key.add":
            self._keys.setdefault(name, {})[body["key"]["kid"]] = body["key"]
        elif act == "operator.key.revoke":
            self._keys.get(name, {}).pop(body["kid"], None)
        elif act == "operator.suspend":
            self._suspended.add(name)
        elif act == "operator.resume":
            self._suspended.discard(name)


def _parts(signed: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claimed payload of a compact JWS, not verified yet."""
    try:
        header, payload, _ = signed.split(".")
        parts = orjson.loads(urlsafe_b64decode(header.encode())), orjson.loads(urlsafe_b64decode(payload.encode()))
    except ValueError:
        raise BadAct("the act is not a signed text") from None
    if not all(isinstance(part, dict) for part in parts):
        raise BadAct("the act is not a signed text")
    return parts


def _verified(signed: str, header: dict[str, Any], key: dict[str, Any]) -> dict[str, Any]:
    try:
        if header.get("typ") != TYPE or header.get("alg") != algorithm_of(key):
            raise BadAct("the act's header is not an act's")
        payload: dict[str, Any] = orjson.loads(
            jws.deserialize_compact(signed, import_key(key), registry=_SIZES).payload
        )
    except (JoseError, ValueError, TypeError, KeyError):
        raise BadAct("the act's signature does not verify") from None
    return payload
