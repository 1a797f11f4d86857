"""The file of rows: every table as JSON lines, gzipped. Bytes are base64, dates are ISO 8601.

{"table": "head", "columns": ["id", "size"]}
[1, 512]
…
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import LargeBinary, Table

from gateway.backup.manifest import BadBackup
from gateway.store import Connection
from gateway.store.tables import metadata

PAGE = 500


def tables() -> list[Table]:
    """Every table, in a fixed order."""
    return list(metadata.sorted_tables)


def write_rows(connection: Connection, path: Path) -> tuple[dict[str, int], str]:
    """All rows as `connection` sees them, into a new file for its owner only; (rows by table, SHA-256 in hex)."""
    counts: dict[str, int] = {}
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as raw:
        with gzip.GzipFile(fileobj=raw, mode="wb", compresslevel=1, mtime=0, filename="") as file:
            for table in tables():
                names = [str(column.name) for column in table.columns]
                coded = _coded(table)
                file.write(_line(_heading(table)))
                counts[str(table.name)] = 0
                for rows in connection.pages(f"SELECT {', '.join(names)} FROM {table.name}", PAGE):  # noqa: S608
                    file.write(b"".join(_line(_written(row, coded)) for row in rows))
                    counts[str(table.name)] += len(rows)
        raw.flush()
        os.fsync(raw.fileno())
    return counts, digest_of(path)


def read_rows(path: Path) -> Iterator[tuple[Table, list[list[Any]]]]:
    """Each table with some rows at a time, in order. BadBackup where the file is not one that `write_rows` wrote."""
    try:
        with gzip.open(path, "rb") as file:
            yield from _read(file)
    except (OSError, EOFError, ValueError, TypeError, zlib.error):
        raise BadBackup("its file of rows cannot be read to the end") from None


def _read(lines: Iterable[bytes]) -> Iterator[tuple[Table, list[list[Any]]]]:
    following = iter(tables())
    table: Table | None = None
    coded: list[int] = []
    page: list[list[Any]] = []
    for line in lines:
        value = orjson.loads(line)
        if isinstance(value, dict):
            if table is not None and page:
                yield table, page
            table, page = next(following, None), []
            if table is None or value != _heading(table):
                raise BadBackup("its tables are not those of this version")
            coded = _coded(table)
            continue
        if table is None or not isinstance(value, list) or len(value) != len(table.columns):
            raise ValueError
        for place in coded:
            if value[place] is not None:
                value[place] = base64.b64decode(value[place], validate=True)
        page.append(value)
        if len(page) == PAGE:
            yield table, page
            page = []
    if table is not None and page:
        yield table, page
    if next(following, None) is not None:
        raise ValueError


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _heading(table: Table) -> dict[str, Any]:
    return {"table": str(table.name), "columns": [str(column.name) for column in table.columns]}


def _coded(table: Table) -> list[int]:
    return [place for place, column in enumerate(table.columns) if isinstance(column.type, LargeBinary)]


def _written(row: Any, coded: list[int]) -> list[Any]:
    values = list(row)
    for place in coded:
        if values[place] is not None:
            values[place] = base64.b64encode(values[place]).decode()
    return values


def _line(value: Any) -> bytes:
    return orjson.dumps(value) + b"\n"
