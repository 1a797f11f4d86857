"""`linkage apply`: brings the registers to what an onboarding file says, adding only, never changing what is there.

1. Read the file and check every item by itself.
2. Read the registers; find for each item whether it is to be added, is there unchanged, or differs.
3. Check that everything an item names is in the registers or in the file.
4. Only if all of it holds: sign and send what is to be added, in order.

What needs another person first waits: an agreement until an owner has approved its service's connector, a further
owner until one of the agency's owners adds it. The same command, run again then, goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from gateway.catalogue import digest_of
from gateway.cli.acts import send
from gateway.cli.connection import Remote, remote
from gateway.cli.failures import Refused
from gateway.cli.onboarding_file import Item, read_onboarding
from gateway.cli.register_views import services_of
from gateway.registers.forms import FORMS

Registers = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""kind -> id -> record"""

_STATES = {
    "would_add": "จะเพิ่ม",
    "added": "เพิ่มแล้ว",
    "unchanged": "ไม่เปลี่ยนแปลง",
    "differs": "แตกต่าง",
    "not_sent": "ยังไม่ได้ส่ง",
    "waits": "รอ",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What is to be done, or was done, about one item. `fields`: the names of those that differ.

    `until`: what an item that waits is waiting for.
    """

    item: Item
    state: str
    fields: tuple[str, ...] = ()
    until: str = ""

    def as_json(self) -> dict[str, Any]:
        """The finding as `--json` shows it."""
        found = {"act": self.item.act, "kind": self.item.kind, "id": self.item.id, "state": self.state}
        more = {"fields": list(self.fields), "until": self.until}
        return {**found, **{name: value for name, value in more.items() if value}}


@remote
def apply(
    remote: Remote,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The onboarding file, in YAML.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and tell; send nothing.")] = False,
) -> None:
    """ลงทะเบียนทุกรายการในไฟล์ ทำซ้ำได้ / Registers all that the file names and is not there yet; may be repeated."""
    items = read_onboarding(file)
    registers = read_registers(remote)
    findings = waiting([find(item, registers) for item in items], registers, remote.operator)
    faults = missing(items, registers)
    faults += [
        f"{finding.item.at}: {finding.item.kind} {finding.item.id} ลงทะเบียนไว้แล้วโดยมี {', '.join(finding.fields)} ต่างไป "
        f"ซึ่งเปลี่ยนได้ด้วยคำสั่งของทะเบียนนั้นเท่านั้น / is registered with another {', '.join(finding.fields)}; "
        f"what is registered is changed by its own commands only"
        for finding in findings
        if finding.state == "differs"
    ]
    if faults:
        raise Refused("ไม่ได้ส่งรายการใด แก้ไขแล้วเรียกซ้ำได้", "nothing was sent; correct this and repeat the command", faults)
    if dry_run:
        _show(remote, findings, dry_run=True)
        return
    sent = [replace(finding, state="not_sent") if finding.state == "would_add" else finding for finding in findings]
    try:
        for number, finding in enumerate(findings):
            if finding.state == "would_add":
                send(remote, finding.item.act, finding.item.body)
                sent[number] = replace(finding, state="added")
    finally:
        _show(remote, sent, dry_run=False)


def read_registers(remote: Remote) -> Registers:
    """Every register as it is now."""
    kinds = dict.fromkeys(act.partition(".")[0] for act in FORMS)
    return {kind: {str(r.get("id")): r for r in remote.gateway.register(kind)} for kind in kinds}


def find(item: Item, registers: Registers) -> Finding:
    """Whether an item is to be added, is there unchanged, or differs, and in what."""
    record = registers[item.kind].get(item.id)
    if record is None:
        return Finding(item, "would_add")
    if item.kind == "connector":
        differ: tuple[str, ...] = ()
        digest = digest_of(item.body["registration"])
        if digest not in [there.get("digest") for there in _versions(record)]:
            differ = ("registration",)
    else:
        wanted = normal_form(item.act, item.body)
        differ = min((_differing(wanted, normal_form(item.act, there)) for there in _versions(record)), key=len)
    return Finding(item, "differs", differ) if differ else Finding(item, "unchanged")


def waiting(findings: list[Finding], registers: Registers, operator: str) -> list[Finding]:
    """The findings, with those set to wait that need another person's act first."""
    me = registers["operator"].get(operator, {})
    owned = {record.get("agency") for record in registers["operator"].values() if record.get("role") == "owner"}
    offered = {s for r in registers["connector"].values() if r.get("registration") for s in services_of(r)}
    result = []
    for finding in findings:
        body, until = finding.item.body, ""
        if finding.state == "would_add" and finding.item.kind == "operator" and body["role"] == "owner":
            if body["agency"] in owned and (me.get("role"), me.get("agency")) != ("owner", body["agency"]):
                agency = body["agency"]
                until = f"เจ้าของข้อมูลของ {agency} เป็นผู้สั่ง / an owner of {agency} applies this file, or adds it"
            owned.add(body["agency"])
        elif finding.state == "would_add" and finding.item.kind == "agreement" and body["service"] not in offered:
            service = body["service"]
            until = f"เจ้าของข้อมูลอนุมัติตัวเชื่อมต่อของ {service} / an owner approves the connector of {service}"
        result.append(replace(finding, state="waits", until=until) if until else finding)
    return result


def missing(items: list[Item], registers: Registers) -> list[str]:
    """What items name that is neither in the registers nor in the file, a line each."""
    known = {kind: set(records) for kind, records in registers.items()}
    for item in items:
        known[item.kind].add(item.id)
    services = {service for record in registers["connector"].values() for service in services_of(record)}
    services |= {service for item in items if item.kind == "connector" for service in services_of(item.body)}
    known["service"] = services
    return [
        f"{item.at}: ไม่มี {kind} {name} ทั้งในทะเบียนและในไฟล์ / "
        f"there is no {kind} {name}, neither registered nor in the file"
        for item in items
        for kind, name in _named_by(item)
        if name not in known[kind]
    ]


def _named_by(item: Item) -> list[tuple[str, str]]:
    body = item.body
    named: list[tuple[str, str]] = []
    if item.kind == "group":
        named = [("agency", member) for member in body.get("members", [])]
    elif item.kind in ("client", "operator") and body.get("agency"):
        named = [("agency", body["agency"])]
    elif item.kind == "officer":
        named = [("client", body["client"])]
    elif item.kind == "connector":
        named = [("agency", item.id)]
    elif item.kind == "agreement":
        named = [(kind, name) for kind, name in body["consumer"].items() if name]
        named += [("client", name) for name in body.get("clients", [])]
        named += [("service", body["service"])]
        named += [("purpose", purpose) for purpose in dict.fromkeys(term["purpose"] for term in body["terms"])]
    return named


def _versions(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The record, and what waits in it for approval."""
    pending = record.get("pending")
    if not isinstance(pending, dict):
        return [record]
    form = pending.get("form")
    return [record, form if isinstance(form, dict) else pending]


def _differing(wanted: Mapping[str, Any], there: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in wanted if wanted[name] != there.get(name))


def normal_form(act: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A body or a record in the form's own terms: defaults filled in, lists that are sets in one order."""
    form = FORMS[act]
    names = {info.alias or name for name, info in form.model_fields.items()}
    try:
        normal = form.model_validate(
            {name: value for name, value in body.items() if name in names and value is not None}
        )
    except ValidationError:
        return {}
    values = normal.model_dump(mode="json", by_alias=True)
    for name, value in values.items():
        if name == "keys":
            values[name] = sorted(value, key=lambda key: str(key["kid"]))
        elif name in ("members", "scopes", "networks", "clients"):
            values[name] = sorted(value)
    return values


def _show(remote: Remote, findings: list[Finding], *, dry_run: bool) -> None:
    def render() -> None:
        columns = [("ผล", "result"), ("ทะเบียน", "register"), ("รหัส", "id"), ("", "")]
        rows = [
            (
                f"{_STATES[finding.state]} / {finding.state.replace('_', ' ')}",
                finding.item.kind,
                finding.item.id,
                f"until {finding.until}" if finding.until else "",
            )
            for finding in findings
        ]
        remote.screen.table(columns, rows)
        if any(finding.state == "added" and finding.item.kind in ("connector", "agreement") for finding in findings):
            remote.screen.say(
                "ทะเบียนบริการและข้อตกลงรอการอนุมัติจากเจ้าของข้อมูล",
                "connectors and agreements now wait for the approval of their source's owner",
            )

    remote.screen.show({"dry_run": dry_run, "items": [finding.as_json() for finding in findings]}, render)
