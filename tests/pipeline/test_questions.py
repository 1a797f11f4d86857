"""The reader's fast way: what it takes, the strict way takes alike."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import questions
from gateway.errors import MalformedRequest

TEXTS = st.text(st.sampled_from('abกข"\\ {}[]:,\n\x00\x7f\ud800๑1'), max_size=6)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS | st.integers() | st.none() | st.lists(TEXTS, max_size=2)), max_size=4)


def strictly(body: bytes, monkeypatch: pytest.MonkeyPatch) -> object:
    """What is read with the fast way blocked; None where it is refused."""
    with monkeypatch.context() as patch:
        patch.setattr(questions, "_plain", lambda _: None)
        try:
            return questions.read_object(body)
        except MalformedRequest:
            return None


def either(body: bytes) -> object:
    try:
        return questions.read_object(body)
    except MalformedRequest:
        return None


@given(PAIRS, st.sampled_from(["", " ", "\ufeff", "x", "}"]))
def test_pairs_written_out_with_keys_twice_and_broken_marks(pairs: list[tuple[str, object]], around: str) -> None:
    def written(value: object) -> str:
        return f'"{value}"' if isinstance(value, str) else orjson.dumps(str(value)).decode()

    text = around + "{" + ",".join(f'"{key}":{written(value)}' for key, value in pairs) + "}" + around
    body = text.encode("utf-8", "surrogatepass")
    with pytest.MonkeyPatch.context() as patch:
        assert either(body) == strictly(body, patch)


@given(st.binary(max_size=60))
def test_any_bytes(body: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        assert either(body) == strictly(body, patch)


def test_a_usual_question_goes_the_fast_way_and_a_doubled_key_does_not() -> None:
    assert questions._plain('{"service": "dopa.person.v1", "purpose": "ก"}'.encode()) is not None
    for body in (b'{"a": "x", "a": "y"}', b'{"a": "\\u0041"}', b'{"a": 1}', b'["a"]', b'{"a": {"b": "c"}}', b"{"):
        assert questions._plain(body) is None
