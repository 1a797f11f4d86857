"""The processes of a demonstration: started quietly, ended with it, whatever ends it."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from gateway.demo.ground import HOST, CannotStart

START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without the settings and secrets of any other gateway, and with `more`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LINKAGE_", "SOURCE_"))}
    return {**kept, "PYTHONUNBUFFERED": "1", **more}


def end_with(parent: int) -> None:
    """In a child: ends it as SIGTERM does once `parent` is no longer its parent, even where that was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent-watch").start()


class Child:
    """One Python process. What it prints goes to `log`, except standard output where it is to be `heard`."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        home: Path,
        log: Path,
        heard: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(  # noqa: S603
                [sys.executable, *arguments],
                cwd=home,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if heard else output,
                stderr=output,
                start_new_session=True,  # so that Ctrl-C comes to us alone, and we end the others in order
            )

    def ended(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def stop(self) -> None:
        """SIGTERM, and SIGKILL where that does not help."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def failed(self) -> CannotStart:
        """That it did not start, with where to look."""
        return CannotStart(
            f"เริ่ม {self.name} ไม่สำเร็จ ดูรายละเอียดใน {self.log}", f"{self.name} did not start: see {self.log}"
        )

    def first_line(self) -> bytes:
        """The first line it prints on standard output, or CannotStart."""
        if self.process.stdout is None:
            raise self.failed()
        descriptor, line = self.process.stdout.fileno(), b""
        deadline = time.monotonic() + START_SECONDS
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise self.failed()
                read = os.read(descriptor, 4096)
                if not read:
                    raise self.failed()
                line += read
        return line


class SandboxAgency:
    """A sandbox agency that can be stopped and started again at the same address."""

    def __init__(self, agency: str, environment: Mapping[str, str], home: Path, state: Path, log: Path) -> None:
        self.agency = agency
        self.port = 0
        self.url = ""
        """Where it answers, once it does: an address, or a database."""
        self._environment, self._home, self._state, self._log = environment, home, state, log
        self._child: Child | None = None

    def start(self) -> None:
        """Begins to start it; `wait` tells when it is there."""
        arguments = ["-m", f"connectors.{self.agency}.sandbox", "--port", str(self.port), "--state", str(self._state)]
        name = f"sandbox {self.agency}"
        self._child = Child(name, arguments, self._environment, home=self._home, log=self._log, heard=True)

    def wait(self) -> None:
        """Until it listens. Raises CannotStart."""
        if self._child is None:
            raise RuntimeError("not started")
        try:
            ready = json.loads(self._child.first_line())
            self.port = int(ready.get("port", 0))
            self.url = str(ready.get("url") or f"http://{HOST}:{self.port}")
        except (ValueError, AttributeError, TypeError):
            raise self._child.failed() from None

    def stop(self) -> None:
        """Ends the process."""
        if self._child is not None:
            self._child.stop()
            self._child = None


def end_with_us(parent: int) -> str:
    """Python that runs a `linkage` command which ends when `parent` does."""
    return f"from gateway.demo.processes import end_with; end_with({parent}); from gateway.cli import main; main()"


def start_gateway(environment: Mapping[str, str], home: Path, log: Path) -> Child:
    """`linkage serve` as a process; its settings are in the environment."""
    return Child("linkage serve", ["-c", end_with_us(os.getpid()), "serve"], environment, home=home, log=log)


def wait_ready(gateway: Child, url: str) -> None:
    """Until the gateway answers /readyz with 200. Raises CannotStart."""
    deadline = time.monotonic() + START_SECONDS
    with httpx.Client(trust_env=False, timeout=5) as client:
        while time.monotonic() < deadline and not gateway.ended():
            try:
                if client.get(f"{url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
    raise gateway.failed()
