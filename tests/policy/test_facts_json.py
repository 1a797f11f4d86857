"""Facts go through JSON and are judged alike; what is not facts is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from gateway.errors import MalformedRequest
from gateway.policy import Judge
from gateway.policy.examples import Example
from gateway.policy.factsjson import facts_as_json, facts_from_json


def test_every_example_is_judged_alike_after_a_round_trip(examples: dict[str, Example], judge: Judge) -> None:
    for example in examples.values():
        text = json.dumps(facts_as_json(example.facts))
        again = facts_from_json(json.loads(text))
        assert again == example.facts
        assert judge.judge([again]) == judge.judge([example.facts])


def put(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    *steps, last = path.split(".")
    place: Any = changed
    for step in steps:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("now", "yesterday"),
        ("now", "2026-11-20T04:00:00"),
        ("now", ...),
        ("citizen_id", "x"),
        ("client", None),
        ("client.id", ...),
        ("client.clearance", "2"),
        ("client.clearance", True),
        ("client.cross_border", 1),
        ("client.keys", []),
        ("client.title_en", "x"),
        ("consumer.groups", "municipalities"),
        ("service.fields.grade.level", 2.0),
        ("service.fields.grade", 2),
        ("service.schema", {}),
        ("fields", "grade"),
        ("fields", [1]),
        ("purpose.code", ...),
        ("agreement.starts", "2026-13-01"),
        ("agreement.terms", {}),
        ("agreement.terms.0.fields", None),
        ("agreement.terms.0.lawful_bases", "consent"),
        ("term", "another"),
        ("agreement", None),
        ("consent.status", 1),
        ("consent.uses_left", "many"),
        ("quota_used", "0"),
    ],
)
def test_what_is_not_facts_is_refused_and_not_quoted(examples: dict[str, Example], path: str, value: Any) -> None:
    document = facts_as_json(examples["permit/scholarship-of-a-pupil"].facts)
    with pytest.raises(MalformedRequest) as refused:
        facts_from_json(put(document, path, value))
    assert refused.value.detail_en.startswith("facts: ")
    assert refused.value.detail_th


@pytest.mark.parametrize("document", [None, [], "facts", {}])
def test_what_is_no_object_is_refused(document: Any) -> None:
    with pytest.raises(MalformedRequest):
        facts_from_json(document)
