"""What a request shows of its sender, and what a token is bound to: a key (RFC 9449), a certificate (RFC 8705).

A token is bound to whatever its token request showed: a DPoP proof's key (`cnf.jkt`), the client certificate that a
trusted proxy vouches for (`cnf.x5t#S256`), or both. It is then good only with all of that. A client's registration
can demand it (`token_binding`): then no other token is issued to it, and none that it still holds is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import BoundToken, InvalidToken
from gateway.model import Client, Operator


@dataclass(frozen=True, slots=True)
class Presented:
    """A request's method, path and sender. `path` as it was sent, still percent-encoded, without the query.

    `proofs`: its DPoP header lines. `certificate`: base64url SHA-256 of the client's certificate (DER), where a
    trusted proxy sent one along (RFC 9440).
    """

    authorization: str | None = field(repr=False)
    address: str
    method: str = "POST"
    path: str = "/v1/exchanges"
    proofs: tuple[str, ...] = field(default=(), repr=False)
    certificate: str | None = None


@dataclass(frozen=True, slots=True)
class Binding:
    """A token's confirmation claim (RFC 7800): the key's thumbprint, the certificate's; None where there is none."""

    jkt: str | None = None
    certificate: str | None = None

    @staticmethod
    def of(claims: Mapping[str, Any]) -> Binding:
        """As an access token of ours says it."""
        confirmed = claims.get("cnf") or {}
        return Binding(confirmed.get("jkt"), confirmed.get("x5t#S256"))

    def claim(self) -> dict[str, str]:
        """The value of `cnf`; empty for a bearer token."""
        members = {"jkt": self.jkt, "x5t#S256": self.certificate}
        return {name: value for name, value in members.items() if value is not None}

    def satisfies(self, holder: Client | Operator) -> bool:
        """Whether it is what the client's registration demands."""
        demanded = holder.token_binding if isinstance(holder, Client) else ""
        return {
            "": True,
            "dpop": self.jkt is not None,
            "mtls": self.certificate is not None,
            "any": self.jkt is not None or self.certificate is not None,
        }[demanded]

    def require(self, scheme: str, sender: Presented) -> None:
        """That the token comes as it has to: under its scheme, with its certificate. Whether its proof holds is
        for `proofs` to say. Raises InvalidToken, BoundToken.
        """
        if self.certificate is not None and self.certificate != sender.certificate:
            raise InvalidToken(
                "the access token is bound to a client certificate that this request does not come with",
                "โทเคนนี้ผูกกับใบรับรองของระบบ ซึ่งคำขอนี้ไม่ได้แสดง",
            )
        if self.jkt is None and scheme == "dpop":
            raise InvalidToken(
                "the access token is not bound to a key: send it as Bearer", "โทเคนนี้ไม่ได้ผูกกับกุญแจ ให้ส่งแบบ Bearer"
            )
        if self.jkt is not None and scheme != "dpop":
            raise BoundToken(
                "the access token is bound to a key: send it as DPoP, with a proof by that key",
                "โทเคนนี้ผูกกับกุญแจ ให้ส่งแบบ DPoP พร้อมหลักฐานที่ลงลายมือชื่อด้วยกุญแจนั้น",
            )
