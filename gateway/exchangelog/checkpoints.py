"""Checkpoints: what the log says of itself, signed behind the append (C2SP tlog-checkpoint).

A checkpoint is signed only after the one before was found to be its beginning, and only the first of several
gateways gets to keep one of a size; it never goes back. Witnesses' cosignatures are added when they come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.errors import GatewayError, LogUnavailable, Moved
from gateway.exchangelog.tree import LogDamaged, Tree
from gateway.keys import Keys
from gateway.observe import Metrics, logger
from gateway.store import Connection, Outdated, PutCheckpoint, PutCosignature, Store
from gateway.tlog.checkpoint import Checkpoint
from gateway.tlog.merkle import tree_root
from gateway.tlog.note import Note, Signature, Signer, VerifierKey

WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint as it was signed. `note` has the log's signature only."""

    size: int
    root: bytes
    note: str

    @property
    def origin(self) -> str:
        """The log's name in it."""
        return self.note.partition("\n")[0]


class Checkpoints:
    """One gateway's part in signing and keeping checkpoints.

    `witnesses`: the verifier keys of those whose cosignatures count. `wanted`: how many a checkpoint should
    have; `demanded`: a proof is given only with that many. `standing`: the revisions on which this gateway's key is
    the log's (`unless`), or None where another has taken its place. `since`: the entry by which the log's key of now
    became that.
    """

    def __init__(
        self,
        store: Store,
        keys: Keys,
        metrics: Metrics,
        *,
        origin: str,
        witnesses: Sequence[VerifierKey] = (),
        wanted: int = 0,
        demanded: bool = False,
        standing: Callable[[], Mapping[str, int] | None] = dict,
        since: Callable[[], int] = int,
    ) -> None:
        self._store = store
        self._standing = standing
        self._since = since
        self._signer = Signer(origin, keys.log_key())
        self._metrics = metrics
        self._witnesses = [name_of(key) for key in witnesses]
        self._wanted = min(wanted, len(witnesses))
        self._demanded = wanted if demanded else 0
        self.damaged = False
        """Whether the log was last found to be other than what was signed of it."""

    @property
    def verifier(self) -> VerifierKey:
        """The key that the checkpoints verify with."""
        return self._signer.verifier

    async def sign(self) -> Signed | None:
        """Signs the log as it is now; None where nothing was added, another was faster, or our key is not the log's.

        LogDamaged where the last checkpoint is no longer the beginning of the log; LogUnavailable.
        """
        standing = self._standing()
        found = await self._store.read(_unsigned) if standing is not None else None
        if found is None:
            return None
        signed = sign_checkpoint(self._signer, *found)
        try:
            await self._store.append(
                [], [PutCheckpoint(signed.size, signed.root, signed.note, int(time.time()))], standing
            )
        except (Outdated, Moved):
            return None
        return signed

    async def run(self, every: float) -> None:
        """Signs whenever the log has grown, for ever."""
        while True:
            try:
                await self.sign()
                latest = await self.latest()
                if latest is not None:
                    self._metrics.checkpoint_size.set(latest.size)
                    self._metrics.checkpoint_cosignatures.set(len(await self.cosignatures(latest.size)))
                self.damaged = False
            except LogDamaged as damage:
                self.damaged = True
                logger.error("log_damaged", what=str(damage))
            except GatewayError as error:
                logger.warning("checkpoint_not_signed", kind=type(error).__name__)
            except Exception as error:
                logger.error("checkpoint_not_signed", kind=type(error).__name__)
            await asyncio.sleep(every)

    # -- readings -----------------------------------------------------------------------------------------

    async def latest(self) -> Signed | None:
        """The newest checkpoint; None before the first."""
        return await self._store.read(latest_in)

    async def cosignatures(self, size: int) -> list[str]:
        """The signature lines of the checkpoint of `size`, of the witnesses that count."""
        rows = await self._store.read(
            lambda c: c.rows("SELECT witness, line FROM cosignatures WHERE size = ? ORDER BY witness", (size,))
        )
        return [line for witness, line in rows if witness in self._witnesses]

    async def text(self, signed: Signed) -> str:
        """The checkpoint with the cosignatures that it has by now."""
        return signed.note + "".join(await self.cosignatures(signed.size))

    async def covering(self, index: int) -> Signed:
        """A checkpoint that covers entry `index`, with as many cosignatures as are wanted where that comes in time; by
        the log's key of now, so that whoever knows that one needs no earlier.

        Waits some seconds for it. LogUnavailable where there is none then, or none that has what is demanded.
        """
        index = max(index, self._since())
        deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            found = await self._first_after(index, max(self._wanted, self._demanded))
            if found is not None:
                return found
            await asyncio.sleep(_POLL_SECONDS)
        found = None if self._demanded else await self._first_after(index, 0)
        if found is None:
            raise LogUnavailable(
                "no checkpoint covers the entry yet with the cosignatures that are demanded",
                "ยังไม่มีจุดตรวจสอบที่ครอบคลุมรายการนี้พร้อมลายมือชื่อพยานตามที่กำหนด",
                retry_after=2,
            )
        return found

    async def keep(self, size: int, witness: VerifierKey, signature: Signature) -> None:
        """Keeps a cosignature, which the caller has verified. LogUnavailable."""
        await self._store.append([], [PutCosignature(size, name_of(witness), signature.line)])

    async def _first_after(self, index: int, cosigned: int) -> Signed | None:
        def read(connection: Connection) -> Signed | None:
            if cosigned:
                places = ", ".join("?" * len(self._witnesses)) or "NULL"
                rows = connection.rows(
                    f"SELECT size FROM cosignatures WHERE size > ? AND witness IN ({places}) "  # noqa: S608
                    "GROUP BY size HAVING COUNT(*) >= ? ORDER BY size LIMIT 1",
                    (index, *self._witnesses, cosigned),
                )
                return _of_size(connection, rows[0][0]) if rows else None
            rows = connection.rows("SELECT size FROM checkpoints WHERE size > ? ORDER BY size LIMIT 1", (index,))
            return _of_size(connection, rows[0][0]) if rows else None

        return await self._store.read(read)


