"""`linkage log export` and `linkage log cases`: all that fits a search, streamed to a file or a pipe.

One request, and so one entry in the log; no more than a line of it is held at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from gateway.cli.connection import Remote, remote
from gateway.cli.failures import Refused, WrongUse
from gateway.cli.log import CSV
from gateway.cli.log_criteria import Asked, Consumer, Since, Until, asking
from gateway.cli.output import Screen, csv_lines
from gateway.model import REFERENCE, holds_citizen_id

MOST_CASES = 2000
"""So many case references go into one request."""
AsCsv = Annotated[bool, typer.Option("--csv", help="CSV in place of NDJSON (a JSON object a line).")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="A new file to write.")]


@remote
@asking
def export(
    remote: Remote,
    asked: Asked,
    as_csv: AsCsv = False,
    out: Out = None,
    exchange: Annotated[
        str | None,
        typer.Option("--exchange", metavar="ID", help="Evidence of this exchange, as a page; with --reason, --out."),
    ] = None,
) -> None:
    """ส่งออกทุกรายการที่ค้นพบ หรือหลักฐานของหนึ่งรายการ / All that fits (NDJSON, CSV), or one exchange's evidence."""
    if exchange is not None:
        if as_csv or out is None or asked.reason is None or asked != Asked(reason=asked.reason):
            raise WrongUse(
                "--exchange ใช้กับ --reason และ --out เท่านั้น", "--exchange goes with --reason and --out, and nothing else"
            )
        _evidence(remote, exchange, asked.reason, out)
        return
    write_rows(remote.screen, remote.gateway.export(**asked.criteria()), as_csv, out)


def _evidence(remote: Remote, exchange: str, reason: str, out: Path) -> None:
    _to_file(out, [remote.gateway.evidence(exchange, reason).decode()])
    body = {"file": str(out), "exchange_id": exchange}
    remote.screen.show(body, lambda: remote.screen.say(f"หลักฐานอยู่ใน {out}", f"the evidence is in {out}"))


@remote
def cases(
    remote: Remote,
    file: Annotated[Path, typer.Argument(help="Case references, one a line.")],
    consumer: Consumer = None,
    since: Since = None,
    until: Until = None,
    as_csv: AsCsv = False,
    out: Out = None,
) -> None:
    """รายการของแต่ละเลขที่เรื่อง และเรื่องที่ไม่มีรายการ / The exchanges of each case reference, and which have none."""
    wanted = read_cases(file)
    if as_csv and out is None:
        raise WrongUse("--csv ใช้กับ --out", "--csv goes with --out")
    missing, asked = dict.fromkeys(wanted), Asked(consumer=consumer, since=since, until=until)

    def rows() -> Iterator[dict[str, Any]]:
        for place in range(0, len(wanted), MOST_CASES):
            part = wanted[place : place + MOST_CASES]
            for one in remote.gateway.export(**asked.criteria(), case_references=part):
                missing.pop(one["case_reference"], None)
                yield one

    if out is not None:
        number = _to_file(out, _lines(rows(), as_csv)) - as_csv
        body: dict[str, Any] = {"file": str(out), "exchanges": number}
    else:
        body = {"exchanges": list(rows())}
    body |= {"cases": len(wanted), "without": list(missing)}

    def render() -> None:
        for one in body["exchanges"] if out is None else ():
            remote.screen.line("  ".join(str(one[name]) for name in ("case_reference", "exchange_id", "outcome")))
        remote.screen.say(f"{len(wanted)} เรื่อง ไม่มีรายการ {len(missing)} เรื่อง", f"{len(missing)} of them have none:")
        for reference in missing:
            remote.screen.line(reference)

    remote.screen.show(body, render)


def read_cases(file: Path) -> list[str]:
    """The references in a file, each once. WrongUse names the line of what is none, never what stands there."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise WrongUse(f"อ่านไฟล์ {file} ไม่ได้", f"{file} cannot be read as UTF-8 text") from None
    found: dict[str, None] = {}
    for number, line in enumerate(lines, 1):
        reference = line.strip()
        if not reference:
            continue
        if REFERENCE.fullmatch(reference) is None or holds_citizen_id(reference):
            raise WrongUse(
                f"บรรทัดที่ {number} ไม่ใช่เลขที่เรื่อง", f"line {number} is no case reference, or holds a citizen ID"
            )
        found[reference] = None
    if not found:
        raise WrongUse(f"ไฟล์ {file} ไม่มีเลขที่เรื่อง", f"{file} holds no case reference")
    return list(found)


def write_rows(screen: Screen, rows: Iterable[dict[str, Any]], as_csv: bool, out: Path | None) -> None:
    """Writes rows to a new file, or prints them, as they come."""
    lines = _lines(rows, as_csv)
    if out is None:
        if screen.as_json and as_csv:
            raise WrongUse("เลือก --json หรือ --csv อย่างใดอย่างหนึ่ง", "choose --json or --csv")
        for line in lines:
            screen.raw(line)
        return
    number = _to_file(out, lines) - as_csv
    body = {"file": str(out), "exchanges": number}
    screen.show(body, lambda: screen.say(f"เขียน {number} รายการลงใน {out}", f"{number} exchanges are in {out}"))


def _lines(rows: Iterable[dict[str, Any]], as_csv: bool) -> Iterator[str]:
    if as_csv:
        return csv_lines(CSV, ([one.get(name) for name in CSV] for one in rows))
    return (orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE).decode() for one in rows)


def _to_file(out: Path, lines: Iterable[str]) -> int:
    """Writes a new file, whole or not at all; how many lines it has."""
    if out.exists():
        raise Refused(f"มีไฟล์ {out} อยู่แล้ว", f"there is a file {out} already")
    fresh, number = out.with_name(out.name + ".part"), 0
    try:
        with fresh.open("w", encoding="utf-8", newline="") as file:
            for line in lines:
                file.write(line)
                number += 1
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(out)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    return number
