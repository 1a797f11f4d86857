"""Key files: only their owner may read them; written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson


class KeyFileError(Exception):
    """A key file is missing, unreadable or not what it should be. Names the file, never its content.

    `thai`: the same in Thai, where a command's user can see it; else empty.
    """

    def __init__(self, english: str, thai: str = "") -> None:
        super().__init__(english)
        self.thai = thai


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner may read; refuses to overwrite (FileExistsError)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, content, os.O_EXCL)


def replace_private(path: Path, content: bytes) -> None:
    """Puts a file in another's place, on disk when this returns: after a crash it is the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.new")
    _write(fresh, content, os.O_TRUNC)
    fresh.replace(path)
    _sync_folder(path.parent)


def destroy_private(path: Path) -> None:
    """Takes a file away, its content written over first where the file system does that in place."""
    length = path.stat().st_size
    with path.open("r+b") as file:
        file.write(os.urandom(length))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    _sync_folder(path.parent)


def read_private(path: Path) -> bytes:
    """A file's bytes, or KeyFileError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeyFileError(f"{path} cannot be read: {error.strerror}", f"อ่านไฟล์กุญแจ {path} ไม่ได้") from None


def as_json(value: Any) -> bytes:
    """How JSON stands in key files."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"


def _write(path: Path, content: bytes, how: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
