"""`linkage log`: the exchange log, for an auditor. Each search is itself an entry of the log."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.acts import is_buddhist
from gateway.cli.connection import Remote, remote
from gateway.cli.failures import WrongUse
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
Text = str | None
Since = Annotated[Text, typer.Option("--from", help="From this time on (RFC 3339).")]
Until = Annotated[Text, typer.Option("--to", help="Until this time (RFC 3339), excluded.")]
Consumer = Annotated[Text, typer.Option(help="หน่วยงานผู้ใช้ข้อมูล")]
Source = Annotated[Text, typer.Option(help="หน่วยงานเจ้าของข้อมูล")]
Client = Annotated[Text, typer.Option(help="ระบบ")]
Officer = Annotated[Text, typer.Option(help="รหัสเจ้าหน้าที่")]
Service = Annotated[Text, typer.Option(help="บริการข้อมูล")]
Purpose = Annotated[Text, typer.Option(help="วัตถุประสงค์การใช้ข้อมูล")]
CaseReference = Annotated[Text, typer.Option(help="เลขที่เรื่องของหน่วยงานผู้ใช้ข้อมูล")]
Outcome = Annotated[Text, typer.Option(help="released, refused, failed, withheld, interrupted …")]
ReasonCode = Annotated[
    Text, typer.Option(help="Why nothing was released: consent_withdrawn, quota_exceeded, agency_timeout …")
]
Agreement = Annotated[Text, typer.Option(help="ข้อตกลง")]
Citizen = Annotated[
    bool, typer.Option("--citizen", help="Of one citizen: the ID is read from standard input; needs --reason.")
]
Why = Annotated[Text, typer.Option(help="Why you search for a citizen; it is recorded.")]


@app.callback()
def _log() -> None:
    """บันทึกการแลกเปลี่ยนข้อมูล / The exchange log"""


@app.command("search")
@remote
def search(
    remote: Remote,
    since: Since = None,
    until: Until = None,
    consumer: Consumer = None,
    source: Source = None,
    client: Client = None,
    officer: Officer = None,
    service: Service = None,
    purpose: Purpose = None,
    case_reference: CaseReference = None,
    outcome: Outcome = None,
    reason_code: ReasonCode = None,
    agreement: Agreement = None,
    citizen: Citizen = False,
    reason: Why = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """ค้นหารายการแลกเปลี่ยนข้อมูล / Looks for exchanges, newest first. `log export` gives all of them."""
    if as_csv and remote.screen.as_json:
        raise WrongUse("เลือก --json หรือ --csv อย่างใดอย่างหนึ่ง", "choose --json or --csv")
    criteria = criteria_of(
        citizen,
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
        reason_code=reason_code,
        agreement=agreement,
        reason=reason,
    )
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


def criteria_of(citizen: bool, **given: Text) -> dict[str, Any]:
    """What a search is to fit, the citizen ID read from standard input where one is wanted. WrongUse."""
    if citizen and not given.get("reason"):
        raise WrongUse("การค้นด้วยเลขประจำตัวประชาชนต้องระบุ --reason", "a search by citizen needs --reason")
    check_years(given.get("since"), given.get("until"))
    return {**given, "citizen_id": read_identifier() if citizen else None}


def check_years(*moments: Text) -> None:
    """WrongUse where a time is meant in the Buddhist era."""
    if any(moment is not None and is_buddhist(moment) for moment in moments):
        raise WrongUse("ระบุปีเป็นคริสต์ศักราช", "--from and --to take years of the common era, 543 less")


def _show_found(remote: Remote, found: list[dict[str, Any]], cursor: Any) -> None:
    if not found:
        remote.screen.say("ไม่พบรายการ", "nothing found")
        return
    used = [(name, thai) for name, thai in _COLUMNS if any(item.get(name) for item in found)]
    remote.screen.table([(thai, name) for name, thai in used], ([item.get(name) for name, _ in used] for item in found))
    if isinstance(cursor, str):
        remote.screen.say("ยังมีรายการอีก ระบุ --limit ให้มากขึ้น", "there is more: raise --limit")
