"""Checks an answer's seal: the gateway's signature (RFC 9421) over the status, the content's digest (RFC 9530)
and the request's method, path and content. So it is the answer to this very question.

1. `linkage` in Signature-Input names exactly the six components, `ed25519`, a key and a time close to now.
2. Content-Digest's `sha-256` is that of the bytes that came.
3. The signature base, built from what was sent and what came, verifies under that key.

A strict reading: whatever is doubled, missing or not in the form that the gateway writes does not hold.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.client.failures import UntrustedAnswer
from gateway.keys import import_key

LABEL = "linkage"
COMPONENTS = ('"@status"', '"content-type"', '"content-digest"', '"@method";req', '"@path";req', '"content-digest";req')
CLOCK_SECONDS = 300
"""How far the time of sealing may be from this machine's: as far as the token endpoint lets clocks differ."""

_KEY = r"[a-z*][a-z0-9_.*-]*"
_MEMBER = re.compile(rf'({_KEY})=((?:"(?:[^"\\]|\\.)*"|\([^()]*\)|[^",()])+)', re.ASCII)
_INPUT = re.compile(rf'\(([^()]*)\)((?:;{_KEY}=(?:"[^"\\]*"|[0-9]+))*)', re.ASCII)
_PARAMETER = re.compile(rf';({_KEY})=(?:"([^"\\]*)"|([0-9]+))', re.ASCII)
_BYTES = re.compile(r":([A-Za-z0-9+/]*={0,2}):", re.ASCII)


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as read from the headers, not yet checked. `parameters`: Signature-Input's value, as it came."""

    key_id: str
    created: int
    components: tuple[str, ...]
    parameters: str
    signature: bytes
    digest: bytes


def read_seal(headers: httpx.Headers) -> Seal:
    """The seal that the headers carry, or UntrustedAnswer."""
    parameters = _members(headers, "signature-input").get(LABEL, "")
    found = _INPUT.fullmatch(parameters)
    if found is None:
        raise UntrustedAnswer("the answer carries no seal of the gateway")
    components = tuple(found[1].split(" "))
    if sorted(components) != sorted(COMPONENTS):
        raise UntrustedAnswer("the seal does not cover what it has to")
    given = _PARAMETER.findall(found[2])
    values = {name: text or number for name, text, number in given}
    if len(values) != len(given) or not values.get("keyid") or values.get("alg") != "ed25519":
        raise UntrustedAnswer("the seal does not name one ed25519 key")
    if not values.get("created", "").isdigit():
        raise UntrustedAnswer("the seal does not say when it was made")
    return Seal(
        key_id=values["keyid"],
        created=int(values["created"]),
        components=components,
        parameters=parameters,
        signature=_bytes(_members(headers, "signature").get(LABEL, "")),
        digest=_bytes(_members(headers, "content-digest").get("sha-256", "")),
    )


def content_digest(content: bytes) -> str:
    """The Content-Digest field of a body (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(content).digest()).decode()}:"


def check_seal(seal: Seal, key: Ed25519PublicKey, response: httpx.Response, now: float) -> None:
    """Returns where the seal holds for `response` to its request, else UntrustedAnswer. `now`: Unix seconds."""
    if abs(now - seal.created) > CLOCK_SECONDS:
        raise UntrustedAnswer("the seal was not made just now: an old answer, or this machine's clock is wrong")
    if "content-encoding" in response.headers:
        raise UntrustedAnswer("the answer was re-encoded on its way")
    if not hmac.compare_digest(hashlib.sha256(response.content).digest(), seal.digest):
        raise UntrustedAnswer("the answer's content is not the one that was sealed")
    try:
        key.verify(seal.signature, _signature_base(seal, response))
    except InvalidSignature:
        raise UntrustedAnswer("the seal's signature does not hold") from None


def sealing_keys(jwks: Any) -> dict[str, Ed25519PublicKey]:
    """The Ed25519 keys of a JWK set (RFC 7517) by their `kid`; what is not one is passed over."""
    keys: dict[str, Ed25519PublicKey] = {}
    for jwk in jwks.get("keys", []) if isinstance(jwks, dict) and isinstance(jwks.get("keys"), list) else []:
        if not isinstance(jwk, dict) or jwk.get("kty") != "OKP" or not isinstance(jwk.get("kid"), str):
            continue
        try:
            public = import_key(jwk).public_key
        except ValueError:
            continue
        if isinstance(public, Ed25519PublicKey):
            keys[jwk["kid"]] = public
    return keys


def _signature_base(seal: Seal, response: httpx.Response) -> bytes:
    """RFC 9421 section 2.5: a line for each component in the order named, then the parameters as they came."""
    request = response.request
    values: Mapping[str, str] = {
        '"@status"': str(response.status_code),
        '"content-type"': _field(response.headers, "content-type"),
        '"content-digest"': _field(response.headers, "content-digest"),
        '"@method";req': request.method,
        '"@path";req': request.url.raw_path.split(b"?")[0].decode("ascii"),
        '"content-digest";req': _field(request.headers, "content-digest"),
    }
    lines = [f"{name}: {values[name]}" for name in seal.components]
    return "\n".join([*lines, f'"@signature-params": {seal.parameters}']).encode("ascii", "replace")


def _field(headers: httpx.Headers, name: str) -> str:
    return ", ".join(value.strip() for value in headers.get_list(name))


def _members(headers: httpx.Headers, name: str) -> dict[str, str]:
    """The members of a Dictionary field (RFC 9651 section 3.2), values as they came; none where it is not one."""
    rest = _field(headers, name)
    members: dict[str, str] = {}
    while rest:
        found = _MEMBER.match(rest)
        if found is None or found[1] in members:
            return {}
        members[found[1]] = found[2].rstrip(" \t")
        rest = rest[found.end() :]
        if rest:
            after = rest[1:].lstrip(" \t")
            if not rest.startswith(",") or not after:
                return {}
            rest = after
    return members


def _bytes(value: str) -> bytes:
    found = _BYTES.fullmatch(value)
    try:
        return base64.b64decode(found[1], validate=True) if found else b""
    except binascii.Error:
        return b""
