"""`linkage log verify --from URL`: a log from its public tiles alone, and from what was seen of it before.

1 the checkpoint is signed by the log's key, and cosigned by as many of the witnesses as are wanted
2 every bundle's entries make the tiles of level 0; every full tile makes one hash of the level above
3 all of it makes the checkpoint's root
4 the tree of the checkpoint seen last time is the beginning of this one: neither rolled back nor forked
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from gateway.tlog.checkpoint import Checkpoint, open_checkpoint
from gateway.tlog.merkle import EMPTY_ROOT, Range, leaf_hashes, perfect_root
from gateway.tlog.note import NoteError, VerifierKey, parse_key, parse_note
from gateway.tlog.tiles import HEIGHT, WIDTH, Tile, TileError, split, unbundle
from gateway.verification.findings import Report
from gateway.verification.keys import followed, signer_of

Fetch = Callable[[str], bytes]
"""A path below the log's prefix -> its bytes; NotServed where the log does not give it."""


class NotServed(Exception):
    """The log does not give what its checkpoint says it has."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a verifier remembers of a log: its key, and the newest checkpoint that it found good."""

    key: VerifierKey
    note: str

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint, verified again with the key beside it. NoteError."""
        return open_checkpoint(self.note, self.key)[0]

    @staticmethod
    def read(path: Path) -> Seen | None:
        """What was saved; None where nothing was. NoteError where the file is not one of these."""
        try:
            saved = orjson.loads(path.read_bytes())
            return Seen(parse_key(saved["vkey"]), str(saved["checkpoint"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            raise NoteError("the file of what was seen is not one that this command wrote") from None

    def write(self, path: Path) -> None:
        """Saves it, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + ".new")
        with fresh.open("wb") as file:
            file.write(
                orjson.dumps({"vkey": str(self.key), "checkpoint": self.note}, option=orjson.OPT_INDENT_2) + b"\n"
            )
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


def verify_tiles(
    fetch: Fetch, key: VerifierKey, seen: Seen | None, witnesses: Sequence[VerifierKey] = (), *, wanted: int = 0
) -> tuple[Report, Seen | None]:
    """Checks a log from outside. Returns what was found, and what to remember where it was good."""
    report = Report()
    try:
        note = fetch("checkpoint").decode()
        key = _signer(fetch, note, key)
        checkpoint, cosigned = open_checkpoint(note, key, witnesses, wanted=wanted)
    except (NoteError, NotServed, UnicodeDecodeError) as error:
        report.fault("checkpoint", str(error) if not isinstance(error, UnicodeDecodeError) else "not a signed note")
        return report, None
    report.count("cosignatures", len(cosigned))
    before = seen.checkpoint if seen is not None else None
    if before is not None and before.size > checkpoint.size:
        report.fault(f"checkpoint {before.size}", f"seen before, and now the log shows {checkpoint.size}: a rollback")
        return report, None
    with contextlib.suppress(NotServed, TileError):
        _walk(fetch, checkpoint, before, report)
    return report, Seen(key, note) if report.good else None


def _signer(fetch: Fetch, note: str, known: VerifierKey) -> VerifierKey:
    """The key that signed, where it is `known` or follows from it by the log's own statements."""
    if any(known.signed(signature) for signature in parse_note(note).signatures):
        return known
    return signer_of(note, followed(key_history(fetch), known))


def key_history(fetch: Fetch) -> object:
    """What the log says of its keys; nothing where it does not."""
    try:
        return orjson.loads(fetch("keys"))["keys"]
    except (NotServed, ValueError, KeyError, TypeError):
        return []


def _walk(fetch: Fetch, checkpoint: Checkpoint, before: Checkpoint | None, report: Report) -> None:
    """Level 0 from the entries; above, from the level below; the root from all. A fault that hides the rest ends it."""
    tree = Range()
    hashing = 0.0
    level: list[bytes] = []
    if before is not None and before.size == 0 and before.root != EMPTY_ROOT:
        report.fault("checkpoint 0", "the empty log had another root")
    for tile in _row(0, checkpoint.size):
        bundle = _got(fetch, Tile(None, tile.index, tile.width), report)
        hashes = _got(fetch, tile, report)
        started = time.perf_counter()
        leaves = leaf_hashes(_split(bundle, tile, report))
        _compare(tile, hashes, leaves, report, named=True)
        seen_at = before.size - tree.size if before is not None else -1
        if tile.width == WIDTH:
            level.append(perfect_root(leaves))
        if tile.width == WIDTH and not 0 < seen_at < WIDTH:
            tree.add_subtree(HEIGHT, level[-1])
        else:
            for leaf in leaves[: max(seen_at, 0)]:
                tree.add(leaf)
            _compare_seen(tree, before, report)
            for leaf in leaves[max(seen_at, 0) :]:
                tree.add(leaf)
        _compare_seen(tree, before, report)
        report.count("entries", len(leaves))
        hashing += time.perf_counter() - started
    number = 1
    while level:
        above: list[bytes] = []
        for tile in _row(number, checkpoint.size):
            made = level[tile.index * WIDTH :][: tile.width]
            _compare(tile, _got(fetch, tile, report), made, report, named=False)
            if tile.width == WIDTH:
                above.append(perfect_root(made))
        level, number = above, number + 1
    if tree.root() != checkpoint.root:
        report.fault(f"checkpoint {checkpoint.size}", "its root is not that of the entries")
    report.count("size", checkpoint.size)
    report.seconds["hashing"] = hashing


def _compare_seen(tree: Range, before: Checkpoint | None, report: Report) -> None:
    if before is not None and tree.size == before.size and tree.root() != before.root:
        place = f"checkpoint {before.size}"
        if place not in [finding.place for finding in report.findings]:
            report.fault(place, "the log is another than the one seen before: a fork")


def _row(level: int, size: int) -> list[Tile]:
    """The tiles of one level."""
    count = size >> 8 * level
    tiles = [Tile(level, index) for index in range(count // WIDTH)]
    return [*tiles, Tile(level, count // WIDTH, count % WIDTH)] if count % WIDTH else tiles


def _got(fetch: Fetch, tile: Tile, report: Report) -> bytes:
    """A tile, or in its place the beginning of the full one that took it."""
    report.count("tiles")
    try:
        return fetch(tile.path)
    except NotServed as error:
        if tile.width < WIDTH:
            with contextlib.suppress(NotServed):
                full = fetch(Tile(tile.level, tile.index).path)
                return full[: len(full) // WIDTH * tile.width]
        report.fault(tile.path, str(error))
        raise


def _split(bundle: bytes, tile: Tile, report: Report) -> list[bytes]:
    path = Tile(None, tile.index, tile.width).path
    try:
        entries = unbundle(bundle, tile.width)
        if any(len(entry) != 32 for entry in entries):
            raise TileError("an entry is not 32 bytes")
    except TileError as error:
        report.fault(path, str(error))
        raise
    return entries


def _compare(tile: Tile, served: bytes, made: list[bytes], report: Report, *, named: bool) -> None:
    if served == b"".join(made):
        return
    there = split(served) if len(served) == 32 * tile.width else []
    wrong = [place for place, (one, other) in enumerate(zip(there, made, strict=False)) if one != other]
    place = f"entry {tile.index * WIDTH + wrong[0]}" if named and wrong else tile.path
    report.fault(place, f"{tile.path} is not what lies below it, at {len(wrong) or tile.width} places")
