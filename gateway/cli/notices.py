"""`linkage notices`: what waits for the operator who asks."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.connection import Remote, remote
from gateway.cli.failures import WrongUse
from gateway.cli.output import csv_text

_COLUMNS = (
    ("เรื่อง", "text"),
    ("ทะเบียน", "register"),
    ("รหัส", "id"),
    ("ตั้งแต่", "since"),
    ("ภายใน", "due"),
)


@remote
def notices(remote: Remote, as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False) -> None:
    """เรื่องที่รอดำเนินการ / What waits for you: proposals, persons' requests, agreements that end soon."""
    if as_csv and remote.screen.as_json:
        raise WrongUse("เลือก --json หรือ --csv อย่างใดอย่างหนึ่ง", "choose --json or --csv")
    found = remote.gateway.notices()
    rows = [{**one, "text": f"{one['about']['th']} / {one['about']['en']}"} for one in found]
    cells = ([row.get(name) for _, name in _COLUMNS] for row in rows)
    if as_csv:
        remote.screen.raw(csv_text([name for _, name in _COLUMNS], cells))
        return

    def render() -> None:
        if rows:
            remote.screen.table(_COLUMNS, cells)
        else:
            remote.screen.say("ไม่มีเรื่องที่รอดำเนินการ", "nothing waits")

    remote.screen.show({"notices": found}, render)
