"""The log's verifier keys one after the other, each vouched for by the one before.

So a checkpoint that a later key signed is checked by whoever knows an earlier one; and in the database each
checkpoint by the key that was in force when it was signed.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.keys import BadSuccession, read_succession
from gateway.tlog.note import NoteError, VerifierKey, parse_key, parse_note

LONGEST = 1000


def followed(history: object, known: VerifierKey) -> list[VerifierKey]:
    """`known`, and every later key that leads back to it by statements that hold; no more than `known` otherwise.

    `history`: what `/log/keys` or a proof document lists. Nothing in it is believed but what is signed.
    """
    found = [known]
    keys = history if isinstance(history, list) else []
    after = False
    for item in keys[:LONGEST]:
        if not isinstance(item, Mapping):
            break
        if after:
            step = _step(item, found[-1])
            if step is None:
                break
            found.append(step)
        after = after or item.get("vkey") == str(known)
    return found


def _step(item: Mapping[str, Any], before: VerifierKey) -> VerifierKey | None:
    """The next key, where the one before signed for it."""
    try:
        key = parse_key(str(item.get("vkey")))
    except NoteError:
        return None
    return key if key == _named(str(item.get("succession")), before) else None


def led_to(statements: Iterable[str], known: VerifierKey) -> list[VerifierKey]:
    """`known`, and the log's later keys that `statements` lead to from it, in the order in which they stand."""
    found = [known]
    for statement in statements:
        if (key := _named(statement, found[-1])) is not None:  # else it is from before `known`
            found.append(key)
    return found


def _named(statement: str, before: VerifierKey) -> VerifierKey | None:
    """The key that a statement puts in the place of the log's key `before`, which signed it; None where it does not."""
    try:
        succession = read_succession(statement, _Any(jwk_of(before)))
        public = succession.public or {}
        if succession.kind != "log" or public.get("crv") != "Ed25519":
            return None
        key = VerifierKey(before.name, before.kind, urlsafe_b64decode(f"{public['x']}="))
        return key if jwk_of(key)["x"] == public["x"] else None  # decoding skips what is no base64
    except (BadSuccession, KeyError, ValueError):
        return None


def signer_of(note: str, keys: Sequence[VerifierKey]) -> VerifierKey:
    """Which of `keys` signs the note by its name and id, the newest of them; the first where none does."""
    signatures = parse_note(note).signatures
    return next((key for key in reversed(keys) if any(key.signed(one) for one in signatures)), keys[0])


def jwk_of(key: VerifierKey) -> dict[str, Any]:
    """A verifier key as a public JWK."""
    return {"kty": "OKP", "crv": "Ed25519", "x": urlsafe_b64encode(key.public).decode().rstrip("=")}


class _Any(dict[str, dict[str, Any]]):
    """One key, by whatever name the statement calls it: the signature says whether it is the one."""

    def __init__(self, jwk: dict[str, Any]) -> None:
        super().__init__()
        self._jwk = jwk

    def __missing__(self, _: str) -> dict[str, Any]:
        return self._jwk


class KeysInForce:
    """Which of the log's keys signed a checkpoint of which size."""

    def __init__(self, keys: Iterable[tuple[int, VerifierKey]]) -> None:
        self._keys = list(keys)

    @property
    def all(self) -> list[VerifierKey]:
        """Every one of them, the first one first."""
        return [key for _, key in self._keys]

    def of(self, size: int) -> VerifierKey:
        """The key that a checkpoint of `size` entries has to be signed with: the last that these entries took up."""
        return next((key for first, key in reversed(self._keys) if first < size), self._keys[0][1])


def in_force(history: list[dict[str, Any]], known: VerifierKey) -> KeysInForce | None:
    """Each key with the entry that took it up. None where the chain does not hold, or `known` is not in it."""
    if not history:
        return KeysInForce([(-1, known)])
    try:
        first = parse_key(history[0]["vkey"])
    except NoteError:
        return None
    chain = followed(history, first)
    if len(chain) != len(history) or known not in chain:
        return None
    return KeysInForce(zip((int(item["from_entry"]) for item in history), chain, strict=True))
