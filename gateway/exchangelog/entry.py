"""One entry of the exchange log: five groups, five commitments, 32 public bytes.

    content of a group = canonical JSON (RFC 8785; ASCII keys and no floats, so that sorted orjson is it)
    salt of a group    = HMAC-SHA-256(the entry's 32-byte secret, "linkage/v1/salt/" + the group's name)
    commitment         = SHA-256(salt || content)
    facts              = in `subject`, the commitment of what was judged on, with a salt of its own: the subject can be
                         shown its place in the log without what registers and officers' codes the judge looked at
    entry              = SHA-256(the five commitments, in the order public, parties, subject, legal, content)

So one group can be shown to one party, with its salt, and the other commitments; nobody can guess the rest,
though it may hold no more than a few digits' worth of doubt. The secret and the groups are kept sealed with
AES-256-GCM under the month's key; the entry's bytes are its associated data.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.keys import KeyedDigest

GROUPS = ("public", "parties", "subject", "legal", "content")
"""The groups' names, in the order in which their commitments are hashed."""

VERSION = 1
_SALT_LABELS = {group: f"linkage/v1/salt/{group}".encode() for group in GROUPS}
_LENGTHS = struct.Struct(">5I")
_SECRET, _NONCE = 32, 12
_MOST_FRESH = 1024

Groups = dict[str, dict[str, Any]]
"""An entry's five groups by name."""


class Fresh:
    """The groups of what was sealed last, by the entry's 32 bytes: whoever reads the log just behind its end need not
    open what was closed a moment ago. Each is taken once; the oldest go. For the writer's thread.
    """

    def __init__(self) -> None:
        self._held: dict[bytes, Groups] = {}

    def put(self, entry: bytes, groups: Groups) -> None:
        """Keeps an entry's groups as they were sealed, `facts` as their commitment."""
        if len(self._held) >= _MOST_FRESH:
            del self._held[next(iter(self._held))]
        self._held[entry] = groups

    def take(self, entry: bytes) -> Groups | None:
        """The groups; None where they are no longer here, or were sealed elsewhere."""
        return self._held.pop(entry, None)


def canonical(value: Mapping[str, Any]) -> bytes:
    """RFC 8785 for our values: ASCII keys, strings, integers, lists, null; no floats."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def salts(secret: bytes) -> dict[str, bytes]:
    """The salt of each group, in order, from the entry's secret."""
    keyed = KeyedDigest(secret)
    return {group: keyed.of(label) for group, label in _SALT_LABELS.items()}


def commitment(group_salt: bytes, content: bytes) -> bytes:
    """What stands for a group in the entry."""
    return hashlib.sha256(group_salt + content).digest()


def facts_salt(secret: bytes) -> bytes:
    """The salt of what was judged on."""
    return KeyedDigest(secret).of(b"linkage/v1/salt/facts")


