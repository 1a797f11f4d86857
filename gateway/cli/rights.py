"""`linkage rights`: the register of requests under PDPA s.30 to s.36; the person is in it as a pseudonym only."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from gateway.cli.acts import given, perform
from gateway.cli.connection import Remote, remote
from gateway.cli.failures import ActUnanswered, WrongUse, by_number
from gateway.cli.output import csv_text
from gateway.cli.questions import read_identifier
from gateway.cli.registers import AgencyOption, Id
from gateway.client import Problem
from gateway.model import bangkok_day, new_id, now

app = typer.Typer(help="คำขอใช้สิทธิของเจ้าของข้อมูลส่วนบุคคล / Requests of the persons concerned", no_args_is_help=True)

_COLUMNS = (
    ("คำขอ", "id"),
    ("หน่วยงาน", "agency"),
    ("สิทธิ", "right"),
    ("วันที่รับ", "received"),
    ("ครบกำหนด", "due"),
    ("สถานะ", "status"),
    ("ล่าช้า", "late"),
    ("แจ้งหน่วยงานเจ้าของข้อมูล", "source"),
    ("สถานะการแจ้ง", "notice_status"),
    ("ผลจากเจ้าของข้อมูล", "notice_answer"),
    ("รายการแลกเปลี่ยน", "exchange"),
    ("บริการข้อมูล", "service"),
    ("คำตอบ", "answer"),
    ("เหตุผลที่ปฏิเสธ", "ground"),
    ("รหัสแฝง", "subject"),
)


@app.command("add")
@remote
def add(
    remote: Remote,
    agency: AgencyOption,
    right: Annotated[Literal["access", "correction", "objection", "erasure"], typer.Option(help="What is asked for.")],
    received: Annotated[str | None, typer.Option(help="The day it came, YYYY-MM-DD.", show_default="today")] = None,
    service: Annotated[
        str | None, typer.Option(help="The service it is about: its source is given notice, too.")
    ] = None,
    exchange: Annotated[
        str | None, typer.Option(help="The exchange it is about, by which the source finds the record.")
    ] = None,
    about: Annotated[str | None, typer.Option(help="What it is about, without naming the person.")] = None,
    id: Annotated[str | None, typer.Option(help="Its number.", show_default="a new one")] = None,
    juristic: Annotated[bool, typer.Option("--juristic", help="The number is a juristic person's.")] = False,
) -> None:
    """รับคำขอ / Enters a request; the person's ID is read from standard input. It is due in thirty days."""
    number = id or new_id("rq").replace("_", "-")
    who = {"juristic_id" if juristic else "citizen_id": read_identifier()}
    subject = remote.gateway.pseudonym({**who, "reason": f"rights request {number}"})
    body = {
        "id": number,
        "agency": agency,
        "right": right,
        "subject": subject,
        "received": received or bangkok_day(now()).isoformat(),
        **given(service=service, exchange=exchange, about=about),
    }
    try:
        perform(remote, "rights.add", body)
    except ActUnanswered as lost:
        raise ActUnanswered(str(lost), "" if id else number) from None
    except Problem as problem:
        if problem.code == "log_unavailable" and not id:  # it may yet be written
            thai, english = by_number(number)
            problem.detail, problem.detail_th = f"{problem.detail}; {english}", f"{problem.detail_th} {thai}"
        raise


@app.command("answer")
@remote
def answer(
    remote: Remote, id: Id, text: Annotated[str, typer.Option("--answer", help="What was done; it is recorded.")]
) -> None:
    """ตอบคำขอ / Closes a request as answered."""
    perform(remote, "rights.answer", {"id": id, "answer": text})


@app.command("reject")
@remote
def reject(remote: Remote, id: Id, ground: Annotated[str, typer.Option(help="The ground; it is recorded.")]) -> None:
    """ปฏิเสธคำขอ / Closes a request as rejected; its ground appears in the record of processing."""
    perform(remote, "rights.reject", {"id": id, "ground": ground})


@app.command("acknowledge")
@remote
def acknowledge(remote: Remote, id: Id) -> None:
    """รับทราบการแจ้งขอแก้ไข / As the source: the notice of a correction, erasure or objection has been read."""
    perform(remote, "rights.notice.acknowledge", {"id": id})


@app.command("resolve")
@remote
def resolve(
    remote: Remote,
    id: Id,
    answer: Annotated[str, typer.Option(help="What was done, or the ground why not; it is recorded.")],
    not_done: Annotated[bool, typer.Option("--not-done", help="The source did not do it.")] = False,
) -> None:
    """ตอบการแจ้งขอแก้ไข / As the source: answers the notice with what was done."""
    body = {"id": id, "outcome": "not_done" if not_done else "done", "answer": answer}
    perform(remote, "rights.notice.answer", body)


@app.command("list")
@remote
def list_all(
    remote: Remote,
    unanswered: Annotated[bool, typer.Option("--open", help="Only those not answered yet.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """แสดงคำขอ / Shows the requests, those due first on top; an owner is shown those of the own agency,
    and those of which it was given notice as the source.
    """
    if as_csv and remote.screen.as_json:
        raise WrongUse("เลือก --json หรือ --csv อย่างใดอย่างหนึ่ง", "choose --json or --csv")
    today = bangkok_day(now()).isoformat()
    records = [
        {**record, "late": record.get("late", today > record["due"])}
        for record in remote.gateway.register("rights")
        if record["status"] == "open" or not unanswered
    ]
    records.sort(key=lambda record: (record["status"] != "open", record["due"], record["id"]))
    rows = [{**record, **_flat(record.get("notice"))} for record in records]
    cells = ([row.get(name) for _, name in _COLUMNS] for row in rows)
    if as_csv:
        remote.screen.raw(csv_text([name for _, name in _COLUMNS], cells))
        return
    remote.screen.show({"records": records}, lambda: remote.screen.table(_COLUMNS, cells))


def _flat(notice: dict[str, Any] | None) -> dict[str, Any]:
    notice = notice or {}
    return {"notice_status": notice.get("status"), "notice_answer": notice.get("answer")}
