"""`linkage keys rotate`: a fresh key in the place of one of the gateway's own. On its machine, by who runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.connection import local
from gateway.cli.failures import Refused, WrongUse
from gateway.cli.local import StateDir, read_settings
from gateway.cli.output import Screen

Kind = Literal["log", "seal", "token", "pseudonym", "master"]


@local
def rotate(
    screen: Screen,
    kind: Annotated[Kind, typer.Argument(help="Which key.")],
    state_dir: StateDir = None,
    finish: Annotated[
        bool,
        typer.Option("--finish", help="master: destroy the earlier one, once every gateway runs with the new one."),
    ] = False,
) -> None:
    """เปลี่ยนกุญแจของเกตเวย์ / Puts a fresh key in place; the gateway takes it up when it is next started."""
    from gateway.keys.ring import discard_masters
    from gateway.keys.ring import rotate as put_in_place
    from gateway.model import now, timestamp

    directory = read_settings(state_dir=state_dir).keys
    if finish and kind != "master":
        raise WrongUse("--finish ใช้กับกุญแจ master", "--finish goes with master")
    if finish:
        _require_wrapped(state_dir)
        gone = discard_masters(directory)
        screen.show(
            {"key": kind, "destroyed": gone},
            lambda: screen.say(f"ทำลายกุญแจเดิม {len(gone)} ดอกแล้ว", f"{len(gone)} earlier keys are destroyed"),
        )
        return
    step = put_in_place(directory, kind, timestamp(now()))
    body = {"key": kind, "kid": step.kid, "previous": step.previous, "public": step.public}
    screen.show(body, lambda: _tell(screen, kind, step.kid, directory))


def _tell(screen: Screen, kind: str, kid: str, directory: Path) -> None:
    screen.say(f"กุญแจ {kind} ใหม่คือ {kid}", f"the {kind} key is now {kid}")
    screen.say(
        f"หากมีหลายเครื่อง คัดลอกโฟลเดอร์ {directory} ไปทุกเครื่อง แล้วเริ่มเกตเวย์ใหม่ทุกเครื่อง",
        f"copy {directory} to every machine that runs a gateway on this database, and start each of them anew",
    )
    if kind == "log":
        screen.say(
            "แจ้งกุญแจใหม่ (/log/vkey) แก่พยานทุกราย", "give the new /log/vkey to every witness (`linkage witness add`)"
        )


def _require_wrapped(state_dir: Path | None) -> None:
    """Refused while a month of the log is wrapped by an earlier master key only."""
    from gateway.keys import Keys
    from gateway.store.connection import Connection

    settings = read_settings(state_dir=state_dir)
    kid = Keys.load(settings.keys).master.kid
    connection = Connection(settings.database, read_only=True)
    try:
        left = connection.rows(
            "SELECT COUNT(DISTINCT month) FROM month_keys"
            " WHERE month NOT IN (SELECT month FROM month_keys WHERE kid = ?)",
            (kid,),
        )[0][0]
    finally:
        connection.close()
    if left:
        raise Refused(
            "ยังมีเดือนที่ห่อด้วยกุญแจเดิม เริ่มเกตเวย์ด้วยกุญแจใหม่ก่อน",
            f"{left} months are wrapped by an earlier key only: start the gateway with the new one first",
        )
