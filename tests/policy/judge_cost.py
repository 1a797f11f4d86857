"""What one judgement costs, in microseconds, with the full policy set: `python tests/policy/judge_cost.py`."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.model import Facts
from gateway.policy import Judge, PolicySet
from gateway.policy.examples import read_examples

POLICIES = Path(__file__).parents[2] / "policies"


def measure(agreements: int = 5_000, rounds: int = 3_000) -> dict[str, float]:
    """Microseconds a judgement: the best of three means, each kind of question, few and many agreements.

    `anew` is without what was kept of earlier answers: what each first question of a day costs.
    """
    judge = Judge(PolicySet.from_folder(POLICIES))
    named = {example.name: example.facts for example in read_examples(POLICIES)[0]}
    base = named["permit/old-age-allowance"]
    many = [_of_agreement(base, f"agreement-{number}") for number in range(agreements)]
    begun = time.perf_counter()
    for facts in many:
        judge.judge([facts])
    first = (time.perf_counter() - begun) / agreements
    random.Random(1).shuffle(many)
    pupil = named["permit/scholarship-of-a-pupil"]
    return {
        "permitted": _mean(judge, [base], rounds),
        "permitted on consent": _mean(judge, [pupil], rounds),
        "permitted with officer and quotas": _mean(judge, [named["permit/land-transfer"]], rounds),
        "refused for a field": _mean(judge, [named["deny/field-not-covered"]], rounds),
        "refused without agreement": _mean(judge, [named["deny/no-agreement"]], rounds),
        f"permitted, each of {agreements:,} agreements in turn": _mean(judge, many, rounds),
        "permitted, anew": _mean(judge, [base], rounds, anew=True),
        "permitted on consent, anew": _mean(judge, [pupil], rounds, anew=True),
        f"permitted, anew, each of {agreements:,} agreements in turn": _mean(judge, many, agreements, anew=True),
        "the first question on an agreement": first * 1e6,
    }


def _of_agreement(facts: Facts, name: str) -> Facts:
    assert facts.agreement is not None
    return dataclasses.replace(facts, agreement=dataclasses.replace(facts.agreement, id=name))


def _mean(judge: Judge, questions: Sequence[Facts], rounds: int, *, anew: bool = False) -> float:
    def once() -> float:
        begun = time.perf_counter()
        for place in range(rounds):
            if anew:
                judge.forget()
            judge.judge([questions[place % len(questions)]])
        return (time.perf_counter() - begun) / rounds * 1e6

    return min(once() for _ in range(3))


if __name__ == "__main__":
    for what, cost in measure().items():
        print(f"{cost:8.0f} µs  {what}")
