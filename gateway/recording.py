"""An exchange's entries: `decided` or `refused` first, then its one outcome. Each is durable when it returns.

Every one names what must not have moved meanwhile (`unless`); Moved then says that it was not written.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

import orjson

from gateway.errors import Denied, GatewayError, Overloaded, QuotaExceeded
from gateway.exchangelog import ExchangeLog, Subject
from gateway.judgement import Judgement
from gateway.model import Caller, Decision, Question, Receipt, Service, bangkok_day, now
from gateway.plugin import SourceFault
from gateway.policy import Recorder, filled_in, named_in
from gateway.store import (
    AlreadyClosed,
    Appended,
    Change,
    CloseExchange,
    Connection,
    Once,
    OpenExchange,
    Reserve,
    Store,
    Withhold,
)


@dataclass(frozen=True, slots=True)
class Decided:
    """A permitted exchange on record: who asked what, about whom, and the judgement that it stands on."""

    exchange_id: str
    caller: Caller
    question: Question
    subject: Subject
    judgement: Judgement

    @property
    def service(self) -> Service:
        """The service that is asked."""
        return self.judgement.service

    @property
    def decision(self) -> Decision:
        """What was decided."""
        return self.judgement.decision


@dataclass(frozen=True, slots=True)
class Recording:
    """Writes what becomes of exchanges."""

    store: Store
    log: ExchangeLog
    recorder: Recorder = field(default_factory=Recorder)

    async def decided(
        self, exchange_id: str, caller: Caller, question: Question, judgement: Judgement, body: bytes
    ) -> Decided:
        """`decided`, with quota and consent's use taken, or `refused`; the caller's proof is used up in any case.

        Raises Moved, QuotaSpent, AlreadyUsed (the proof), LogUnavailable.
        """
        moment = now()
        await self.log.ready(moment)
        snapshot = self.recorder.snapshot(judgement.facts, judgement.moment)
        decision, subject = judgement.decision, self.log.subject(question.identifier_kind.value, question.identifier)
        entry = self.log.decided(
            exchange_id,
            caller,
            question,
            judgement.service,
            decision,
            subject,
            at=moment,
            request_digest=self.log.request_digest(body),
            judged_us=judgement.microseconds,
            facts=snapshot.facts,
        )
        changes: list[Change] = [*snapshot.standing, *(self._taken(exchange_id, judgement) if decision.permit else ())]
        if decision.permit and decision.withheld is not None:
            changes.append(_withheld(exchange_id, subject, entry.groups))
        if caller.proof is not None:
            changes.append(Once(caller.proof.digest, caller.proof.expires))
        await self.store.append([entry], changes, judgement.revisions)
        self.recorder.written(snapshot)
        return Decided(exchange_id, caller, question, subject, judgement)

    async def facts_of(self, kept: Sequence[Mapping[str, Any] | None]) -> list[dict[str, Any] | None]:
        """Entries' facts, filled in with what they name by digest; None where that is no longer to be had.

        LogUnavailable.
        """
        digests = {digest for facts in kept for digest in named_in(facts)}
        bodies = await self.store.read(partial(_standing_facts, digests=digests))
        return [filled_in(facts, bodies) for facts in kept]

    async def failed(self, decided: Decided, fault: GatewayError) -> None:
        """`failed`, with the kind of fault and none of the source's words."""
        short = f"{fault.code}:{fault.fault}" if isinstance(fault, SourceFault) and fault.fault else fault.code
        with contextlib.suppress(AlreadyClosed):  # so late that another gateway wrote `interrupted`
            await self._close(decided, "failed", fault=short)

    async def released(
        self, decided: Decided, standing: Judgement, fields: tuple[str, ...], digest: str, source_us: int
    ) -> Receipt:
        """`released`, if what `standing` rests on has not moved. Raises Moved, Overloaded, LogUnavailable."""
        try:
            appended = await self._close(
                decided, "released", standing.revisions, released=fields, answer_digest=digest, source_us=source_us
            )
        except AlreadyClosed:
            raise _closed_meanwhile() from None
        return Receipt(self.log.origin, appended.entries[0].hex(), appended.indexes[0])

    async def withheld(self, decided: Decided, against: GatewayError) -> None:
        """`withheld`, with what by now stands against releasing. Raises Overloaded, LogUnavailable."""
        stated = against.reasons if isinstance(against, Denied | QuotaExceeded) else ()
        try:
            await self._close(decided, "withheld", reasons=tuple(reason.code for reason in stated) or (against.code,))
        except AlreadyClosed:
            raise _closed_meanwhile() from None

    def _taken(self, exchange_id: str, judgement: Judgement) -> list[Change]:
        """What a permit takes: its place among the open exchanges, one of each quota, a use of the consent."""
        moment, consent = now(), judgement.consent
        overdue = int(time.time() + 2 * judgement.holding.longest_deadline) + 1
        return [
            OpenExchange(exchange_id, self.log.gateway, self.log.boot, overdue),
            *(Reserve(key, bangkok_day(moment), limit) for key, limit in judgement.decision.quotas),
            *(consent.uses(moment) if consent is not None and judgement.decision.consent_id is not None else ()),
        ]

    async def _close(
        self, decided: Decided, outcome: str, unless: Mapping[str, int] | None = None, **content: Any
    ) -> Appended:
        moment = now()  # one for both: the month may turn between two
        await self.log.ready(moment)
        entry = self.log.closed(outcome, decided.exchange_id, at=moment, subject=decided.subject, **content)
        return await self.store.append([entry], [CloseExchange(decided.exchange_id)], unless)


def _standing_facts(connection: Connection, digests: Iterable[str]) -> dict[str, Any]:
    """The bodies of these digests (hex); one that is not its digest's is left out."""
    bodies: dict[str, Any] = {}
    for digest in digests:
        for (body,) in connection.rows("SELECT body FROM judged_facts WHERE digest = ?", (bytes.fromhex(digest),)):
            if hashlib.sha256(body).hexdigest() == digest:
                bodies[digest] = orjson.loads(bytes(body))
    return bodies


def _withheld(exchange_id: str, subject: Subject, groups: Mapping[str, Any]) -> Withhold:
    """The entry counts nobody: until when, and who is to be counted then."""
    due = math.ceil(datetime.fromisoformat(groups["legal"]["withheld"]["until"]).timestamp())
    return Withhold(exchange_id, subject.pseudonym, subject.earlier, groups["public"]["time"], due)


def _closed_meanwhile() -> Overloaded:
    return Overloaded("it took so long that it was closed", "ใช้เวลานานเกินไป รายการถูกปิดแล้ว", retry_after=1)
