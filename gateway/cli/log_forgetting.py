"""`linkage log forget`: one administrator proposes that months of the log are forgotten, another approves."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.acts import perform
from gateway.cli.connection import Remote, remote
from gateway.cli.failures import WrongUse


@remote
def forget(
    remote: Remote,
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="This month and every month before it.")],
    reason: Annotated[str | None, typer.Option(help="Why; with it the forgetting is proposed.")] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Approve what another administrator proposed.")] = False,
) -> None:
    """ลบกุญแจของเดือนที่พ้นระยะเก็บรักษา / Forgets what the log held of months past their retention, in backups too.

    Their entries, and every proof that these are in the log, stay; what they held, nobody can read any more.
    """
    if approve == (reason is not None):
        raise WrongUse("เสนอด้วย --reason หรืออนุมัติด้วย --approve", "propose with --reason, or approve with --approve")
    if approve:
        perform(remote, "log.forget.approve", {"month": month})
    else:
        perform(remote, "log.forget.propose", {"month": month, "reason": reason})
