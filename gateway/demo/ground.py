"""Where a demonstration takes place: a folder of its own, a free port, and a message where there is none."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

USUAL_PORT: Final = 8440
HOST: Final = "127.0.0.1"
_MARK: Final = ".linkage-demo"
_OURS: Final = ("demo.json", "desk", "gateway", "logs", "sandbox", "witness")


class CannotStart(Exception):
    """The demonstration cannot begin, or cannot go on. Texts in Thai and English that say what would help."""

    def __init__(self, thai: str, english: str) -> None:
        super().__init__(english)
        self.thai = thai
        self.english = english


@dataclass(frozen=True, slots=True)
class Ground:
    """The demonstration's folder.

    `desk`: the files of the people who give commands; `gateway`: its state; `sandbox`: what the agencies hold.
    """

    folder: Path

    @property
    def desk(self) -> Path:
        """Where the commands' files and everyone's keys lie."""
        return self.folder / "desk"

    @property
    def gateway(self) -> Path:
        """The gateway's state directory."""
        return self.folder / "gateway"

    @property
    def sandbox(self) -> Path:
        """What the sandbox agencies hold."""
        return self.folder / "sandbox"

    @property
    def witness(self) -> Path:
        """The witness's own directory."""
        return self.folder / "witness"

    @property
    def logs(self) -> Path:
        """What the processes print."""
        return self.folder / "logs"

    @property
    def handed_out(self) -> Path:
        """What a script needs in order to go on from here."""
        return self.folder / "demo.json"


@contextmanager
def taken(state_dir: Path) -> Iterator[Ground]:
    """The folder, held by this process alone and emptied of an earlier demonstration. Raises CannotStart."""
    folder = state_dir.absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = not (folder / _MARK).exists()
        if fresh and any((folder / name).exists() for name in _OURS):
            raise CannotStart(
                f"โฟลเดอร์ {folder} มีไฟล์อื่นอยู่แล้ว โปรดระบุโฟลเดอร์ว่างด้วย --state-dir",
                f"{folder} holds files that are not a demonstration's: name an empty folder with --state-dir",
            )
        with (folder / _MARK).open("a+b") as mark:
            _hold(mark.fileno(), folder)
            for name in _OURS:
                _remove(folder / name)
            ground = Ground(folder)
            for made in (ground.desk, ground.sandbox, ground.logs):
                made.mkdir(mode=0o700)
            yield ground
    except OSError as error:
        if error.filename is None or not _within(str(error.filename), folder):
            raise
        raise CannotStart(
            f"เขียนในโฟลเดอร์ {folder} ไม่ได้ ({error.strerror}) โปรดระบุโฟลเดอร์ที่เขียนได้ด้วย --state-dir",
            f"{folder} cannot be written ({error.strerror}): name a folder that can with --state-dir",
        ) from None


def _hold(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise CannotStart(
            f"มีการสาธิตอื่นใช้โฟลเดอร์ {folder} อยู่ โปรดปิดก่อน หรือระบุโฟลเดอร์อื่นด้วย --state-dir",
            f"another demonstration is running in {folder}: end it, or name another folder with --state-dir",
        ) from None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _within(path: str, folder: Path) -> bool:
    return Path(path) == folder or folder in Path(path).parents or Path(path) in folder.parents


def port_for(wanted: int | None) -> tuple[int, bool]:
    """The port to serve on, and whether it is another than the usual one. Raises CannotStart.

    `wanted`: that one or none; 0 or None: one that is free, the usual one if it can be had.
    """
    if wanted is None:
        return (USUAL_PORT, False) if _refused(USUAL_PORT) is None else (_any_port(), True)
    if wanted == 0:
        return _any_port(), False
    if not 0 < wanted < 65536:
        raise CannotStart("หมายเลขพอร์ตต้องอยู่ระหว่าง 0 ถึง 65535", "a port is a number from 0 to 65535")
    refused = _refused(wanted)
    if refused is None:
        return wanted, False
    if refused == errno.EADDRINUSE:
        raise CannotStart(
            f"พอร์ต {wanted} มีโปรแกรมอื่นใช้อยู่ โปรดระบุพอร์ตอื่นด้วย --port หรือไม่ระบุเพื่อให้เลือกเอง",
            f"port {wanted} is in use by another program: name another with --port, or leave it out to have one chosen",
        )
    raise CannotStart(
        f"ใช้พอร์ต {wanted} ไม่ได้ ({os.strerror(refused)}) โปรดระบุพอร์ตอื่นด้วย --port",
        f"port {wanted} cannot be used ({os.strerror(refused)}): name another with --port",
    )


def _refused(port: int) -> int | None:
    """The system's error number for listening on this port, None where it lets us."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError as error:
            return error.errno or errno.EADDRINUSE
    return None


def _any_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
