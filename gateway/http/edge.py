"""What every route needs, in one place, and who may call it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from gateway.consenting import Consenting
from gateway.current import Current, Holding
from gateway.errors import HolderNotAccepted
from gateway.exchangelog import ExchangeLog, ExchangeSearch
from gateway.exchangelog.checkpoints import Checkpoints
from gateway.exchangelog.completeness import Completeness
from gateway.exchangelog.published import Published
from gateway.governance import Governance
from gateway.http.drain import Drain
from gateway.http.reading import presented
from gateway.http.turned_away import TurnedAway
from gateway.identity import Identity
from gateway.keys import Keys
from gateway.model import Caller
from gateway.observe import Metrics
from gateway.pipeline import Pipeline
from gateway.settings import Settings
from gateway.store import Store


@dataclass(frozen=True, slots=True)
class Edge:
    """One gateway, as its routes see it."""

    settings: Settings
    keys: Keys
    store: Store
    current: Current
    log: ExchangeLog
    search: ExchangeSearch
    checkpoints: Checkpoints
    published: Published
    completeness: Completeness
    identity: Identity
    pipeline: Pipeline
    consenting: Consenting
    governance: Governance
    turned_away: TurnedAway
    metrics: Metrics
    drain: Drain

    async def caller(self, request: Request, scope: str | None = None) -> Caller:
        """Who calls, by the request's token and its proof. InvalidToken, InsufficientScope, TooManyRequests."""
        sender = presented(request, self.settings)

        async def identified(holding: Holding) -> Caller:
            return self.identity.identify(sender, holding.directory, scope)

        caller = await self.current.judged(identified, HolderNotAccepted)
        self.pipeline.rates.take(caller.id)
        await self.identity.spend(caller)
        return caller
