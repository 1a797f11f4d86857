"""One exchange, from bytes to bytes. Every way in runs this, and nothing else asks a source.

    1 identify   access token -> who calls
    2 read       body -> question, strictly
    3 route      service -> schema, connector, metadata
    4 judge      facts -> decision, with reasons
    5 record     `decided` (or `refused`), durable before anything is asked
    6 fetch      the source's record, under a deadline
    7 minimise   the granted fields only, checked against the schema
    8 record     `released`, `failed` or `withheld`, durable before the answer leaves
    9 seal       the answer signed, its receipt attached

If the registers or the consent move between judging and recording, the record fails and the question is judged
again on what holds now. If they move while the source is asked, what was decided is judged once more, on the same
agreement term, before anything is released: what is no longer permitted is withheld.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.catalogue import open_now
from gateway.consents import ConsentBook, Held
from gateway.current import Current, Holding
from gateway.errors import (
    Denied,
    GatewayError,
    GatewayFailed,
    InvalidToken,
    Moved,
    Overloaded,
    QuotaExceeded,
    UnknownField,
    UnknownService,
)
from gateway.exchangelog import ExchangeLog, Subject
from gateway.identity import Identity
from gateway.model import (
    Answer,
    Caller,
    Decision,
    Facts,
    Question,
    Receipt,
    Service,
    bangkok_day,
    new_id,
    now,
    timestamp,
)
from gateway.plugin import Ask, OutsideServiceHours, Record, SourceFault
from gateway.policy import QUOTA_CODES, Recorder, officer_quota_key, term_quota_key
from gateway.questions import read_question
from gateway.registers import candidates
from gateway.release import Minimiser
from gateway.seal import Sealed, Sealer
from gateway.sources import Sources
from gateway.store import (
    REGISTERS,
    AlreadyClosed,
    Appended,
    Change,
    CloseExchange,
    OpenExchange,
    QuotaSpent,
    Reserve,
    Store,
    consent_scope,
)

ATTEMPTS = 8
"""How often a question is judged anew because the registers keep moving."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as it came: the Authorization header, the caller's address, the body."""

    authorization: str | None = field(repr=False)
    address: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decided:
    """A permitted exchange on record: who asked what, and what was decided on which holding, about whom."""

    exchange_id: str
    caller: Caller
    question: Question
    holding: Holding
    service: Service
    decision: Decision
    subject: Subject


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages and what they stand on."""

    current: Current
    store: Store
    log: ExchangeLog
    identity: Identity
    sources: Sources
    minimiser: Minimiser
    sealer: Sealer
    consents: ConsentBook
    sandbox: bool
    recorder: Recorder = field(default_factory=Recorder)

    async def exchange(self, incoming: Incoming) -> Sealed:
        """The sealed answer, or one of the errors of `gateway.errors` with the exchange's id on it."""
        exchange_id = new_id("ex")
        try:
            caller = self._identify(incoming)  # 1
            question = read_question(incoming.body, sandbox=self.sandbox)  # 2
            decided = await self._decide(exchange_id, incoming, caller, question)  # 3, 4, 5
            try:
                record, source_us = await self._fetch(decided)  # 6
                data = self.minimiser.minimise(  # 7
                    record, decided.service, decided.decision.fields, question.identifier
                )
                digest = self.log.answer_digest(data)
            except GatewayError as fault:
                await self._record_failed(decided, fault)  # 8
                raise
            except Exception as fault:  # ours; on record all the same
                await self._record_failed(decided, GatewayFailed())
                raise GatewayFailed from fault
            receipt = await self._record_released(decided, incoming, tuple(data), digest, source_us)  # 8
            return self.sealer.seal(  # 9
                Answer(
                    exchange_id=exchange_id,
                    service=decided.service.id,
                    agency=decided.service.agency,
                    retrieved_at=timestamp(now()),
                    as_of=record.as_of,
                    data=data,
                    decision=decided.decision,
                    receipt=receipt,
                )
            )
        except GatewayError as error:
            error.exchange_id = exchange_id
            raise

    async def explain(self, caller: Caller, question: Question) -> Decision:
        """What would be decided now, with nothing asked, recorded or counted. Without identifier it is of no one."""
        holding = self.current.holding
        known = holding.services.get(question.service)
        if known is not None and not question.identifier:
            question = replace(question, identifier_kind=known.identifier_kind)
        return (await self._judge(holding, caller, question, self._route(holding, question)))[0]

    def _identify(self, incoming: Incoming) -> Caller:
        directory = self.current.holding.directory
        return self.identity.identify(incoming.authorization, directory, incoming.address, "exchange")

    async def _decide(self, exchange_id: str, incoming: Incoming, caller: Caller, question: Question) -> Decided:
        """Stages 3 to 5, again if the registers or a quota moved in between."""
        subject = self.log.subject(question.identifier_kind.value, question.identifier)
        digest = self.log.request_digest(incoming.body)
        for _ in range(ATTEMPTS):
            holding = self.current.holding
            service = self._route(holding, question)
            begun = time.perf_counter()
            decision, facts, consent = await self._judge(holding, caller, question, service)
            judged_us = round((time.perf_counter() - begun) * 1e6)
            await self.log.ready(now())
            entry = self.log.decided(
                exchange_id,
                caller,
                question,
                service,
                decision,
                subject,
                request_digest=digest,
                judged_us=judged_us,
                facts=self.recorder.snapshot(facts),
            )
            overdue = int(time.time() + 2 * holding.longest_deadline) + 1
            changes: list[Change] = [
                OpenExchange(exchange_id, self.log.gateway, self.log.boot, overdue),
                *(Reserve(key, bangkok_day(now()), limit) for key, limit in decision.quotas),
                *(consent.uses(now()) if consent is not None and decision.consent_id is not None else ()),
            ]
            try:
                unless = {REGISTERS: holding.registers.revision, **_unmoved(decision)}
                await self.store.append([entry], changes if decision.permit else [], unless)
            except Moved:
                await self.current.refresh()
                caller = self._identify(incoming)  # its key may be what was revoked
            except QuotaSpent:
                continue
            else:
                if not decision.permit:
                    raise refusal(decision)
                return Decided(exchange_id, caller, question, holding, service, decision, subject)
        raise _registers_keep_moving()

    def _route(self, holding: Holding, question: Question) -> Service:
        service = holding.services.get(question.service)
        if service is None:
            raise UnknownService
        if service.identifier_kind is not question.identifier_kind:
            raise UnknownField(
                f"this service asks by {service.identifier_kind.value}",
                f"บริการนี้ต้องระบุ {service.identifier_kind.value}",
            )
        unknown = [name for name in question.fields or () if name not in service.fields]
        if unknown:
            raise UnknownField(
                f"the service's schema has {len(unknown)} of the named fields less: see its schema",
                "มีรายการข้อมูลที่ไม่อยู่ในสคีมาของบริการ",
            )
        return service

    async def _judge(
        self,
        holding: Holding,
        caller: Caller,
        question: Question,
        service: Service,
        *,
        standing: Decision | None = None,
    ) -> tuple[Decision, list[Facts], Held | None]:
        """The decision on what holds now, the facts that it rests on, and the consent among them.

        `standing`: an earlier decision on the same question, judged anew: by its own agreement term and no
        other, and with one of today's count its own.
        """
        moment = now()
        day = bangkok_day(moment)
        facts = candidates(holding.registers, caller, service, question, moment)
        if standing is not None:
            facts = _on_the_term_of(standing, facts)
        reserved = 0 if standing is None else 1
        for place, fact in enumerate(facts):
            if fact.agreement is None or fact.term is None:
                continue
            used = officer_used = 0
            if fact.term.quota_per_day:
                used = await self.store.quota_used(term_quota_key(fact.agreement.id, fact.term.id), day)
            if fact.term.quota_per_officer_per_day and fact.officer:
                key = officer_quota_key(fact.agreement.id, fact.term.id, caller.id, fact.officer.code)
                officer_used = await self.store.quota_used(key, day)
            if used or officer_used:
                facts[place] = replace(
                    fact,
                    quota_used=max(used - reserved, 0),
                    officer_quota_used=max(officer_used - reserved, 0),
                )
        facts, consent = await self.consents.joined(facts, question, moment, own=reserved)
        return holding.judge.judge(facts), facts, consent

    async def _fetch(self, decided: Decided) -> tuple[Record, int]:
        """The source's record, and how long it took in microseconds."""
        service, question = decided.service, decided.question
        if not open_now(service, now()):
            raise OutsideServiceHours("service_hours")
        begun = asyncio.get_running_loop().time()
        ask = Ask(
            identifier=question.identifier,
            identifier_kind=question.identifier_kind.value,
            service=service.id,
            fields=frozenset(decided.decision.fields),
            exchange_id=decided.exchange_id,
            consumer=decided.caller.agency,
            purpose=question.purpose,
            deadline=begun + service.deadline,
        )
        record = await self.sources.fetch(service, ask)
        return record, round((asyncio.get_running_loop().time() - begun) * 1e6)

    async def _record_failed(self, decided: Decided, fault: GatewayError) -> None:
        short = f"{fault.code}:{fault.fault}" if isinstance(fault, SourceFault) and fault.fault else fault.code
        with contextlib.suppress(AlreadyClosed):  # so late that another gateway wrote `interrupted`
            await self._close(decided, "failed", fault=short)

    async def _record_released(
        self, decided: Decided, incoming: Incoming, released: tuple[str, ...], digest: str, source_us: int
    ) -> Receipt:
        """`released` if what was decided still holds; else `withheld`, and the error that says why."""
        against: GatewayError | None = None
        holding, decision = decided.holding, decided.decision
        try:
            for _ in range(ATTEMPTS):
                try:
                    unless = {REGISTERS: holding.registers.revision, **_unmoved(decision)}
                    appended = await self._close(
                        decided, "released", unless, released=released, answer_digest=digest, source_us=source_us
                    )
                    return Receipt(self.log.origin, appended.entries[0].hex(), appended.indexes[0])
                except Moved:
                    holding = await self.current.refresh()
                again = await self._again(decided, incoming, holding)
                if isinstance(again, GatewayError):
                    against = again
                    break
                decision = again
            against = against or _registers_keep_moving()
            await self._close(decided, "withheld", reasons=_reasons(against))
        except AlreadyClosed:
            raise Overloaded(
                "it took so long that it was closed", "ใช้เวลานานเกินไป รายการถูกปิดแล้ว", retry_after=1
            ) from None
        raise against

    async def _again(self, decided: Decided, incoming: Incoming, holding: Holding) -> Decision | GatewayError:
        """What was decided, judged anew: the permit as it now stands, or what by now stands against releasing."""
        service = holding.services.get(decided.service.id)
        if service is None:
            return UnknownService()
        first = decided.decision
        consent_id = first.consent_id or decided.question.consent_id
        same = replace(decided.question, fields=first.fields, consent_id=consent_id)
        decision, _, _ = await self._judge(holding, decided.caller, same, service, standing=first)
        if not decision.permit:
            return refusal(decision)
        try:
            self._identify(incoming)
        except InvalidToken as gone:
            return gone
        return decision

    async def _close(
        self, decided: Decided, outcome: str, unless: Mapping[str, int] | None = None, **content: Any
    ) -> Appended:
        """The one outcome of an exchange, on record. Raises Moved, AlreadyClosed, LogUnavailable."""
        await self.log.ready(now())
        entry = self.log.closed(outcome, decided.exchange_id, subject=decided.subject, **content)
        return await self.store.append([entry], [CloseExchange(decided.exchange_id)], unless)


