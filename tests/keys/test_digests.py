"""The keyed digest is HMAC-SHA-256, whatever it is put together of."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.keys import KeyedDigest

RFC_4231 = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
]


@pytest.mark.parametrize(("key", "data", "digest"), RFC_4231)
def test_the_published_vectors(key: bytes, data: bytes, digest: str) -> None:
    assert KeyedDigest(key).of(data).hex() == digest


@given(st.binary(max_size=64), st.lists(st.binary(max_size=300), max_size=3))
def test_it_is_what_the_standard_library_makes(key: bytes, texts: list[bytes]) -> None:
    keyed = KeyedDigest(key)
    for text in texts:
        assert keyed.of(text) == hmac.digest(key, text, "sha256")


def test_a_longer_key_is_refused() -> None:
    with pytest.raises(ValueError, match="64"):
        KeyedDigest(bytes(65))
