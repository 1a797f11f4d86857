"""`linkage agency|group|client|officer|operator|purpose`: the registers, each change signed with your own key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.cli.acts import given, perform
from gateway.cli.connection import Remote, remote
from gateway.cli.failures import WrongUse
from gateway.cli.key_files import read_public
from gateway.cli.register_views import show_list, show_record

Id = Annotated[str, typer.Argument(metavar="ID")]
TitleTh = Annotated[str, typer.Option(help="ชื่อภาษาไทย / The title in Thai.")]
TitleEn = Annotated[str, typer.Option(help="The title in English.")]
Reason = Annotated[str | None, typer.Option(help="Why; it is recorded.")]
PublicKeys = Annotated[
    list[Path], typer.Option("--public-key", help="A public JWK file (of a private one, the public half is taken).")
]
PublicKey = Annotated[Path, typer.Option("--public-key", help="A public JWK file.")]
AgencyOption = Annotated[str, typer.Option("--agency", help="The agency's id.")]


def register_app(kind: str, help: str, *, suspendable: bool = True, listed: bool = True) -> typer.Typer:
    """The commands that every register has: list and show, and suspend and resume where it knows them.

    `listed` False: it has a list of its own.
    """
    app = typer.Typer(help=help, no_args_is_help=True)

    if listed:

        @app.command("list")
        @remote
        def list_all(remote: Remote) -> None:
            """แสดงทุกรายการ / Shows all."""
            show_list(remote.screen, kind, remote.gateway.register(kind))

    @app.command("show")
    @remote
    def show(remote: Remote, id: Id) -> None:
        """แสดงหนึ่งรายการ / Shows one."""
        show_record(remote.screen, kind, remote.gateway.record(kind, id))

    if suspendable:
        name = "code" if kind == "purpose" else "id"

        @app.command("suspend")
        @remote
        def suspend(remote: Remote, id: Id, reason: Reason = None) -> None:
            """ระงับ / Suspends: it no longer counts, from now on."""
            perform(remote, f"{kind}.suspend", {name: id, **given(reason=reason)})

        @app.command("resume")
        @remote
        def resume(remote: Remote, id: Id, reason: Reason = None) -> None:
            """ยกเลิกการระงับ / Lifts a suspension."""
            perform(remote, f"{kind}.resume", {name: id, **given(reason=reason)})

    return app


def _add_key_commands(app: typer.Typer, kind: str) -> None:
    @app.command("key-add")
    @remote
    def key_add(remote: Remote, id: Id, public_key: PublicKey) -> None:
        """เพิ่มกุญแจ / Adds a key; the keys before it go on holding."""
        perform(remote, f"{kind}.key.add", {"id": id, "key": read_public(public_key)})

    @app.command("key-revoke")
    @remote
    def key_revoke(remote: Remote, id: Id, kid: Annotated[str, typer.Argument(metavar="KID")]) -> None:
        """เพิกถอนกุญแจ / Revokes a key by its kid, and the tokens obtained with it."""
        perform(remote, f"{kind}.key.revoke", {"id": id, "kid": kid})


agency = register_app("agency", "หน่วยงานของรัฐ / Agencies")
group = register_app("group", "กลุ่มหน่วยงาน / Groups of agencies", suspendable=False)
client = register_app("client", "ระบบของหน่วยงานผู้ใช้ข้อมูล / Clients: the consumers' systems")
officer = register_app("officer", "เจ้าหน้าที่ของหน่วยงานผู้ใช้ข้อมูล / Officers of the consumers", suspendable=False)
operator = register_app("operator", "ผู้ปฏิบัติงาน / Operators")
purpose = register_app("purpose", "วัตถุประสงค์การใช้ข้อมูล / Purposes")
_add_key_commands(client, "client")
_add_key_commands(operator, "operator")


@agency.command("add")
@remote
def agency_add(
    remote: Remote,
    id: Id,
    title_th: TitleTh,
    title_en: TitleEn,
    contact: Annotated[str | None, typer.Option(help="Whom to ask, shown in refusals.")] = None,
) -> None:
    """ลงทะเบียนหน่วยงาน / Registers an agency."""
    perform(remote, "agency.add", {"id": id, "title": {"th": title_th, "en": title_en}, **given(contact=contact)})


@group.command("add")
@remote
def group_add(
    remote: Remote,
    id: Id,
    title_th: TitleTh,
    title_en: TitleEn,
    member: Annotated[list[str] | None, typer.Option(help="An agency's id; may be repeated.")] = None,
) -> None:
    """ลงทะเบียนกลุ่มหน่วยงาน / Registers a group of agencies."""
    body = {"id": id, "title": {"th": title_th, "en": title_en}, "members": list(member or [])}
    perform(remote, "group.add", body)


@group.command("join")
@remote
def group_join(remote: Remote, id: Id, agency: Annotated[str, typer.Argument(metavar="AGENCY")]) -> None:
    """เพิ่มหน่วยงานเข้ากลุ่ม / Lets an agency join: the group's agreements are then its own too."""
    perform(remote, "group.join", {"id": id, "agency": agency})


@group.command("leave")
@remote
def group_leave(remote: Remote, id: Id, agency: Annotated[str, typer.Argument(metavar="AGENCY")]) -> None:
    """นำหน่วยงานออกจากกลุ่ม / Takes an agency out of the group."""
    perform(remote, "group.leave", {"id": id, "agency": agency})


