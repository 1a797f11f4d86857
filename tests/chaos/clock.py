"""A clock that a test moves under a running gateway.

`shifted(file)` runs in the gateway's process before anything of it is loaded. From then on what Python says of the
time of day (`time.time`, `time.time_ns`, `datetime.now`, `utcnow`, `today`) is off by the seconds that the file
holds, which another process changes at any moment. Moving the machine's own clock needs rights that tests have not,
and would hit everything else on it. What stays as it is: the monotonic clock, as on a machine whose clock is set; the
database's clock; and the clock of C libraries (OpenSSL's, when it looks at certificates).
"""

from __future__ import annotations

import datetime
import mmap
import struct
import time
from pathlib import Path
from typing import Any

_SECONDS = struct.Struct("=d")


class Clock:
    """The test's side: `move(seconds)` from the true time."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.move(0)

    def move(self, seconds: float) -> None:
        """Sets the gateway's clock so many seconds ahead, or back."""
        with self.file.open("r+b" if self.file.exists() else "wb") as held:
            held.write(_SECONDS.pack(seconds))


def shifted(file: str) -> None:
    """From now on this process's clock is off by what the file says."""
    with Path(file).open("rb") as held:
        view = mmap.mmap(held.fileno(), _SECONDS.size, access=mmap.ACCESS_READ)
    true_time, true_nanoseconds, real = time.time, time.time_ns, datetime.datetime

    def offset() -> float:
        return float(_SECONDS.unpack_from(view)[0])

    class Kind(type):
        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, real)

    class Shifted(real, metaclass=Kind):  # type: ignore[misc, valid-type]
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return real.fromtimestamp(true_time() + offset(), tz)

        @classmethod
        def utcnow(cls) -> datetime.datetime:
            return cls.now(datetime.UTC).replace(tzinfo=None)

        @classmethod
        def today(cls) -> datetime.datetime:
            return cls.now()

    time.time = lambda: true_time() + offset()
    time.time_ns = lambda: true_nanoseconds() + int(offset() * 1e9)
    datetime.datetime = Shifted  # type: ignore[misc]
