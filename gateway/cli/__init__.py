"""`linkage`: the command line, for administrators, data owners and auditors at their own desks.

Commands on the registers and the log are clients of the HTTP API and sign with the operator's own key; only `init`,
`serve`, `db`, `backup`, `restore`, `doctor` and `demo` touch the machine itself. `--json` on every command; exit codes:
0 done, 1 refused or failed, 2 wrong use.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import typer
from typer.main import get_command

from gateway.cli import (
    agreement_papers,
    agreement_template,
    agreements,
    backups,
    connector_changes,
    connector_health,
    connector_probe,
    connectors,
    consents,
    gateway_keys,
    key_files,
    local,
    log,
    log_archiving,
    log_export,
    log_forgetting,
    log_opening,
    log_reconcile,
    log_summary,
    notices,
    onboarding,
    outages,
    policies,
    questions,
    registers,
    reports,
    rights,
    services,
    verification,
    witness,
)
from gateway.cli.failures import REFUSED, told
from gateway.cli.output import Screen

app = typer.Typer(
    name="linkage",
    help="เกตเวย์แลกเปลี่ยนข้อมูลภาครัฐ / The government data-exchange gateway",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.command()(local.init)
app.add_typer(local.database, name="db")
app.command()(local.serve)
app.command()(backups.backup)
app.command()(backups.restore)
app.command()(local.doctor)
app.command()(local.demo)
app.command("apply")(onboarding.apply)
app.command("exchange")(questions.exchange)
key_files.app.command("rotate")(gateway_keys.rotate)
app.add_typer(key_files.app, name="keys")
for _name in ("agency", "group", "client", "officer", "operator", "purpose"):
    app.add_typer(getattr(registers, _name), name=_name)
connectors.app.add_typer(outages.app, name="outage")
connectors.app.command("list")(connector_health.list_all)
connectors.app.command("probe")(connector_probe.probe)
connectors.app.command("diff")(connector_changes.diff)
app.add_typer(connectors.app, name="connector")
app.add_typer(services.app, name="service")
for _name in ("narrow", "expiring", "render"):
    agreements.app.command(_name)(getattr(agreement_papers, _name))
agreements.app.command("from-template")(agreement_template.from_template)
app.add_typer(agreements.app, name="agreement")
app.add_typer(policies.app, name="policy")
log.app.command("export")(log_export.export)
log.app.command("cases")(log_export.cases)
log.app.command("summary")(log_summary.summary)
log.app.command("reconcile")(log_reconcile.reconcile)
log.app.command("verify")(verification.verify_log)
log.app.command("archive")(log_archiving.archive)
log.app.command("forget")(log_forgetting.forget)
log.app.command("open")(log_opening.open_exchange)
app.add_typer(consents.app, name="consent")
reports.app.command("verify")(verification.verify_report)
app.add_typer(reports.app, name="report")
app.add_typer(rights.app, name="rights")
app.add_typer(log.app, name="log")
app.command("notices")(notices.notices)
app.add_typer(verification.proof, name="proof")
app.add_typer(witness.app, name="witness")


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; prints everything itself."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    screen = Screen(as_json="--json" in arguments)
    try:
        code = get_command(app).main(arguments, prog_name="linkage", standalone_mode=False)
    except typer.TyperException as error:
        # The parser's messages quote what was typed: the long numbers in it are left out by `failure`.
        message = error.format_message()
        thai = "เรียกคำสั่งไม่ถูกต้อง ดูวิธีใช้ด้วย --help"
        screen.failure({"code": "wrong_use", "title": message, "title_th": thai}, [thai, f"{message} (see --help)"])
        return error.exit_code
    except typer.Abort:
        screen.failure({"code": "aborted", "title": "aborted", "title_th": "ยกเลิก"}, ["ยกเลิก / aborted"])
        return REFUSED
    except KeyboardInterrupt:
        return REFUSED
    except BrokenPipeError:
        sys.stdout = None  # whoever read it has gone; nothing is left to flush
        return REFUSED
    except Exception as error:
        screen.failure(*told(error))
        return REFUSED
    return code if isinstance(code, int) else 0


def main() -> None:
    """The `linkage` command."""
    raise SystemExit(run())
