"""`linkage witness`: another authority's process that cosigns checkpoints and refuses forks and rollbacks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.connection import local
from gateway.cli.failures import Refused, WrongUse
from gateway.cli.local import require_free
from gateway.cli.output import Screen
from gateway.tlog.note import NoteError, Signer, parse_key
from gateway.witness.state import WitnessState

app = typer.Typer(help="พยานของบันทึก / A witness of logs", no_args_is_help=True)

State = Annotated[Path, typer.Option("--state", help="The witness's own directory: its key and what it cosigned.")]
Name = Annotated[
    str | None,
    typer.Option(help="What the witness is called in its signatures, such as witness.example/w1; at the first run."),
]


@app.callback()
def _witness() -> None:
    """พยานของบันทึก / A witness of logs"""


@app.command("serve")
@local
def serve(
    screen: Screen,
    state: State,
    port: Annotated[int, typer.Option(help="The port to listen on.")],
    host: Annotated[str, typer.Option(help="The address to listen on; TLS ends in front of it.")] = "127.0.0.1",
    name: Name = None,
) -> None:
    """เปิดพยาน / Runs the witness until it is told to stop. It cosigns the logs that `witness add` named."""
    from gateway.witness.server import serve as run

    signer = _signer(state, name)
    require_free(host, port)
    body = {"vkey": str(signer.verifier), "port": port, "logs": [str(key) for key in WitnessState(state).logs()]}

    def render() -> None:
        screen.line(f"กุญแจตรวจสอบของพยาน / the witness's verifier key: {signer.verifier}")
        screen.say(f"รับฟังที่พอร์ต {port}", f"listening on port {port}")

    screen.show(body, render)
    run(state, host=host, port=port, signer=signer)


@app.command("add")
@local
def add(
    screen: Screen,
    vkey: Annotated[str, typer.Argument(metavar="VKEY", help="The log's verifier key (GET /log/vkey).")],
    state: State,
    name: Name = None,
) -> None:
    """เพิ่มบันทึกที่พยานรู้จัก / Names a log that the witness is to watch. A running witness sees it at once."""
    signer = _signer(state, name)
    try:
        key = parse_key(vkey)
        WitnessState(state).add(key)
    except NoteError as error:
        raise WrongUse("กุญแจตรวจสอบไม่อยู่ในรูปแบบที่กำหนด", str(error)) from None
    body = {"log": key.name, "vkey": str(signer.verifier)}
    screen.show(body, lambda: screen.say(f"เพิ่ม {key.name} แล้ว", f"{key.name} is known to {signer.verifier}"))


def _signer(state: Path, name: str | None) -> Signer:
    try:
        return WitnessState(state).signer(name)
    except NoteError as error:
        raise Refused("ชื่อของพยานใช้ไม่ได้", str(error)) from None
