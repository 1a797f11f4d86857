"""The desk at which the demonstration's people sit: each gives `linkage` commands, with a key of their own."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import orjson

from gateway.demo import Command
from gateway.demo.ground import CannotStart
from gateway.demo.telling import Telling


class Desk:
    """Carries out commands as one person or another, and tells each of them."""

    def __init__(self, command: Command, folder: Path, url: str, telling: Telling) -> None:
        self._command = command
        self._folder = folder
        self._url = url
        self._telling = telling

    def key_file(self, who: str) -> Path:
        """The private key of a client or operator."""
        return self._folder / "keys" / f"{who}.jwk"

    def local(self, *arguments: str) -> dict[str, Any]:
        """A command that needs no gateway; returns what it says in JSON."""
        return self._read([*arguments, "--json"], "")

    def give(
        self, who: str, *arguments: str, standard_input: str = "", shown: Sequence[str] = (), quiet: bool = False
    ) -> dict[str, Any]:
        """A command as `who`; returns its JSON. Told (unless `quiet`) as typed, or as `shown` where paths differ."""
        if not quiet:
            self._telling.command(who, shlex.join(["linkage", *(shown or arguments)]))
        connection = ["--url", self._url, "--as", who, "--key", str(self.key_file(who)), "--json"]
        return self._read([*arguments, *connection], standard_input)

    def _read(self, arguments: list[str], standard_input: str) -> dict[str, Any]:
        with _kept(standard_input) as (output, errors):
            code = self._command(arguments)
        if code:
            name, (thai, english) = " ".join(arguments[:2]), _said(errors())
            raise CannotStart(f"คำสั่ง linkage {name} ไม่สำเร็จ {thai}", f"linkage {name} failed: {english}")
        body = orjson.loads(output())
        return body if isinstance(body, dict) else {"value": body}


def _said(errors: bytes) -> tuple[str, str]:
    """What a command said went wrong, in Thai and English."""
    try:
        error = orjson.loads(errors)["error"]
        more = "".join(f"\n  - {detail}" for detail in error.get("details", []))
        return str(error.get("title_th", "")), str(error.get("title", "")) + more
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", errors.decode(errors="replace").strip()


@contextmanager
def _kept(standard_input: str) -> Iterator[Any]:
    """Standard output and error kept from the screen; yields what reads each, as bytes."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]

    def reader(stream: io.TextIOWrapper) -> Any:
        def read() -> bytes:
            stream.flush()
            buffer = stream.buffer
            return buffer.getvalue() if isinstance(buffer, io.BytesIO) else b""

        return read

    before = sys.stdin
    sys.stdin = io.StringIO(standard_input)
    try:
        with redirect_stdout(streams[0]), redirect_stderr(streams[1]):
            yield reader(streams[0]), reader(streams[1])
    finally:
        sys.stdin = before
