"""YAML read as plain JSON values, with the line of every node.

Scalars are typed as in YAML 1.2's core schema: `no` and `2026-01-01` stay text, so does `02`. Duplicate keys,
keys that are not text, tags, characters that are no text, and documents that unfold into too many nodes are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from gateway.catalogue.problems import Finding, Place

MAX_BYTES: Final = 512 * 1024
_BYTES_A_NODE: Final = 10
"""So many nodes a document may unfold into: one for each ten bytes that it may have."""
_MAX_DEPTH: Final = 40
NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What no register, page or terminal should be given: controls, turned directions of writing, half characters."""


class _Loader(yaml.SafeLoader):
    """SafeLoader without YAML 1.1's own ideas of what is a boolean, a date or a number."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _form, _first in (
    ("tag:yaml.org,2002:null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("tag:yaml.org,2002:bool", r"^(?:true|false)$", ["t", "f"]),
    ("tag:yaml.org,2002:int", r"^-?(?:0|[1-9][0-9]{0,17})$", list("-0123456789")),
    ("tag:yaml.org,2002:float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", list("-0123456789")),
):
    _Loader.add_implicit_resolver(_tag, re.compile(_form), _first)

_READ: Final[dict[str, Callable[[str], Any]]] = {
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:bool": lambda text: text == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:str": str,
}


@dataclass(slots=True)
class Document:
    """A YAML document's value, the line (from 1) of each place, and what is wrong with it as YAML."""

    value: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    findings: list[tuple[int, Finding]] = field(default_factory=list)

    def line(self, place: Place) -> int:
        """The line of `place`, or of the nearest node above it that the file has."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 0)


def bytes_of(file: Path) -> bytes:
    """What a file holds, cut off behind MAX_BYTES. Raises OSError, also for a pipe or a device: those may never end."""
    if not file.is_file():
        raise FileNotFoundError(str(file))
    with file.open("rb") as opened:
        return opened.read(MAX_BYTES + 1)


def read_yaml(raw: bytes, *, most: int = MAX_BYTES) -> Document:
    """The one YAML document in `raw`, of `most` bytes. Never raises: see `findings`."""
    document = Document()
    node, line, wrong = _composed(raw, most)
    if node is not None:
        try:
            document.value = _Reader(document, most // _BYTES_A_NODE).read(node, ())
        except _TooMuch:
            document, wrong = Document(), _TOO_MUCH
    if wrong is not None:
        document.findings.append((line, Finding((), *wrong)))
    return document


_TOO_MUCH: Final = ("too many nodes, or nested too deeply", "มีข้อมูลมากหรือซ้อนกันลึกเกินไป")


def _composed(raw: bytes, most: int) -> tuple[yaml.Node | None, int, tuple[str, str] | None]:
    """The document's root node; else the line and what is wrong."""
    line, wrong = 0, ("the file is empty", "ไฟล์ว่างเปล่า")
    if len(raw) > most:
        size = most >> 10
        return None, line, (f"the file is too large: at most {size:,} KiB", f"ไฟล์มีขนาดใหญ่เกินไป ได้ไม่เกิน {size:,} KiB")
    try:
        node = yaml.compose(raw.decode(), Loader=_Loader)
        if node is not None:
            return node, line, None
    except UnicodeDecodeError:
        wrong = ("the file is not UTF-8", "ไฟล์ไม่ได้เข้ารหัสแบบ UTF-8")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, wrong = (mark.line + 1 if mark else 0), ("this is not YAML", "ไม่ใช่รูปแบบ YAML")
    except RecursionError:
        wrong = _TOO_MUCH
    return None, line, wrong


class _TooMuch(Exception):
    pass


class _Reader:
    def __init__(self, document: Document, most: int) -> None:
        self._document = document
        self._left = most

    def read(self, node: yaml.Node, place: Place) -> Any:
        self._left -= 1
        if self._left < 0 or len(place) > _MAX_DEPTH:
            raise _TooMuch
        self._document.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*place, i)) for i, item in enumerate(node.value)]
        read = _READ.get(node.tag)
        if read is None:
            self._wrong(node, place, "a tag is not allowed here", "ไม่อนุญาตให้ใช้ tag")
            return None
        if NO_TEXT.search(node.value):
            self._wrong(node, place, "a control character, or half a character", "มีอักขระควบคุม หรืออักขระที่ไม่สมบูรณ์")
            return None
        return read(node.value)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                self._wrong(key, place, "a key must be text: put it in quotes", "คีย์ต้องเป็นข้อความ ให้ใส่เครื่องหมายคำพูด")
            elif NO_TEXT.search(key.value):
                self._wrong(key, place, "a control character, or half a character", "มีอักขระควบคุม หรืออักขระที่ไม่สมบูรณ์")
            elif key.value in members:
                self._wrong(key, place, f"the key `{key.value}` is there twice", f"มีคีย์ `{key.value}` ซ้ำ")
            else:
                self._document.lines[(*place, key.value)] = key.start_mark.line + 1
                members[key.value] = self.read(value, (*place, key.value))
        return members

    def _wrong(self, node: yaml.Node, place: Place, en: str, th: str) -> None:
        self._document.findings.append((node.start_mark.line + 1, Finding(place, en, th)))
