"""DPoP proofs (RFC 9449 section 4.3): a request signed by the key that its token is bound to.

Each names method and URL, the token's hash where there is a token, and a nonce of ours that is at most five minutes
old. So a proof cannot be made in advance, and what was used has to be remembered no longer than its nonce holds.
Nonces are made from the clock and a key that all gateways of one log share: any of them takes the others', also
after a restart, and none has to be kept.

The memory of used proofs is the database's (`Once`), so that one is used once across workers, machines and
restarts. An exchange's is written along with its `decided` entry, in that one transaction.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import struct
import time
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import urlsplit

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.util import urlsafe_b64decode

from gateway.errors import InvalidDpopProof, UseDpopNonce
from gateway.identity.sender import Presented
from gateway.keys import ALGORITHMS, KeyedDigest, Keys, algorithm_of, import_key
from gateway.model import Proof

NONCE_SECONDS = 300
"""How long a nonce is good, and so how old a proof may be."""
NONCE_STEP = 30
"""A new nonce comes that often; clients learn it from each answer."""
AHEAD_SECONDS = 30
"""How far a client's clock, or another gateway's, may be ahead of this one's."""
FORGOTTEN_SECONDS = 60
"""How much longer a used proof is remembered: the clocks of those that check and of who sweeps differ."""
_LONGEST = 4096
_LONGEST_JTI = 256
_MOST_HEADERS = 2048
_REGISTRIES = {name: jws.JWSRegistry(algorithms=[name], strict_check_header=False) for name in ALGORITHMS}
"""Whatever else stands in a proof's header is ignored, as RFC 9449 section 7.2 has it; `crit` is refused here."""
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class Proofs:
    """Checks proofs and makes nonces. `issuer`: the gateway's own base URL, below which every `htu` lies.

    Not the Host header: who lures a client to another host must not be able to pass its proof on.
    """

    def __init__(self, keys: Keys, issuer: str) -> None:
        self._base = issuer.rstrip("/")
        self._nonces = KeyedDigest(keys.derive("dpop/nonce"))
        self._uses = KeyedDigest(keys.derive("dpop/jti"))
        self._headers: dict[str, tuple[str, Key, str]] = {}
        self._nonce = (0, "")

    def nonce(self) -> str:
        """The nonce to use from now on."""
        step = int(time.time()) // NONCE_STEP * NONCE_STEP
        if self._nonce[0] != step:
            self._nonce = (step, self._nonce_of(step))
        return self._nonce[1]

    def check(self, sender: Presented, *, jkt: str | None = None, ath: str | None = None) -> tuple[str, Proof]:
        """The thumbprint (RFC 7638) of the key that signed this request's proof, and its one use, still to be spent.

        `jkt`: the key that it has to be. `ath`: the hash of the access token it comes with. Raises InvalidDpopProof,
        UseDpopNonce.
        """
        if len(sender.proofs) != 1 or len(sender.proofs[0]) > _LONGEST:
            raise _invalid("one DPoP header with one proof is needed", "ต้องมีส่วนหัว DPoP หนึ่งรายการ")
        thumbprint, claims = self._signed(sender.proofs[0])
        if jkt is not None and thumbprint != jkt:
            raise _invalid("it is signed by another key than the token is bound to", "ลงลายมือชื่อด้วยกุญแจอื่น")
        if claims.get("htm") != sender.method:
            raise _invalid("htm is not this request's method", "htm ไม่ตรงกับวิธีเรียก")
        if not self._is_here(claims.get("htu"), sender.path):
            raise _invalid(
                "htu is not this request's URL, as the gateway's issuer has it",
                "htu ไม่ตรงกับ URL ของคำขอตาม issuer ของเกตเวย์",
            )
        if ath is not None and claims.get("ath") != ath:
            raise _invalid("ath is not the access token's hash", "ath ไม่ตรงกับโทเคน")
        jti, issued, moment = claims.get("jti"), claims.get("iat"), time.time()
        if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
            raise _invalid("jti is missing, or too long", "ไม่มี jti หรือยาวเกินไป")
        if not isinstance(issued, int | float) or isinstance(issued, bool):
            raise _invalid("iat is missing", "ไม่มี iat")
        if not moment - NONCE_SECONDS - AHEAD_SECONDS <= issued <= moment + AHEAD_SECONDS:
            raise _invalid("iat is not of now: set the clock", "iat ไม่ใช่เวลาปัจจุบัน โปรดตั้งนาฬิกา")
        made = self._made(claims.get("nonce"))
        if made is None or not moment - NONCE_SECONDS < made <= moment + AHEAD_SECONDS:
            raise UseDpopNonce(
                "repeat the request with the nonce of the DPoP-Nonce header in the proof",
                "ให้ส่งคำขออีกครั้งโดยใส่ nonce จากส่วนหัว DPoP-Nonce ในหลักฐาน",
            )
        return thumbprint, Proof(
            self._uses.of(f"{thumbprint}\0{jti}".encode()), made + NONCE_SECONDS + FORGOTTEN_SECONDS
        )

    def _signed(self, proof: str) -> tuple[str, dict[str, Any]]:
        """(the signing key's thumbprint, the claims) of a proof whose signature holds."""
        encoded = proof.partition(".")[0]
        algorithm, key, thumbprint = self._headers.get(encoded) or _header(encoded)
        try:
            claims = orjson.loads(jws.deserialize_compact(proof, key, registry=_REGISTRIES[algorithm]).payload)
        except (JoseError, ValueError, TypeError, RecursionError):
            raise _invalid("its signature does not hold", "ลายมือชื่อไม่ถูกต้อง") from None
        if not isinstance(claims, dict):
            raise _invalid("its claims are not an object", "ข้อมูลภายในไม่ใช่ออบเจกต์")
        # A client's proofs all have one header: what was read of it is kept, once a signature by its key has held.
        if encoded not in self._headers:
            if len(self._headers) >= _MOST_HEADERS:
                self._headers.clear()
            self._headers[encoded] = (algorithm, key, thumbprint)
        return thumbprint, claims

    def _is_here(self, htu: object, path: str) -> bool:
        """RFC 9449 section 4.3, 9: without query and fragment; else normalised as RFC 3986 section 6.2 has it."""
        here = self._base + path
        return htu == here or (isinstance(htu, str) and _normal(htu) == _normal(here) is not None)

    def _nonce_of(self, step: int) -> str:
        moment = struct.pack(">Q", step)
        return urlsafe_b64encode(moment + self._nonces.of(moment)[:16]).decode()

    def _made(self, nonce: object) -> int | None:
        """When a nonce of ours was made; None where it is not one."""
        if nonce == self._nonce[1] and nonce:
            return self._nonce[0]
        if not isinstance(nonce, str) or len(nonce) != 32:
            return None
        try:
            (step,) = struct.unpack(">Q", urlsafe_b64decode(nonce.encode())[:8])
        except (ValueError, struct.error):
            return None
        return int(step) if hmac.compare_digest(self._nonce_of(step), nonce) else None


