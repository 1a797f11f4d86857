"""The kinds of connector: the gateway's own entry points of the group `linkage.connectors`.

A stranger's entry point is no kind: it is trusted code, which the kind `python` runs, if its digest was approved.

A kind is a callable `(ConnectorSettings) -> Connector`. Its module says more: `SETTINGS_SCHEMA` (JSON Schema of
the settings, needed), `MAPPING_SCHEMA` (that of the mapping, if the kind takes one), and
`check(endpoint, settings, mapping)` (optional: what a schema cannot say; yields JSON Pointer, English, Thai), and
`check_folder(folder, settings)` (optional: the same, of files in the agency's folder, where there is one), and
`check_machine(settings)` (optional: the same, of what must be on the machine that opens it, when it is registered and
approved; what changes there later is met when it is opened).
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, cast

from gateway.catalogue.form import Form
from gateway.catalogue.problems import Finding, Place
from gateway.plugin import Connector, ConnectorSettings

GROUP: Final = "linkage.connectors"
OURS: Final = "linkage-gateway"

Opener = Callable[[ConnectorSettings], Connector]
Check = Callable[[str, Mapping[str, Any], Mapping[str, Any]], Iterable[tuple[str, str, str]]]
FolderCheck = Callable[[Path, Mapping[str, Any]], Iterable[tuple[str, str, str]]]
MachineCheck = Callable[[Mapping[str, Any]], Iterable[tuple[str, str, str]]]


@dataclass(frozen=True, slots=True)
class Kind:
    """An installed kind, ready to check settings and to open connectors."""

    name: str
    open: Opener
    settings: Form
    mapping: Form | None
    check: Check | None
    check_folder: FolderCheck | None
    check_machine: MachineCheck | None


@cache
def installed() -> Mapping[str, EntryPoint]:
    """The kinds that are installed, by name."""
    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.dist and entry.dist.name == OURS}


@cache
def kind(name: str) -> Kind:
    """The kind `name`; KeyError if none is installed, TypeError if its module lacks SETTINGS_SCHEMA."""
    entry = installed()[name]
    module = importlib.import_module(entry.module)
    settings = getattr(module, "SETTINGS_SCHEMA", None)
    mapping = getattr(module, "MAPPING_SCHEMA", None)
    if not isinstance(settings, dict):
        raise TypeError(f"the connector kind {name} has no SETTINGS_SCHEMA")
    return Kind(
        name=name,
        open=cast(Opener, entry.load()),
        settings=Form(settings),
        mapping=Form(mapping) if isinstance(mapping, dict) else None,
        check=getattr(module, "check", None),
        check_folder=getattr(module, "check_folder", None),
        check_machine=getattr(module, "check_machine", None),
    )


def connector_findings(
    agency: str, connector: Mapping[str, Any], fields: Mapping[str, Collection[str]]
) -> Iterator[Finding]:
    """What is wrong with a service's connector: unknown kind, settings, mapping, secrets of another agency.

    `fields`: the service's, and the names of the values that each is compared with (none: it is simply told).
    """
    try:
        found = kind(connector["kind"])
    except Exception:  # a stranger's package may fail in any way of its own
        names = ", ".join(sorted(installed()))
        yield Finding(
            ("kind",),
            "no such kind of connector is installed",
            "ไม่มีตัวเชื่อมต่อชนิดนี้",
            f"use one of: {names}",
            f"ใช้: {names}",
        )
        return
    settings, mapping = connector["settings"], connector.get("mapping", {})
    findings = [each.under(("settings",)) for each in found.settings.findings(settings)]
    if found.mapping is not None:
        findings.extend(each.under(("mapping",)) for each in found.mapping.findings(mapping))
    elif set(mapping) - {"echo"}:
        findings.append(Finding(("mapping",), "this kind takes no mapping", "ตัวเชื่อมต่อชนิดนี้ไม่ใช้ mapping"))
    findings.extend(_foreign_secrets(agency, settings, ("settings",)))
    if not findings:
        if found.check is not None:
            findings.extend(
                Finding(tuple(place.split("/")[1:]), en, th)
                for place, en, th in found.check(connector["endpoint"], settings, mapping)
            )
        if found.mapping is not None:
            findings.extend(_uneven_fields(mapping, set(fields)))
            findings.extend(_uneven_comparisons(mapping["fields"], fields))
    yield from findings


def folder_findings(folder: Path, connector: Mapping[str, Any]) -> Iterator[Finding]:
    """What a service's connector, found in order, and the files of its agency's folder do not agree on."""
    check = kind(connector["kind"]).check_folder
    if check is not None:
        for place, en, th in check(folder, connector["settings"]):
            yield Finding(tuple(place.split("/")[1:]), en, th)


def machine_findings(connector: Mapping[str, Any]) -> Iterator[Finding]:
    """What a service's connector, found in order, lacks on this machine."""
    check = kind(connector["kind"]).check_machine
    if check is not None:
        for place, en, th in check(connector["settings"]):
            yield Finding(tuple(place.split("/")[1:]), en, th)


