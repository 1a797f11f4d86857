"""A source's bytes, read as JSON: strictly, within bounds, and in the charset declared.

What is wrong is told by a short code (`BadAnswer.fault`), never by the source's words:
content_type, charset, encoding, too_large, cut_off, not_json, duplicate_key.
"""

from __future__ import annotations

import json
import zlib
from email.message import Message
from functools import lru_cache
from typing import Any, Final

import aiohttp
import orjson

MAX_ANSWER: Final = 1 << 20
"""Bytes of an answer, also after decompression."""

CODECS: Final = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "tis-620": "tis_620",
    "tis620": "tis_620",
    "windows-874": "cp874",
    "cp874": "cp874",
    "iso-8859-11": "iso8859_11",
}
"""The charsets that Thai systems declare; any other is refused."""
_BOM: Final = b"\xef\xbb\xbf"


class BadAnswer(Exception):
    """The bytes are not the JSON they are said to be."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


def parse(raw: bytes, content_type: str, *, charset: str = "utf-8", also: frozenset[str] = frozenset()) -> Any:
    """`raw` as a JSON value, or BadAnswer.

    `charset`: that of an answer that declares none. `also`: content types taken for JSON besides its own.
    Duplicate keys, NaN, Infinity, lone surrogates and nesting beyond 1024 are refused (RFC 8259; I-JSON).
    """
    kind, declared = media_type(content_type)
    if kind != "application/json" and not kind.endswith("+json") and kind not in also:
        raise BadAnswer("content_type")
    codec = CODECS.get((declared or charset).lower())
    if codec is None:
        raise BadAnswer("charset")
    if codec != "utf-8":
        raw = _recoded(raw, codec)
    elif raw.startswith(_BOM):
        raw = raw[len(_BOM) :]
    value, fault = _loaded(raw)
    if fault:
        raise BadAnswer(fault)
    return value


@lru_cache(maxsize=64)
def media_type(content_type: str) -> tuple[str, str]:
    """(type in lower case, charset or "") of a Content-Type header (RFC 9110 section 8.3)."""
    message = Message()
    message["content-type"] = content_type.replace("\r", "").replace("\n", "")
    charset = message.get_param("charset", "")
    return message.get_content_type() if "/" in content_type else "", charset if isinstance(charset, str) else ""


async def bounded(response: aiohttp.ClientResponse) -> bytes:
    """The bytes of an answer as they came, at most MAX_ANSWER of them, or BadAnswer."""
    length = response.content_length
    if length is not None and length > MAX_ANSWER:
        raise BadAnswer("too_large")
    content = response.content
    first = await content.readany()
    if content.at_eof() and len(first) <= MAX_ANSWER:
        return first
    chunks, size = [first], len(first)
    while chunk := await content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_ANSWER:
            raise BadAnswer("too_large")
    return b"".join(chunks)


def unpacked(raw: bytes, content_encoding: str) -> bytes:
    """`raw` without its Content-Encoding (gzip, deflate), at most MAX_ANSWER bytes, or BadAnswer."""
    encoding = content_encoding.strip().lower()
    if encoding in ("", "identity"):
        return raw
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise BadAnswer("encoding")
    plain, ended = _inflated(raw)
    if plain is None:
        raise BadAnswer("encoding")
    if len(plain) > MAX_ANSWER:
        raise BadAnswer("too_large")
    if not ended:
        raise BadAnswer("cut_off")
    return plain


def _inflated(raw: bytes) -> tuple[bytes | None, bool]:
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        return reader.decompress(raw, MAX_ANSWER + 1), reader.eof
    except zlib.error:
        return None, False


def _recoded(raw: bytes, codec: str) -> bytes:
    try:
        return raw.decode(codec).encode()
    except UnicodeDecodeError:
        pass
    raise BadAnswer("charset")


def _loaded(raw: bytes) -> tuple[Any, str]:
    """(value, "") or (None, fault). Errors end here: a decoder's own holds the document."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None, "not_json" if _is_utf8(raw) else "charset"
    if _surely_unique(raw, value):
        return value, ""
    try:
        _UNIQUE.decode(raw.decode())
    except (ValueError, RecursionError):
        return None, "duplicate_key"
    return value, ""


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


_COUNTED: Final = frozenset({str, dict, list})


def _surely_unique(raw: bytes, value: Any) -> bool:
    """Whether no key was dropped as a duplicate, where that can be told fast.

    Without escapes every quote opens or closes a key or a string; had a key been dropped, the value would
    hold fewer of them than the text.
    """
    if b"\\" in raw:
        return False
    strings, pending = 0, [value]
    while pending:
        node = pending.pop()
        kind = type(node)
        if kind is str:
            strings += 1
        elif kind is dict:
            strings += len(node)
            pending.extend([each for each in node.values() if type(each) in _COUNTED])
        elif kind is list:
            pending.extend([each for each in node if type(each) in _COUNTED])
    return raw.count(b'"') == 2 * strings


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate key")
    return members


_UNIQUE: Final = json.JSONDecoder(object_pairs_hook=_unique)
