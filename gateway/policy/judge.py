"""The judge. For each candidate agreement term, in order, until one permits:

1. the facts are put into Cedar's shape            (`request`; facts that do not fit are refused)
2. Cedar evaluates every rule                      (deny by default; a forbid wins)
3. an evaluation error denies                      (Cedar itself skips a forbid that errors)
4. a permit is checked once more, whatever the rules say: it stands on a rule that permits, on an
   agreement term, and its fields lie within the term and the question
5. a refusal's rules become reasons, in the order of the policy files

One exchange stands on one term, never on a union of several (PDPA s.22). Where none permits, the refusal
with the fewest reasons is the answer: it says what lacks least (and an agreement without any term for the
purpose lacks more than one with a term, whatever else that one lacks). Nothing that goes wrong here escapes: it
refuses, with the code `judgement_failed`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from functools import lru_cache

import cedarpy

from gateway.errors import Reason
from gateway.model.exchange import Decision, Facts
from gateway.model.parties import Term
from gateway.policy.policyset import PolicyInfo, PolicySet
from gateway.policy.request import Asked, InconsistentFacts, Requests, asked_of, needs_consent, sensitive_fields

QUOTA_CODES = frozenset({"quota_exceeded", "officer_quota_exceeded", "comparisons_exceeded"})
"""The reason codes that time alone cures: a refusal for nothing else is a 429."""

REMEMBERED = 4096
"""Cedar's answers kept, about 3 KiB each."""

_LOG = logging.getLogger(__name__)


def term_quota_key(agreement: str, term: str) -> str:
    """The daily counter of one term; the day is added by who counts."""
    return f"term:{agreement}:{term}"


def comparison_quota_key(agreement: str, term: str, person: str) -> str:
    """The daily counter of what is compared with one person's data on one term. `person`: a keyed pseudonym."""
    return f"compare:{agreement}:{term}:{person}"


def officer_quota_key(agreement: str, term: str, client: str, officer: str) -> str:
    """The daily counter of one officer (by staff code, enrolled for one client) on one term."""
    return f"officer:{agreement}:{term}:{client}:{officer}"


class Judge:
    """Applies one policy set. May be used from several threads.

    Cedar's answer is a function of the rules and of what is asked of them, so the answers to the last questions
    are kept, by value: the next question of the same client, service, term and day mostly asks the same, as
    neither the person nor the time of day is among what the rules look at, and of a consent only how it stands.
    """

    def __init__(self, policies: PolicySet) -> None:
        self.policies = policies
        self._requests = Requests(policies.typed)
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._evaluate)
        self._place = {policy.id: place for place, policy in enumerate(policies.policies)}

    def forget(self) -> None:
        """Drops the kept answers (not the parsed entities): every question is evaluated anew."""
        self._remembered.cache_clear()

    def judge(self, candidates: Sequence[Facts]) -> Decision:
        """The decision on one question, given the facts for each agreement term that might carry it.

        `candidates` is never empty: where no term is found, it holds one with neither agreement nor term.
        Never raises; a fault in judging is a refusal.
        """
        best: Decision | None = None
        least: tuple[bool, int] = (False, 0)
        try:
            for facts in candidates:
                decision = self._judge_one(facts)
                if decision.permit:
                    return decision
                lacks = (facts.term is None, len(decision.reasons))
                if best is None or lacks < least:
                    best, least = decision, lacks
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as fault:
            _report(fault)
            best = None
        return best if best is not None else self._refusal(None, [_failed()], ())

    def _judge_one(self, facts: Facts) -> Decision:
        """The decision on one candidate; a fault in judging is a refusal."""
        try:
            asked = asked_of(facts)
            return self._read(facts, self._remembered(asked))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as fault:  # a panic in Cedar's native code is no Exception
            _report(fault)
            return self._refusal(facts, [_failed()], ())

    def _evaluate(self, asked: Asked) -> cedarpy.AuthzResult:
        request, entities = self._requests.of(asked)
        return cedarpy.is_authorized(request, self.policies.cedar, entities)

    def _read(self, facts: Facts, result: cedarpy.AuthzResult) -> Decision:
        """What Cedar's answer on `facts` comes to (steps 3 to 5)."""
        determining = sorted(
            (name for name in result.diagnostics.reasons if name in self._place), key=self._place.__getitem__
        )
        infos = [self.policies.policies[self._place[name]] for name in determining]
        errors = result.diagnostics.errors
        if errors:
            failing = [policy.id for policy in self.policies.policies if any(f"`{policy.id}`" in e for e in errors)]
            _LOG.error("policies could not be evaluated: %s", ", ".join(failing) or "unknown")
            forbids = [info for info in infos if info.effect == "forbid"]
            failed = [_failed(policy) for policy in failing] or [_failed()]
            return self._refusal(facts, [*_reasons(forbids, facts), *failed], determining)
        if not result.allowed:
            reasons = _reasons([info for info in infos if info.effect == "forbid"], facts)
            return self._refusal(facts, reasons or [_not_permitted()], determining)
        if not infos or any(info.effect != "permit" for info in infos):
            _LOG.error("a permit that no known rule gave")
            return self._refusal(facts, [_failed()], determining)
        return self._permit(facts, determining)

    def _permit(self, facts: Facts, determining: Sequence[str]) -> Decision:
        agreement, term = facts.agreement, facts.term
        if agreement is None or term is None or not facts.fields or not term.fields.issuperset(facts.fields):
            _LOG.error("a permit beyond an agreement's term")
            return self._refusal(facts, [_failed()], determining)
        consent = facts.consent if needs_consent(term, sensitive_fields(facts)) else None
        return Decision(
            permit=True,
            reasons=(),
            agreement=agreement.id,
            term=term.id,
            lawful_basis=term.lawful_basis,
            authority=term.authority_en,
            consent_id=consent.id if consent else None,
            fields=tuple(dict.fromkeys(facts.fields)),
            policies=tuple(determining),
            policy_digest=self.policies.digest,
            quotas=_quotas(facts, agreement.id, term),
            pdpa_exemption=term.pdpa_exemption,
            secrecy_release=term.secrecy_release,
            consent_revision=consent.revision if consent else None,
            withheld=term.withheld,
        )

    def _refusal(self, facts: Facts | None, reasons: Sequence[Reason], determining: Sequence[str]) -> Decision:
        agreement = facts.agreement if facts else None
        term = facts.term if facts else None
        return Decision(
            permit=False,
            reasons=tuple(reasons),
            agreement=agreement.id if agreement else None,
            term=term.id if term else None,
            lawful_basis=term.lawful_basis if term else None,
            authority=term.authority_en if term else None,
            consent_id=facts.consent.id if facts and facts.consent else None,
            fields=(),
            policies=tuple(determining),
            policy_digest=self.policies.digest,
            consent_revision=facts.consent.revision if facts and facts.consent else None,
            withheld=term.withheld if term else None,
        )


