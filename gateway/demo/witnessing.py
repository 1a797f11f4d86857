"""The demonstration's witness: a process of its own with a key of its own, as another authority would run it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from joserfc.util import urlsafe_b64decode

from gateway.demo.desk import Desk
from gateway.demo.ground import HOST, Ground, port_for
from gateway.demo.processes import Child, end_with_us
from gateway.keys import read_key
from gateway.tlog.note import ED25519, VerifierKey
from gateway.witness.state import WitnessState

NAME: Final = "witness.example/demo"


@dataclass(frozen=True, slots=True)
class Witnessed:
    """The log's verifier key and its witness's, and where the witness is asked."""

    log: str
    witness: str
    url: str

    @property
    def settings(self) -> dict[str, str]:
        """What tells a gateway of the witness."""
        return {"LINKAGE_WITNESSES": f"{self.witness} {self.url}", "LINKAGE_WITNESSES_WANTED": "1"}


def start_witness(
    ground: Ground, desk: Desk, port: int, environment: Mapping[str, str], home: Path, stack: ExitStack
) -> Witnessed:
    """A witness that knows the log of the gateway on `port`, whose keys are made already. Raises CannotStart."""
    jwk = read_key(ground.gateway / "keys" / "log.jwk")
    log = VerifierKey(f"{HOST}:{port}/log", ED25519, urlsafe_b64decode(jwk["x"].encode()))
    own, _ = port_for(0)
    state = ["--state", str(ground.witness)]
    witness = str(WitnessState(ground.witness).signer(NAME).verifier)
    desk.local("witness", "add", str(log), *state)
    serve = end_with_us(os.getpid())
    arguments = ["-c", serve, "witness", "serve", *state, "--port", str(own)]
    child = Child("linkage witness serve", arguments, environment, home=home, log=ground.logs / "witness.log")
    stack.callback(child.stop)
    return Witnessed(str(log), witness, f"http://{HOST}:{own}")
