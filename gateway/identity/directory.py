"""Those who may hold tokens, as the registers have them now: which of their keys count, and from where they call."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from gateway.model import Client, Operator

ROLE_SCOPES = {
    "admin": frozenset({"admin", "consent"}),
    "owner": frozenset({"admin", "consent"}),
    "auditor": frozenset({"audit"}),
    "dpo": frozenset({"admin", "audit", "consent"}),
}
"""What an operator of each role may ask a token for. A dpo reads; every act checks the role again."""


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A public key that signs, or signed, access tokens: taken until `until` (epoch seconds; None: it is in use)."""

    jwk: Mapping[str, Any]
    until: float | None


@dataclass(frozen=True, slots=True)
class Directory:
    """The registers' part that tokens rest on. `token_keys`: of every gateway on the database."""

    clients: Mapping[str, Client]
    operators: Mapping[str, Operator]
    active_agencies: frozenset[str]
    token_keys: Mapping[str, TokenKey] = field(default_factory=dict)

    def holder(self, name: str) -> Client | Operator | None:
        """The client or operator of this id."""
        return self.clients.get(name) or self.operators.get(name)

    def accepted(self, name: str, kid: object, address: str) -> Client | Operator | None:
        """The holder, where it may act, this key of its counts, and it calls from where it may; else None."""
        holder = self.holder(name)
        if holder is None or current_key(holder, kid) is None or not self.may_call(holder, address):
            return None
        return holder

    def may_act(self, holder: Client | Operator) -> bool:
        """Active, and of an active agency where it has one."""
        return holder.status == "active" and (not holder.agency or holder.agency in self.active_agencies)

    def may_call(self, holder: Client | Operator, address: str) -> bool:
        """Whether it may act, and from this address."""
        if not self.may_act(holder):
            return False
        return not isinstance(holder, Client) or not holder.networks or _within(address, holder.networks)


def current_key(holder: Client | Operator, kid: object) -> dict[str, Any] | None:
    """The holder's public JWK of this kid, unless it was revoked."""
    for key in holder.keys:
        if key["kid"] == kid and kid not in holder.revoked_kids:
            return key
    return None


def allowed_scopes(holder: Client | Operator) -> frozenset[str]:
    """What it may ask a token for."""
    return holder.scopes if isinstance(holder, Client) else ROLE_SCOPES[holder.role]


@lru_cache(maxsize=4096)
def _within(address: str, networks: tuple[str, ...]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in ipaddress.ip_network(block) for block in networks)