def _quotas(facts: Facts, agreement: str, term: Term) -> tuple[tuple[str, int], ...]:
    quotas = []
    if term.quota_per_day:
        quotas.append((term_quota_key(agreement, term.id), term.quota_per_day))
    if term.quota_per_officer_per_day and facts.officer is not None:
        key = officer_quota_key(agreement, term.id, facts.client.id, facts.officer.code)
        quotas.append((key, term.quota_per_officer_per_day))
    return tuple(quotas)


def _reasons(infos: Iterable[PolicyInfo], facts: Facts) -> list[Reason]:
    """What each rule says, where it stands, whom to ask, and which fields it is about."""
    agreement, term = facts.agreement, facts.term
    clause = f"agreement {agreement.id}" if agreement else ""
    if term:
        clause += f" term {term.id}"
    ask = agreement.contact if agreement and agreement.contact else facts.source.id
    return [
        Reason(
            code=info.code,
            policy=info.id,
            section=info.section,
            title_en=info.title_en,
            title_th=info.title_th,
            remedy_en=info.remedy_en,
            remedy_th=info.remedy_th,
            ask=ask,
            clause=clause,
            fields=_named(info.fields, facts) if info.fields else (),
        )
        for info in infos
    ]


def _named(which: str, facts: Facts) -> tuple[str, ...]:
    """The question's fields that a refusal lists; only names that the service has, so that no input is echoed."""
    known, term, consent = facts.service.fields, facts.term, facts.consent
    names = sorted({name for name in facts.fields if name in known})
    match which:
        case "not_covered":
            return tuple(name for name in names if term is None or name not in term.fields)
        case "sensitive":
            return tuple(name for name in names if known[name].sensitive)
        case "unclassified":
            return tuple(name for name in names if known[name].sensitive)
        case _:
            whole = term is not None and term.lawful_basis == "consent"
            return tuple(
                name
                for name in names
                if (whole or known[name].sensitive) and (consent is None or name not in consent.fields)
            )


def _failed(policy: str = "judgement") -> Reason:
    return Reason(
        code="judgement_failed",
        policy=policy,
        section="PDPA B.E. 2562 s.37(1)",
        title_en="The question could not be judged, so it is refused",
        title_th="ไม่สามารถวินิจฉัยคำขอได้ จึงปฏิเสธ",
        remedy_en="Tell the gateway's administrators",
        remedy_th="แจ้งผู้ดูแลระบบเกตเวย์",
    )


def _not_permitted() -> Reason:
    return Reason(
        code="not_permitted",
        policy="rules",
        section="PDPA B.E. 2562 s.37(1)",
        title_en="No rule permits the question",
        title_th="ไม่มีกติกาใดอนุญาตคำขอนี้",
        remedy_en="Ask the gateway's administrators which rule should",
        remedy_th="สอบถามผู้ดูแลระบบว่ากติกาใดควรอนุญาต",
    )


def _report(fault: BaseException) -> None:
    """Says that judging failed and how, without the fault's own text."""
    kind = str(fault) if isinstance(fault, InconsistentFacts) else type(fault).__name__
    _LOG.error("a judgement failed: %s", kind)
