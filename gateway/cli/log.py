"""`linkage log`: the exchange log, for an auditor. Each search is itself an entry of the log."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.connection import Remote, remote
from gateway.cli.failures import WrongUse
from gateway.cli.log_criteria import Asked, asking
from gateway.cli.output import csv_text
from gateway.model import holds_citizen_id

app = typer.Typer(help="บันทึกการแลกเปลี่ยนข้อมูล / The exchange log", no_args_is_help=True)

_PAGE = 200
_COLUMNS: tuple[tuple[str, str], ...] = (
    ("exchange_id", "รายการ"),
    ("decided_at", "เวลา"),
    ("outcome", "ผล"),
    ("consumer", "หน่วยงานผู้ใช้ข้อมูล"),
    ("client", "ระบบ"),
    ("officer", "เจ้าหน้าที่"),
    ("service", "บริการข้อมูล"),
    ("purpose", "วัตถุประสงค์"),
    ("agreement", "ข้อตกลง"),
    ("case_reference", "เลขที่เรื่อง"),
    ("reasons", "เหตุผล"),
)
CSV = (
    "exchange_id",
    "outcome",
    "decided_at",
    "closed_at",
    "consumer",
    "client",
    "officer",
    "source",
    "service",
    "purpose",
    "case_reference",
    "agreement",
    "term",
    "lawful_basis",
    "granted",
    "released",
    "reasons",
    "fault",
)
"""The columns of an exchange in CSV."""


@app.callback()
def _log() -> None:
    """บันทึกการแลกเปลี่ยนข้อมูล / The exchange log"""


@app.command("search")
@remote
@asking
def search(
    remote: Remote,
    asked: Asked,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """ค้นหารายการแลกเปลี่ยนข้อมูล / Looks for exchanges, newest first. `log export` gives all of them."""
    if as_csv and remote.screen.as_json:
        raise WrongUse("เลือก --json หรือ --csv อย่างใดอย่างหนึ่ง", "choose --json or --csv")
    criteria = asked.criteria()
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while len(found) < limit:
        page = remote.gateway.search(**criteria, limit=min(_PAGE, limit - len(found)), cursor=cursor)
        exchanges = page.get("exchanges")
        found += [item for item in exchanges if isinstance(item, dict)] if isinstance(exchanges, list) else []
        cursor = page.get("next_cursor")
        if not isinstance(cursor, str) or not exchanges:
            break
    if as_csv:
        remote.screen.raw(csv_text(CSV, ([item.get(name) for name in CSV] for item in found)))
    else:
        remote.screen.show({"exchanges": found, "next_cursor": cursor}, lambda: _show_found(remote, found, cursor))


@app.command("show")
@remote
def show(
    remote: Remote, which: Annotated[str, typer.Argument(metavar="INDEX_OR_EXCHANGE_ID", help="12, or ex_….")]
) -> None:
    """แสดงหนึ่งรายการพร้อมหลักฐาน / Shows one entry, or one exchange's entries, each with its proof (C2SP tlog-proof)."""
    if which.isascii() and which.isdigit() and len(which) < 12:
        body = remote.gateway.entry(int(which))
    elif holds_citizen_id(which) and which.isdigit():
        raise WrongUse("ระบุลำดับหรือรหัสรายการ", "give an index, or an exchange's id")
    else:
        body = remote.gateway.audited(which)
    remote.screen.show(body, lambda: remote.screen.fields(body))


def _show_found(remote: Remote, found: list[dict[str, Any]], cursor: Any) -> None:
    if not found:
        remote.screen.say("ไม่พบรายการ", "nothing found")
        return
    used = [(name, thai) for name, thai in _COLUMNS if any(item.get(name) for item in found)]
    remote.screen.table([(thai, name) for name, thai in used], ([item.get(name) for name, _ in used] for item in found))
    if isinstance(cursor, str):
        remote.screen.say("ยังมีรายการอีก ระบุ --limit ให้มากขึ้น", "there is more: raise --limit")
