"""`linkage service`: what there is to ask, and a service's data dictionary as a page to read and to print."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.connection import Remote, remote
from gateway.cli.dictionary_page import dictionary_page
from gateway.cli.output import json_text
from gateway.cli.printed import write_page

app = typer.Typer(help="บริการข้อมูล / Services: what there is to ask", no_args_is_help=True)

ServiceId = Annotated[str, typer.Argument(metavar="SERVICE", help="The service's id, like dopa.person.v1.")]


@app.command("list")
@remote
def list_all(remote: Remote) -> None:
    """แสดงบริการข้อมูลทั้งหมด / Shows every service on offer."""
    services = sorted(remote.gateway.services(), key=lambda service: str(service["id"]))

    def render() -> None:
        remote.screen.table(
            [("รหัส", "id"), ("ชื่อ", "title"), ("ถามด้วย", "asks by"), ("ชั้นข้อมูล", "level"), ("รายการ", "fields")],
            [_row(service) for service in services],
        )

    remote.screen.show({"services": services}, render)


@app.command("doc")
@remote
def doc(
    remote: Remote,
    service: ServiceId,
    out: Annotated[Path | None, typer.Option(help="Write the page to this new file; else it is printed.")] = None,
) -> None:
    """พจนานุกรมข้อมูลของบริการ ไทยและอังกฤษ (HTML) / A service's data dictionary in Thai and English (HTML)."""
    entry, schema = remote.gateway.service(service), remote.gateway.schema(service)
    if remote.screen.as_json:
        remote.screen.raw(json_text({"service": entry, "schema": schema}) + "\n")
    if out is not None:
        write_page(remote.screen, out, dictionary_page(entry, schema))
    elif not remote.screen.as_json:
        remote.screen.raw(dictionary_page(entry, schema))


def _row(service: Mapping[str, Any]) -> tuple[Any, ...]:
    title = {"th": service["title_th"], "en": service["title"]}
    return (service["id"], title, service["identifier"], service["level"], len(service["fields"]))
