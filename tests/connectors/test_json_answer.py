"""A source's bytes read as JSON: strictly, bounded, in the charset declared."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.json_answer import MAX_ANSWER, BadAnswer, media_type, parse, unpacked

JSON = "application/json"


def fault(raw: bytes, content_type: str = JSON, **more: Any) -> str:
    with pytest.raises(BadAnswer) as caught:
        parse(raw, content_type, **more)
    assert caught.value.__context__ is None, "a decoder's error holds the document"
    return caught.value.fault


@pytest.mark.parametrize(
    ("content_type", "kind", "charset"),
    [
        ("application/json", "application/json", ""),
        ("Application/JSON; Charset=UTF-8", "application/json", "UTF-8"),
        ('application/problem+json;charset="tis-620"', "application/problem+json", "tis-620"),
        ("", "", ""),
        ("json", "", ""),
    ],
)
def test_content_types(content_type: str, kind: str, charset: str) -> None:
    assert media_type(content_type) == (kind, charset)


def test_charsets() -> None:
    text = '{"ชื่อ": "สมมุติ"}'
    assert parse(text.encode(), JSON) == {"ชื่อ": "สมมุติ"}
    assert parse(b"\xef\xbb\xbf" + text.encode(), JSON + "; charset=utf-8") == {"ชื่อ": "สมมุติ"}
    for name in ("TIS-620", "windows-874", "iso-8859-11", "tis620"):
        assert parse(text.encode("tis_620"), f"{JSON}; charset={name}") == {"ชื่อ": "สมมุติ"}
    assert parse(text.encode("tis_620"), JSON, charset="tis-620") == {"ชื่อ": "สมมุติ"}
    assert parse(text.encode(), "application/fhir+json") == {"ชื่อ": "สมมุติ"}
    assert parse(text.encode(), "text/plain", also=frozenset({"text/plain"})) == {"ชื่อ": "สมมุติ"}
    assert fault(text.encode("tis_620")) == "charset"
    assert fault(text.encode(), JSON + "; charset=us-ascii") == "charset"
    assert fault(text.encode(), JSON + "; charset=utf-7") == "charset"
    assert fault(text.encode(), "text/plain") == "content_type"
    assert fault(text.encode(), "text/html") == "content_type"
    assert fault(text.encode(), "") == "content_type"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nope",
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1}x',
        b'["\\ud800"]',
        b"[" * 5000 + b"]" * 5000,
        b"{'a':1}",
    ],
)
def test_not_json(raw: bytes) -> None:
    assert fault(raw) == "not_json"


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":{}}}',
        b'[{"x":"\\"","x":"y"}]',
        b'{"a":1,"\\u0061":2}',
        b'{"a":"x","a":"x","b":"\\\\"}',
    ],
)
def test_duplicate_keys(raw: bytes) -> None:
    assert fault(raw) == "duplicate_key"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.booleans())
def test_every_json_value_comes_back(value: Any, ascii_only: bool, spaced: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only, indent=2 if spaced else None)
    try:
        encoded = raw.encode()
    except UnicodeEncodeError:
        return
    if "\\ud" in raw:  # lone surrogates are no text
        return
    assert parse(encoded, JSON) == value


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=4), VALUES, min_size=1, max_size=4), st.data())
def test_a_key_twice_is_never_missed(members: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(members)))
    pairs = [*members.items(), (key, data.draw(VALUES))]
    text = "{" + ",".join(f"{json.dumps(name)}:{json.dumps(value)}" for name, value in pairs) + "}"
    assert fault(text.encode()) in ("duplicate_key", "not_json")


def test_packed_answers() -> None:
    body = b'{"a":"' + b"x" * 1000 + b'"}'
    assert unpacked(body, "") == unpacked(body, "identity") == body
    assert unpacked(gzip.compress(body), "gzip") == body
    assert unpacked(zlib.compress(body), "deflate") == body
    for raw, encoding, told in (
        (gzip.compress(body)[:-20], "gzip", "cut_off"),
        (body, "gzip", "encoding"),
        (body, "br", "encoding"),
        (body, "gzip, gzip", "encoding"),
        (gzip.compress(b"x" * (MAX_ANSWER + 1)), "gzip", "too_large"),
        (gzip.compress(b"x" * (64 << 20)), "gzip", "too_large"),
    ):
        with pytest.raises(BadAnswer) as caught:
            unpacked(raw, encoding)
        assert caught.value.fault == told
    assert len(unpacked(gzip.compress(b"x" * MAX_ANSWER), "gzip")) == MAX_ANSWER
