"""`linkage connector diff`: what a folder, or a registration that waits, changes of what is registered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.catalogue import Change, differences
from gateway.cli.connection import Remote, remote
from gateway.cli.connector_folders import read_registration
from gateway.cli.connectors import Endpoints, Schemas, endpoints_of
from gateway.cli.failures import Refused, WrongUse
from gateway.client import Problem

Json = Mapping[str, Any]
_COLUMNS = (
    ("กระทบ", "breaks"),
    ("บริการ", "service"),
    ("รายการ", "field"),
    ("เปลี่ยนอะไร", "what"),
    ("ข้อตกลง", "agreements"),
)
_CONCERNED = ("active", "suspended", "proposed")


@remote
def diff(
    remote: Remote,
    target: Annotated[str, typer.Argument(metavar="FOLDER", help="The agency's folder; with --pending its id.")],
    pending: Annotated[bool, typer.Option("--pending", help="Compare what waits for approval instead.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where a change breaks consumers.")] = False,
    endpoint: Endpoints = None,
    schemas: Schemas = None,
) -> None:
    """เทียบกับที่ลงทะเบียนไว้ / What it changes of what is registered, and which agreements each change breaks."""
    if pending:
        agency = target
        record = _record(remote, agency)
        new = (record.get("pending") or {}).get("registration")
        if new is None:
            raise Refused("ไม่มีการลงทะเบียนที่รออนุมัติ", "no registration of this agency waits for approval")
    else:
        if not Path(target).is_dir():
            raise WrongUse("ไม่พบโฟลเดอร์นี้", f"there is no folder {target}; with --pending, name an agency")
        registration = read_registration(Path(target), *endpoints_of(endpoint or []), schemas)
        agency, new = registration.agency, registration.as_json()
        record = _record(remote, agency)
    changes = differences(record.get("registration"), new)
    agreements = remote.gateway.register("agreement")
    rows = [_row(change, agreements) for change in changes]
    body = {
        "agency": agency,
        "registered": record.get("digest"),
        "breaking": any(change.breaks for change in changes),
        "changes": rows,
    }

    def render() -> None:
        if not rows:
            remote.screen.say("ไม่มีอะไรเปลี่ยน", "nothing changes")
            return
        remote.screen.table(
            _COLUMNS,
            [
                (row["breaks"], row["service"], row["field"], f"{row['th']} / {row['en']}", row["agreements"])
                for row in rows
            ],
        )

    remote.screen.show(body, render)
    if strict and body["breaking"]:
        raise typer.Exit(1)


def _record(remote: Remote, agency: str) -> Json:
    """The agency's connector as registered; empty where there is none."""
    try:
        return remote.gateway.record("connector", agency)
    except Problem as problem:
        if problem.code != "not_found":
            raise
        return {}


def _row(change: Change, agreements: Iterable[Json]) -> dict[str, Any]:
    return {
        "service": change.service,
        "field": change.field,
        "code": change.code,
        "breaks": change.breaks,
        "en": change.en,
        "th": change.th,
        "agreements": sorted(_concerned(change, agreements)) if change.breaks else [],
    }


def _concerned(change: Change, agreements: Iterable[Json]) -> set[str]:
    """The agreements, not ended, of which a term rests on what changes."""
    return {
        str(agreement["id"])
        for agreement in agreements
        if agreement.get("status") in _CONCERNED
        and agreement.get("service") == change.service
        and (not change.field or any(change.field in term["fields"] for term in agreement["terms"]))
    }
