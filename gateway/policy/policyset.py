"""A set of policies: its text, its digest, what each policy is called, and the parsed handle that judges.

A set that does not validate cannot be made: every `PolicySet` there is has typed rules, unique ids and the
texts that a refusal shows. Ids are ours (`@id`): Cedar numbers policies by position, and would report
`policy7` where an officer needs a name, so the set is loaded through Cedar's JSON form with our ids as keys.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cedarpy
import orjson

from gateway.errors import MalformedRequest
from gateway.policy.cedartext import too_much

SCHEMA_FILE = "schema.cedarschema"
MAX_FILES = 64
MAX_POLICIES = 400

FIELD_SETS = ("not_covered", "sensitive", "unclassified", "not_consented")
"""What `@fields` may name: which of the question's fields a refusal lists."""

_FILE_NAME = re.compile(r"[a-z][a-z0-9-]{0,47}\.cedar", re.ASCII)
_POLICY_ID = re.compile(r"[a-z][a-z0-9-]{1,63}", re.ASCII)
_REASON_CODE = re.compile(r"[a-z][a-z0-9_]{1,63}", re.ASCII)
_ALWAYS = ("section", "title_en", "title_th")
_ON_FORBID = ("code", "remedy_en", "remedy_th")
_KNOWN = {"id", "fields", *_ALWAYS, *_ON_FORBID}
_OWN_IDS = {"judgement", "rules"}
_THAI = re.compile(r"[\u0e01-\u0e5b]")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a set, and where; `policy` is empty where it is about a whole file."""

    file: str
    policy: str
    en: str
    th: str


@dataclass(frozen=True, slots=True)
class PolicyInfo:
    """One policy as its annotations name it. `fields`: which of the question's fields its refusal lists."""

    id: str
    effect: str
    code: str
    section: str
    title_en: str
    title_th: str
    remedy_en: str
    remedy_th: str
    file: str
    fields: str = ""


@dataclass(frozen=True, slots=True)
class _Parsed:
    """One policy out of a file: its annotations and its Cedar JSON form."""

    info: PolicyInfo
    cedar: Mapping[str, Any]


def _positions(name: str) -> int:
    """The place of Cedar's own id (`policy7`) in its file."""
    return int(name.removeprefix("policy"))


def _parse(file: str, text: str, schema: cedarpy.Schema | None, problems: list[Problem]) -> list[_Parsed]:
    """The policies of one file in their order; what is wrong is added to `problems`."""

    def problem(policy: str, en: str, th: str) -> None:
        problems.append(Problem(file, policy, en, th))

    if _FILE_NAME.fullmatch(file) is None:
        problem("", "the file's name is not of the form name.cedar", "ชื่อไฟล์ต้องอยู่ในรูป name.cedar")
        return []
    if too_much(text):
        problem("", "too long, too deeply nested, or with unmatched brackets", "ยาวหรือซ้อนลึกเกินไป หรือวงเล็บไม่ครบคู่")
        return []
    try:
        document = orjson.loads(cedarpy.policies_to_json_str(text))
    except ValueError as fault:
        problem("", f"not Cedar: {fault}", f"ไม่ใช่ภาษา Cedar: {fault}")
        return []
    if document["templates"] or document["templateLinks"]:
        problem("", "templates are not used here", "ไม่รองรับเทมเพลตของ Cedar")
    found: list[_Parsed] = []
    names: dict[str, str] = {}
    for place in sorted(document["staticPolicies"], key=_positions):
        cedar = document["staticPolicies"][place]
        notes = {key: value or "" for key, value in cedar.get("annotations", {}).items()}
        name = notes.get("id", "")
        names[place] = name
        if _POLICY_ID.fullmatch(name) is None or name in _OWN_IDS:
            problem(name, "no @id of lower-case letters, digits and hyphens", "ไม่มี @id ที่เป็นอักษรเล็ก ตัวเลข และขีด")
            continue
        _check_notes(cedar["effect"], notes, partial(problem, name))
        texts = {key: notes.get(key, "") for key in (*_ALWAYS, *_ON_FORBID, "fields")}
        policy = _Parsed(PolicyInfo(id=name, effect=cedar["effect"], file=file, **texts), cedar)
        try:
            _handle([policy])
        except (TypeError, ValueError):  # the JSON form allows less depth than the text
            problem(name, "too long or too deeply nested to be loaded", "ยาวหรือซ้อนลึกเกินกว่าจะใช้งานได้")
            continue
        found.append(policy)
    if schema is not None:
        for error in cedarpy.validate_policies(text, schema).errors:
            at = names.get(error.policy_id, "")
            problem(at, f"does not validate: {error.error}", f"ไม่ผ่านการตรวจชนิดข้อมูล: {error.error}")
    return found


def _check_notes(effect: str, notes: Mapping[str, str], problem: Callable[[str, str], None]) -> None:
    """The annotations that a policy needs, and none that nobody reads."""
    for key in (*_ALWAYS, *(_ON_FORBID if effect == "forbid" else ())):
        if not notes.get(key, "").strip():
            problem(f"the annotation @{key} is missing", f"ไม่มีคำอธิบายประกอบ @{key}")
        elif key.endswith("_th") and _THAI.search(notes[key]) is None:
            problem(f"@{key} is not in Thai", f"@{key} ไม่ใช่ภาษาไทย")
    if notes.get("code") and (effect == "permit" or _REASON_CODE.fullmatch(notes["code"]) is None):
        problem("@code is for a forbid, of lower-case letters and underscores", "@code ใช้กับ forbid เป็นอักษรเล็กและขีดล่าง")
    if notes.get("fields", "not_covered") not in FIELD_SETS:
        problem(f"@fields is none of {', '.join(FIELD_SETS)}", f"@fields ต้องเป็นหนึ่งใน {', '.join(FIELD_SETS)}")
    for key in sorted(notes.keys() - _KNOWN):
        problem(f"the annotation @{key} is not known", f"ไม่รู้จักคำอธิบายประกอบ @{key}")


