"""`linkage log verify`: the whole log, from the database on the machine.

    1 every entry is there, in order, and is what its 32 bytes commit to
    2 every tile is made of these entries
    3 every retained checkpoint is signed by the log's key of that time and has the root of these entries, so that
      each is the beginning of the next
    4 what the entries say: acts signed by keys that counted then, counters without gaps, exchanges ended once
    5 the registers are what these acts left

It reads one consistent state (a single transaction) and writes nothing; the gateway may go on meanwhile.
"""

from __future__ import annotations

import contextlib
import hashlib
import struct
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from gateway.exchangelog.archive import BadArchive, Manifest, archived_from, root_of_archive
from gateway.exchangelog.entry import BrokenEntry, open_entry
from gateway.exchangelog.subjectmap import newest_in
from gateway.exchangelog.tree import LogDamaged, Tree
from gateway.exchangelog.vault import Vault
from gateway.keyhistory import history_of
from gateway.keys import Keys, Masters
from gateway.store import Connection
from gateway.tlog.checkpoint import Checkpoint, open_checkpoint
from gateway.tlog.merkle import ProofError, Range, leaf_hash, leaf_hashes, perfect_root, tree_root
from gateway.tlog.note import NoteError, Signer, VerifierKey, parse_key
from gateway.tlog.tiles import HASH, HEIGHT, WIDTH, split
from gateway.verification.contents import Contents
from gateway.verification.findings import Report
from gateway.verification.keys import KeysInForce, followed, in_force, led_to, signer_of

PAGE = 2048


def verify_database(
    connection: Connection,
    key: VerifierKey,
    master: Masters | None,
    *,
    seen: Checkpoint | None = None,
    archive: Path | None = None,
) -> Report:
    """Checks a log against itself, `key` (any that it had), and a checkpoint `seen` earlier.

    `master`: the master keys; without them the entries stay closed and only the tree is checked. `archive`: the
    folder of what has left the database, which is then checked too.
    """
    with connection.one_state():
        return verify_state(connection, key, master, seen=seen, archive=archive)


def verify_state(
    connection: Connection,
    key: VerifierKey,
    master: Masters | None,
    *,
    seen: Checkpoint | None = None,
    archive: Path | None = None,
) -> Report:
    """The same of what a transaction that is already open sees: a restored log, before it counts."""
    report = Report()
    if archive is not None:
        check_archive(connection, key, archive, report)
    _walk(connection, key, Vault(master, archive) if master is not None else None, seen, report)
    return report


def check_archive(connection: Connection, key: VerifierKey, folder: Path, report: Report) -> None:
    """That the archive's entries and tiles are the log's beginning, by its own checkpoint and by the database."""
    try:
        manifest = Manifest.read(folder)
        gone = archived_from(connection, manifest.entries if manifest is not None else 0)
        if gone is not None:
            report.fault(f"entry {gone}", "its contents have left the database, and the archive does not go so far")
        if manifest is None:
            return
        root = root_of_archive(folder, manifest.entries)
        if root != manifest.root:
            report.fault("archive", "its entries are others than it says")
        keys = _keys_in_force(connection, key, report)
        manifest.check(root, signer_of(manifest.checkpoint, keys.all))
        report.count("archived entries", manifest.entries)
        (size,) = connection.rows("SELECT size FROM head WHERE id = 1")[0]
        if manifest.entries > size or tree_root(manifest.entries, Tree(connection).subtree) != root:
            report.fault("archive", "the database's entries are others than the archive's")
    except (BadArchive, ProofError, NoteError, LogDamaged) as error:
        report.fault("archive", str(error))


def _paged(connection: Connection, table: str, columns: str, key: str) -> Iterator[list[Any]]:
    """A table's rows in the order of an integer key, a page at a time. The names are ours."""
    after = -1
    while rows := connection.rows(
        f"SELECT {columns} FROM {table} WHERE {key} > ? ORDER BY {key} LIMIT ?",  # noqa: S608
        (after, PAGE),
    ):
        yield rows
        after = rows[-1][0]


