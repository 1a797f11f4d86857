"""The policies' examples: facts in a file, and what the policies say to them.

`examples/permit/*.json` are permitted, `examples/deny/*.json` are refused: the folder's name is the expected
decision. A file states its facts (`facts`, see `factsjson`) or another example's with some of them changed:

    {"about": {"en": "…", "th": "…"},
     "from": "permit/old-age-allowance", "change": {"client.status": "suspended"},
     "policies": ["client-suspended"], "codes": ["client_suspended"]}

`policies` are the ids that decide, all of them; `codes` (of a refusal) the reasons' codes. A refusal that is
made from a permitted example shows a rule from both sides: what it lets pass, and the change that it refuses.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import orjson

from gateway.errors import MalformedRequest
from gateway.model.exchange import Facts
from gateway.policy.factsjson import facts_from_json
from gateway.policy.policyset import Problem

FOLDERS = ("permit", "deny")
_KEYS = {"about", "facts", "from", "change", "policies", "codes"}
_LONGEST_CHAIN = 5


@dataclass(frozen=True, slots=True)
class Example:
    """One example. `name` is `permit/…` or `deny/…`; `base` the name of the one that it changes, or empty."""

    name: str
    permit: bool
    base: str
    facts: Facts
    policies: frozenset[str]
    codes: frozenset[str]

    @property
    def file(self) -> str:
        """Its path within the policies' folder."""
        return f"examples/{self.name}.json"


def read_examples(folder: Path) -> tuple[list[Example], list[Problem]]:
    """The examples under `folder` (the policies' own), by name, and what cannot be read."""
    documents: dict[str, Any] = {}
    problems: list[Problem] = []
    for kind in FOLDERS:
        for path in sorted((folder / "examples" / kind).glob("*.json")):
            name = f"{kind}/{path.stem}"
            try:
                documents[name] = orjson.loads(path.read_bytes())
            except (OSError, ValueError):
                problems.append(Problem(f"examples/{name}.json", "", "not readable as JSON", "อ่านเป็น JSON ไม่ได้"))
    examples: list[Example] = []
    for name, document in documents.items():
        try:
            examples.append(_example(name, document, documents))
        except MalformedRequest as fault:
            problems.append(Problem(f"examples/{name}.json", "", fault.detail_en, fault.detail_th))
    return examples, problems


def _example(name: str, document: Any, documents: Mapping[str, Any]) -> Example:
    if not isinstance(document, dict) or document.keys() - _KEYS:
        raise MalformedRequest(f"an object of {', '.join(sorted(_KEYS))}", f"ออบเจกต์ของ {', '.join(sorted(_KEYS))}")
    about = document.get("about")
    if not isinstance(about, dict) or not about.get("en") or not about.get("th"):
        raise MalformedRequest("`about` has no `en` and `th`", "`about` ไม่มี `en` และ `th`")
    permit = name.startswith("permit/")
    policies, codes = document.get("policies"), document.get("codes", [] if permit else None)
    if not _texts(policies) or not _texts(codes) or not policies or bool(codes) == permit:
        raise MalformedRequest(
            "it names no deciding `policies`, or a refusal without `codes`, or a permit with them",
            "ไม่ระบุ `policies` ที่ชี้ขาด หรือการปฏิเสธไม่มี `codes` หรือการอนุญาตมี `codes`",
        )
    return Example(
        name=name,
        permit=permit,
        base=document.get("from", ""),
        facts=facts_from_json(_stated(document, documents, _LONGEST_CHAIN)),
        policies=frozenset(policies),
        codes=frozenset(codes),
    )


def _texts(value: Any) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _stated(document: Mapping[str, Any], documents: Mapping[str, Any], steps: int) -> dict[str, Any]:
    """The facts' JSON: the document's own, or those of the example that it is made from, changed."""
    if "facts" in document:
        if "from" in document or "change" in document or not isinstance(document["facts"], dict):
            raise MalformedRequest("either `facts`, or `from` and `change`", "ใช้ `facts` หรือ `from` กับ `change`")
        return copy.deepcopy(document["facts"])
    base, change = documents.get(document.get("from", "")), document.get("change")
    if not isinstance(base, dict) or not isinstance(change, dict) or not change or steps == 0:
        raise MalformedRequest("`from` names no example, or nothing is changed", "`from` ไม่มีอยู่ หรือไม่มีการเปลี่ยนแปลง")
    facts = _stated(base, documents, steps - 1)
    for path, value in change.items():
        _put(facts, path, copy.deepcopy(value))
    return facts


def _put(facts: dict[str, Any], path: str, value: Any) -> None:
    """Sets what a dotted path names (`agreement.terms.0.notice`); every step but the last must be there."""
    *steps, last = path.split(".")
    place: Any = facts
    try:
        for step in steps:
            place = place[int(step)] if isinstance(place, list) else place[step]
        if isinstance(place, list):
            place[int(last)] = value
        else:
            place[last] = value
    except (KeyError, IndexError, TypeError, ValueError):
        raise MalformedRequest(f"`change` has no place for {path}", f"`change` ไม่มีตำแหน่ง {path}") from None
