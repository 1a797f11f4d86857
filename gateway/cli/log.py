"""`linkage log`: the exchange log, for an auditor. Each search is itself an entry of the log."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.acts import is_buddhist
from gateway.cli.connection import Remote, remote
from gateway.cli.failures import Refused, WrongUse
from gateway.cli.output import csv_text
from gateway.cli.questions import read_identifier
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
_CSV = (
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
    "reasons",
)
Text = str | None


@app.callback()
def _log() -> None:
    """บันทึกการแลกเปลี่ยนข้อมูล / The exchange log"""


@app.command("search")
@remote
def search(
    remote: Remote,
    since: Annotated[Text, typer.Option("--from", help="From this time on (RFC 3339).")] = None,
    until: Annotated[Text, typer.Option("--to", help="Until this time (RFC 3339).")] = None,
    consumer: Annotated[Text, typer.Option(help="หน่วยงานผู้ใช้ข้อมูล")] = None,
    source: Annotated[Text, typer.Option(help="หน่วยงานเจ้าของข้อมูล")] = None,
    client: Annotated[Text, typer.Option(help="ระบบ")] = None,
    officer: Annotated[Text, typer.Option(help="รหัสเจ้าหน้าที่")] = None,
    service: Annotated[Text, typer.Option(help="บริการข้อมูล")] = None,
    purpose: Annotated[Text, typer.Option(help="วัตถุประสงค์การใช้ข้อมูล")] = None,
    case_reference: Annotated[Text, typer.Option(help="เลขที่เรื่องของหน่วยงานผู้ใช้ข้อมูล")] = None,
    outcome: Annotated[Text, typer.Option(help="released, refused, failed, withheld, interrupted …")] = None,
    agreement: Annotated[Text, typer.Option(help="ข้อตกลง")] = None,
    citizen: Annotated[
        bool, typer.Option("--citizen", help="Of one citizen: the ID is read from standard input; needs --reason.")
    ] = False,
    reason: Annotated[Text, typer.Option(help="Why you search for a citizen; it is recorded.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """ค้นหารายการแลกเปลี่ยนข้อมูล / Looks for exchanges."""
    if citizen and not reason:
        raise WrongUse("การค้นด้วยเลขประจำตัวประชาชนต้องระบุ --reason", "a search by citizen needs --reason")
    if as_csv and remote.screen.as_json:
        raise WrongUse("เลือก --json หรือ --csv อย่างใดอย่างหนึ่ง", "choose --json or --csv")
    if any(moment is not None and is_buddhist(moment) for moment in (since, until)):
        raise WrongUse("ระบุปีเป็นคริสต์ศักราช", "--from and --to take years of the common era, 543 less")
    identifier = read_identifier() if citizen else None
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while len(found) < limit:
        page = remote.gateway.search(
            since=since,
            until=until,
            consumer=consumer,
            source=source,
            client=client,
            officer=officer,
            service=service,
            purpose=purpose,
            case_reference=case_reference,
            outcome=outcome,
            agreement=agreement,
            citizen_id=identifier,
            reason=reason,
            limit=min(_PAGE, limit - len(found)),
            cursor=cursor,
        )
        exchanges = page.get("exchanges")
        found += [item for item in exchanges if isinstance(item, dict)] if isinstance(exchanges, list) else []
        cursor = page.get("next_cursor")
        if not isinstance(cursor, str) or not exchanges:
            break
    if as_csv:
        remote.screen.raw(csv_text(_CSV, ([item.get(name) for name in _CSV] for item in found)))
    else:
        remote.screen.show({"exchanges": found, "next_cursor": cursor}, lambda: _show_found(remote, found, cursor))


@app.command("show")
@remote
def show(
    remote: Remote, which: Annotated[str, typer.Argument(metavar="INDEX_OR_EXCHANGE_ID", help="12, or ex_….")]
) -> None:
    """แสดงหนึ่งรายการ / Shows one entry by its index, or one exchange with what its entries hold."""
    if which.isascii() and which.isdigit() and len(which) < 12:
        entries = remote.gateway.entries(after=int(which), limit=1).get("entries")
        found = [item for item in entries if item.get("index") == int(which)] if isinstance(entries, list) else []
        if not found:
            raise Refused("ไม่มีรายการลำดับนี้", "the log has no entry of that index")
        body = found[0]
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
