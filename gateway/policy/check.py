"""What is wrong with a folder of policies: the rules themselves, their examples, and rules without any."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cedarpy

from gateway.errors import MalformedRequest
from gateway.policy.examples import Example, read_examples
from gateway.policy.fitting import misfits
from gateway.policy.judge import Judge
from gateway.policy.policyset import PolicySet, Problem, parse, read_folder
from gateway.policy.request import Requests, asked_of


def check(folder: Path) -> list[Problem]:
    """Every problem of the folder's policies and examples: empty if there is none.

    Rules: Cedar's own validation against the schema, unique ids, every annotation that a refusal shows; and that
    the set is for the facts which this version states, without which no example can tell anything.
    Examples: each is decided as its folder's name says, by exactly the policies and reasons that it names.
    Coverage: each rule that refuses has an example that it refuses, made from one that is permitted; each
    rule that permits has an example that it permits, and a refused one that it would not.
    """
    try:
        schema, files = read_folder(folder)
    except OSError as fault:
        at = fault.filename or folder
        return [Problem("", "", f"{at} cannot be read: {fault.strerror}", f"อ่าน {at} ไม่ได้: {fault.strerror}")]
    except MalformedRequest as fault:
        return [Problem("", "", fault.detail_en, fault.detail_th)]
    problems = parse(schema, files)[1]
    if problems:
        return problems
    policies = PolicySet.of(schema, files)
    if other := misfits(policies):
        return [_misfit(what) for what in other]
    examples, unread = read_examples(folder)
    misjudged = [problem for _, problem in try_examples(policies, examples) if problem is not None]
    return [*unread, *misjudged, *_without_example(policies, examples)]


def _misfit(what: str) -> Problem:
    """What `misfits` names: a rule, or the schema."""
    if what == "schema":
        return Problem(
            "schema.cedarschema",
            "",
            "it is for another version of the gateway: the facts that this one states do not fit it. Begin with "
            "the schema that this version came with",
            "สคีมานี้เป็นของเกตเวย์รุ่นอื่น ข้อเท็จจริงที่รุ่นนี้ระบุใช้กับสคีมานี้ไม่ได้ ให้เริ่มจากสคีมาที่มากับรุ่นนี้",
        )
    return Problem(
        "",
        what,
        "it is for another version of the gateway: it names a fact that this one does not state so, and every question "
        "that it is about would be refused",
        "กติกานี้เป็นของเกตเวย์รุ่นอื่น อ้างข้อเท็จจริงที่รุ่นนี้ไม่ได้ระบุเช่นนั้น คำถามทุกข้อที่กติกานี้เกี่ยวข้องจะถูกปฏิเสธ",
    )


def try_examples(policies: PolicySet, examples: Iterable[Example]) -> list[tuple[Example, Problem | None]]:
    """Each example, and what the policies say otherwise than it does; None where they agree."""
    judge = Judge(policies)
    return [(example, _misjudged(judge, example)) for example in examples]


def _misjudged(judge: Judge, example: Example) -> Problem | None:
    decision = judge.judge([example.facts])
    codes = {reason.code for reason in decision.reasons}
    if decision.permit != example.permit:
        said, th = ("permitted", "อนุญาต") if decision.permit else ("refused", "ปฏิเสธ")
        return Problem(example.file, "", f"it is {said}{_by(codes)}", f"ผลคือ{th}{_by(codes)}")
    if set(decision.policies) != example.policies:
        by = ", ".join(decision.policies)
        return Problem(example.file, "", f"decided by other policies: {by}", f"ชี้ขาดโดยกติกาอื่น: {by}")
    if codes != example.codes:
        return Problem(example.file, "", f"other reason codes{_by(codes)}", f"รหัสเหตุผลต่างไป{_by(codes)}")
    return None


def _by(codes: Iterable[str]) -> str:
    named = ", ".join(sorted(codes))
    return f": {named}" if named else ""


def _without_example(policies: PolicySet, examples: list[Example]) -> Iterable[Problem]:
    names = {example.name: example for example in examples}
    refused = {rule for example in examples if not example.permit for rule in example.policies}
    paired = {
        rule
        for example in examples
        if not example.permit and example.base in names and names[example.base].permit
        for rule in example.policies
    }
    permitted = {rule for example in examples if example.permit for rule in example.policies}
    for info in policies.policies:
        missing = []
        if info.effect == "permit":
            if info.id not in permitted:
                missing.append(("no example that it permits", "ไม่มีตัวอย่างที่กติกานี้อนุญาต"))
            if not _withheld(policies, info.id, examples):
                missing.append(("no refused example that it would not permit", "ไม่มีตัวอย่างที่กติกานี้ไม่อนุญาต"))
        elif info.id not in refused:
            missing.append(("no example that it refuses: no example reaches it", "ไม่มีตัวอย่างที่กติกานี้ปฏิเสธ"))
        elif info.id not in paired:
            missing.append(("no refused example made from a permitted one", "ไม่มีตัวอย่างปฏิเสธที่สร้างจากตัวอย่างอนุญาต"))
        for en, th in missing:
            yield Problem(info.file, info.id, en, th)


def _withheld(policies: PolicySet, rule: str, examples: Iterable[Example]) -> bool:
    """Whether the rule that permits, alone, does not permit some refused example."""
    alone, requests = policies.only(rule).cedar, Requests(policies.typed)
    for example in examples:
        if example.permit:
            continue
        try:
            request, entities = requests.of(asked_of(example.facts))
        except (TypeError, ValueError):  # facts that cannot be judged say nothing about the rule
            continue
        if not cedarpy.is_authorized(request, alone, entities).allowed:
            return True
    return False
