"""`linkage exchange`: one question. The citizen ID comes on standard input, and so do values to compare with: no shell
history or process list holds them."""

from __future__ import annotations

import getpass
import re
import sys
from typing import Annotated

import typer

from gateway.cli.connection import Remote, remote
from gateway.cli.failures import WrongUse
from gateway.client import Answer

_WRITTEN = re.compile(r"[0-9]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]", re.ASCII)
"""A citizen ID as it stands on the card."""


@remote
def exchange(
    remote: Remote,
    service: Annotated[str, typer.Option(help="The service's id, like dopa.person.v1.")],
    purpose: Annotated[str, typer.Option(help="The purpose's code.")],
    field: Annotated[
        list[str] | None, typer.Option(help="A field you want; may be repeated. Without it, the agreement's.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(help="The name of a value to compare with; the value is a line of standard input, after the ID."),
    ] = None,
    officer: Annotated[str | None, typer.Option(help="The staff code of the officer you ask for.")] = None,
    case_reference: Annotated[str | None, typer.Option(help="Your own file's reference.")] = None,
    consent_id: Annotated[str | None, typer.Option("--consent", help="The consent it rests on.")] = None,
    juristic: Annotated[bool, typer.Option("--juristic", help="The number is a juristic person's.")] = False,
) -> None:
    """ถามหนึ่งคำถาม เลขประจำตัวประชาชนอ่านจาก standard input / Asks one question; the ID is read from standard input."""
    identifier = read_identifier()
    values = {name: _read_given(name) for name in given or ()}
    answer = remote.gateway.exchange(
        service=service,
        purpose=purpose,
        citizen_id=None if juristic else identifier,
        juristic_id=identifier if juristic else None,
        fields=field or None,
        given=values or None,
        officer=officer,
        case_reference=case_reference,
        consent_id=consent_id,
    )
    remote.screen.show(answer.as_json(), lambda: _show(remote, answer))


def read_identifier() -> str:
    """The number from standard input, asked for without echo at a terminal. The card's dashes are left out."""
    asked = sys.stdin.isatty()
    text = getpass.getpass("เลขประจำตัวประชาชน / citizen ID: ") if asked else sys.stdin.readline(256)
    text = text.strip()
    if not text:
        raise WrongUse("ส่งเลขประจำตัวประชาชนทาง standard input", "give the citizen ID on standard input, one line")
    return text.replace("-", "") if _WRITTEN.fullmatch(text) else text


def _read_given(name: str) -> str:
    """The next line of standard input: what the person at the counter says of themselves, to be compared."""
    asked = sys.stdin.isatty()
    text = (getpass.getpass(f"{name}: ") if asked else sys.stdin.readline(1024)).strip()
    if not text:
        raise WrongUse(
            "ส่งค่าของ --given ทาง standard input บรรทัดละค่า ตามลำดับ ต่อจากเลขประจำตัว",
            "give the values of --given on standard input: a line each, in the order named, after the ID",
        )
    return text


def _show(remote: Remote, answer: Answer) -> None:
    screen = remote.screen
    screen.table([("รายการข้อมูล", "field"), ("ค่า", "value")], answer.data.items())
    screen.line("")
    screen.fields(
        {
            "exchange_id": answer.exchange_id,
            "service": answer.service,
            "source": dict(answer.source),
            "decision": dict(answer.decision),
            "receipt": dict(answer.receipt),
            "sealed_by": answer.sealed_by,
        },
        {
            "exchange_id": ("รายการแลกเปลี่ยนข้อมูล", ""),
            "service": ("บริการข้อมูล", ""),
            "source": ("หน่วยงานเจ้าของข้อมูล", ""),
            "decision": ("ผลการพิจารณา", ""),
            "receipt": ("หลักฐานการบันทึกรายการ", ""),
            "sealed_by": ("ลายมือชื่อที่ตรวจแล้ว", ""),
        },
    )
