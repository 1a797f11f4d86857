"""`linkage consent`: taken and withdrawn at an office's desk. A citizen ID comes on standard input only."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.connection import Remote, remote
from gateway.cli.failures import WrongUse
from gateway.cli.questions import read_identifier
from gateway.cli.yaml_files import read_yaml
from gateway.client.session import ConsentAddition, ConsentChange

app = typer.Typer(help="ความยินยอม / Consents", no_args_is_help=True)

Id = Annotated[str | None, typer.Argument(metavar="[ID]", help="cns_…; with --code, left out.")]
ConsentId = Annotated[str, typer.Argument(metavar="ID", help="cns_…")]
Why = Annotated[str | None, typer.Option("--reason", help="Why; it is recorded.")]
_COLUMNS: tuple[tuple[str, str], ...] = (
    ("เลขที่", "id"),
    ("สถานะ", "status"),
    ("ผู้ใช้ข้อมูล", "consumer"),
    ("บริการข้อมูล", "service"),
    ("วัตถุประสงค์", "purpose"),
    ("ใช้ได้ถึง", "to"),
)


@app.callback()
def _consent() -> None:
    """ความยินยอม / Consents"""


@app.command("give")
@remote
def give(
    remote: Remote,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The consent's form, in YAML, without citizen_id.")],
    notice: Annotated[
        Path | None, typer.Option(help="The text that was shown; its digest is put into the evidence.")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Where to write the page to print for the citizen (HTML).")] = None,
    guardian: Annotated[
        bool, typer.Option("--guardian", help="A second line on standard input is the guardian's ID.")
    ] = False,
) -> None:
    """บันทึกความยินยอม / Takes a consent; the citizen's ID is read from standard input."""
    form: dict[str, Any] = dict(read_yaml(file).body)
    if notice is not None:
        form = _with_notice(form, notice.read_text(encoding="utf-8").removeprefix("\ufeff"))
    form["citizen_id"] = read_identifier()
    if guardian:
        if not isinstance(form.get("guardian"), dict):
            raise WrongUse("แบบฟอร์มไม่มี guardian", "--guardian, but the form has no guardian")
        form["guardian"] = {**form["guardian"], "citizen_id": read_identifier()}
    if page is not None and page.exists():
        raise WrongUse("มีไฟล์นี้อยู่แล้ว", f"{page} exists already")
    given = remote.gateway.give_consent(form)
    if page is not None:
        page.write_text(str(given["page"]), encoding="utf-8")
    shown = {name: value for name, value in given.items() if name != "page"}
    remote.screen.show(shown, lambda: _show_given(remote, given, page))


@app.command("add-guardian")
@remote
def add_guardian(
    remote: Remote,
    id: ConsentId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="`relation` and `evidence`, in YAML.")],
    named: Annotated[
        bool, typer.Option("--guardian", help="A second line on standard input is the guardian's ID.")
    ] = False,
) -> None:
    """เพิ่มผู้ใช้อำนาจปกครอง ผู้อนุบาล หรือผู้พิทักษ์ / A guardian consents too; the citizen's ID is on standard input."""
    guardian = _with_the_notice(remote, id, read_yaml(file).body)
    form = {"citizen_id": read_identifier(), "guardian": guardian}
    if named:
        form["guardian"] = {**guardian, "citizen_id": read_identifier()}
    _add(remote, id, "guardian", form)


@app.command("confirm")
@remote
def confirm(
    remote: Remote,
    id: ConsentId,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="`age_band`, `confirm_by`, `capacity`, `by`, `evidence`, in YAML.")
    ],
) -> None:
    """ยืนยันช่วงอายุและความสามารถ / Confirms age and capacity as they are now; the citizen's ID is on standard input."""
    form = {"citizen_id": read_identifier(), **_with_the_notice(remote, id, read_yaml(file).body)}
    _add(remote, id, "confirm", form)


@app.command("show")
@remote
def show(
    remote: Remote,
    id: Id = None,
    code: Annotated[bool, typer.Option("--code", help="Read a printed receipt's code from standard input.")] = False,
) -> None:
    """แสดงความยินยอม / Shows one consent."""
    body = remote.gateway.consent_by_code(_read_code(id)) if code else remote.gateway.consent(_named(id))
    remote.screen.show(body, lambda: remote.screen.fields(body))


