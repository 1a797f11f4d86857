"""`linkage report`: what the law wants on paper, as a table, JSON, CSV, or a Thai page to print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.catalogue import package
from gateway.cli.acts import given, is_buddhist
from gateway.cli.connection import Remote, remote
from gateway.cli.failures import WrongUse
from gateway.cli.output import Screen, csv_text
from gateway.cli.printed import write_page
from gateway.cli.questions import read_identifier
from gateway.cli.report_pages import breach_page, name_of, ropa_page, subject_page

app = typer.Typer(help="รายงานตามกฎหมาย / Reports that the law wants", no_args_is_help=True)

Since = Annotated[str | None, typer.Option("--from", help="From this time on (RFC 3339).")]
Until = Annotated[str | None, typer.Option("--to", help="Until this time (RFC 3339), excluded.")]
Why = Annotated[str, typer.Option("--reason", help="Why it is asked for; it is recorded.")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV.")]
Page = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write a Thai page to print (HTML).")]
Juristic = Annotated[bool, typer.Option("--juristic", help="The number is a juristic person's.")]
Columns = Sequence[tuple[str, str]]


@app.command("catalogue")
@remote
def catalogue(remote: Remote) -> None:
    """บัญชีข้อมูลภาครัฐ / Every service as a CKAN package of the government data catalogue (มรด. 3-1:2565)."""
    packages = [package(entry) for entry in remote.gateway.services()]
    columns = [("ชุดข้อมูล", "name"), ("ชื่อ", "title"), ("หน่วยงาน", "owner_org"), ("ประเภท", "data_category")]
    _show(remote.screen, {"packages": packages}, packages, columns)


@app.command("subject")
@remote
def subject(
    remote: Remote,
    reason: Why,
    since: Since = None,
    until: Until = None,
    juristic: Juristic = False,
    as_csv: Csv = False,
    out: Page = None,
) -> None:
    """ใครเข้าถึงข้อมูลของบุคคลหนึ่ง (มาตรา 30) / Every access about one person; the ID is read from standard input."""
    identifier = {"juristic_id" if juristic else "citizen_id": read_identifier()}
    body = remote.gateway.report("subject", {**identifier, "reason": reason, **_span(since, until)}, "audit")
    columns = [
        ("เวลา", "time"),
        ("หน่วยงานที่ขอ", "consumer"),
        ("หน่วยงานเจ้าของข้อมูล", "source"),
        ("วัตถุประสงค์", "purpose"),
        ("ฐาน", "lawful_basis"),
        ("ข้อยกเว้น ม.4", "pdpa_exemption"),
        ("การอนุญาตให้เปิดเผยความลับ", "secrecy_release"),
        ("ข้อมูล", "fields"),
        ("ผล", "outcome"),
        ("รายการ", "exchange_id"),
    ]
    _show(remote.screen, body, [_named(one) for one in body["accesses"]], columns, as_csv, out, subject_page)


@app.command("disclosures")
@remote
def disclosures(
    remote: Remote,
    agency: Annotated[str, typer.Option(help="The source.")],
    since: Since = None,
    until: Until = None,
    consumer: Annotated[str | None, typer.Option(help="To this consumer only.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 1000,
    as_csv: Csv = False,
) -> None:
    """ทะเบียนการเปิดเผยข้อมูล / A source's register of disclosures (Official Information Act)."""
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while len(found) < limit:
        asked = given(source=agency, consumer=consumer, cursor=cursor, limit=min(200, limit - len(found)))
        body = remote.gateway.disclosures({**asked, **_span(since, until)})
        found += body["disclosures"]
        cursor = body["next_cursor"]
        if cursor is None:
            break
    columns = [
        ("เวลา", "time"),
        ("เปิดเผยแก่", "consumer"),
        ("บริการข้อมูล", "service"),
        ("วัตถุประสงค์", "purpose"),
        ("ข้อยกเว้น ม.24", "oia_ground"),
        ("ข้อยกเว้น ม.4 (ข้อมูลส่วนบุคคล)", "pdpa_exemption"),
        ("การอนุญาตให้เปิดเผยความลับ", "secrecy_release"),
        ("ข้อมูล", "fields"),
        ("เลขที่เรื่อง", "case_reference"),
        ("รหัสแฝง", "subject"),
        ("รายการ", "exchange_id"),
    ]
    body = {"disclosures": found, "next_cursor": cursor}
    _show(remote.screen, body, [_named(one) for one in found], columns, as_csv)
    if cursor is not None and not as_csv:
        remote.screen.say("ยังมีรายการอีก ระบุ --limit ให้มากขึ้น", "there is more: raise --limit")


