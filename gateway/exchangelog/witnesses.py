"""Asking witnesses to cosign the checkpoints (C2SP tlog-witness), behind everything else.

A witness that knows a larger log of ours than we have is evidence that ours was rolled back: it is told, and
nothing is cosigned until somebody looks.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass

import aiohttp

from gateway.exchangelog.checkpoints import Checkpoints, Signed, name_of
from gateway.exchangelog.published import Published
from gateway.observe import Metrics, logger
from gateway.store import Store
from gateway.tlog.checkpoint import parse_decimal
from gateway.tlog.note import COSIGNATURE, NoteError, Signature, VerifierKey, parse_key, parse_signatures

SECONDS = 5.0
LONGEST_PAUSE = 60.0
_LARGEST_ANSWER = 16 * 1024


class WitnessRefused(Exception):
    """A witness did not cosign. `kind` says why in one word, for the metrics."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Witness:
    """Who cosigns, and where it is asked."""

    key: VerifierKey
    url: str

    @staticmethod
    def parse(text: str) -> Witness:
        """`<verifier key> <URL>`, or NoteError."""
        key, _, url = text.strip().partition(" ")
        witness = Witness(parse_key(key), url.strip().rstrip("/"))
        if witness.key.kind != COSIGNATURE or not witness.url.startswith(("http://", "https://")):
            raise NoteError("a witness is its cosigner's verifier key and its URL")
        return witness


class Witnesses:
    """Asks each witness for each checkpoint, the newest one first and no other."""

    def __init__(
        self,
        store: Store,
        checkpoints: Checkpoints,
        published: Published,
        metrics: Metrics,
        witnesses: tuple[Witness, ...],
    ) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._published = published
        self._metrics = metrics
        self._witnesses = witnesses
        self._known: dict[Witness, int] = {}

    async def run(self, every: float) -> None:
        """Asks all of them, for ever."""
        timeout = aiohttp.ClientTimeout(total=SECONDS)
        async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:
            await asyncio.gather(*(self._follow(session, witness, every) for witness in self._witnesses))

    async def _follow(self, session: aiohttp.ClientSession, witness: Witness, every: float) -> None:
        pause = every
        while True:
            await asyncio.sleep(pause)
            try:
                await self.ask(session, witness)
                pause = every
            except Exception as error:
                kind = error.kind if isinstance(error, WitnessRefused) else type(error).__name__
                self._metrics.witness_failures.labels(witness.key.name, kind).inc()
                logger.warning("not_cosigned", witness=witness.key.name, kind=kind)
                pause = min(LONGEST_PAUSE, pause * 2)

    async def ask(self, session: aiohttp.ClientSession, witness: Witness) -> None:
        """Has the newest checkpoint cosigned, unless it is already. WitnessRefused, or what the network raises."""
        latest = await self._checkpoints.latest()
        if latest is None:
            return
        if witness not in self._known:
            self._known[witness] = await self._last_size(witness)
        elif self._known[witness] == latest.size:
            return
        for _ in range(2):  # once more where the witness knows another size than we thought
            status, body = await self._post(session, witness, latest)
            if status != 409:
                break
            try:
                known = parse_decimal(body.strip())
            except NoteError:
                raise WitnessRefused("malformed") from None
            if known > latest.size:
                raise WitnessRefused("witness_ahead")
            self._known[witness] = known
        if status != 200:
            raise WitnessRefused(f"status_{status}")
        await self._checkpoints.keep(latest.size, witness.key, _own(body, witness.key, latest))
        self._known[witness] = latest.size

    async def _post(self, session: aiohttp.ClientSession, witness: Witness, latest: Signed) -> tuple[int, str]:
        old = self._known[witness]
        if old > latest.size:
            raise WitnessRefused("witness_ahead")
        proof = await self._published.consistency(old, latest.size)
        lines = [f"old {old}", *(base64.b64encode(step).decode() for step in proof), ""]
        async with session.post(
            f"{witness.url}/add-checkpoint", data="\n".join(lines) + "\n" + latest.note, allow_redirects=False
        ) as response:
            body = b""
            async for chunk in response.content.iter_chunked(4096):
                body += chunk
                if len(body) > _LARGEST_ANSWER:
                    raise WitnessRefused("too_large")
            return response.status, body.decode("utf-8", "replace")

    async def _last_size(self, witness: Witness) -> int:
        rows = await self._store.read(
            lambda c: c.rows(
                "SELECT COALESCE(MAX(size), 0) FROM cosignatures WHERE witness = ?", (name_of(witness.key),)
            )
        )
        return int(rows[0][0])


def _own(body: str, key: VerifierKey, latest: Signed) -> Signature:
    """The witness's own line among what it answered; WitnessRefused where there is none that verifies."""
    text = latest.note.partition("\n\n")[0] + "\n"
    try:
        for signature in parse_signatures(body):
            if key.signed(signature):
                key.verify(text, signature)
                return signature
    except NoteError:
        raise WitnessRefused("bad_cosignature") from None
    raise WitnessRefused("no_cosignature")
