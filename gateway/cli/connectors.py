"""`linkage connector`: an agency's folder checked, registered, and approved by an owner who did not register it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.acts import given, perform
from gateway.cli.agreements import Yes, confirmed
from gateway.cli.connection import Remote, local, remote
from gateway.cli.connector_folders import read_registration
from gateway.cli.connector_new import KINDS, write_folder
from gateway.cli.failures import Refused, WrongUse
from gateway.cli.output import Screen
from gateway.cli.registers import Reason, register_app

app = register_app("connector", "ตัวเชื่อมต่อหน่วยงานเจ้าของข้อมูล / Connectors", suspendable=False, listed=False)

_AGENCY_ID = re.compile(r"(?=.{2,32}\Z)[a-z][a-z0-9]*(-[a-z0-9]+)*", re.ASCII)
"""What begins a service's id (`model.SERVICE_ID`), and names the variables of its secrets."""

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The agency's folder, with its agency.yaml.")]
Agency = Annotated[str, typer.Argument(metavar="AGENCY")]
Schemas = Annotated[
    Path | None, typer.Option(help="The folder of the services' schemas.", show_default="../../schemas of FOLDER")
]
Service = Annotated[str | None, typer.Option(help="This service only.")]
Endpoints = Annotated[
    list[str] | None,
    typer.Option(
        "--endpoint",
        metavar="[SERVICE=]URL",
        help="Where the source really is, of all or of one service; may be repeated.",
    ),
]


@app.command("new")
@local
def new(
    screen: Screen,
    agency: Agency,
    kind: Annotated[str, typer.Option(help="What the source speaks: rest, soap or sql.")],
    into: Annotated[Path, typer.Option(help="The folder that holds the agencies' folders.")] = Path("connectors"),
    schemas: Schemas = None,
) -> None:
    """สร้างโฟลเดอร์ของหน่วยงานใหม่ / Writes a new agency's folder, which passes its own checks."""
    if kind not in KINDS:
        raise WrongUse("--kind ต้องเป็น rest, soap หรือ sql", "--kind is rest, soap or sql")
    if _AGENCY_ID.fullmatch(agency) is None:
        raise WrongUse(
            "รหัสหน่วยงานมี 2 ถึง 32 ตัว เป็นอักษรอังกฤษตัวพิมพ์เล็ก ตัวเลข และขีดกลางเดี่ยวระหว่างตัว ขึ้นต้นด้วยอักษร",
            "an agency's id has 2 to 32 letters in lower case, digits, and single hyphens between them; a letter first",
        )
    folder = into / agency
    try:
        written = write_folder(agency, kind, folder, schemas or into.resolve().parent / "schemas")
    except OSError as error:
        raise Refused(f"เขียนไฟล์ไม่ได้: {error.filename or error}", f"not written: {error.filename or error}") from None
    registration = read_registration(folder, schemas=schemas)
    found = {"agency": agency, "files": [str(path) for path in written], "digest": registration.digest}

    def render() -> None:
        screen.say("เขียนไฟล์แล้ว โปรดแก้ไขให้ตรงกับหน่วยงาน", "written: now make it say what is true of the agency")
        screen.fields(found)

    screen.show(found, render)


@app.command("check")
@local
def check(screen: Screen, folder: Folder, schemas: Schemas = None) -> None:
    """ตรวจสอบโฟลเดอร์ของหน่วยงาน / Checks an agency's folder, without a gateway."""
    registration = read_registration(folder, schemas=schemas)
    found = {"agency": registration.agency, "services": list(registration.services), "digest": registration.digest}

    def render() -> None:
        screen.say("ผ่านการตรวจสอบ", "the folder is in order")
        screen.fields(found)

    screen.show(found, render)


@app.command("register")
@remote
def register(remote: Remote, folder: Folder, endpoint: Endpoints = None, schemas: Schemas = None) -> None:
    """ลงทะเบียน / Registers an agency's services; an owner of the agency then approves them."""
    registration = read_registration(folder, *endpoints_of(endpoint or []), schemas)
    perform(remote, "connector.register", {"registration": registration.as_json()})


@app.command("approve")
@remote
def approve(
    remote: Remote,
    agency: Agency,
    digest: Annotated[str | None, typer.Option(help="The registration that you have read, by its digest.")] = None,
    yes: Yes = False,
) -> None:
    """อนุมัติ / Approves a registration, as an owner of the agency who did not register it."""
    perform(remote, "connector.approve", {"agency": agency, "digest": digest or _read_first(remote, agency, yes)})


@app.command("disable")
@remote
def disable(remote: Remote, agency: Agency, service: Service = None, reason: Reason = None) -> None:
    """ปิดบริการ / Disables an agency's services, or one of them."""
    perform(remote, "connector.disable", {"agency": agency, **given(service=service, reason=reason)})


@app.command("enable")
@remote
def enable(remote: Remote, agency: Agency, service: Service = None, reason: Reason = None) -> None:
    """เปิดบริการ / Enables what was disabled."""
    perform(remote, "connector.enable", {"agency": agency, **given(service=service, reason=reason)})


def endpoints_of(options: list[str]) -> tuple[str | None, dict[str, str]]:
    """`URL` and `SERVICE=URL` options as (the endpoint of all, service -> its endpoint)."""
    every: str | None = None
    single: dict[str, str] = {}
    for option in options:
        name, separator, url = option.partition("=")
        if separator and "/" not in name and ":" not in name:
            single[name] = url
        else:
            every = option
    return every, single


def _read_first(remote: Remote, agency: str, yes: bool) -> str:
    """The digest of the registration that waits, once the operator has seen it and said yes."""
    record = remote.gateway.record("connector", agency)
    pending: Any = record.get("pending")
    if not isinstance(pending, dict) or not isinstance(pending.get("digest"), str):
        raise Refused("ไม่มีการลงทะเบียนที่รออนุมัติ", "no registration of this agency waits for approval")
    shown = {"id": agency, "pending": pending}
    confirmed(remote, "connector", shown, f"--digest {pending['digest']}", yes)
    return str(pending["digest"])