@app.command("breach")
@remote
def breach(
    remote: Remote,
    since: Annotated[str, typer.Option("--from", help="From this time on (RFC 3339).")],
    until: Annotated[str, typer.Option("--to", help="Until this time (RFC 3339), excluded.")],
    reason: Why,
    client: Annotated[str | None, typer.Option(help="The client concerned.")] = None,
    officer: Annotated[str | None, typer.Option(help="One officer of the client.")] = None,
    consumer: Annotated[str | None, typer.Option(help="All of a consumer's.")] = None,
    as_csv: Csv = False,
    out: Page = None,
) -> None:
    """ข้อมูลสำหรับแจ้งเหตุละเมิดใน 72 ชั่วโมง / Whom and what a breach concerns (s.37(4))."""
    asked = given(client=client, officer=officer, consumer=consumer)
    body = remote.gateway.report("breach", {**asked, "reason": reason, **_span(since, until)}, "audit")
    columns = [("รหัสแฝง", "subject"), ("จำนวนครั้ง", "exchanges"), ("ข้อมูล", "fields")]
    _show(remote.screen, body, body["subjects"], columns, as_csv, out, breach_page)


@app.command("ropa")
@remote
def ropa(
    remote: Remote,
    agency: Annotated[str, typer.Option(help="The agency.")],
    since: Since = None,
    until: Until = None,
    as_csv: Csv = False,
    out: Page = None,
) -> None:
    """บันทึกรายการกิจกรรมการประมวลผล (มาตรา 39) / An agency's record of processing activities."""
    body = remote.gateway.report("ropa", {"agency": agency, **_span(since, until)})
    columns = [
        ("ข้อตกลง", "agreement"),
        ("หน่วยงานผู้ใช้ข้อมูล", "consumer"),
        ("หน่วยงานเจ้าของข้อมูล", "source"),
        ("วัตถุประสงค์", "purpose"),
        ("ข้อมูล", "data"),
        ("ฐาน", "lawful_basis"),
        ("การเก็บรักษา", "retention"),
        ("จำนวนครั้ง", "exchanges"),
    ]
    rows = [_named(one) for one in (*body["as_consumer"], *body["as_source"])]
    _show(remote.screen, body, rows, columns, as_csv, out, ropa_page)


@app.command("proposals")
@remote
def proposals(
    remote: Remote, agency: Annotated[str | None, typer.Option(help="Of this agency only.")] = None, as_csv: Csv = False
) -> None:
    """ระยะเวลาพิจารณาข้อเสนอ / How long each proposal of an agreement waited, and refusals with their ground."""
    body = remote.gateway.report("proposals", given(agency=agency))
    columns = [
        ("ข้อตกลง", "agreement"),
        ("ฉบับ", "version"),
        ("หน่วยงานผู้ใช้ข้อมูล", "consumer"),
        ("หน่วยงานเจ้าของข้อมูล", "source"),
        ("เสนอเมื่อ", "proposed_at"),
        ("ผล", "outcome"),
        ("พิจารณาเมื่อ", "decided_at"),
        ("รอ (ชั่วโมง)", "waited_hours"),
        ("เหตุผล", "ground"),
    ]
    _show(remote.screen, body, body["proposals"], columns, as_csv)


def _span(since: str | None, until: str | None) -> dict[str, str]:
    if any(moment is not None and is_buddhist(moment) for moment in (since, until)):
        raise WrongUse("ระบุปีเป็นคริสต์ศักราช", "--from and --to take years of the common era, 543 less")
    return given(**{"from": since, "to": until})


def _named(one: Mapping[str, Any]) -> dict[str, Any]:
    """A line with titles in place of titled ids."""
    line = dict(one)
    for name in ("consumer", "source", "purpose", "service"):
        if isinstance(line.get(name), Mapping):
            line[name] = name_of(line[name])
    for name in ("fields", "data"):
        if name in line:
            line[name] = [field["name"] for field in line[name]]
    return line


def _show(
    screen: Screen,
    body: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
    columns: Columns,
    as_csv: bool = False,
    out: Path | None = None,
    to_page: Any = None,
) -> None:
    if as_csv and screen.as_json:
        raise WrongUse("เลือก --json หรือ --csv อย่างใดอย่างหนึ่ง", "choose --json or --csv")
    if out is not None:
        write_page(screen, out, to_page(body))
        if not (as_csv or screen.as_json):
            return
    cells = ([row.get(name) for _, name in columns] for row in rows)
    if as_csv:
        screen.raw(csv_text([name for _, name in columns], cells))
        return

    def render() -> None:
        if rows:
            screen.table(columns, cells)
        else:
            screen.say("ไม่พบรายการ", "nothing found")

    screen.show(body, render)
