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

If the registers move between judging and recording, the record fails and the question is judged again on
what holds now. If they move while the source is asked, the question is judged once more before anything is
released: what is no longer permitted is withheld.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

from gateway.catalogue import open_now
from gateway.current import Current, Holding
from gateway.errors import Denied, GatewayError, Moved, Overloaded, QuotaExceeded, UnknownField, UnknownService
from gateway.exchangelog import ExchangeLog, Subject
from gateway.identity import Identity
from gateway.model import Answer, Caller, Decision, Question, Receipt, Service, bangkok_day, new_id, now, timestamp
from gateway.plugin import Ask, CitizenNotFound, OutsideServiceHours, Record, SourceFault
from gateway.policy import QUOTA_CODES, officer_quota_key, term_quota_key
from gateway.questions import read_question
from gateway.registers import candidates
from gateway.release import Minimiser
from gateway.seal import Sealed, Sealer
from gateway.sources import Sources
from gateway.store import REGISTERS, Change, CloseExchange, OpenExchange, QuotaSpent, Reserve, Store

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
    """A permitted exchange on record: what was decided, on which holding, about whom."""

    exchange_id: str
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
    sandbox: bool

    async def exchange(self, incoming: Incoming) -> Sealed:
        """The sealed answer, or one of the errors of `gateway.errors` with the exchange's id on it."""
        exchange_id = new_id("ex")
        try:
            caller = self.identity.identify(  # 1
                incoming.authorization, self.current.holding.directory, incoming.address, "exchange"
            )
            question = read_question(incoming.body, sandbox=self.sandbox)  # 2
            decided = await self._decide(exchange_id, caller, question, incoming.body)  # 3, 4, 5
            try:
                record, retrieved = await self._fetch(decided, caller, question)  # 6
                data = self.minimiser.minimise(  # 7
                    record, decided.service, decided.decision.fields, question.identifier
                )
            except GatewayError as fault:
                await self._record_failed(decided, fault)  # 8
                raise
            receipt = await self._record_released(decided, caller, question, data, retrieved)  # 8
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
        """What would be decided now, with nothing asked, recorded or counted."""
        holding = self.current.holding
        return await self._judge(holding, caller, question, self._route(holding, question))

    async def _decide(self, exchange_id: str, caller: Caller, question: Question, body: bytes) -> Decided:
        """Stages 3 to 5, again if the registers or a quota moved in between."""
        subject = self.log.subject(question.identifier_kind.value, question.identifier)
        digest = self.log.request_digest(body)
        for _ in range(ATTEMPTS):
            holding = self.current.holding
            service = self._route(holding, question)
            begun = time.perf_counter()
            decision = await self._judge(holding, caller, question, service)
            judged_us = round((time.perf_counter() - begun) * 1e6)
            await self.log.ready(now())
            entry = self.log.decided(
                exchange_id, caller, question, service, decision, subject, request_digest=digest, judged_us=judged_us
            )
            overdue = int(time.time() + 2 * holding.longest_deadline) + 1
            changes: list[Change] = [
                OpenExchange(exchange_id, self.log.gateway, self.log.boot, overdue),
                *(Reserve(key, bangkok_day(now()), limit) for key, limit in decision.quotas),
            ]
            try:
                unless = {REGISTERS: holding.registers.revision}
                await self.store.append([entry], changes if decision.permit else [], unless)
            except Moved:
                await self.current.refresh()
            except QuotaSpent:
                continue
            else:
                if not decision.permit:
                    raise refusal(decision)
                return Decided(exchange_id, holding, service, decision, subject)
        raise Overloaded("the registers keep changing: try again", "ทะเบียนกำลังเปลี่ยนแปลง โปรดลองใหม่", retry_after=1)

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
        self, holding: Holding, caller: Caller, question: Question, service: Service, *, reserved: int = 0
    ) -> Decision:
        """The decision on what holds now. `reserved`: how many of today's count are this exchange's own."""
        moment = now()
        day = bangkok_day(moment)
        facts = candidates(holding.registers, caller, service, question, moment)
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
        return holding.judge.judge(facts)

    async def _fetch(self, decided: Decided, caller: Caller, question: Question) -> tuple[Record, int]:
        """The source's record, and how long it took in microseconds."""
        service = decided.service
        if not open_now(service, now()):
            raise OutsideServiceHours("service_hours")
        begun = asyncio.get_running_loop().time()
        ask = Ask(
            identifier=question.identifier,
            identifier_kind=question.identifier_kind.value,
            service=service.id,
            fields=frozenset(decided.decision.fields),
            exchange_id=decided.exchange_id,
            consumer=caller.agency,
            purpose=question.purpose,
            deadline=begun + service.deadline,
        )
        record = await self.sources.fetch(service, ask)
        return record, round((asyncio.get_running_loop().time() - begun) * 1e6)

    async def _record_failed(self, decided: Decided, fault: GatewayError) -> None:
        code = "citizen_not_found" if isinstance(fault, CitizenNotFound) else fault.code
        short = f"{code}:{fault.fault}" if isinstance(fault, SourceFault) and fault.fault else code
        await self.log.ready(now())
        entry = self.log.closed("failed", decided.exchange_id, subject=decided.subject, fault=short)
        await self.store.append([entry], [CloseExchange(decided.exchange_id)])

    async def _record_released(
        self, decided: Decided, caller: Caller, question: Question, data: dict[str, object], source_us: int
    ) -> Receipt:
        """`released` if what was decided still holds; else `withheld`, and Denied with the reasons."""
        digest = self.log.answer_digest(data)
        holding, decision = decided.holding, decided.decision
        for _ in range(ATTEMPTS):
            await self.log.ready(now())
            entry = self.log.closed(
                "released",
                decided.exchange_id,
                subject=decided.subject,
                released=tuple(data),
                answer_digest=digest,
                source_us=source_us,
            )
            try:
                unless = {REGISTERS: holding.registers.revision}
                appended = await self.store.append([entry], [CloseExchange(decided.exchange_id)], unless)
                return Receipt(self.log.origin, appended.entries[0].hex(), appended.indexes[0])
            except Moved:
                holding = await self.current.refresh()
                service = holding.services.get(question.service, decided.service)
                same = replace(question, fields=decided.decision.fields)
                decision = await self._judge(holding, caller, same, service, reserved=1)
                if not decision.permit:
                    break
        reasons = tuple(reason.code for reason in decision.reasons)
        entry = self.log.closed("withheld", decided.exchange_id, subject=decided.subject, reasons=reasons)
        await self.store.append([entry], [CloseExchange(decided.exchange_id)])
        raise refusal(decision)


def refusal(decision: Decision) -> GatewayError:
    """The error for a denial: 429 where the quota is the sole reason, else 403."""
    if decision.reasons and all(reason.code in QUOTA_CODES for reason in decision.reasons):
        return QuotaExceeded(decision.reasons, retry_after=_seconds_to_midnight())
    return Denied(decision.reasons)


def _seconds_to_midnight() -> int:
    """Until the Asia/Bangkok day ends and the quotas start anew."""
    return 86400 - int(time.time() + 7 * 3600) % 86400
