"""`linkage agreement`: proposed by one operator, approved by another who acts for the source."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.acts import faults_of, given, perform, placed
from gateway.cli.connection import Remote, remote
from gateway.cli.failures import Refused, WrongUse
from gateway.cli.output import brief
from gateway.cli.register_views import show_record
from gateway.cli.registers import Id, Reason, register_app
from gateway.cli.yaml_files import read_yaml

app = register_app("agreement", "ข้อตกลงการแบ่งปันข้อมูล / Agreements", suspendable=False)

Version = Annotated[int | None, typer.Option(help="The version that you have read (asked for, unless given).")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask: the version that is there now.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it is recorded.")]


@app.command("propose")
@remote
def propose(
    remote: Remote, file: Annotated[Path, typer.Argument(metavar="FILE", help="The agreement's form, in YAML.")]
) -> None:
    """เสนอข้อตกลง / Proposes an agreement."""
    form = read_yaml(file)
    faults = [f"{form.at(place)}: {placed(place, what)}" for place, what in faults_of("agreement.propose", form.body)]
    if faults:
        raise WrongUse("ข้อตกลงไม่ได้อยู่ในรูปแบบที่กำหนด", "the agreement does not fit its form", faults)
    perform(remote, "agreement.propose", form.body)


@app.command("approve")
@remote
def approve(remote: Remote, id: Id, version: Version = None, yes: Yes = False) -> None:
    """อนุมัติ / Approves a proposed agreement, as an owner of the source who did not propose it."""
    perform(remote, "agreement.approve", {"id": id, "version": version or _read_first(remote, id, yes)})


@app.command("refuse")
@remote
def refuse(
    remote: Remote,
    id: Id,
    ground: Annotated[str, typer.Option(help="The ground of the refusal; it is recorded.")],
    version: Version = None,
    yes: Yes = False,
) -> None:
    """ปฏิเสธ / Refuses a proposed agreement, with its ground."""
    version = version or _read_first(remote, id, yes)
    perform(remote, "agreement.refuse", {"id": id, "version": version, "ground": ground})


@app.command("suspend")
@remote
def suspend(remote: Remote, id: Id, reason: Why) -> None:
    """ระงับ / Suspends an agreement: questions under it are refused from now on."""
    perform(remote, "agreement.suspend", {"id": id, "reason": reason})


@app.command("resume")
@remote
def resume(remote: Remote, id: Id, reason: Reason = None) -> None:
    """ยกเลิกการระงับ / Lifts an agreement's suspension."""
    perform(remote, "agreement.resume", {"id": id, **given(reason=reason)})


@app.command("revoke")
@remote
def revoke(remote: Remote, id: Id, reason: Why) -> None:
    """เพิกถอน / Revokes an agreement for good."""
    perform(remote, "agreement.revoke", {"id": id, "reason": reason})


def _read_first(remote: Remote, id: str, yes: bool) -> int:
    """The version that waits, once the operator has seen it and said yes."""
    record = remote.gateway.record("agreement", id)
    pending: Any = record.get("pending")
    if not isinstance(pending, dict) or not isinstance(pending.get("version"), int):
        raise Refused("ไม่มีข้อตกลงฉบับที่รอพิจารณา", "no version of this agreement waits for a decision")
    shown = {"id": id, "version": pending["version"], "proposed_by": pending.get("proposed_by")}
    form = pending.get("form")
    confirmed(
        remote,
        "agreement",
        {**shown, **(form if isinstance(form, dict) else {})},
        f"--version {pending['version']}",
        yes,
    )
    return int(pending["version"])


def confirmed(remote: Remote, kind: str, record: dict[str, Any], instead: str, yes: bool) -> None:
    """Shows what is about to be decided, and asks; WrongUse where there is no one to ask."""
    if yes:
        return
    if not sys.stdin.isatty() or remote.screen.as_json:
        raise WrongUse(f"ระบุ {instead} หรือ --yes เมื่อไม่มีผู้ตอบคำถาม", f"with no one to ask, give {instead}, or --yes")
    show_record(remote.screen, kind, record)
    if not typer.confirm(f"{brief(record.get('id'))}: ยืนยันหรือไม่ / go ahead?", err=True):
        raise Refused("ยังไม่ได้ดำเนินการ", "nothing was done")
