"""The entry's format, checked by code of its own from what the documentation says of it."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.exchangelog.entry import GROUPS, BrokenEntry, EntryDraft, canonical, facts_salt, open_entry

ORDER = ["public", "parties", "subject", "legal", "content"]
KEY = bytes(range(32))
text = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | text,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="ascii"), max_size=6), inner)
    ),
    max_leaves=8,
)
groups_of = st.fixed_dictionaries(
    {name: st.dictionaries(st.text("abc_XYZ019", max_size=5), values, max_size=4) for name in ORDER}
)


def rfc8785(value: Any) -> str:
    """RFC 8785 for null, booleans, integers, strings, arrays and objects, from its sections 3.2.2 and 3.2.3."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(_character(each) for each in value) + '"'
    if isinstance(value, list):
        return "[" + ",".join(rfc8785(each) for each in value) + "]"
    assert isinstance(value, dict), "no other kind of value may be there"
    ordered = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(f"{rfc8785(key)}:{rfc8785(value[key])}" for key in ordered) + "}"


def _character(each: str) -> str:
    short = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    if each in short:
        return short[each]
    return f"\\u{ord(each):04x}" if ord(each) < 0x20 else each


def seal(
    groups: dict[str, dict[str, Any]], count: int | None = None, previous: bytes | None = None
) -> tuple[bytes, bytes]:
    return EntryDraft("2026-11", AESGCM(KEY), groups, b"s" * 32 if count else None).seal(count, previous)


def opened_by_hand(sealed: bytes, entry: bytes) -> tuple[bytes, dict[str, bytes]]:
    """(secret, contents by group): nonce, then AES-256-GCM of secret, five lengths and five contents."""
    plain = AESGCM(KEY).decrypt(sealed[:12], sealed[12:], entry)
    secret, place = plain[:32], 52
    contents = {}
    for number, name in enumerate(ORDER):
        length = int.from_bytes(plain[32 + 4 * number : 36 + 4 * number], "big")
        contents[name] = plain[place : place + length]
        place += length
    assert place == len(plain)
    return secret, contents


@given(values)
def test_canonical_is_rfc_8785_for_our_values(value: Any) -> None:
    assert canonical({"value": value}) == rfc8785({"value": value}).encode()


@given(groups_of, st.none() | st.integers(1, 2**40), st.none() | st.binary(min_size=32, max_size=32))
def test_the_32_bytes_follow_from_the_contents_as_documented(
    groups: dict[str, dict[str, Any]], count: int | None, previous: bytes | None
) -> None:
    entry, sealed = seal(groups, count, previous)
    secret, contents = opened_by_hand(sealed, entry)
    assert list(GROUPS) == ORDER
    commitments = []
    for name in ORDER:
        group_salt = hmac.new(secret, b"linkage/v1/salt/" + name.encode(), hashlib.sha256).digest()
        commitments.append(hashlib.sha256(group_salt + contents[name]).digest())
        expected = dict(groups[name])
        if name == "subject" and count is not None:
            expected |= {"counter": count, "previous": previous.hex() if previous else None}
        assert contents[name] == rfc8785(expected).encode()
    assert hashlib.sha256(b"".join(commitments)).digest() == entry
    assert open_entry(7, entry, sealed, AESGCM(KEY)).as_json() == {
        "index": 7,
        "entry": entry.hex(),
        **{name: json.loads(contents[name]) for name in ORDER},
    }


def test_equal_contents_make_different_entries() -> None:
    """Else a guess at a few digits could be tried on the public 32 bytes."""
    groups: dict[str, dict[str, Any]] = {name: {"a": 1} for name in ORDER}
    assert len({seal(groups)[0] for _ in range(20)}) == 20


def test_each_groups_commitment_has_a_salt_of_its_own() -> None:
    entry, sealed = seal({name: {"same": "text"} for name in ORDER})
    secret, contents = opened_by_hand(sealed, entry)
    salts = {hmac.new(secret, b"linkage/v1/salt/" + name.encode(), hashlib.sha256).digest() for name in ORDER}
    assert len(set(contents.values())) == 1
    assert len(salts) == 5


def test_one_flipped_bit_anywhere_breaks_the_entry() -> None:
    entry, sealed = seal({name: {"name": name} for name in ORDER}, 3, b"p" * 32)
    whole = entry + sealed
    open_entry(0, entry, sealed, AESGCM(KEY))
    for bit in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BrokenEntry):
            open_entry(0, bytes(changed[:32]), bytes(changed[32:]), AESGCM(KEY))


def test_contents_that_the_32_bytes_do_not_commit_to_are_broken_though_they_are_sealed_well() -> None:
    """Someone with the month's key changes a group and seals it again under the old 32 bytes."""
    entry, sealed = seal({name: {"granted": ["life_status"]} for name in ORDER})
    plain = AESGCM(KEY).decrypt(sealed[:12], sealed[12:], entry)
    forged = plain.replace(b"life_status", b"father_name")
    assert forged != plain
    again = b"n" * 12 + AESGCM(KEY).encrypt(b"n" * 12, forged, entry)
    with pytest.raises(BrokenEntry, match="not what its commitment says"):
        open_entry(4, entry, again, AESGCM(KEY))


@settings(max_examples=40)
@given(st.binary(max_size=120))
def test_what_was_never_sealed_is_broken_and_nothing_worse(rubbish: bytes) -> None:
    with pytest.raises(BrokenEntry) as told:
        open_entry(0, b"e" * 32, rubbish, AESGCM(KEY))
    assert told.value.__cause__ is None


def test_neither_the_draft_nor_the_opened_entry_shows_its_contents() -> None:
    draft = EntryDraft("2026-11", AESGCM(KEY), {name: {"word": "confidential"} for name in ORDER}, b"s" * 32)
    entry, sealed = draft.seal(1, None)
    assert "confidential" not in repr(draft) + repr(open_entry(0, entry, sealed, AESGCM(KEY)))


def test_what_was_judged_on_stands_in_its_group_as_a_commitment() -> None:
    """So the subject group can be shown to the person it is of, and the facts to nobody but auditors."""
    key = AESGCM(AESGCM.generate_key(256))
    facts = {"now": "2026-11-26T10:00:00.000Z", "candidates": [{"officer": "somsri.j"}]}
    groups = {name: dict[str, Any]() for name in GROUPS} | {"subject": {"pseudonym": "ab" * 32, "facts": facts}}
    entry, sealed = EntryDraft("2026-11", key, groups, b"s" * 32).seal(1, None)
    opened = open_entry(0, entry, sealed, key)
    assert opened.as_json()["subject"]["facts"] == facts
    assert b"somsri" not in b"".join(opened.contents.values())
    assert opened.group("subject")["facts"] == hashlib.sha256(facts_salt(opened.secret) + canonical(facts)).hexdigest()
    plain = key.decrypt(sealed[:12], sealed[12:], entry)
    for other in (plain[:-1], plain + b" ", plain.replace(b"somsri", b"somsak")):
        with pytest.raises(BrokenEntry, match="other facts"):
            open_entry(0, entry, sealed[:12] + key.encrypt(sealed[:12], other, entry), key)
    bare, closed = EntryDraft("2026-11", key, {**groups, "subject": {"facts": None}}).seal(None, None)
    assert open_entry(0, bare, closed, key).as_json()["subject"] == {"facts": None}
