"""What the log shows of itself: its keys, and proofs of its entries."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from gateway.http.documents import Document


class GroupBody(Document):
    """One group of an entry: its salt and text, or only the commitment to them."""

    salt: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    content: str | None = None
    commitment: str | None = Field(None, pattern="^[0-9a-f]{64}$")


class ProvedEntry(Document):
    """One entry with its tlog-proof (C2SP), and the groups that the asker may see. `groups` is null once forgotten."""

    index: int
    entry: str = Field(pattern="^[0-9a-f]{64}$")
    proof: str
    groups: dict[str, GroupBody] | None


class LogKey(Document):
    """One verifier key of the log. `from_entry`: the entry that took it up; it signed every checkpoint after."""

    vkey: str
    from_entry: int | None
    succession: str | None = Field(description="The statement of the key before (JWS); null for the first.")


class LogKeys(Document):
    """The log's verifier keys, the first one first."""

    log: str
    keys: list[LogKey]


class ProofBody(Document):
    """That an exchange's entries are in the log: to be checked with nothing but the log's verifier key."""

    format: Literal["linkage-proof/v1"]
    exchange_id: str
    vkey: str
    entries: list[ProvedEntry]
    keys: list[LogKey] | None = Field(None, description="Where the log has had more than one key: all of them.")