def _walk(
    connection: Connection, key: VerifierKey, vault: Vault | None, seen: Checkpoint | None, report: Report
) -> None:
    """One pass over the entries: the tree first for a page, then what it says."""
    (size,) = connection.rows("SELECT size FROM head WHERE id = 1")[0]
    tree = _Tree(connection, _keys_in_force(connection, key, report), seen, report)
    contents = Contents(report, _operators(connection), _facts(connection) if vault is not None else frozenset())
    newest = newest_in(connection)
    if newest is not None:
        contents.expect(newest)
    months = _Months(connection, vault.oldest if vault is not None else "", report)
    hashing = opening = 0.0
    for rows in _paged(connection, "log_entries", "idx, entry, month, sealed", "idx"):
        started = time.perf_counter()
        for index, entry, _, _ in rows:
            while tree.size < index and tree.size < size:
                report.fault(f"entry {tree.size}", "the entry is missing")
                tree.add(b"")
            tree.add(bytes(entry))
        hashed = time.perf_counter()
        hashing += hashed - started
        if vault is not None:
            _open(connection, rows, vault, contents, months, report)
            opening += time.perf_counter() - hashed
    if tree.size != size:
        what = (
            "entries are missing at the end" if tree.size < size else "entries are there that the head does not count"
        )
        report.fault(f"entry {min(tree.size, size)}", f"{what}: the head says {size}, there are {tree.size}")
    tree.end()
    if vault is not None:
        months.end()
        contents.at(tree.size)
        contents.end(_counters(connection), _open_exchanges(connection), _withheld(connection), _records(connection))
    report.counts["entries"] = tree.size
    report.seconds |= {"hashing": hashing, "opening": opening}


def _open(
    connection: Connection, rows: list[Any], vault: Vault, contents: Contents, months: _Months, report: Report
) -> None:
    for index, entry, month, sealed in rows:
        contents.at(index)
        key = vault.open(connection, month)
        months.take(index, month, known=key is not None)
        if key is None:
            contents.forgotten()
            continue
        try:
            contents.take(open_entry(index, bytes(entry), vault.sealed(index, bytes(sealed)), key))
        except (BrokenEntry, ValueError, struct.error):
            report.fault(f"entry {index}", "the entry does not open, or is not what its 32 bytes commit to")


class _Months:
    """Which month's key each entry is sealed under: months follow each other, and the oldest are forgotten first.

    So no single entry can be made to look forgotten. Months overlap by one, as gateways' clocks do.
    """

    def __init__(self, connection: Connection, oldest: str, report: Report) -> None:
        """`oldest`: the oldest month that the master key can open; an old copy may still list earlier ones."""
        self._report = report
        rows = connection.rows("SELECT DISTINCT month FROM month_keys WHERE month >= ? ORDER BY month", (oldest,))
        kept = [row[0] for row in rows]
        self._oldest = kept[0] if kept else "9999-12"
        self._newest = ""
        self._forgotten: Counter[str] = Counter()

    def take(self, index: int, month: str, *, known: bool) -> None:
        if month < _month_before(self._newest):
            self._report.fault(f"entry {index}", "it is sealed under a month long past")
        self._newest = max(self._newest, month)
        if not known:
            self._forgotten[month] += 1
            if month >= self._oldest:
                self._report.fault(f"entry {index}", "its month's key is gone, and an older month's is there")

    def end(self) -> None:
        for month, count in sorted(self._forgotten.items()):
            self._report.notes.append(f"{month} is forgotten: the contents of {count} entries, not their place")


def _month_before(month: str) -> str:
    if not month:
        return ""
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1:04d}-12" if number == 1 else f"{year:04d}-{number - 1:02d}"


