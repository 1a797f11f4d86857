"""The judge: Cedar rules over the facts of one question, each refusal with its law and its remedy.

`PolicySet` holds the rules (text and digest), `Judge` applies them, `check` says what is wrong with a folder
of them. Rules and examples lie in `policies/`. The judge knows no register and does no I/O while judging.
"""

from gateway.policy.check import check, try_examples
from gateway.policy.examples import read_examples
from gateway.policy.fitting import misfits, require_fitting, shipped
from gateway.policy.judge import QUOTA_CODES, Judge, comparison_quota_key, officer_quota_key, term_quota_key
from gateway.policy.policyset import PolicyInfo, PolicySet, Problem
from gateway.policy.recorded import Recorder, Snapshot, filled_in, named_in, recorded_facts
from gateway.policy.replay import Otherwise, replay
from gateway.policy.request import COMPARISONS_A_DAY

__all__ = [
    "COMPARISONS_A_DAY",
    "QUOTA_CODES",
    "Judge",
    "Otherwise",
    "PolicyInfo",
    "PolicySet",
    "Problem",
    "Recorder",
    "Snapshot",
    "check",
    "comparison_quota_key",
    "filled_in",
    "misfits",
    "named_in",
    "officer_quota_key",
    "read_examples",
    "recorded_facts",
    "replay",
    "require_fitting",
    "shipped",
    "term_quota_key",
    "try_examples",
]
