"""`linkage demo`: the whole gateway on one machine, with made-up agencies and people.

Sandbox agencies and the gateway run as processes of their own, on loopback; everything is registered through the
`linkage` commands, each signed by the one who gives it. What is shown, and in which order, stands in `demo/`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

Command = Callable[[Sequence[str]], int]
"""The `linkage` command line: arguments in, exit code out; it prints on standard output and error."""


def run(
    command: Command,
    *,
    once: bool = False,
    port: int | None = None,
    state_dir: Path | None = None,
    as_json: bool = False,
) -> int:
    """Runs the demonstration and returns its exit code: 0 done, 1 where it could not start or a step went wrong.

    `once`: ends after the walk-through, else serves until Ctrl-C. `port`: the gateway's, 8440 or a free one unless
    given. `state_dir`: `demo-state` here unless given. `as_json`: standard output gets one JSON object once the
    walk-through is done, the telling goes to standard error.
    """
    from gateway.demo.performance import perform

    return perform(command, once=once, port=port, state_dir=state_dir, as_json=as_json)
