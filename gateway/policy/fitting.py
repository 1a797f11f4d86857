"""Whether a set can judge what this version of the program asks.

A set brings the schema that its rules are typed by, but the facts are the program's to state. After an upgrade
the set in force may name facts that nobody states any more, or know nothing of one that is new: each question that
meets such a rule is then refused as `judgement_failed`. Refused it must be; that it comes to this should be said.
"""

from __future__ import annotations

from pathlib import Path

from gateway.errors import MalformedRequest
from gateway.policy.examples import read_examples
from gateway.policy.policyset import PolicySet, parse, read_folder
from gateway.policy.request import Requests, asked_of


def shipped() -> Path:
    """The rules that came with this version: beside the package (a checkout, the image), or in the working folder."""
    beside = Path(__file__).resolve().parents[2] / "policies"
    return beside if beside.is_dir() else Path("policies")


def misfits(policies: PolicySet) -> list[str]:
    """The rules that name facts which this version does not state so, and `schema` where it is unlike this version's
    about the registers' facts. Empty where the set fits, and where nothing was shipped to see it by.
    """
    try:
        schema, _ = read_folder(shipped())
    except (OSError, MalformedRequest):
        return []
    if policies.schema == schema:
        return []  # by which the set was validated when it was made
    found = {problem.policy or problem.file for problem in parse(schema, policies.files)[1]}
    requests = Requests(policies.typed)
    for example in read_examples(shipped())[0]:
        try:
            requests.of(asked_of(example.facts))
        except (TypeError, ValueError):
            found.add("schema")
            break
    return sorted(found)


def require_fitting(policies: PolicySet) -> None:
    """Raises MalformedRequest where the set could not judge everything that this version asks."""
    if found := misfits(policies):
        first = found[0] if len(found) == 1 else f"{found[0]} (+{len(found) - 1})"
        raise MalformedRequest(
            f"the policy set is for another version of the gateway, which states other facts: {first}",
            f"ชุดกติกานี้ใช้กับเกตเวย์รุ่นอื่นซึ่งระบุข้อเท็จจริงต่างไป: {first}",
        )
