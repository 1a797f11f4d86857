"""What is wrong with a folder of policies."""

from __future__ import annotations

from pathlib import Path

from gateway.errors import MalformedRequest
from gateway.policy.policyset import Problem, parse, read_folder


def check(folder: Path) -> list[Problem]:
    """Every problem of the folder's policies: empty if there is none."""
    try:
        schema, files = read_folder(folder)
    except OSError as fault:
        return [Problem("", "", f"cannot be read: {fault.strerror}", f"อ่านไม่ได้: {fault.strerror}")]
    except MalformedRequest as fault:
        return [Problem("", "", fault.detail_en, fault.detail_th)]
    return parse(schema, files)[1]
