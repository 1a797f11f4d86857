"""Routing and judging: which service is asked, the facts of the question as it stands now, and the decision.

Judging asks no source, records nothing and takes from no quota. So the same code decides a question, judges it
once more before an answer is released, and explains a decision that nobody acts on.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.consents import ConsentBook, Held
from gateway.current import Holding
from gateway.errors import Denied, GatewayError, QuotaExceeded, UnknownField, UnknownService
from gateway.given import needed, require_known
from gateway.model import Caller, Decision, Facts, Question, Service, bangkok_day, now
from gateway.observe import about
from gateway.policy import COMPARISONS_A_DAY, QUOTA_CODES, comparison_quota_key, officer_quota_key, term_quota_key
from gateway.registers import candidates
from gateway.store import REGISTERS, Store, consent_scope

_MOST_KNOWN = 1024


@dataclass(frozen=True, slots=True)
class Judgement:
    """A decision with what it rests on: the holding, the candidates' facts, the consent; and what it took."""

    holding: Holding
    moment: datetime
    service: Service
    decision: Decision
    facts: list[Facts]
    consent: Held | None
    microseconds: int

    @property
    def revisions(self) -> dict[str, int]:
        """Scope -> revision of all that must not have moved when the decision is recorded or acted on."""
        unmoved = {REGISTERS: self.holding.registers.revision}
        decision = self.decision
        if decision.permit and decision.consent_id is not None and decision.consent_revision is not None:
            unmoved[consent_scope(decision.consent_id)] = decision.consent_revision
        return unmoved


@dataclass(slots=True)
class _Known:
    """The candidates of a question that was asked before. `lasting`: the decision rests on nothing else; a permit is
    then kept beside them.
    """

    facts: list[Facts]
    lasting: bool
    decision: Decision | None = None


@dataclass(slots=True)
class Judging:
    """Judges questions. Reads today's quotas and the citizen's consent, where the agreement's term needs them.

    The candidates of a question follow from the holding, which never changes but as a whole, and from what the question
    names, whoever it is about: so they are kept for as long as the holding holds. Belongs to one event loop.
    """

    store: Store
    consents: ConsentBook
    person_key: bytes = field(repr=False)
    """What the pseudonyms are keyed with under which comparisons are counted; no log or consent knows them."""
    _known: dict[Any, _Known] = field(default_factory=dict, init=False, repr=False)
    _of: Holding | None = field(default=None, init=False, repr=False)

    async def judge(
        self, holding: Holding, caller: Caller, question: Question, *, standing: Decision | None = None
    ) -> Judgement:
        """The decision on what holds. Raises UnknownService or UnknownField where there is nothing to judge.

        `standing`: an earlier decision on the same question, judged anew: by its own agreement term and no
        other, and with one of today's counts its own.
        """
        begun, moment = time.perf_counter(), now()
        own = 0 if standing is None else 1
        service = route(holding, question)
        about(service.id)
        known = self._candidates(holding, caller, service, question, moment)
        facts, decision, consent = known.facts, known.decision, None
        if decision is None or standing is not None:
            if standing is not None:
                facts = _on_the_term_of(standing, facts)
            person = self._person(question)
            facts = [await self._with_quotas(fact, moment, own, person) for fact in facts]
            facts, consent = await self.consents.joined(facts, question, moment, own=own)
            decision = holding.judge.judge(facts)
            if question.given and decision.permit:
                counted = (comparison_quota_key(str(decision.agreement), str(decision.term), person), COMPARISONS_A_DAY)
                decision = replace(decision, quotas=(*decision.quotas, counted))
            if consent is not None:
                moment = facts[0].now
            if known.lasting and standing is None and decision.permit:
                known.decision = decision
        took = round((time.perf_counter() - begun) * 1e6)
        return Judgement(holding, moment, service, decision, facts, consent, took)

    def _candidates(
        self, holding: Holding, caller: Caller, service: Service, question: Question, moment: datetime
    ) -> _Known:
        if self._of is not holding or len(self._known) >= _MOST_KNOWN:
            self._of, self._known = holding, {}
        key = (
            caller.id,
            service.id,
            question.purpose,
            question.fields,
            question.officer,
            question.consent_id is not None,
            frozenset(question.given),
            bangkok_day(moment),
        )
        known = self._known.get(key)
        if known is None:
            facts = candidates(holding.registers, caller, service, question, moment)
            lasting = not question.given and question.consent_id is None and not any(map(_varies, facts))
            known = self._known[key] = _Known(facts, lasting)
        return known

    def _person(self, question: Question) -> str:
        """Whose data something is compared with: a pseudonym of this use alone."""
        if not question.given:
            return ""
        text = f"{question.identifier_kind.value}:{question.identifier}"
        return hmac.digest(self.person_key, text.encode(), "sha256").hex()

    async def _with_quotas(self, fact: Facts, moment: datetime, own: int, person: str) -> Facts:
        """The fact with what is used of the term's quotas today, this exchange's `own` share left out."""
        agreement, term, officer = fact.agreement, fact.term, fact.officer
        if agreement is None or term is None:
            return fact
        day, used, officer_used = bangkok_day(moment), 0, 0
        if term.quota_per_day:
            used = await self.store.quota_used(term_quota_key(agreement.id, term.id), day)
        if term.quota_per_officer_per_day and officer is not None:
            key = officer_quota_key(agreement.id, term.id, fact.client.id, officer.code)
            officer_used = await self.store.quota_used(key, day)
        if person and any(needed(fact.service, name) for name in fact.fields):
            compared = await self.store.quota_used(comparison_quota_key(agreement.id, term.id, person), day)
            fact = replace(fact, comparisons_used=max(compared - own, 0))
        if not used and not officer_used:
            return fact
        return replace(fact, quota_used=max(used - own, 0), officer_quota_used=max(officer_used - own, 0))


def route(holding: Holding, question: Question) -> Service:
    """The service that the question is for. Raises UnknownService, UnknownField."""
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
            f"{len(unknown)} of the named fields are not in the service's schema: see its schema",
            f"มีรายการข้อมูล {len(unknown)} รายการที่ไม่อยู่ในสคีมาของบริการ",
        )
    require_known(service, question.given)
    return service


def refusal(decision: Decision) -> GatewayError:
    """The error for a denial: 429 where the quota is the sole reason, else 403."""
    if decision.reasons and all(reason.code in QUOTA_CODES for reason in decision.reasons):
        return QuotaExceeded(decision.reasons, retry_after=_seconds_to_midnight())
    return Denied(decision.reasons)


def _varies(fact: Facts) -> bool:
    """Whether a judgement on it rests on what is used of a quota, or on a consent."""
    term = fact.term
    return term is not None and (
        bool(term.quota_per_day or term.quota_per_officer_per_day)
        or "consent" in (term.lawful_basis, term.sensitive_basis)
    )


def _on_the_term_of(decision: Decision, facts: list[Facts]) -> list[Facts]:
    """Those of the decision's own agreement term; where that is gone, facts that lack it and so refuse."""
    agreement = [fact for fact in facts if fact.agreement is not None and fact.agreement.id == decision.agreement]
    term = [fact for fact in agreement if fact.term is not None and fact.term.id == decision.term]
    if term:
        return term
    if agreement:
        return [replace(agreement[0], term=None)]
    return [replace(facts[0], agreement=None, term=None)]


def _seconds_to_midnight() -> int:
    """Until the Asia/Bangkok day ends and the quotas start anew."""
    return 86400 - int(time.time() + 7 * 3600) % 86400
