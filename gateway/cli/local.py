"""`linkage init|serve|demo|doctor|db upgrade`: the commands that touch the machine itself."""

from __future__ import annotations

import gc
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from gateway.cli.connection import local
from gateway.cli.failures import REFUSED, Refused, WrongUse, form_faults
from gateway.cli.output import Screen
from gateway.model.identifiers import REGISTER_ID

if TYPE_CHECKING:
    from gateway.settings import Settings

StateDir = Annotated[
    Path | None, typer.Option(help="Where database and keys lie. (LINKAGE_STATE_DIR)", show_default="state")
]


@local
def init(
    screen: Screen,
    state_dir: StateDir = None,
    issuer: Annotated[
        str | None,
        typer.Option(help="The gateway's own base URL. (LINKAGE_ISSUER)", show_default="http://127.0.0.1:8440"),
    ] = None,
    first_admin: Annotated[str, typer.Option(metavar="NAME", help="The first administrator's operator id.")] = "admin",
    policies: Annotated[
        Path | None, typer.Option(help="The folder of the policy set.", show_default="the one that came with this")
    ] = None,
) -> None:
    """เริ่มต้นเกตเวย์ / Makes a new gateway: its keys, its database, the first administrator's key."""
    from gateway import app
    from gateway.policy import shipped

    if not re.fullmatch(REGISTER_ID, first_admin):
        raise WrongUse("รหัสผู้ดูแลระบบไม่อยู่ในรูปแบบที่กำหนด", "--first-admin takes small letters, digits, . _ and -")
    settings = read_settings(state_dir=state_dir, issuer=issuer)
    key_file = app.initialise(settings, first_admin=first_admin, policies=policies or shipped())
    body = {"operator": first_admin, "key_file": str(key_file), "state_dir": str(settings.state_dir)}

    def render() -> None:
        screen.say("เกตเวย์พร้อมเริ่มทำงานด้วย `linkage serve`", "the gateway is ready for `linkage serve`")
        screen.line(f"กุญแจของผู้ดูแลระบบ {first_admin} / key of administrator {first_admin}: {key_file}")
        screen.say("ย้ายกุญแจนี้ออกจากเครื่องไปไว้กับผู้ดูแลระบบ", "move it to the administrator's own machine")

    screen.show(body, render)


database = typer.Typer(help="ฐานข้อมูลของเกตเวย์ / The gateway's database.", no_args_is_help=True)


@database.command("upgrade")
@local
def upgrade(screen: Screen, state_dir: StateDir = None) -> None:
    """ปรับตารางให้ทันรุ่นนี้ / Brings the database's tables to this version; `serve` does it for SQLite itself."""
    from gateway.store.migrate import standing
    from gateway.store.migrate import upgrade as migrate

    settings = read_settings(state_dir=state_dir)
    migrate(settings.database)
    said = ("ตารางเป็นรุ่นปัจจุบันแล้ว", "the tables are of this version")
    if standing(settings.database) == "ahead":
        said = ("ตารางเป็นของรุ่นที่ใหม่กว่านี้อยู่แล้ว", "the tables are of a newer version already")
    screen.show({"upgraded": True}, lambda: screen.say(*said))


@local
def serve(
    screen: Screen,
    host: Annotated[str | None, typer.Option(help="(LINKAGE_HOST)", show_default="127.0.0.1")] = None,
    port: Annotated[int | None, typer.Option(help="(LINKAGE_PORT)", show_default="8440")] = None,
    state_dir: StateDir = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes that serve, with PostgreSQL. (LINKAGE_WORKERS)", show_default="1")
    ] = None,
) -> None:
    """เปิดเกตเวย์ / Runs the gateway until it is told to stop. All other settings are LINKAGE_* variables."""
    gc.disable()  # what a start loads stays: looking through it again and again is a tenth of a start. `app` goes on
    from gateway import app
    from gateway.own_log import NotInitialised, OtherLog
    from gateway.store import AlreadyInUse
    from gateway.store.lease import NameTaken

    settings = read_settings(host=host, port=port, state_dir=state_dir, workers=workers)
    require_free(settings.host, settings.port)
    try:
        app.serve(settings)
    except NotInitialised as error:
        raise Refused(error.thai, str(error)) from None
    except OtherLog as error:
        raise Refused("บันทึกในฐานข้อมูลนี้มีชื่ออื่น ตรวจสอบ LINKAGE_ISSUER และ LINKAGE_LOG_ORIGIN", str(error)) from None
    except AlreadyInUse as error:
        raise Refused("ฐานข้อมูลนี้มีเกตเวย์อื่นใช้งานอยู่", str(error)) from None
    except NameTaken as error:
        raise Refused("มีเกตเวย์อื่นใช้ชื่อนี้อยู่ ตั้ง LINKAGE_GATEWAY_NAME ไม่ให้ซ้ำกัน", str(error)) from None


@local
def demo(
    screen: Screen,
    once: Annotated[bool, typer.Option("--once", help="End after the walk-through.")] = False,
    port: Annotated[int | None, typer.Option(help="The gateway's port.")] = None,
    state_dir: Annotated[Path | None, typer.Option(help="Where the demonstration keeps what it writes.")] = None,
) -> None:
    """สาธิตด้วยหน่วยงานและบุคคลสมมุติ / Shows what the gateway does, with made-up agencies and people."""
    from gateway import cli
    from gateway import demo as demonstration

    code = demonstration.run(cli.run, once=once, port=port, state_dir=state_dir, as_json=screen.as_json)
    if code:
        raise typer.Exit(code)


def require_free(host: str, port: int) -> None:
    """Refused where the address cannot be listened on: said here, before anything starts."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in found:
            with socket.socket(family, kind, protocol) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(address)
    except OSError as error:
        raise Refused(
            f"เปิดพอร์ต {port} ที่ {host} ไม่ได้ เลือกพอร์ตอื่นด้วย --port",
            f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port",
        ) from None


def read_settings(**given: Any) -> Settings:
    """The settings of the environment, with what was given on the command line in front; WrongUse names what is off."""
    from gateway.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        faults = [f"LINKAGE_{str(at[0]).upper()}: {what}" if at else what for at, what in form_faults(error)]
        raise WrongUse("ค่าที่ตั้งไว้ใช้ไม่ได้", "a setting does not fit", faults) from None


@local
def doctor(screen: Screen, state_dir: StateDir = None) -> None:
    """ตรวจว่าสิ่งใดผิดปกติและแก้อย่างไร / Says what is wrong with the gateway on this machine, and how to mend it."""
    from gateway.doctor import examine

    findings = examine(read_settings(state_dir=state_dir))
    good = all(finding.state != "wrong" for finding in findings)
    marks = {"ok": "✓", "note": "·", "wrong": "✗"}

    def render() -> None:
        for finding in findings:
            screen.line(f"{marks[finding.state]} {finding.check}: {finding.thai} / {finding.english}")
            if finding.mend:
                screen.line(f"    ทางแก้: {finding.mend_thai}")
                screen.line(f"    mend:   {finding.mend}")
        if good:
            screen.say("ไม่พบสิ่งผิดปกติ", "nothing is wrong")
        else:
            screen.say("พบสิ่งผิดปกติ", "something is wrong")

    screen.show({"good": good, "findings": [finding.as_json() for finding in findings]}, render)
    if not good:
        raise typer.Exit(REFUSED)
