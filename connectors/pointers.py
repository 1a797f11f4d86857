"""Where in a source's answer a value lies: JSON Pointers (RFC 6901), made ready to be followed many times."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

Rule = Callable[[Any], Any]
"""From the node a rule's paths start at to the value; None where it is missing."""

_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)


def pointer(text: str) -> Rule:
    """What a JSON Pointer (RFC 6901) leads to; the rule answers None where it leads nowhere or to null."""
    steps = tuple(step.replace("~1", "/").replace("~0", "~") for step in text.split("/")[1:])
    if len(steps) == 1:
        only = steps[0]

        def shallow(node: Any) -> Any:
            return node.get(only) if isinstance(node, dict) else _step(node, only)

        return shallow

    def deep(node: Any) -> Any:
        for step in steps:
            node = _step(node, step)
            if node is None:
                return None
        return node

    return deep


def _step(node: Any, step: str) -> Any:
    if isinstance(node, dict):
        return node.get(step)
    if isinstance(node, list) and _DIGITS.fullmatch(step) and len(step) < 10 and int(step) < len(node):
        return node[int(step)]
    return None
