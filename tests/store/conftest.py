"""Stores over an empty database of each kind, and drafts that tell what they were sealed with."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.store import Store
from tests.databases import KINDS, fresh


@dataclass
class Note:
    """A draft whose sealing is seen: `sealed` holds (count, previous, entry) of each."""

    subject: bytes | None = None
    month: str = "2026-11"
    earlier: tuple[bytes, ...] = ()
    sealed: list[tuple[int | None, bytes | None, bytes]] = field(default_factory=list)
    work: Callable[[], None] = lambda: None

    def moved_from(self, earlier: bytes) -> Note:
        """Sealed among this one's own."""
        return Note(self.subject, self.month, sealed=self.sealed)

    def seal(self, count: int | None, previous: bytes | None) -> tuple[bytes, bytes]:
        self.work()
        entry = os.urandom(32)
        self.sealed.append((count, previous, entry))
        return entry, b"sealed"


class Gate:
    """Holds the writer in the middle of a batch, so that what comes meanwhile makes the next batch."""

    def __init__(self) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

    def draft(self) -> Note:
        return Note(work=self._hold)

    def _hold(self) -> None:
        self.reached.set()
        assert self.opened.wait(20)


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database of each kind."""
    with fresh(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store over it."""
    opened = Store(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> Iterator[str]:
    """An empty SQLite database, for what only a file can suffer."""
    with fresh("sqlite", tmp_path) as url:
        yield url


@pytest.fixture
def postgres_url(tmp_path: Path) -> Iterator[str]:
    """An empty PostgreSQL database, for what only a server can do."""
    with fresh("postgresql", tmp_path) as url:
        yield url