def sign_checkpoint(signer: Signer, size: int, root: bytes) -> Signed:
    """The checkpoint that says so. Whoever keeps it must have made sure that no other was kept before."""
    text = Checkpoint(signer.name, size, root).text
    return Signed(size, root, str(Note(text, (signer.sign(text),))))


def name_of(witness: VerifierKey) -> str:
    """How a witness's key is named in the table."""
    return f"{witness.name}+{witness.key_id.hex()}"


def _of_size(connection: Connection, size: int) -> Signed | None:
    rows = connection.rows("SELECT size, root, note FROM checkpoints WHERE size = ?", (size,))
    return Signed(rows[0][0], bytes(rows[0][1]), rows[0][2]) if rows else None


def latest_in(connection: Connection) -> Signed | None:
    """The newest checkpoint in a database; None before the first."""
    rows = connection.rows("SELECT size, root, note FROM checkpoints ORDER BY size DESC LIMIT 1")
    return Signed(rows[0][0], bytes(rows[0][1]), rows[0][2]) if rows else None


def _unsigned(connection: Connection) -> tuple[int, bytes] | None:
    """(size, root) of what is not signed yet, after a look whether the last checkpoint is its beginning."""
    latest = latest_in(connection)
    (size,) = connection.rows("SELECT size FROM head WHERE id = 1")[0]
    if latest is not None and size <= latest.size:
        if size < latest.size:
            raise LogDamaged(f"the log has {size} entries, and the checkpoint of {latest.size} was signed")
        return None
    tree = Tree(connection)
    if latest is not None and tree_root(latest.size, tree.subtree) != latest.root:
        raise LogDamaged(f"the checkpoint of {latest.size} is no longer the beginning of the log")
    return size, tree_root(size, tree.subtree)
