"""A first look at Cedar text that others wrote, before the parser sees it.

Cedar's parser (cedar-policy 4, through cedarpy) recurses with the text's nesting and has no limit of its own:
some thousand brackets end the whole process, not the call. So length and nesting are bounded here, far above
what a rule that a person can read needs.
"""

from __future__ import annotations

import re

MAX_FILE = 64 * 1024
"""Characters in one file."""
MAX_STATEMENT = 4_000
"""Characters in one policy, texts and comments left out: a chain of operators nests as deep as it is long."""
MAX_DEPTH = 32
"""Brackets within brackets."""

_TEXT_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*', re.DOTALL)
_CLOSES = {")": "(", "]": "[", "}": "{", ">": "<"}


def too_much(text: str, *, schema: bool = False) -> bool:
    """Whether `text` is longer or deeper than a parser may be given, or its brackets do not match.

    In a Cedar schema `<` and `>` are brackets (`Set<String>`), in policies they compare.
    """
    if len(text) > MAX_FILE:
        return True
    bare = _TEXT_OR_COMMENT.sub(" ", text)
    if any(len(statement) > MAX_STATEMENT for statement in bare.split(";")):
        return True
    opening, closing = ("([{<", ")]}>") if schema else ("([{", ")]}")
    inside: list[str] = []
    for letter in bare:
        if letter in opening:
            inside.append(letter)
            if len(inside) > MAX_DEPTH:
                return True
        elif letter in closing and (not inside or inside.pop() != _CLOSES[letter]):
            return True
    # A quote left over has no end: it would have hidden brackets from the count.
    return '"' in bare or bool(inside)
