"""The small government of `desk`, with everyone whom governance takes: two administrators, a DPO, an auditor, owners
of both sides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.desk import Desk, opened

PEOPLE = {
    "dpo": ("dpo", ""),
    "city-dpo": ("dpo", "city"),
    "city-owner": ("owner", "city"),
}


@contextmanager
def governed(folder: Path, linkage: Any) -> Iterator[Desk]:
    """Onboarded, with the agreement `city-person` in force."""
    with opened(folder, linkage) as desk:
        desk.onboard()
        for name, (role, agency) in PEOPLE.items():
            desk.gateway.person(name)
            public = ["--public-key", desk.gateway.keys / f"{name}.jwk"]
            of = ["--agency", agency] if agency else []
            ran = desk("admin", "operator", "add", name, "--name", name, "--role", role, *of, *public)
            assert ran.code == 0, ran.err
        yield desk
