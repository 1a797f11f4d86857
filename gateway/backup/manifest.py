"""What a backup says of itself, so that a restore can tell whether it has all of it, and of which log."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from gateway.keys import write_private

FORMAT = "linkage-backup/v1"
MANIFEST = "manifest.json"
TABLES = "tables.jsonl.gz"


class BadBackup(Exception):
    """The folder holds no backup that can be used; says why, in words of ours."""


@dataclass(frozen=True, slots=True)
class HeldArchive:
    """The log's archive at a backup: its first `entries`, of this `root` (hex), in so many `files` and `bytes`.

    `sha256`: of the list of their digests, in hex. `held`: whether the files themselves are in the backup.
    """

    entries: int
    root: str
    files: int
    bytes: int
    sha256: str
    held: bool


@dataclass(frozen=True, slots=True)
class Manifest:
    """One backup. `size` entries with the Merkle `root` (hex) lay in the log called `origin` when it was made.

    `checkpoint`: the newest one by then, with its cosignatures, or empty. `vkey`: the log's verifier key. `migration`:
    of the tables. `pseudonym_check`: tells whether a pseudonym key is the one of then, and nothing of the key.
    `rows`: how many each table has. `sha256`: of the file of rows, in hex. `archive`: None where nothing had left the
    database.
    """

    format: str
    made_at: str
    program: str
    migration: str
    database: str
    origin: str
    vkey: str
    size: int
    root: str
    checkpoint: str
    pseudonym_check: str
    rows: dict[str, int]
    sha256: str
    archive: HeldArchive | None = None

    def as_json(self) -> dict[str, Any]:
        """As written and printed."""
        return asdict(self)

    def write(self, folder: Path) -> None:
        """Writes it into `folder`, durable when this returns."""
        write_private(folder / MANIFEST, orjson.dumps(self.as_json(), option=orjson.OPT_INDENT_2) + b"\n")

    @staticmethod
    def read(folder: Path) -> Manifest:
        """The manifest in `folder`, or BadBackup."""
        try:
            body = orjson.loads((folder / MANIFEST).read_bytes())
        except FileNotFoundError:
            raise BadBackup("it has no manifest.json: it is no backup, or one that was interrupted") from None
        except (OSError, ValueError):
            raise BadBackup("its manifest.json cannot be read") from None
        if not isinstance(body, dict) or body.get("format") != FORMAT:
            raise BadBackup(f"its manifest.json is not of the format {FORMAT}")
        try:
            held = body.get("archive")
            manifest = Manifest(**{**body, "archive": HeldArchive(**held) if held is not None else None})
        except TypeError:
            raise BadBackup("its manifest.json lacks something, or has something else") from None
        texts = [value for name, value in body.items() if name not in ("size", "rows", "archive")]
        counted = isinstance(manifest.rows, dict) and all(type(count) is int for count in manifest.rows.values())
        archive = manifest.archive
        kinds = {int: ("entries", "files", "bytes"), str: ("root", "sha256"), bool: ("held",)}
        fits = archive is None or all(
            type(getattr(archive, name)) is kind for kind, names in kinds.items() for name in names
        )
        if not all(isinstance(text, str) for text in texts) or type(manifest.size) is not int or not (counted and fits):
            raise BadBackup("its manifest.json has something of another type")
        return manifest