def entry_bytes(commitments: tuple[bytes, ...]) -> bytes:
    """The entry's 32 bytes, from the five commitments in order."""
    return hashlib.sha256(b"".join(commitments)).digest()


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """An entry whose `subject` group still lacks the counter. The groups never show in its repr.

    `earlier`: what the subject was called under earlier pseudonym keys, the latest first. `fresh`: where the groups are
    to be had for a while once they are sealed.
    """

    month: str
    key: AESGCM = field(repr=False)
    groups: Groups = field(repr=False)
    subject: bytes | None = field(default=None, repr=False)
    earlier: tuple[bytes, ...] = field(default=(), repr=False)
    fresh: Fresh | None = field(default=None, repr=False)

    def moved_from(self, earlier: bytes) -> EntryDraft:
        """The entry that the subject, known so far by an `earlier` name, is counted on under its present one."""
        subject = {"pseudonym": (self.subject or b"").hex(), "earlier": earlier.hex()}
        groups = {name: dict[str, Any]() for name in GROUPS} | {
            "public": {**self.groups["public"], "kind": "subject.moved", "exchange": None},
            "subject": subject,
        }
        return EntryDraft(self.month, self.key, groups, self.subject, fresh=self.fresh)

    def seal(self, count: int | None, previous: bytes | None) -> tuple[bytes, bytes]:
        """(the entry's 32 bytes, its sealed secret and contents)."""
        groups = self.groups
        if count is not None:
            counter = {"counter": count, "previous": previous.hex() if previous else None}
            groups = {**groups, "subject": {**groups["subject"], **counter}}
        random, facts = os.urandom(_SECRET + _NONCE), b""
        secret, nonce = random[:_SECRET], random[_SECRET:]
        if groups["subject"].get("facts") is not None:
            facts = canonical(groups["subject"]["facts"])
            hidden = commitment(facts_salt(secret), facts).hex()
            groups = {**groups, "subject": {**groups["subject"], "facts": hidden}}
        contents = [canonical(groups[name]) for name in GROUPS]
        entry = entry_bytes(
            tuple(commitment(own, content) for own, content in zip(salts(secret).values(), contents, strict=True))
        )
        if self.fresh is not None:
            self.fresh.put(entry, groups)
        plain = secret + _LENGTHS.pack(*map(len, contents)) + b"".join(contents) + facts
        return entry, nonce + self.key.encrypt(nonce, plain, entry)


@dataclass(frozen=True, slots=True)
class OpenedEntry:
    """An entry with its contents: what was sealed, and checked to be what the 32 bytes commit to."""

    index: int
    entry: bytes
    secret: bytes = field(repr=False)
    contents: dict[str, bytes] = field(repr=False)
    facts: bytes = field(default=b"", repr=False)

    def group(self, name: str) -> dict[str, Any]:
        """One group as a dictionary, `facts` in it as their commitment."""
        value: dict[str, Any] = orjson.loads(self.contents[name])
        return value

    def as_json(self) -> dict[str, Any]:
        """Index, entry and every group, with what was judged on."""
        groups = {name: self.group(name) for name in GROUPS}
        if self.facts:
            groups["subject"]["facts"] = orjson.loads(self.facts)
        return {"index": self.index, "entry": self.entry.hex(), **groups}


class BrokenEntry(Exception):
    """A sealed entry does not open, or is not what its 32 bytes commit to."""


def unseal(index: int, entry: bytes, sealed: bytes, key: AESGCM) -> OpenedEntry:
    """An entry with its contents, as sealed with these 32 bytes; BrokenEntry where it does not open."""
    try:
        plain = key.decrypt(sealed[:_NONCE], sealed[_NONCE:], entry)
    except Exception:
        raise BrokenEntry(f"entry {index} does not open") from None
    secret, lengths = plain[:_SECRET], _LENGTHS.unpack_from(plain, _SECRET)
    rest = plain[_SECRET + _LENGTHS.size :]
    contents: dict[str, bytes] = {}
    for name, length in zip(GROUPS, lengths, strict=True):
        contents[name], rest = rest[:length], rest[length:]
    return OpenedEntry(index, entry, secret, contents, rest)


def open_entry(index: int, entry: bytes, sealed: bytes, key: AESGCM) -> OpenedEntry:
    """Unseals an entry and checks its contents against its 32 bytes; BrokenEntry where either fails."""
    opened = unseal(index, entry, sealed, key)
    if (
        entry_bytes(tuple(commitment(own, opened.contents[name]) for name, own in salts(opened.secret).items()))
        != entry
    ):
        raise BrokenEntry(f"entry {index} is not what its commitment says")
    if opened.facts:
        hidden = commitment(facts_salt(opened.secret), opened.facts).hex()
        if f'"facts":"{hidden}"'.encode() not in opened.contents["subject"]:
            raise BrokenEntry(f"entry {index} was judged on other facts than its commitment says")
    return opened
