"""What anyone may read of the log: tiles and bundles (C2SP tlog-tiles), as far as a checkpoint reaches; proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.errors import NotFound
from gateway.exchangelog.checkpoints import Checkpoints
from gateway.exchangelog.entry import GROUPS, BrokenEntry, OpenedEntry, commitment, open_entry, salts
from gateway.exchangelog.tree import Tree
from gateway.exchangelog.vault import Vault
from gateway.store import Connection, Store
from gateway.tlog.merkle import consistency_proof, inclusion_proof
from gateway.tlog.proof import Proof
from gateway.tlog.tiles import Tile, bundle, width_at

FORMAT = "linkage-proof/v1"
SHOWN = ("public", "parties", "legal", "content")
"""The groups that a consumer, a source and an auditor see. Never `subject`: whose counter it is stays with us."""


class Published:
    """Reads tiles and makes proofs."""

    def __init__(self, store: Store, checkpoints: Checkpoints, vault: Vault) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._vault = vault

    async def tile(self, tile: Tile) -> bytes:
        """A tile's bytes; NotFound where no checkpoint reaches that far, LogUnavailable."""
        latest = await self._checkpoints.latest()
        if latest is None or width_at(tile, latest.size) < tile.width:
            raise NotFound("the log has no such tile yet", "บันทึกยังไม่มีส่วนที่ขอ")

        def read(connection: Connection) -> bytes:
            tree = Tree(connection)
            if tile.level is None:
                return bundle(tree.entries(tile.index, tile.width))
            return b"".join(tree.hashes(tile.level, tile.index, tile.width)[: tile.width])

        return await self._store.read(read)

    async def consistency(self, old: int, new: int) -> list[bytes]:
        """The proof that the tree of `old` entries is the beginning of the one of `new`."""
        return await self._store.read(lambda c: consistency_proof(old, new, Tree(c).subtree))

    async def proof(self, exchange: str, entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The proof document of an exchange: `docs/verify.md` describes it.

        `entries`: index and kind of each. Waits for a checkpoint that covers them; LogUnavailable.
        """
        return {
            "format": FORMAT,
            "exchange_id": exchange,
            "vkey": str(self._checkpoints.verifier),
            "entries": await self.proved([entry["index"] for entry in entries]),
        }

    async def proved(self, indexes: Sequence[int], shown: tuple[str, ...] = SHOWN) -> list[dict[str, Any]]:
        """Entries as a proof document has them: index, entry, proof, groups. LogUnavailable.

        `shown`: the groups that are; of the others the commitment.
        """
        proofs = await self.proofs(indexes)

        def read(connection: Connection) -> list[dict[str, Any]]:
            return [
                {"index": index, "proof": proof, **self._opened(connection, index, shown)}
                for index, proof in zip(indexes, proofs, strict=True)
            ]

        return await self._store.read(read)

    async def proofs(self, indexes: Sequence[int]) -> list[str]:
        """The tlog-proof (C2SP) of each entry, under one checkpoint. Waits for one; LogUnavailable."""
        signed = await self._checkpoints.covering(max(indexes))
        note = await self._checkpoints.text(signed)

        def read(connection: Connection) -> list[str]:
            tree = Tree(connection)
            return [
                str(Proof(index, tuple(inclusion_proof(index, signed.size, tree.subtree)), note)) for index in indexes
            ]

        return await self._store.read(read)

    def _opened(self, connection: Connection, index: int, shown: tuple[str, ...]) -> dict[str, Any]:
        """The entry and its groups: salt and text of those that are shown, the commitment of the others."""
        rows = connection.rows("SELECT entry, month, sealed FROM log_entries WHERE idx = ?", (index,))
        entry, month, sealed = bytes(rows[0][0]), rows[0][1], bytes(rows[0][2])
        key = self._vault.open(connection, month)
        if key is None:  # the month was forgotten: the proof holds, and nobody can say of what
            return {"entry": entry.hex(), "groups": None}
        try:
            opened = open_entry(index, entry, self._vault.sealed(index, sealed), key)
        except BrokenEntry:
            return {"entry": entry.hex(), "groups": None}
        return {"entry": entry.hex(), "groups": {name: _shown(opened, name, shown) for name in GROUPS}}


def _shown(opened: OpenedEntry, name: str, shown: tuple[str, ...]) -> dict[str, str]:
    own, content = salts(opened.secret)[name], opened.contents[name]
    if name in shown:
        return {"salt": own.hex(), "content": content.decode()}
    return {"commitment": commitment(own, content).hex()}
