"""This gateway, complete, over the bench's source: on SQLite and PostgreSQL, with bearer and DPoP tokens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

from bench.load import request_bytes
from connectors.population import population
from tests.databases import fresh
from tests.harness import OLD_AGE, PERSON, ROOT, SANDBOX_KEYS, RunningGateway, end, seed, token_of

CLIENT = "city-a-welfare"
PEOPLE = tuple(population())[:500]
ASKS = tuple(json.dumps({"service": PERSON, "citizen_id": each, "purpose": OLD_AGE}).encode() for each in PEOPLE)
DIRECT = tuple(json.dumps({"personalID": each}).encode() for each in PEOPLE)
JSON_TYPE = {"Content-Type": "application/json"}
ROOM = {"LINKAGE_MAX_PER_SOURCE": 1024, "LINKAGE_MAX_IN_FLIGHT": 1024}
"""More than the defaults: a bench puts everything on one source, 512 at a time."""


@dataclass(frozen=True, slots=True)
class Source:
    """The bench's source, as the harness knows an agency."""

    port: int
    process: subprocess.Popen[str]

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def delay(self, seconds: float) -> None:
        """How long each answer takes from now on."""
        httpx.put(f"{self.url}/delay", content=str(seconds), trust_env=False).raise_for_status()


@contextmanager
def source() -> Iterator[Source]:
    """A source that runs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.source"],
        cwd=ROOT,
        env={**os.environ, **SANDBOX_KEYS},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Source(int(json.loads(process.stdout.readline())["port"]), process)
    finally:
        end(process)


@contextmanager
def gateway(database: str, asked: Source, folder: Path) -> Iterator[RunningGateway]:
    """A gateway on a new database of this kind, seeded, its services answered by the bench's source."""
    folder.mkdir()
    with fresh(database, folder) as url:
        settings = ROOM if database == "sqlite" else {**ROOM, "LINKAGE_DATABASE_URL": url}
        running = RunningGateway(folder, **settings)
        running.initialise()
        running.start()
        try:
            seed(running, {"dopa": asked, "nhso": asked})  # type: ignore[dict-item]
            yield running
        finally:
            running.stop()


def bearer(running: RunningGateway) -> dict[str, str]:
    """The header of a bearer token, good for ten minutes."""
    return {"Authorization": f"Bearer {token_of(running, CLIENT)}"}


def posts(path: str, headers: dict[str, str], bodies: Sequence[bytes]) -> list[bytes]:
    """A POST of each body."""
    return [request_bytes("POST", path, {**headers, **JSON_TYPE}, body) for body in bodies]


def postmaster(url: str) -> int:
    """The process of the database server, where it runs on this machine."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        return int(Path(f"/proc/{row[0]}/stat").read_text().rpartition(")")[2].split()[1])
