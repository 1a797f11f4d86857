"""`linkage log reconcile`: a source's own list of exchanges held against the log, both ways.

A source learns of each exchange from the `Linkage-Exchange` header. What it has and the log has not was asked past the
log; what the log says was answered and the source has not, somebody else answered, or the source's list is not whole.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.connection import Remote, remote
from gateway.cli.failures import REFUSED, WrongUse
from gateway.cli.log_criteria import Service, Since, Source, Until, check_years
from gateway.model import timestamp

_ID = re.compile(r"\bex_([0-9a-z]{10})[0-9a-z]{16}\b", re.ASCII)
_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"
_AT_ONCE = 2000
_SLACK = timedelta(minutes=10)
"""So long at most from an exchange's id to its decision."""
_ANSWERED = ("released", "withheld")
"""The outcomes that only a source's answer leads to; the others may not have reached it."""


@dataclass(slots=True)
class _Compared:
    """What was found. Lists are of what the log says of each exchange, or of ids where it says nothing."""

    matched: int = 0
    elsewhere: list[dict[str, Any]] = field(default_factory=list)
    not_in_log: list[str] = field(default_factory=list)
    never_asked: list[dict[str, Any]] = field(default_factory=list)
    not_at_source: list[dict[str, Any]] = field(default_factory=list)
    perhaps_not_reached: list[dict[str, Any]] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing is amiss."""
        return not (self.not_in_log or self.never_asked or self.not_at_source)


@remote
def reconcile(
    remote: Remote,
    file: Annotated[Path, typer.Argument(help="The source's list: one exchange a line; plain, CSV or NDJSON.")],
    source: Source = None,
    service: Service = None,
    since: Since = None,
    until: Until = None,
) -> None:
    """เทียบบัญชีของหน่วยงานเจ้าของข้อมูลกับบันทึก / A source's own list against the log, both ways.

    Without --from and --to, the time that the list itself is of. Exits with 1 where something does not fit.
    """
    check_years(since, until)
    listed, without = read_list(file)
    if not listed and (since is None or until is None):
        raise WrongUse(f"ไฟล์ {file} ไม่มีรหัสรายการ", f"{file} names no exchange: give --from and --to")
    span = {"from": since or _moment(min(listed)), "to": until or _moment(max(listed), _SLACK)}
    among = {name: value for name, value in (("source", source), ("service", service)) if value is not None}
    ends = (None if since else min(listed), None if until else max(listed))
    found = _compare(remote, listed, {**among, **span}, ends)
    duplicates = [{"exchange_id": one, "times": times} for one, times in listed.items() if times > 1]
    body = {
        **span,
        **among,
        "good": found.good,
        "listed": len(listed),
        "lines_without": without,
        "duplicates": duplicates,
        "matched": found.matched,
        "not_in_log": found.not_in_log,
        "never_asked": found.never_asked,
        "not_at_source": found.not_at_source,
        "perhaps_not_reached": found.perhaps_not_reached,
        "outside": found.elsewhere,
    }
    remote.screen.show(body, lambda: _show(remote, body))
    if not found.good:
        raise typer.Exit(REFUSED)


def read_list(file: Path) -> tuple[Counter[str], int]:
    """(how often each exchange stands in a file, how many lines name none). WrongUse where it is no text."""
    listed: Counter[str] = Counter()
    without = 0
    try:
        with file.open(encoding="utf-8-sig") as lines:
            for line in lines:
                found = {match[0] for match in _ID.finditer(line)}
                if len(found) > 1:
                    raise WrongUse("หนึ่งบรรทัดต้องมีหนึ่งรายการ", "a line names more than one exchange")
                listed.update(found)
                without += not found and bool(line.strip())
    except (OSError, UnicodeDecodeError):
        raise WrongUse(f"อ่านไฟล์ {file} ไม่ได้", f"{file} cannot be read as UTF-8 text") from None
    return listed, without


def _compare(
    remote: Remote, listed: Counter[str], asked: dict[str, str], ends: tuple[str | None, str | None]
) -> _Compared:
    """The log's exchanges of the time as they stream in, then what of the list was not among them.

    `ends`: the list's first and last, where it begins and ends by itself: what began before or after is none of it.
    """
    first, last = ends
    found, left = _Compared(), dict.fromkeys(listed)
    for one in remote.gateway.asked(asked):
        if one["exchange_id"] in left:
            del left[one["exchange_id"]]
            found.matched += 1
        elif one["exchange_id"] < (first or "") or (last is not None and one["exchange_id"] > last):
            continue
        elif one["outcome"] in _ANSWERED:
            found.not_at_source.append(one)
        else:
            found.perhaps_not_reached.append(one)
    among = {name: asked[name] for name in ("source",) if name in asked}
    unmatched = list(left)
    for place in range(0, len(unmatched), _AT_ONCE):
        part = unmatched[place : place + _AT_ONCE]
        known = {one["exchange_id"]: one for one in remote.gateway.known({**among, "exchanges": part})["known"]}
        for exchange in part:
            if exchange not in known:
                found.not_in_log.append(exchange)
            elif known[exchange]["outcome"] == "refused":
                found.never_asked.append(known[exchange])
            else:
                found.elsewhere.append(known[exchange])
    return found


def _moment(exchange: str, later: timedelta = timedelta()) -> str:
    """When an exchange's id was made, which it says itself (`gateway.model.new_id`)."""
    milliseconds = 0
    for letter in exchange[3:13]:
        milliseconds = milliseconds * 32 + max(0, _DIGITS.find(letter))
    try:
        return timestamp(datetime.fromtimestamp(milliseconds / 1000, UTC) + later)
    except (ValueError, OverflowError, OSError):
        raise WrongUse(
            "รหัสรายการในไฟล์ไม่ถูกต้อง ระบุ --from และ --to", "an id is of no possible time: give --from and --to"
        ) from None


def _show(remote: Remote, body: dict[str, Any]) -> None:
    screen = remote.screen
    screen.line(f"{body['from']} – {body['to']}")
    for name, thai, english in (
        ("not_in_log", "มีในบัญชีแต่ไม่มีในบันทึก", "in the list, and not in the log"),
        ("never_asked", "มีในบัญชีแต่บันทึกว่าปฏิเสธ", "in the list, and refused by the log's account"),
        ("not_at_source", "บันทึกว่าตอบแล้วแต่ไม่มีในบัญชี", "answered by the log's account, and not in the list"),
        ("perhaps_not_reached", "อาจไปไม่ถึงหน่วยงาน", "not in the list, and may not have reached the source"),
        ("duplicates", "ซ้ำในบัญชี", "in the list more than once"),
        ("outside", "มีในบันทึก นอกช่วงเวลาหรือบริการที่เทียบ", "in the log, of another time or service"),
    ):
        screen.say(f"{thai}: {len(body[name])}", english)
        for one in body[name]:
            screen.line(f"  {one if isinstance(one, str) else '  '.join(str(v) for v in one.values() if v)}")
    screen.say(f"ตรงกัน {body['matched']} รายการ", "match")