def keys_in(connection: Connection, origin: str) -> list[dict[str, Any]]:
    """The log's keys as the database lists them, to be followed from one that is known; none that cannot be read."""
    rows = connection.rows("SELECT body FROM registers WHERE kind = 'key' AND id = 'log'")
    try:
        return history_of(origin, orjson.loads(rows[0][0])) if rows else []
    except (ValueError, KeyError, TypeError, IndexError, NoteError):
        return [{"vkey": "", "from_entry": -1, "succession": None}]


def key_in_use(connection: Connection, origin: str, keys: Keys) -> VerifierKey:
    """What the newest checkpoints are signed with: the key of the key files, or one that statements tie it to.

    After `linkage keys rotate log` that is the one before it, until a gateway has taken it up; on a machine that the
    new key files have not reached, the one behind it.
    """
    own = Signer(origin, keys.log_key()).verifier
    history = keys_in(connection, origin)
    if not history or str(own) in [item["vkey"] for item in history]:
        return followed(history, own)[-1]
    with contextlib.suppress(NoteError):
        last = parse_key(history[-1]["vkey"])
        if own in led_to(keys.succession_of_log, last):
            return last
    return own


def _keys_in_force(connection: Connection, key: VerifierKey, report: Report) -> KeysInForce:
    found = in_force(keys_in(connection, key.name), key)
    if found is None:
        report.fault("register key/log", "the log's keys do not follow from each other, or the known one is not there")
    return found or KeysInForce([(-1, key)])


def _counters(connection: Connection) -> dict[str, tuple[int, str]]:
    rows = connection.rows("SELECT subject, count, previous FROM counters")
    return {bytes(subject).hex(): (count, bytes(previous).hex()) for subject, count, previous in rows}


def _withheld(connection: Connection) -> frozenset[str]:
    return frozenset(row[0] for row in connection.rows("SELECT exchange FROM withheld WHERE told_idx IS NULL"))


def _open_exchanges(connection: Connection) -> frozenset[str]:
    return frozenset(row[0] for row in connection.rows("SELECT exchange FROM open_exchanges"))