@app.command("list")
@remote
def list_(remote: Remote, reason: Annotated[str, typer.Option(help="Why you look; it is recorded.")]) -> None:
    """ความยินยอมของบุคคลหนึ่ง / A citizen's consents; the ID is read from standard input."""
    found = remote.gateway.consents(read_identifier(), reason)
    rows = [
        (
            item.get("id"),
            item.get("status"),
            _inner(item, "controller", "agency"),
            item.get("service"),
            _inner(item, "purpose", "code"),
            _inner(item, "validity", "to"),
        )
        for item in found
    ]
    remote.screen.show({"consents": found}, lambda: remote.screen.table(_COLUMNS, rows))


@app.command("withdraw")
@remote
def withdraw(
    remote: Remote,
    id: Id = None,
    code: Annotated[bool, typer.Option("--code", help="Read a printed receipt's code from standard input.")] = False,
    reason: Why = None,
) -> None:
    """ถอนความยินยอม / Withdraws a consent for the citizen, at once."""
    if code:
        done = remote.gateway.withdraw_by_code(_read_code(id))
        remote.screen.show(done, lambda: _show_changed(remote, done))
    else:
        _change(remote, id, "withdraw", reason)


@app.command("pause")
@remote
def pause(remote: Remote, id: Id = None, reason: Why = None) -> None:
    """ระงับชั่วคราว / Pauses a consent for the citizen."""
    _change(remote, id, "pause", reason)


@app.command("resume")
@remote
def resume(remote: Remote, id: Id = None, reason: Why = None) -> None:
    """ให้ใช้ต่อ / Resumes a paused consent for the citizen."""
    _change(remote, id, "resume", reason)


def _change(remote: Remote, id: str | None, change: ConsentChange, reason: str | None) -> None:
    done = remote.gateway.change_consent(_named(id), change, reason)
    remote.screen.show(done, lambda: _show_changed(remote, done))


def _add(remote: Remote, id: str, addition: ConsentAddition, form: Mapping[str, Any]) -> None:
    done = remote.gateway.add_to_consent(id, addition, form)
    remote.screen.show(done, lambda: _show_changed(remote, done))


def _with_the_notice(remote: Remote, id: str, form: Mapping[str, Any]) -> dict[str, Any]:
    """The form with the digest of the consent's own notice in its evidence, where that names none."""
    if not isinstance(form.get("evidence"), dict):
        return dict(form)
    digest = _inner(remote.gateway.consent(id), "notice", "sha256")
    return {**form, "evidence": {"notice_sha256": digest, **form["evidence"]}}


def _with_notice(form: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The form with the notice's text, and its digest in each piece of evidence that names none."""
    digest = hashlib.sha256(text.encode()).hexdigest()

    def bound(evidence: Any) -> Any:
        return {"notice_sha256": digest, **evidence} if isinstance(evidence, dict) else evidence

    filled = {**form, "notice": {**(form.get("notice") or {}), "text": text}}
    if "evidence" in filled:
        filled["evidence"] = bound(filled["evidence"])
    if isinstance(filled.get("guardian"), dict):
        filled["guardian"] = {**filled["guardian"], "evidence": bound(filled["guardian"].get("evidence"))}
    return filled


def _named(id: str | None) -> str:
    if id is None:
        raise WrongUse("ระบุเลขที่ความยินยอม", "name the consent's id")
    return id


def _read_code(id: str | None) -> str:
    if id is not None:
        raise WrongUse("ระบุเลขที่ความยินยอมหรือ --code อย่างใดอย่างหนึ่ง", "give the id, or --code, not both")
    code = sys.stdin.readline(64).strip()
    if not code:
        raise WrongUse("ส่งรหัสทาง standard input", "give the code on standard input, one line")
    return code


def _show_given(remote: Remote, given: Mapping[str, Any], page: Path | None) -> None:
    screen = remote.screen
    screen.say("บันทึกความยินยอมแล้ว", "taken")
    screen.line(f"{_inner(given, 'consent', 'id')} · บันทึกลำดับที่ / log entry: {_inner(given, 'log', 'index')}")
    screen.line(f"รหัสถอนความยินยอม (แสดงครั้งเดียว) / withdrawal code, shown this once: {given.get('withdrawal_code')}")
    if page is not None:
        screen.line(f"ใบรับความยินยอม / receipt to print: {page}")


def _show_changed(remote: Remote, done: Mapping[str, Any]) -> None:
    index = _inner(done, "log", "index")
    status = _inner(done, "consent", "status")
    remote.screen.line(
        f"ดำเนินการแล้ว / done: {_inner(done, 'consent', 'id')} · สถานะ / status: {status} · "
        f"บันทึกลำดับที่ / log entry: {index}"
    )


def _inner(body: Mapping[str, Any], name: str, key: str) -> Any:
    held = body.get(name)
    return held.get(key) if isinstance(held, dict) else None
