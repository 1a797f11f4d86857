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

from gateway.cli.commands import linkage
from gateway.cli.failures import REFUSED, told
from gateway.cli.output import Screen


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code; prints everything itself."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    screen = Screen(as_json="--json" in arguments)
    try:
        code = linkage().main(arguments, prog_name="linkage", standalone_mode=False)
    except typer.TyperException as error:
        # The parser's messages quote what was typed: the long numbers in it are left out by `failure`.
        message = error.format_message().replace(" Value error, ", " ")
        thai = "เรียกคำสั่งไม่ถูกต้อง ดูวิธีใช้ด้วย --help"
        # A group named alone: its message is its whole help already.
        lines = [message] if type(error).__name__ == "NoArgsIsHelpError" else [thai, f"{message} (see --help)"]
        screen.failure({"code": "wrong_use", "title": message, "title_th": thai}, lines)
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