def refusal(decision: Decision) -> GatewayError:
    """The error for a denial: 429 where the quota is the sole reason, else 403."""
    if decision.reasons and all(reason.code in QUOTA_CODES for reason in decision.reasons):
        return QuotaExceeded(decision.reasons, retry_after=_seconds_to_midnight())
    return Denied(decision.reasons)


def _unmoved(decision: Decision) -> dict[str, int]:
    """The consent's scope and revision, where the decision stands on one: a withdrawal moves it."""
    if decision.consent_id is None or decision.consent_revision is None or not decision.permit:
        return {}
    return {consent_scope(decision.consent_id): decision.consent_revision}


def _on_the_term_of(decision: Decision, facts: list[Facts]) -> list[Facts]:
    """Those of the decision's own agreement term; where that is gone, facts that lack it and so refuse."""
    agreement = [fact for fact in facts if fact.agreement is not None and fact.agreement.id == decision.agreement]
    term = [fact for fact in agreement if fact.term is not None and fact.term.id == decision.term]
    if term:
        return term
    if agreement:
        return [replace(agreement[0], term=None)]
    return [replace(facts[0], agreement=None, term=None)]


def _reasons(against: GatewayError) -> tuple[str, ...]:
    """What the log says of why an answer was withheld."""
    if isinstance(against, Denied | QuotaExceeded):
        return tuple(reason.code for reason in against.reasons)
    return (against.code,)


def _registers_keep_moving() -> Overloaded:
    return Overloaded("the registers keep changing: try again", "ทะเบียนกำลังเปลี่ยนแปลง โปรดลองใหม่", retry_after=1)


def _seconds_to_midnight() -> int:
    """Until the Asia/Bangkok day ends and the quotas start anew."""
    return 86400 - int(time.time() + 7 * 3600) % 86400
