"""YAML files as the commands read them: the catalogue's strict reader, with the line of everything in the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.catalogue.yaml_lines import Document
from gateway.catalogue.yaml_lines import read_yaml as read_document
from gateway.cli.failures import WrongUse

MOST = 8 << 20
"""Bytes: a file may name all local authorities of the country, some 7,800, with their systems and keys."""


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A file that holds one mapping."""

    path: Path
    body: dict[str, Any] = field(repr=False)
    document: Document = field(repr=False)

    def at(self, place: Sequence[str | int] = ()) -> str:
        """`file:line` of a place in the mapping, or of the nearest above it that the file has."""
        return f"{self.path}:{self.document.line(tuple(place))}"


def read_yaml(path: Path) -> YamlFile:
    """The mapping in a YAML file, or WrongUse that says where it goes wrong (never what stands there)."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise WrongUse(f"อ่านไฟล์ {path} ไม่ได้", f"{path} cannot be read: {error.strerror}") from None
    document = read_document(raw.removeprefix(b"\xef\xbb\xbf"), most=MOST)
    if document.findings:
        faults = [f"{path}:{line}: {finding.th} / {finding.en}" for line, finding in document.findings]
        raise WrongUse(f"อ่านไฟล์ {path} ไม่ได้", f"{path} cannot be read as YAML", faults)
    if not isinstance(document.value, dict):
        raise WrongUse(f"ไฟล์ {path} ไม่ได้อยู่ในรูปแบบที่กำหนด", f"{path} does not hold a mapping")
    return YamlFile(path, document.value, document)
