"""What the process's own log is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from gateway.observe import logger


@contextmanager
def observed() -> Iterator[list[dict[str, Any]]]:
    """The lines told meanwhile, in place of stderr."""
    lines: list[dict[str, Any]] = []
    with mock.patch.object(logger, "write", lines.append):
        yield lines
