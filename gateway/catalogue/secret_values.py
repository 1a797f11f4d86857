"""Where a connector's secrets come from: the environment, or files in one folder. Read at each use, kept nowhere."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

_ENV: Final = re.compile(r"SOURCE_[A-Z][A-Z0-9_]*__[A-Z0-9_]+", re.ASCII)
_FILE: Final = re.compile(r"[a-z][a-z0-9-]*/[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII)
_LARGEST: Final = 64 * 1024


class SecretMissing(LookupError):
    """There is no value behind a secret reference. Names the reference, never a value."""


def machine_secrets(folder: Path | None = None) -> Callable[[str], str]:
    """A resolver of `env:SOURCE_<AGENCY>__<NAME>` and `file:<agency>/<name>` (in `folder`); raises SecretMissing."""

    def resolve(reference: str) -> str:
        where, _, name = reference.partition(":")
        value: str | None = None
        if where == "env" and _ENV.fullmatch(name):
            value = os.environ.get(name)
        elif where == "file" and folder is not None and _FILE.fullmatch(name):
            try:
                with (folder / name).open(encoding="utf-8") as file:
                    value = file.read(_LARGEST)
            except (OSError, UnicodeDecodeError):
                value = None
        value = (value or "").strip()
        if not value:
            raise SecretMissing(f"no value for the secret {reference}")
        return value

    return resolve
