"""What must not be found in anything the gateway wrote, and a search of bytes for it."""

from __future__ import annotations

import base64
import hashlib
import json
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b", "blake2s")
_THAI = str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙")
_PREFIX = 8


def written_forms(digits: str) -> Iterator[tuple[str, bytes]]:
    """A citizen ID as it could be written down: as text, as a number, encoded."""
    dashed = f"{digits[0]}-{digits[1:5]}-{digits[5:10]}-{digits[10:12]}-{digits[12]}"
    for name, text in (("plain", digits), ("dashed", dashed), ("spaced", dashed.replace("-", " "))):
        yield name, text.encode()
        yield f"{name}, UTF-16LE", text.encode("utf-16-le")
        yield f"{name}, UTF-16BE", text.encode("utf-16-be")
        yield f"{name}, hex", text.encode().hex().encode()
        yield from ((f"{name}, base64", core) for core in base64_cores(text.encode()))
    yield "Thai digits", digits.translate(_THAI).encode()
    for size in (6, 8):  # six bytes: how SQLite stores a number of this size
        yield f"number, {size} bytes, big end first", int(digits).to_bytes(size, "big")
        yield f"number, {size} bytes, little end first", int(digits).to_bytes(size, "little")
    yield "packed decimals", bytes.fromhex("0" + digits)


def base64_cores(raw: bytes) -> Iterator[bytes]:
    """The part of `raw` in base64 that does not depend on what stands around it, at each of three places."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw)
        first, last = -(-offset * 8 // 6), (offset + len(raw)) * 8 // 6
        yield encoded[first:last]
        yield encoded[first:last].replace(b"+", b"-").replace(b"/", b"_")


def value_forms(value: str) -> Iterator[tuple[str, bytes]]:
    """A field's value as it could be written down."""
    yield "as it is", value.encode()
    yield "UTF-16LE", value.encode("utf-16-le")
    yield "JSON escapes", json.dumps(value)[1:-1].encode()
    yield "hex", value.encode().hex().encode()
    yield from (("base64", core) for core in base64_cores(value.encode()) if len(core) >= _PREFIX)


def digest_forms(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Unkeyed digests of `raw`, whole or cut to 16 bytes."""
    for name in ALGORITHMS:
        digest = hashlib.new(name, raw).digest()
        yield f"{name}, raw", digest[:16]
        yield f"{name}, hex", digest[:16].hex().encode()
        yield f"{name}, HEX", digest[:16].hex().upper().encode()
        encoded = base64.b64encode(digest)[:20]
        yield f"{name}, base64", encoded
        yield f"{name}, base64url", encoded.replace(b"+", b"-").replace(b"/", b"_")


class Needles:
    """Many byte strings, looked for at once: by the eight bytes they begin with, then whole."""

    def __init__(self) -> None:
        self._by_prefix: dict[int, list[tuple[str, bytes]]] = defaultdict(list)
        self._short: list[tuple[str, bytes]] = []

    def add(self, about: str, forms: Iterable[tuple[str, bytes]]) -> None:
        """`about` says in a failure what was found, without being it."""
        for form, needle in forms:
            if len(needle) < _PREFIX:
                self._short.append((f"{about}: {form}", needle))
            else:
                prefix = int.from_bytes(needle[:_PREFIX], "little")
                self._by_prefix[prefix].append((f"{about}: {form}", needle))

    def in_bytes(self, data: bytes) -> list[str]:
        """What is found."""
        found = {about for about, needle in self._short if needle in data}
        wanted = self._by_prefix.keys()
        for offset in range(_PREFIX):
            end = offset + (len(data) - offset) // _PREFIX * _PREFIX
            for prefix in wanted & set(array("Q", data[offset:end])):
                found.update(about for about, needle in self._by_prefix[prefix] if needle in data)
        return sorted(found)

    def in_files(self, *roots: Path) -> dict[str, list[str]]:
        """What is found, by file."""
        files = [path for root in roots for path in sorted(root.rglob("*")) if path.is_file()]
        assert files, "nothing to search"
        found = {path.name: self.in_bytes(path.read_bytes() + b"\n" + path.name.encode()) for path in files}
        return {name: what for name, what in found.items() if what}