def parse(schema: str, files: Mapping[str, str]) -> tuple[list[_Parsed], list[Problem]]:
    """Every policy, by file name and then by place, and every problem that keeps the set from use."""
    problems: list[Problem] = []
    typed: cedarpy.Schema | None = None
    if too_much(schema, schema=True):
        problems.append(Problem(SCHEMA_FILE, "", "too long or too deeply nested", "ยาวหรือซ้อนลึกเกินไป"))
    else:
        try:
            typed = cedarpy.Schema.from_str(schema)
        except ValueError as fault:
            problems.append(Problem(SCHEMA_FILE, "", f"not a Cedar schema: {fault}", f"ไม่ใช่สคีมาของ Cedar: {fault}"))
    if len(files) > MAX_FILES:
        problems.append(Problem("", "", f"more than {MAX_FILES} files", f"มีไฟล์เกิน {MAX_FILES} ไฟล์"))
        return [], problems
    found = [policy for file in sorted(files) for policy in _parse(file, files[file], typed, problems)]
    seen: dict[str, str] = {}
    for policy in found:
        info = policy.info
        if info.id in seen:
            where = seen[info.id]
            problems.append(Problem(info.file, info.id, f"the id is used in {where} too", f"รหัสซ้ำกับใน {where}"))
        seen.setdefault(info.id, info.file)
    if len(found) > MAX_POLICIES:
        problems.append(Problem("", "", f"more than {MAX_POLICIES} policies", f"มีกติกาเกิน {MAX_POLICIES} ข้อ"))
    if not problems and not any(policy.info.effect == "permit" for policy in found):
        problems.append(Problem("", "", "no policy permits anything", "ไม่มีกติกาใดอนุญาต"))
    return found, problems


def _handle(found: Iterable[_Parsed]) -> cedarpy.PolicySet:
    """The parsed set, each policy under our own id."""
    policies = {policy.info.id: policy.cedar for policy in found}
    document = {"staticPolicies": policies, "templates": {}, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(orjson.dumps(document).decode())


@dataclass(frozen=True, slots=True)
class PolicySet:
    """A set that validates. `digest`: SHA-256 (hex) over the sorted JSON of `as_json()`."""

    schema: str = field(repr=False)
    files: Mapping[str, str] = field(repr=False)
    digest: str
    policies: tuple[PolicyInfo, ...] = field(repr=False)
    cedar: cedarpy.PolicySet = field(repr=False, compare=False)
    typed: cedarpy.Schema = field(repr=False, compare=False)

    @staticmethod
    def of(schema: str, files: Mapping[str, str]) -> PolicySet:
        """The set of these texts (file name -> text). Raises MalformedRequest where they do not validate."""
        found, problems = parse(schema, files)
        if problems:
            first = problems[0]
            where = " ".join(part for part in (first.file, first.policy) if part)
            raise MalformedRequest(
                f"the policy set does not validate: {where}: {first.en}",
                f"ชุดกติกาไม่ผ่านการตรวจ: {where}: {first.th}",
            )
        text = orjson.dumps({"schema": schema, "files": dict(files)}, option=orjson.OPT_SORT_KEYS)
        return PolicySet(
            schema=schema,
            files=MappingProxyType(dict(files)),
            digest=hashlib.sha256(text).hexdigest(),
            policies=tuple(policy.info for policy in found),
            cedar=_handle(found),
            typed=cedarpy.Schema.from_str(schema),
        )

    def only(self, *ids: str) -> PolicySet:
        """These policies alone, to see what each says by itself. Not a set to judge by: it has no digest."""
        found = [policy for policy in parse(self.schema, self.files)[0] if policy.info.id in ids]
        infos = tuple(policy.info for policy in found)
        return PolicySet(self.schema, self.files, "", infos, _handle(found), self.typed)

    @staticmethod
    def from_folder(folder: Path) -> PolicySet:
        """The set of `folder`: every `*.cedar` and `schema.cedarschema`. Raises MalformedRequest, OSError."""
        schema, files = read_folder(folder)
        return PolicySet.of(schema, files)

    @staticmethod
    def from_json(doc: Mapping[str, Any]) -> PolicySet:
        """The set as the database holds it. Raises MalformedRequest where it is not one, or not valid."""
        match doc:
            case {"schema": str(schema), "files": dict(files), **rest} if not rest and all(
                isinstance(name, str) and isinstance(text, str) for name, text in files.items()
            ):
                return PolicySet.of(schema, files)
        raise MalformedRequest(
            "a policy set is an object of `schema` (text) and `files` (name: text)",
            "ชุดกติกาต้องเป็นออบเจกต์ที่มี `schema` (ข้อความ) และ `files` (ชื่อไฟล์: ข้อความ)",
        )

    def as_json(self) -> dict[str, Any]:
        """`{"schema": text, "files": {name: text}}`, which `from_json` takes back to the same digest."""
        return {"schema": self.schema, "files": dict(self.files)}


def read_folder(folder: Path) -> tuple[str, dict[str, str]]:
    """The schema and the files of `folder` as text (UTF-8). Raises OSError, MalformedRequest."""
    try:
        schema = (folder / SCHEMA_FILE).read_text(encoding="utf-8")
        return schema, {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.cedar"))}
    except UnicodeDecodeError:
        raise MalformedRequest("a policy file is not UTF-8", "ไฟล์กติกาไม่ใช่ UTF-8") from None
