"""Every command and where it is: `linkage` loads the module of the one that runs, and of all only for its help.

A command's module may load what a person's desk needs, which a gateway that serves does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

_COMMANDS = {
    "init": "local:init",
    "serve": "local:serve",
    "backup": "backups:backup",
    "restore": "backups:restore",
    "doctor": "local:doctor",
    "demo": "local:demo",
    "apply": "onboarding:apply",
    "exchange": "questions:exchange",
    "notices": "notices:notices",
    "db": "local:database",
    "keys": "key_files:app",
    "agency": "registers:agency",
    "group": "registers:group",
    "client": "registers:client",
    "officer": "registers:officer",
    "operator": "registers:operator",
    "purpose": "registers:purpose",
    "connector": "connectors:app",
    "service": "services:app",
    "agreement": "agreements:app",
    "policy": "policies:app",
    "consent": "consents:app",
    "report": "reports:app",
    "rights": "rights:app",
    "log": "log:app",
    "proof": "verification:proof",
    "witness": "witness:app",
}
"""name: module of `gateway.cli`, and what in it is the command or the group of commands. In the help's order."""

_MORE = {
    "keys": {"rotate": "gateway_keys:rotate"},
    "connector": {
        "list": "connector_health:list_all",
        "probe": "connector_probe:probe",
        "diff": "connector_changes:diff",
        "outage": "outages:app",
    },
    "agreement": {
        "narrow": "agreement_papers:narrow",
        "expiring": "agreement_papers:expiring",
        "from-template": "agreement_template:from_template",
        "render": "agreement_papers:render",
    },
    "report": {"verify": "verification:verify_report"},
    "log": {
        "export": "log_export:export",
        "cases": "log_export:cases",
        "summary": "log_summary:summary",
        "reconcile": "log_reconcile:reconcile",
        "verify": "verification:verify_log",
        "archive": "log_archiving:archive",
        "forget": "log_forgetting:forget",
        "open": "log_opening:open_exchange",
    },
}
"""What a group has besides the commands of its own module: name of the group: as above."""


class _Commands(Mapping[str, Any]):
    """The commands by name, each loaded when it is looked up."""

    def __getitem__(self, name: str) -> Any:
        return _loaded(name, _COMMANDS[name])

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


def linkage() -> TyperGroup:
    """The command line as a whole."""
    commands: Any = _Commands()  # the group only looks things up in it
    return TyperGroup(
        name="linkage",
        commands=commands,
        help="เกตเวย์แลกเปลี่ยนข้อมูลภาครัฐ / The government data-exchange gateway",
        no_args_is_help=True,
        rich_markup_mode=None,
    )


@cache
def _loaded(name: str, where: str) -> Any:
    """The parser's form of a command, or of a group with all that is in it."""
    module, _, attribute = where.partition(":")
    found = getattr(import_module(f"gateway.cli.{module}"), attribute)
    holder = typer.Typer(add_completion=False, rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        holder.command(name)(found)
    command: Any = get_group(holder).commands[name]
    for each, place in _MORE.get(name, {}).items():
        command.add_command(_loaded(each, place), each)
    return command
