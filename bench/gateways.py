"""This gateway, complete, over the bench's source: on SQLite and PostgreSQL, with bearer and DPoP tokens."""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import httpx
import psycopg

from bench.load import request_bytes
from connectors.population import population
from gateway.catalogue import digest_of
from tests.databases import fresh
from tests.harness import OLD_AGE, PERSON, ROOT, SANDBOX_KEYS, RunningGateway, end, registration_of, seed, token_of
from tests.identity.prover import Prover

CLIENT = "city-a-welfare"
PEOPLE = tuple(population())[:500]
ASKS = tuple(json.dumps({"service": PERSON, "citizen_id": each, "purpose": OLD_AGE}).encode() for each in PEOPLE)
DIRECT = tuple(json.dumps({"personalID": each}).encode() for each in PEOPLE)
JSON_TYPE = {"Content-Type": "application/json"}
CONNECTIONS = 512
ROOM = {f"LINKAGE_MAX_{what}": CONNECTIONS for what in ("IN_FLIGHT", "PER_SOURCE", "PER_AGENCY")}
"""A bench puts everything on one source, up to 512 at a time: more than the defaults let one have."""


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


class Served(RunningGateway):
    """A gateway started as an operator starts it: `linkage serve`, with or without `--workers`."""

    workers = 1

    def start(self, *, wait: bool = True) -> None:
        """Runs it."""
        self.starts += 1
        with (self.output / f"stderr.{self.starts}").open("wb") as err:
            self.process = subprocess.Popen(
                serve_command(self.workers), cwd=ROOT, env=self.environment, stdout=err, stderr=err
            )
        if wait:
            self.wait_ready()


def serve_command(workers: int = 1) -> list[str]:
    """`linkage serve`."""
    command = [str(Path(sys.executable).with_name("linkage")), "serve"]
    return command if workers == 1 else [*command, "--workers", str(workers)]


def has_workers() -> bool:
    """Whether `serve` takes `--workers`."""
    told = subprocess.run([*serve_command(), "--help"], capture_output=True, text=True, check=True)
    return "--workers" in told.stdout


@contextmanager
def gateway(database: str, asked: Source, folder: Path, *, workers: int = 1) -> Iterator[Served]:
    """A gateway on a new database of this kind, seeded, its services answered by the bench's source.

    Its modules are compiled, as the image has them, and any second start where Python may keep what it compiled.
    """
    for package in ("gateway", "connectors"):
        compileall.compile_dir(ROOT / package, quiet=1)
    folder.mkdir()
    with fresh(database, folder) as url:
        settings = ROOM if database == "sqlite" else {**ROOM, "LINKAGE_DATABASE_URL": url}
        running = Served(folder, **settings)
        running.workers = workers
        running.initialise()
        running.start()
        try:
            seed(running, {"dopa": asked, "nhso": asked})  # type: ignore[dict-item]
            _widen(running, asked)
            yield running
        finally:
            running.stop()


def _widen(running: RunningGateway, asked: Source) -> None:
    """As many connections to the source as there may be questions."""
    registration = registration_of("dopa", asked.url)
    for service in registration["services"]:
        service["connector"]["settings"]["connections"] = CONNECTIONS
    with running.as_("admin") as admin, running.as_("dopa-owner-1") as owner:
        admin.act("connector.register", {"registration": registration})
        owner.act("connector.approve", {"agency": "dopa", "digest": digest_of(registration)})


def bearer(running: RunningGateway) -> dict[str, str]:
    """The header of a bearer token, good for ten minutes."""
    return {"Authorization": f"Bearer {token_of(running, CLIENT)}"}


def dpop(running: RunningGateway, count: int) -> list[bytes]:
    """Questions with a bound token, each with a proof of its own: none may be sent twice (RFC 9449)."""
    prover = Prover(running, CLIENT).bind()
    url, token = f"{running.url}/v1/exchanges", {"Authorization": f"DPoP {prover.token}", **JSON_TYPE}
    asks = islice(cycle(ASKS), count)
    return [request_bytes("POST", "/v1/exchanges", {**token, "DPoP": prover.proof("POST", url)}, ask) for ask in asks]


def posts(path: str, headers: dict[str, str], bodies: Sequence[bytes]) -> list[bytes]:
    """A POST of each body."""
    return [request_bytes("POST", path, {**headers, **JSON_TYPE}, body) for body in bodies]


def postgres_settings(url: str) -> str:
    """Its version, and what says that a commit is on disk."""
    with psycopg.connect(url) as connection:
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers")
        values = [str((connection.execute(f"SHOW {name}").fetchone() or ("?",))[0]) for name in names]
    return ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))


def postmaster(url: str) -> int:
    """The process of the database server, where it runs on this machine."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_backend_pid()").fetchone()
        assert row is not None
        return int(Path(f"/proc/{row[0]}/stat").read_text().rpartition(")")[2].split()[1])
