"""What a search of the log is asked for: the options that `log search` and `log export` share, and some others use."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Concatenate, ParamSpec, get_type_hints

import typer

from gateway.cli.acts import is_buddhist
from gateway.cli.connection import Remote
from gateway.cli.failures import WrongUse
from gateway.cli.questions import read_identifier

P = ParamSpec("P")
Text = str | None
Since = Annotated[Text, typer.Option("--from", help="From this time on (RFC 3339).")]
Until = Annotated[Text, typer.Option("--to", help="Until this time (RFC 3339), excluded.")]
Consumer = Annotated[Text, typer.Option(help="หน่วยงานผู้ใช้ข้อมูล")]
Source = Annotated[Text, typer.Option(help="หน่วยงานเจ้าของข้อมูล")]
Service = Annotated[Text, typer.Option(help="บริการข้อมูล")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The options of a search, as they were given: a field is an option."""

    since: Since = None
    until: Until = None
    consumer: Consumer = None
    source: Source = None
    client: Annotated[Text, typer.Option(help="ระบบ")] = None
    officer: Annotated[Text, typer.Option(help="รหัสเจ้าหน้าที่")] = None
    service: Service = None
    purpose: Annotated[Text, typer.Option(help="วัตถุประสงค์การใช้ข้อมูล")] = None
    case_reference: Annotated[Text, typer.Option(help="เลขที่เรื่องของหน่วยงานผู้ใช้ข้อมูล")] = None
    outcome: Annotated[Text, typer.Option(help="released, refused, failed, withheld, interrupted …")] = None
    reason_code: Annotated[
        Text, typer.Option(help="Why nothing was released: consent_withdrawn, quota_exceeded, agency_timeout …")
    ] = None
    agreement: Annotated[Text, typer.Option(help="ข้อตกลง")] = None
    citizen: Annotated[
        bool, typer.Option("--citizen", help="Of one citizen: the ID is read from standard input; needs --reason.")
    ] = False
    reason: Annotated[Text, typer.Option(help="Why you search for a citizen; it is recorded.")] = None

    def criteria(self) -> dict[str, Any]:
        """What is sent, the citizen ID read from standard input where one is wanted. WrongUse."""
        if self.citizen and not self.reason:
            raise WrongUse("การค้นด้วยเลขประจำตัวประชาชนต้องระบุ --reason", "a search by citizen needs --reason")
        check_years(self.since, self.until)
        given = {name: value for name, value in asdict(self).items() if name != "citizen"}
        return {**given, "citizen_id": read_identifier() if self.citizen else None}


def asking(command: Callable[Concatenate[Remote, Asked, P], None]) -> Callable[..., None]:
    """A command that is given what it is asked for, for `@remote`: the options of `Asked` come before its own."""
    remote, _, *own = inspect.signature(command, eval_str=True).parameters.values()
    annotations = get_type_hints(Asked, include_extras=True)
    options = [
        inspect.Parameter(each.name, remote.kind, annotation=annotations[each.name], default=each.default)
        for each in fields(Asked)
    ]

    @functools.wraps(command)
    def wrapped(remote: Remote, **given: Any) -> None:
        asked = Asked(**{each.name: given.pop(each.name) for each in options})
        command(remote, asked, **given)  # type: ignore[call-arg]

    wrapped.__signature__ = inspect.Signature([remote, *options, *own])  # type: ignore[attr-defined]
    return wrapped


def check_years(*moments: Text) -> None:
    """WrongUse where a time is meant in the Buddhist era."""
    if any(moment is not None and is_buddhist(moment) for moment in moments):
        raise WrongUse("ระบุปีเป็นคริสต์ศักราช", "--from and --to take years of the common era, 543 less")
