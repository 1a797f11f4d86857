"""`linkage log open`: an exchange that is withheld from its person is told them before its time, by two people."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.acts import perform
from gateway.cli.connection import Remote, remote
from gateway.cli.failures import WrongUse


@remote
def open_exchange(
    remote: Remote,
    exchange: Annotated[str, typer.Option(metavar="ID", help="The exchange.")],
    reason: Annotated[str | None, typer.Option(help="Why; with it the opening is proposed.")] = None,
    approve: Annotated[bool, typer.Option("--approve", help="Approve what someone else proposed.")] = False,
) -> None:
    """เปิดเผยรายการต่อเจ้าของข้อมูลก่อนกำหนด / Opens an exchange, withheld from the person it is about, before its time.

    Within seconds of the approval it counts, and the person's report has it.
    """
    if approve == (reason is not None):
        raise WrongUse("เสนอด้วย --reason หรืออนุมัติด้วย --approve", "propose with --reason, or approve with --approve")
    if approve:
        perform(remote, "opening.approve", {"exchange": exchange})
    else:
        perform(remote, "opening.propose", {"exchange": exchange, "reason": reason})
