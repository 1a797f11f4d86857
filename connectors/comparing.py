"""Whether what an asker gives is what the source has: names as people write them, citizen IDs as registers keep them.

Two names are alike if they differ in nothing but how they are written: spaces, dots and hyphens; a title before the
name, spelt out or shortened; Thai or Arabic digits; the order in which a vowel's parts and a tone mark were typed;
two signs of sara e for one of sara ae; upper and lower case. They are not alike if a letter differs: who reads the
answer looks at the paper again, and nobody can feel the way to a name by getting nearer.

The comparison is not made in constant time. What could be timed is how far two texts agree, over a source's own
answer time which varies by far more; and the asker is a known agency that may compare one person a few times a day,
not one that can measure thousands of times.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

_LEFT_OUT: Final = re.compile(r"[\s.\-‐‑–\u200b-\u200d\u2060\ufeff]")
_MARK_THEN_SIGN: Final = re.compile("\u0e4d([\u0e48-\u0e4b])")
"""Nikhahit before a tone mark: the same syllable as the tone mark before it."""
_TO_ARABIC: Final = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
_TITLE: Final = re.compile(
    r"(?:นางสาว|นาย|นาง|เด็กชาย|เด็กหญิง|หม่อมราชวงศ์|หม่อมหลวง|ว่าที่ร้อยตรี"
    r"|น\.\s*ส\.|ด\.\s*[ชญ]\.|ม\.\s*ร\.\s*ว\.|ม\.\s*ล\.|ดร\.|(?:mrs?|ms|miss|master|dr)[.\s])\s*(?=[ก-ฮเ-ไa-z])"
)
"""A title before a name: what follows can begin a name, and what is shortened has its dot, so that a name which only
begins like a title keeps its first syllable."""


def same_name(one: str, other: str) -> bool:
    """Whether two names are written forms of one."""
    return not _readings(one).isdisjoint(_readings(other))


def same_citizen_id(one: str, other: str) -> bool:
    """Whether two numbers are one citizen ID: lost leading zeros given back, hyphens and Thai digits understood."""
    first, second = _thirteen(one), _thirteen(other)
    return first is not None and first == second


def _plain(text: str) -> str:
    bare = _LEFT_OUT.sub("", text.translate(_TO_ARABIC)).replace("เเ", "แ")
    return _MARK_THEN_SIGN.sub("\\1\u0e4d", bare)


def _readings(name: str) -> set[str]:
    """The name as it stands and, where it begins with a title, without it; nothing of an empty one."""
    text = unicodedata.normalize("NFKC", name).casefold().strip()
    title = _TITLE.match(text)
    return {_plain(text), _plain(text[title.end() :]) if title else ""} - {""}


def _thirteen(number: str) -> str | None:
    digits = re.sub(r"[\s-]", "", number.translate(_TO_ARABIC))
    return digits.zfill(13) if digits.isascii() and digits.isdigit() and len(digits) <= 13 else None


KINDS: Final[Mapping[str, Callable[[str, str], bool]]] = {"name": same_name, "citizen_id": same_citizen_id}
"""`as` of a mapping's comparison -> what compares the source's value with the given one."""

Comparison = Callable[[Any, Mapping[str, str]], bool | None]
"""From the node a rule's paths start at, and what the asker gives, to yes or no."""


def comparison(parts: Mapping[str, tuple[Callable[[Any], str | None], str]]) -> Comparison:
    """`parts`: the name of each given value -> what finds its counterpart in a node, and as what they are compared.

    Yes if all are alike, no if one is not; None where neither can be said, because the source, or the asker, has
    nothing to compare.
    """

    def run(node: Any, given: Mapping[str, str]) -> bool | None:
        found = []
        for name, (find, kind) in parts.items():
            known, value = find(node), given.get(name)
            found.append(None if known is None or value is None else KINDS[kind](known, value))
        return False if False in found else None if None in found else True

    return run
