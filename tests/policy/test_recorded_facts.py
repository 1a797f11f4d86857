"""What the log keeps of a judgement's facts is judged as the facts were, and holds no more than the judge reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from gateway.errors import MalformedRequest
from gateway.exchangelog.entry import canonical
from gateway.model import Facts
from gateway.policy import Judge, PolicySet, Recorder, filled_in, recorded_facts, replay
from gateway.policy.examples import Example


def test_every_example_is_judged_the_same_from_what_is_kept(judge: Judge, examples: dict[str, Example]) -> None:
    recorder = Recorder()
    for example in examples.values():
        again = recorded_facts(_kept(recorder, example.facts))
        assert len(again) == 1
        assert judge.judge(again) == judge.judge([example.facts]), example.name


def test_what_is_kept_is_canonical_and_only_of_what_was_asked(examples: dict[str, Example]) -> None:
    facts = examples["permit/old-age-allowance"].facts
    assert facts.agreement is not None
    assert facts.term is not None
    other = replace(facts.term, id="other", purpose="other.purpose")
    facts = replace(facts, agreement=replace(facts.agreement, terms=(other, facts.term)), fields=("life_status",))
    snapshot = Recorder().snapshot([facts, facts], facts.now)
    text = canonical(snapshot.facts)
    assert text == orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)
    assert len(text) < 512
    (body,) = {change.body for change in snapshot.standing}
    on = orjson.loads(body)
    assert body == orjson.dumps(on, option=orjson.OPT_SORT_KEYS)
    assert list(on["service"]["fields"]) == ["life_status"]
    assert [term["id"] for term in on["agreement"]["terms"]] == [facts.term.id]
    assert len(body) < 2048


def test_agreements_and_consents_are_kept_without_defaults(examples: dict[str, Example]) -> None:
    kept = _kept(Recorder(), examples["permit/scholarship-of-a-pupil"].facts)
    text = orjson.dumps(kept)
    assert b"keys" not in text
    assert b"title" not in text
    assert len(text) < 2048


def test_a_change_of_the_registers_is_seen(examples: dict[str, Example]) -> None:
    recorder, facts = Recorder(), examples["permit/old-age-allowance"].facts
    assert recorded_facts(_kept(recorder, facts))[0].client.status == "active"
    suspended = replace(facts, client=replace(facts.client, status="suspended"))
    assert recorded_facts(_kept(recorder, suspended))[0].client.status == "suspended"
    assert recorded_facts(_kept(recorder, replace(facts, quota_used=7)))[0].quota_used == 7
    assert recorded_facts(_kept(recorder, facts))[0].client.status == "active"


@pytest.mark.parametrize(
    "kept", [{}, {"now": "2026-11-20T04:00:00Z", "candidates": []}, {"now": 1, "candidates": [{}]}]
)
def test_what_is_not_of_the_form_is_refused(kept: dict[str, object]) -> None:
    with pytest.raises(MalformedRequest):
        recorded_facts(kept)


def test_a_draft_tells_what_would_have_gone_otherwise(
    policies: PolicySet, examples: dict[str, Example], policy_folder: Path
) -> None:
    """A draft without the rule on expiry permits what was refused for it; all else stays as it was."""
    files = dict(policies.files)
    name = next(info.file for info in policies.policies if info.id == "agreement-expired")
    begin = files[name].index('@id("agreement-expired")')
    files[name] = files[name][:begin] + files[name][files[name].index("@id(", begin + 5) :]
    draft, recorder = Judge(PolicySet.of(policies.schema, files)), Recorder()
    recorded = [
        {
            "exchange_id": example.name,
            "decided_at": "2026-11-20T04:00:00.000Z",
            "client": example.facts.client.id,
            "service": example.facts.service.id,
            "purpose": "welfare.old-age-allowance",
            "reasons": sorted(example.codes),
            "facts": _kept(recorder, example.facts),
        }
        for example in examples.values()
    ]
    assert not any(replay(Judge(policies), recorded))
    found = [one for one in replay(draft, recorded) if one is not None]
    assert any(one.turned for one in found)
    turned = {one.exchange_id for one in found if one.turned}
    assert turned == {
        example.name
        for example in examples.values()
        if not example.permit and example.policies == {"agreement-expired"}
    }
    assert {one.exchange_id for one in found} == {
        example.name for example in examples.values() if "agreement-expired" in example.policies
    }


def test_what_many_questions_rest_on_is_brought_until_it_is_written(examples: dict[str, Example]) -> None:
    recorder, facts = Recorder(), examples["permit/old-age-allowance"].facts
    first = recorder.snapshot([facts], facts.now)
    again = recorder.snapshot([replace(facts, quota_used=3)], facts.now)
    assert first.standing == again.standing != ()
    recorder.written(first)
    assert recorder.snapshot([facts], facts.now).standing == ()
    other = recorder.snapshot([facts, replace(facts, fields=facts.fields[:1])], facts.now)
    assert len(other.standing) == 1


def test_facts_whose_standing_part_is_gone_are_none(examples: dict[str, Example]) -> None:
    facts = examples["permit/old-age-allowance"].facts
    snapshot = Recorder().snapshot([facts], facts.now)
    assert filled_in(snapshot.facts, {}) is None
    assert filled_in(None, {}) is None


def _kept(recorder: Recorder, facts: Facts) -> dict[str, object]:
    snapshot = recorder.snapshot([facts], facts.now)
    bodies = {change.digest.hex(): orjson.loads(change.body) for change in snapshot.standing}
    filled = filled_in(orjson.loads(canonical(snapshot.facts)), bodies)
    assert filled is not None
    return filled
