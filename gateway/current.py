"""What holds now: the registers at one revision, with the services, the judge and the directory made of them.

Swapped whole, between two steps of the event loop, so that no exchange sees half of a change.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from gateway.catalogue import services_of
from gateway.errors import LogUnavailable, MalformedRequest
from gateway.identity import LEEWAY, TOKEN_SECONDS, Directory, TokenKey
from gateway.model import Outage, Service
from gateway.observe import logger
from gateway.policy import Judge, PolicySet, misfits
from gateway.registers import Record, Registers, outages_of, read_rows
from gateway.store import Store

T = TypeVar("T")
CATCH_UP_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Holding:
    """One consistent state. `services`: those approved, disabled ones included."""

    registers: Registers
    services: Mapping[str, Service]
    directory: Directory
    judge: Judge
    policy_digest: str

    @property
    def longest_deadline(self) -> float:
        """The longest time, in seconds, that any source has to answer."""
        return max((service.deadline for service in self.services.values()), default=0.0)


class Current:
    """Keeps `holding` up to date: at once with this gateway's own changes, within a poll with others'.

    `accept` raises where this gateway must not go on with what the registers now say.
    """

    def __init__(
        self,
        store: Store,
        *,
        changed: Callable[[Holding], None],
        accept: Callable[[Registers], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._accept = accept
        self._changed = changed
        self._refreshing = asyncio.Lock()
        self._catching: asyncio.Task[None] | None = None
        self._holding: Holding | None = None

    @property
    def holding(self) -> Holding:
        """What holds now; LookupError before the first refresh."""
        if self._holding is None:
            raise LookupError("the registers have not been read yet")
        return self._holding

    async def refresh(self) -> Holding:
        """Reads what changed since. LogUnavailable where the database does not answer."""
        async with self._refreshing:
            known = self._holding
            since = known.registers.revision if known else 0
            rows, revision = await self._store.read(lambda connection: read_rows(connection, since))
            if known is not None and revision == since:
                return known
            kinds = {kind for kind, _, _ in rows}
            registers = (known.registers if known else Registers()).with_rows(rows, revision)
            self._accept(registers)
            judge, digest = (known.judge, known.policy_digest) if known else (None, "")
            if judge is None or "policies" in kinds:
                judge, digest = _judge(registers)
            services = known.services if known and "connector" not in kinds else _services(registers)
            if known is not None and "agency" not in kinds:
                agencies = known.directory.active_agencies
            else:
                agencies = frozenset(a.id for a in registers.agencies.values() if a.status == "active")
            directory = Directory(registers.clients, registers.operators, agencies, token_keys(registers))
            self._holding = Holding(registers, services, directory, judge, digest)
            if unknown := registers.unknown - (known.registers.unknown if known else frozenset()):
                logger.warning(
                    "registers_of_another_version",
                    kinds=sorted(unknown),
                    meaning="a newer version wrote them; this one leaves them alone, and is to be replaced by that",
                )
            self._changed(self._holding)
            return self._holding

    async def judged(self, attempt: Callable[[Holding], Awaitable[T]], refusal: type[Exception]) -> T:
        """`attempt` on what holds; once more where that ends in `refusal` and other gateways have changed something.

        So what one gateway registers is known at the others with the next request, and not only with the next poll.
        """
        holding = self.holding
        try:
            return await attempt(holding)
        except refusal:
            with contextlib.suppress(LogUnavailable):
                await self._catch_up()
            if self.holding is holding:
                raise
            return await attempt(self.holding)

    async def _catch_up(self) -> None:
        """Looks for changes, once for all who ask for it within a moment: a flood of refusals reads no more often."""
        if self._catching is None:
            self._catching = asyncio.create_task(self._look())
        await asyncio.shield(self._catching)

    async def _look(self) -> None:
        await asyncio.sleep(CATCH_UP_SECONDS)
        self._catching = None  # who asks from here on needs another look
        await self.refresh()

    async def follow(self, every: float) -> None:
        """Looks for other gateways' changes, for ever. Says once that it cannot: `unless` guards every exchange."""
        failing = ""
        while True:
            await asyncio.sleep(every)
            try:
                await self.refresh()
            except Exception as failure:
                if failing != (failing := type(failure).__name__):
                    logger.warning("registers_not_read", kind=failing)
            else:
                failing = ""


def _judge(registers: Registers) -> tuple[Judge, str]:
    record = registers.record("policies", "active")
    if record is None:
        raise LookupError("the database holds no policy set: run `linkage init` first")
    policies = PolicySet.from_json(record["document"])
    if rules := misfits(policies):
        logger.warning(
            "policies_of_another_version",
            rules=rules,
            digest=policies.digest,
            meaning="questions that these rules are about are refused: propose and approve this version's set",
        )
    return Judge(policies), policies.digest


def token_keys(registers: Registers) -> dict[str, TokenKey]:
    """The keys that signed access tokens which may still be about; a key that was replaced lasts as long as they do."""
    record = registers.record("key", "token")
    held = list(record["keys"]) if record is not None else []
    ends = [datetime.fromisoformat(key["from"]).timestamp() + TOKEN_SECONDS + LEEWAY for key in held[1:]]
    return {key["kid"]: TokenKey(key["public"], end) for key, end in zip(held, [*ends, None], strict=False)}


def _services(registers: Registers) -> dict[str, Service]:
    """Those approved. A registration that this version cannot read, an earlier one's, closes its own agency alone."""
    services: dict[str, Service] = {}
    for agency, record in registers.records["connector"].items():
        if record["registration"] is None:
            continue
        try:
            offered = services_of(record["registration"])
        except MalformedRequest:
            logger.warning(
                "registration_of_another_version",
                agency=agency,
                meaning="its services are not offered: register and approve a mended one (linkage doctor says what)",
            )
            continue
        services |= {service.id: replace(service, outages=_outages(record, service.id)) for service in offered}
    return services


def _outages(connector: Record, service: str) -> tuple[Outage, ...]:
    return tuple(
        Outage(
            datetime.fromisoformat(each["from"]),
            datetime.fromisoformat(each["to"]),
            each["title"]["en"],
            each["title"]["th"],
        )
        for each in outages_of(connector)
        if each["service"] in (None, service)
    )