def secret_names(agency: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """What an agency's secrets are called: (environment variables, files in the gateway's folder of secrets).

    The agency's id is part of the name, so that no agency's registration can have another's secret, or one
    of the gateway's own, sent to a place of its choice.
    """
    upper = agency.upper().replace("-", "_")
    return (
        re.compile(rf"SOURCE_{re.escape(upper)}__[A-Z0-9]+(_[A-Z0-9]+)*", re.ASCII),
        re.compile(rf"{re.escape(agency)}/[A-Za-z0-9][A-Za-z0-9._-]*", re.ASCII),
    )


def _foreign_secrets(agency: str, node: Any, place: Place) -> Iterator[Finding]:
    if isinstance(node, list):
        for i, item in enumerate(node):
            yield from _foreign_secrets(agency, item, (*place, i))
    if not isinstance(node, dict):
        return
    if len(node) == 1 and (node.keys() & {"env", "file"}):
        ((where, name),) = node.items()
        variable, file = secret_names(agency)
        wanted = variable if where == "env" else file
        if not isinstance(name, str) or wanted.fullmatch(name) is None:
            prefix = f"SOURCE_{agency.upper().replace('-', '_')}__…" if where == "env" else f"{agency}/…"
            yield Finding(
                (*place, where),
                "a secret's name must hold its agency's",
                "ชื่ออ้างอิงความลับต้องมีชื่อหน่วยงานของตน",
                f"call it {prefix}",
                f"ตั้งชื่อเป็น {prefix}",
            )
        return
    for key, value in node.items():
        yield from _foreign_secrets(agency, value, (*place, key))


def _uneven_fields(mapping: Mapping[str, Any], fields: set[str]) -> Iterator[Finding]:
    mapped = mapping["fields"].keys()
    for name in sorted(mapped - fields):
        yield Finding(
            ("mapping", "fields", name), "the service's schema has no such field", "schema ของบริการไม่มีรายการข้อมูลนี้"
        )
    for name in sorted(fields - mapped):
        yield Finding(
            ("mapping", "fields"),
            f"the schema's field `{name}` is not mapped",
            f"ไม่มี mapping ของรายการข้อมูล `{name}`",
            f"add a rule for `{name}`",
            f"เพิ่มกฎของ `{name}`",
        )


def _uneven_comparisons(rules: Mapping[str, Any], fields: Mapping[str, Collection[str]]) -> Iterator[Finding]:
    """Fields that the schema has answered by comparison and the mapping does not, or with other values."""
    for name, given in fields.items():
        rule = rules.get(name)
        compared = rule.get("with", {}) if isinstance(rule, Mapping) and rule.get("type") == "compare" else {}
        if rule is not None and set(compared) != set(given):
            listed = ", ".join(sorted(given))
            yield Finding(
                ("mapping", "fields", name, *(("with",) if compared else ())),
                "what the rule compares is not what the schema's `x-given` names",
                "ค่าที่กฎเปรียบเทียบไม่ตรงกับ `x-given` ของ schema",
                f"compare with: {listed}" if given else "say in the schema with what: `x-given`",
                f"เปรียบเทียบกับ: {listed}" if given else "ระบุใน schema ว่าเปรียบเทียบกับอะไร: `x-given`",
            )
