"""`linkage connector outage`: what a source announces beforehand, so that nobody takes it for "not found"."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.acts import given, perform
from gateway.cli.connection import Remote, remote
from gateway.cli.registers import TitleEn, TitleTh

app = typer.Typer(help="การแจ้งหยุดให้บริการ / Announced outages.", no_args_is_help=True)

Agency = Annotated[str, typer.Argument(metavar="AGENCY")]
Service = Annotated[str | None, typer.Option(help="This service only.")]
From = Annotated[str, typer.Option("--from", metavar="TIME", help="2026-12-05T18:00+07:00")]


@app.command("announce")
@remote
def announce(
    remote: Remote,
    agency: Agency,
    starts: From,
    ends: Annotated[str, typer.Option("--to", metavar="TIME", help="When it serves again.")],
    title_th: TitleTh,
    title_en: TitleEn,
    service: Service = None,
) -> None:
    """แจ้งหยุดให้บริการล่วงหน้า / Announces an outage: askers are told until when, and the source is left alone."""
    title = {"th": title_th, "en": title_en}
    body = {"agency": agency, **given(service=service), "from": starts, "to": ends, "title": title}
    perform(remote, "connector.outage", body)


@app.command("withdraw")
@remote
def withdraw(remote: Remote, agency: Agency, starts: From, service: Service = None) -> None:
    """ยกเลิกการแจ้งหยุดให้บริการ / Takes an announcement back: the source serves after all, or again."""
    perform(remote, "connector.outage.withdraw", {"agency": agency, **given(service=service), "from": starts})