@client.command("add")
@remote
def client_add(
    remote: Remote,
    id: Id,
    agency: AgencyOption,
    title_th: TitleTh,
    title_en: TitleEn,
    public_key: PublicKeys,
    scope: Annotated[list[str] | None, typer.Option(help="exchange (the default) or consent; may be repeated.")] = None,
    network: Annotated[
        list[str] | None, typer.Option(help="A CIDR block it may call from (any, unless given); may be repeated.")
    ] = None,
    clearance: Annotated[int | None, typer.Option(help="The classification it may see: 1 to 3.")] = None,
    cross_border: Annotated[bool, typer.Option("--cross-border", help="It runs outside Thailand (PDPA s.28).")] = False,
    token_binding: Annotated[
        Literal["dpop", "mtls", "any"] | None,
        typer.Option(help="What its tokens must be bound to: a key (dpop), its certificate (mtls), or any of the two."),
    ] = None,
) -> None:
    """ลงทะเบียนระบบ / Registers a client with its public keys."""
    body = {
        "id": id,
        "agency": agency,
        "title": {"th": title_th, "en": title_en},
        "keys": [read_public(path) for path in public_key],
        **given(scopes=scope, networks=network, clearance=clearance, cross_border=cross_border or None),
        **given(token_binding=token_binding),
    }
    perform(remote, "client.add", body)


@client.command("binding")
@remote
def client_binding(
    remote: Remote,
    id: Id,
    to: Annotated[Literal["dpop", "mtls", "any", "none"], typer.Argument(help="As in `client add --token-binding`.")],
    reason: Reason = None,
) -> None:
    """กำหนดให้โทเคนต้องผูกกับกุญแจหรือใบรับรอง / Says what a client's tokens must be bound to, from now on."""
    bound = None if to == "none" else to
    perform(remote, "client.binding", {"id": id, "token_binding": bound, **given(reason=reason)})


@officer.command("add")
@remote
def officer_add(
    remote: Remote,
    client: Annotated[str, typer.Argument(metavar="CLIENT")],
    code: Annotated[str, typer.Argument(metavar="CODE")],
) -> None:
    """ลงทะเบียนเจ้าหน้าที่ด้วยรหัสพนักงาน / Enrols an officer by staff code, never by a citizen ID."""
    perform(remote, "officer.add", {"client": client, "code": code})


@officer.command("suspend")
@remote
def officer_suspend(remote: Remote, id: Id, reason: Reason = None) -> None:
    """ระงับ / Suspends an officer (ID is CLIENT:CODE)."""
    perform(remote, "officer.suspend", {**_officer(id), **given(reason=reason)})


@officer.command("resume")
@remote
def officer_resume(remote: Remote, id: Id, reason: Reason = None) -> None:
    """ยกเลิกการระงับ / Lifts an officer's suspension (ID is CLIENT:CODE)."""
    perform(remote, "officer.resume", {**_officer(id), **given(reason=reason)})


@operator.command("add")
@remote
def operator_add(
    remote: Remote,
    id: Id,
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[Literal["admin", "owner", "auditor", "dpo"], typer.Option(help="What the operator may do.")],
    public_key: PublicKeys,
    agency: Annotated[str | None, typer.Option(help="The agency that an owner acts for.")] = None,
) -> None:
    """ลงทะเบียนผู้ปฏิบัติงาน / Registers an operator with public keys."""
    keys = [read_public(path) for path in public_key]
    perform(remote, "operator.add", {"id": id, "name": name, "role": role, "keys": keys, **given(agency=agency)})


@operator.command("confirm")
@remote
def operator_confirm(remote: Remote, id: Id) -> None:
    """ยืนยันผู้ปฏิบัติงานที่ผู้อื่นลงทะเบียน / Confirms that an operator whom another enrolled is a person of their own."""
    perform(remote, "operator.confirm", {"id": id})


@purpose.command("add")
@remote
def purpose_add(
    remote: Remote,
    code: Annotated[str, typer.Argument(metavar="CODE")],
    title_th: TitleTh,
    title_en: TitleEn,
    authority_th: Annotated[str, typer.Option(help="ฐานอำนาจตามกฎหมาย / The legal authority, in Thai.")],
    authority_en: Annotated[str, typer.Option(help="The legal authority, in English.")],
    replaces: Annotated[
        list[str] | None,
        typer.Option(help='A paper document no longer asked for, as "THAI|ENGLISH"; may be repeated.'),
    ] = None,
) -> None:
    """ลงทะเบียนวัตถุประสงค์ / Registers a purpose."""
    body = {
        "code": code,
        "title": {"th": title_th, "en": title_en},
        "authority": {"th": authority_th, "en": authority_en},
        "replaces": [_both_languages(text) for text in replaces or []],
    }
    perform(remote, "purpose.add", body)


def _officer(id: str) -> dict[str, str]:
    client, separator, code = id.partition(":")
    if not separator:
        raise WrongUse("ระบุเจ้าหน้าที่เป็น CLIENT:CODE", "name the officer as CLIENT:CODE")
    return {"client": client, "code": code}


def _both_languages(text: str) -> dict[str, str]:
    thai, separator, english = (part.strip() for part in text.partition("|"))
    if not (thai and separator and english):
        raise WrongUse('ระบุ --replaces เป็น "ไทย|English"', '--replaces takes "THAI|ENGLISH"')
    return {"th": thai, "en": english}
