"""A real gateway's log, copied so that it can be tampered with: database, keys and the verifier key."""

from __future__ import annotations

import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from connectors import population
from gateway.exchangelog import ExchangeLog
from gateway.exchangelog.tree import Tree
from gateway.keys import Keys
from gateway.store import Connection, Store
from gateway.tlog.checkpoint import Checkpoint, open_checkpoint
from gateway.tlog.note import VerifierKey, parse_key
from gateway.tlog.tiles import bundle, parse_path, width_at
from gateway.verification.database import verify_database
from gateway.verification.findings import Report
from gateway.verification.remote import NotServed
from tests.harness import OLD_AGE, PERSON, RunningGateway

ENTRIES = 600


@dataclass(frozen=True)
class CopiedLog:
    """One copy of a log's database."""

    file: Path
    keys: Keys
    key: VerifierKey

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def again(self, file: Path) -> CopiedLog:
        """A copy of the copy."""
        with sqlite3.connect(self.file) as source, sqlite3.connect(file) as target:
            source.backup(target)
        return CopiedLog(file, self.keys, self.key)

    def run(self, *statements: str, **values: Any) -> None:
        """Tampers."""
        connection = sqlite3.connect(self.file)
        with connection:
            for statement in statements:
                connection.execute(statement, values)
        connection.close()

    def one(self, statement: str, *values: Any) -> Any:
        connection = sqlite3.connect(self.file)
        try:
            return connection.execute(statement, values).fetchone()[0]
        finally:
            connection.close()

    @property
    def size(self) -> int:
        return int(self.one("SELECT size FROM head"))

    def checked(self, seen: Checkpoint | None = None) -> Report:
        """What the verifier says."""
        connection = Connection(self.url, read_only=True)
        try:
            return verify_database(connection, self.key, self.keys.master, seen=seen)
        finally:
            connection.close()

    def places(self, seen: Checkpoint | None = None) -> list[str]:
        """Where it found something."""
        return [finding.place for finding in self.checked(seen).findings]

    def log(self) -> tuple[Store, ExchangeLog]:
        """To append with the gateway's own keys, as who runs it could."""
        store = Store(self.url)
        return store, ExchangeLog(store, self.keys, origin=self.key.name, gateway="gateway-9")

    @property
    def latest(self) -> tuple[str, Checkpoint]:
        note = str(self.one("SELECT note FROM checkpoints ORDER BY size DESC LIMIT 1"))
        return note, open_checkpoint(note, self.key)[0]

    def fetch(self, path: str) -> bytes:
        """What the log would serve, without its HTTP."""
        note, checkpoint = self.latest
        if path == "checkpoint":
            return note.encode()
        tile = parse_path(path)
        if width_at(tile, checkpoint.size) < tile.width:
            raise NotServed(path)
        connection = Connection(self.url, read_only=True)
        try:
            tree = Tree(connection)
            if tile.level is None:
                return bundle(tree.entries(tile.index, tile.width))
            return b"".join(tree.hashes(tile.level, tile.index, tile.width)[: tile.width])
        finally:
            connection.close()


def filled(gateway: RunningGateway) -> None:
    """Exchanges until the log has two full tiles and more, and a checkpoint over all of it."""
    people = population.story_people()
    with gateway.as_("city-a-welfare") as client:
        while newest(gateway).size < ENTRIES:
            for person in people[:3] * 20:
                client.exchange(service=PERSON, citizen_id=person.citizen_id, purpose=OLD_AGE, case_reference="T/1")
            time.sleep(0.6)


def newest(gateway: RunningGateway) -> Checkpoint:
    """The checkpoint that the gateway serves."""
    key = parse_key(httpx.get(f"{gateway.url}/log/vkey", trust_env=False).text)
    return open_checkpoint(httpx.get(f"{gateway.url}/log/checkpoint", trust_env=False).text, key)[0]


def settled(gateway: RunningGateway) -> Checkpoint:
    """The checkpoint once it covers all that was in the log when this was asked."""
    with sqlite3.connect(gateway.state / "gateway" / "linkage.db") as connection:
        (size,) = connection.execute("SELECT size FROM head").fetchone()
    deadline = time.monotonic() + 10
    while (checkpoint := newest(gateway)).size < size and time.monotonic() < deadline:
        time.sleep(0.05)
    assert checkpoint.size >= size
    return checkpoint


def copied(gateway: RunningGateway, folder: Path) -> CopiedLog:
    """A copy of a running gateway's log, taken as a backup would be."""
    filled(gateway)
    settled(gateway)
    shutil.copytree(gateway.state / "gateway" / "keys", folder / "keys")
    key = parse_key(httpx.get(f"{gateway.url}/log/vkey", trust_env=False).text)
    return CopiedLog(gateway.state / "gateway" / "linkage.db", Keys.load(folder / "keys"), key).again(
        folder / "linkage.db"
    )
