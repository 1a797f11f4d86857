"""Who calls: client assertions in (RFC 7523), access tokens out (RFC 9068), access tokens and their proofs checked.

directory   those who may hold tokens, as the registers have them
sender      what a request shows of its sender, and what a token may be bound to
proofs      DPoP proofs (RFC 9449): their form, their nonce, their one use
tokens      issuing and checking
"""

from __future__ import annotations

from gateway.identity.directory import Directory, TokenKey
from gateway.identity.sender import Presented
from gateway.identity.tokens import LEEWAY, TOKEN_SECONDS, Identity, used_before

__all__ = ["LEEWAY", "TOKEN_SECONDS", "Directory", "Identity", "Presented", "TokenKey", "used_before"]
