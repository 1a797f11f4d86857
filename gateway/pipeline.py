"""One exchange, from bytes to bytes. Every way in runs this, and nothing else asks a source.

    1 identify   access token, and what it is bound to -> who calls
    2 read       body -> question, strictly
    3 route      service -> schema, connector, metadata
    4 judge      facts -> decision, with reasons
    5 record     `decided` (or `refused`), durable before anything is asked
    6 fetch      the source's record, under a deadline
    7 minimise   the granted fields only, checked against the schema
    8 record     `released`, `failed` or `withheld`, durable before the answer leaves
    9 seal       the answer signed, its receipt attached

If the registers move between judging and recording, the record fails and the question is judged again on
what holds now. If they, or the consent, move while the source is asked, what was decided is judged once more,
on the same agreement term, before anything is released: what is no longer permitted is withheld.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from gateway.catalogue import require_open, with_hours
from gateway.current import Current, Holding
from gateway.errors import (
    GatewayError,
    GatewayFailed,
    HolderNotAccepted,
    MalformedRequest,
    Moved,
    NotFound,
    Overloaded,
)
from gateway.given import require_used
from gateway.identity import Identity, Presented, used_before
from gateway.judgement import Judgement, Judging, refusal
from gateway.model import Answer, Caller, Decision, Question, Receipt, new_id, now, timestamp
from gateway.plugin import Ask, OutsideServiceHours, Record
from gateway.questions import read_question
from gateway.rates import Rates
from gateway.recording import Decided, Recording
from gateway.release import Minimiser
from gateway.seal import Sealed, Sealer
from gateway.sources import Sources
from gateway.store import AlreadyUsed, QuotaSpent

ATTEMPTS = 8
"""How often a question is judged anew because the registers keep moving."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came: what it shows of its sender, the body, and the body's digest where it names one."""

    sender: Presented
    body: bytes = field(repr=False)
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages and what they stand on."""

    current: Current
    identity: Identity
    judging: Judging
    recording: Recording
    sources: Sources
    minimiser: Minimiser
    sealer: Sealer
    sandbox: bool
    rates: Rates = field(default_factory=Rates)

    async def exchange(self, incoming: Incoming) -> Sealed:
        """The sealed answer, or one of the errors of `gateway.errors` with the exchange's id on it."""
        exchange_id = new_id("ex")
        try:
            caller = await self.current.judged(partial(self._identify, incoming), HolderNotAccepted)  # 1
            try:
                question = read_question(incoming.body, sandbox=self.sandbox)  # 2
                decided = await self._decide(exchange_id, incoming, caller, question)  # 3, 4, 5
            except (MalformedRequest, NotFound):
                await self.identity.spend(caller)  # there is no entry along with which its proof is used up
                raise
            try:
                record, source_us = await self._fetch(decided)  # 6
                data = self.minimiser.minimise(  # 7
                    record, decided.service, decided.decision.fields, question.identifier
                )
                digest = self.recording.log.answer_digest(data)
            except GatewayError as fault:
                await self.recording.failed(decided, fault)  # 8
                raise
            except Exception as fault:  # ours; on record all the same
                await self.recording.failed(decided, GatewayFailed())
                raise GatewayFailed from fault
            receipt = await self._release(decided, tuple(data), digest, source_us)  # 8
            return self.sealer.seal(_answer(decided, record, data, receipt), request_digest=incoming.digest)  # 9
        except GatewayError as error:
            error.exchange_id = exchange_id
            raise

    async def explain(self, caller: Caller, question: Question) -> Decision:
        """What would be decided now, with nothing asked, recorded or counted. Without identifier it is of no one."""
        holding = self.current.holding
        known = holding.services.get(question.service)
        if known is not None and not question.identifier:
            question = replace(question, identifier_kind=known.identifier_kind)
        return (await self.judging.judge(holding, caller, question)).decision

    async def _identify(self, incoming: Incoming, holding: Holding) -> Caller:
        caller = self.identity.identify(incoming.sender, holding.directory, "exchange")
        self.rates.take(caller.id)
        return caller

    async def _decide(self, exchange_id: str, incoming: Incoming, caller: Caller, question: Question) -> Decided:
        """Stages 3 to 5, again if the registers or a quota moved in between."""
        for _ in range(ATTEMPTS):
            judgement = await self.judging.judge(self.current.holding, caller, question)
            if judgement.decision.permit:
                require_used(judgement.service, question, judgement.decision)
            try:
                decided = await self.recording.decided(exchange_id, caller, question, judgement, incoming.body)
            except Moved:
                holding = await self.current.refresh()
                self.identity.require_accepted(caller, holding.directory)  # its key may be what was revoked
            except AlreadyUsed:
                raise used_before() from None
            except QuotaSpent:
                continue
            else:
                if not judgement.decision.permit:
                    raise refusal(judgement.decision)
                return decided
        raise _registers_keep_moving()

    async def _fetch(self, decided: Decided) -> tuple[Record, int]:
        """The source's record, and how long it took in microseconds."""
        service, question = decided.service, decided.question
        require_open(service, now())
        clock = asyncio.get_running_loop().time
        begun = clock()
        ask = Ask(
            identifier=question.identifier,
            identifier_kind=question.identifier_kind.value,
            service=service.id,
            fields=frozenset(decided.decision.fields),
            exchange_id=decided.exchange_id,
            consumer=decided.caller.agency,
            purpose=question.purpose,
            deadline=begun + service.deadline,
            given=question.given,
            introduce=partial(
                self.sealer.introduction,
                decided.exchange_id,
                service.agency,
                service.id,
                decided.caller.agency,
                question.purpose,
            ),
        )
        try:
            record = await self.sources.fetch(service, ask)
        except OutsideServiceHours as closed:
            raise with_hours(closed, service) from None
        return record, round((clock() - begun) * 1e6)

    async def _release(self, decided: Decided, fields: tuple[str, ...], digest: str, source_us: int) -> Receipt:
        """`released` if what was decided still holds; else `withheld`, and the error that says why."""
        standing = decided.judgement
        against: GatewayError = _registers_keep_moving()
        for _ in range(ATTEMPTS):
            try:
                return await self.recording.released(decided, standing, fields, digest, source_us)
            except Moved:
                await self.current.refresh()
            try:
                standing = await self._judge_again(decided)
            except GatewayError as now_against:
                against = now_against
                break
        await self.recording.withheld(decided, against)
        raise against

    async def _judge_again(self, decided: Decided) -> Judgement:
        """What was decided, as it stands now; raises what by now stands against it."""
        first = decided.decision
        consent_id = first.consent_id or decided.question.consent_id
        same = replace(decided.question, fields=first.fields, consent_id=consent_id)
        judgement = await self.judging.judge(self.current.holding, decided.caller, same, standing=first)
        if not judgement.decision.permit:
            raise refusal(judgement.decision)
        self.identity.require_accepted(decided.caller, self.current.holding.directory)
        return judgement


def _answer(decided: Decided, record: Record, data: Mapping[str, Any], receipt: Receipt) -> Answer:
    return Answer(
        exchange_id=decided.exchange_id,
        service=decided.service.id,
        agency=decided.service.agency,
        retrieved_at=timestamp(now()),
        as_of=record.as_of,
        data=data,
        decision=decided.decision,
        receipt=receipt,
    )


def _registers_keep_moving() -> Overloaded:
    return Overloaded("the registers keep changing: try again", "ทะเบียนกำลังเปลี่ยนแปลง โปรดลองใหม่", retry_after=1)