def access_token_hash(token: str) -> str:
    """`ath` (RFC 9449 section 4.2)."""
    return urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()


def _header(encoded: str) -> tuple[str, Key, str]:
    """(algorithm, public key, its thumbprint) of a proof's header."""
    try:
        header = orjson.loads(urlsafe_b64decode(encoded.encode()))
        jwk = header["jwk"]
        algorithm = algorithm_of(jwk)
        good = header["typ"] == "dpop+jwt" and header["alg"] == algorithm and "d" not in jwk and "crit" not in header
        key = import_key(jwk)
        return (algorithm, key, key.thumbprint()) if good else _refuse_header()
    except (ValueError, KeyError, TypeError, AttributeError, JoseError):
        return _refuse_header()


def _refuse_header() -> tuple[str, Key, str]:
    names = " ".join(sorted(ALGORITHMS))
    raise _invalid(
        f"its header needs typ dpop+jwt, alg ({names}) and the public jwk of that alg",
        f"ส่วนหัวต้องมี typ เป็น dpop+jwt, alg ({names}) และ jwk เป็นกุญแจสาธารณะที่ตรงกัน",
    )


def _normal(url: str) -> tuple[str, str, int | None, str] | None:
    """Scheme, host and port, and path, so that URLs that mean the same are equal; None where it is no such URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        return None
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, parts.hostname, default if port is None else port, _ENCODED.sub(_decoded, parts.path or "/")


def _decoded(found: re.Match[str]) -> str:
    letter = chr(int(found[1], 16))
    return letter if letter in _UNRESERVED else found[0].upper()


def _invalid(en: str, th: str) -> InvalidDpopProof:
    return InvalidDpopProof(f"the DPoP proof: {en}", f"หลักฐาน DPoP: {th}")