def _operators(connection: Connection) -> dict[str, dict[str, dict[str, Any]]]:
    """The keys of every operator as the registers name them; a record that cannot be read has none."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, body in connection.rows("SELECT id, body FROM registers WHERE kind = 'operator'"):
        with contextlib.suppress(ValueError, KeyError, TypeError):
            found[name] = {key["kid"]: key for key in orjson.loads(body)["keys"]}
    return found


def _facts(connection: Connection) -> frozenset[str]:
    """The digests, in hex, of what judgements rest on: of each body as it is, whatever it is said to be."""
    return frozenset(hashlib.sha256(row[0]).hexdigest() for row in connection.rows("SELECT body FROM judged_facts"))


def _records(connection: Connection) -> list[Any]:
    return connection.rows("SELECT kind, id, body FROM registers ORDER BY kind, id")


class _Tree:
    """The tree of the entries as they come, against tiles and checkpoints."""

    def __init__(self, connection: Connection, keys: KeysInForce, seen: Checkpoint | None, report: Report) -> None:
        self._connection = connection
        self._keys = keys
        self._seen = seen
        self._report = report
        self._range = Range()
        self._tile: list[bytes] = []
        self._above: dict[int, list[bytes]] = {}
        pages = _paged(connection, "checkpoints", "size, root, note", "size")
        self._checkpoints = (row for rows in pages for row in rows)
        self._next = next(self._checkpoints, None)
        self._differs = False
        self.size = 0
        self._compare()

    def add(self, entry: bytes) -> None:
        """The next entry's 32 bytes."""
        self._tile.append(entry)
        self.size += 1
        if len(self._tile) == WIDTH:
            self._close_tile()
        if (self._next is not None and self._next[0] == self.size) or (
            self._seen is not None and self._seen.size == self.size
        ):
            self._compare()

    def _compare(self) -> None:
        """The root as it is now, with what was signed and what was seen of this size."""
        for entry in self._tile[self._range.size % WIDTH :] if self._range.size < self.size else ():
            self._range.add(leaf_hash(entry))
        root = self._range.root()
        if self._seen is not None and self._seen.size == self.size and self._seen.root != root:
            self._report.fault(f"checkpoint {self.size}", "the log is another than the one seen before: a fork")
        if self._next is None or self._next[0] != self.size:
            return
        size, signed, note = self._next[0], bytes(self._next[1]), self._next[2]
        self._check_signature(size, signed, note)
        if signed != root and self._differs:
            self._report.count("checkpoints that differ after the first")
        elif signed != root:
            self._differs = True
            self._report.fault(f"checkpoint {size}", "its root is not that of the entries")
        self._next = next(self._checkpoints, None)

    def _check_signature(self, size: int, root: bytes, note: str) -> None:
        self._report.count("checkpoints")
        key = self._keys.of(size)
        try:
            if open_checkpoint(note, key)[0] != Checkpoint(key.name, size, root):
                self._report.fault(f"checkpoint {size}", "the signed note says something else than the row")
        except NoteError as error:
            self._report.fault(f"checkpoint {size}", str(error))

    def _close_tile(self) -> None:
        hashes, self._tile = leaf_hashes(self._tile), []
        root = perfect_root(hashes)
        if self._range.size % WIDTH:  # a checkpoint lay within the tile
            for leaf in hashes[self._range.size % WIDTH :]:
                self._range.add(leaf)
        else:
            self._range.add_subtree(HEIGHT, root)
        self._check_tile(0, self.size // WIDTH - 1, hashes)
        self._raise(1, root)

    def _raise(self, level: int, root: bytes) -> None:
        row = self._above.setdefault(level, [])
        row.append(root)
        if len(row) % WIDTH == 0:
            self._raise(level + 1, perfect_root(row[-WIDTH:]))

    def _check_tile(self, level: int, index: int, hashes: list[bytes]) -> None:
        rows = self._connection.rows("SELECT hashes FROM log_tiles WHERE level = ? AND idx = ?", (level, index))
        if not rows:
            return  # not built yet, or dropped: it is made from the entries when asked for
        self._report.count("tiles")
        stored = bytes(rows[0][0])
        if stored == b"".join(hashes)[: len(stored)] and stored and not len(stored) % HASH:
            return
        there = split(stored[: len(stored) // HASH * HASH])
        pairs = list(zip(there, hashes, strict=False))
        wrong = [place for place, (one, other) in enumerate(pairs) if one != other]
        at = index * WIDTH + wrong[0] if wrong else 0
        place = f"entry {at}" if level == 0 and wrong else f"tile {level} {index}"
        self._report.fault(place, f"the tile of hashes and the entries below it differ, at {len(wrong)} places")

    def end(self) -> None:
        """After the last entry: the rows above, and what has no entries below it."""
        for level, hashes in self._above.items():
            for index in range(-(-len(hashes) // WIDTH)):
                self._check_tile(level, index, hashes[index * WIDTH : (index + 1) * WIDTH])
        beyond = self._connection.rows(
            "SELECT idx FROM log_tiles WHERE level = 0 AND idx >= ? ORDER BY idx", (self.size // WIDTH,)
        )
        for (index,) in beyond:
            self._report.fault(f"tile 0 {index}", "a tile of entries that are not there")
        while self._next is not None:
            self._check_signature(self._next[0], bytes(self._next[1]), self._next[2])
            what = f"it was signed, and the log has only {self.size} entries"
            self._report.fault(f"checkpoint {self._next[0]}", what)
            self._next = next(self._checkpoints, None)
        if self._seen is not None and self._seen.size > self.size:
            what = f"it was seen before, and the log has only {self.size} entries: a rollback"
            self._report.fault(f"checkpoint {self._seen.size}", what)
