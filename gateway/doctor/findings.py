"""What a check found: in order, worth knowing, or wrong; and how to mend it, in Thai and English."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of one check. `wrong` ends the command with 1; `note` does not. No secret and no value is in it."""

    check: str
    state: State
    thai: str
    english: str
    mend_thai: str = ""
    mend: str = ""

    def as_json(self) -> dict[str, str]:
        """As printed."""
        body = {"check": self.check, "state": self.state, "title_th": self.thai, "title": self.english}
        return {**body, "mend_th": self.mend_thai, "mend": self.mend} if self.mend else body


def ok(check: str, thai: str, english: str) -> Finding:
    """In order."""
    return Finding(check, "ok", thai, english)


def guarded(check: str, look: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """What `look` finds; where it fails itself, a finding that says with what kind of failure."""
    try:
        yield from look()
    except Exception as error:
        kind = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None) or type(error).__name__
        yield Finding(
            check,
            "wrong",
            f"ตรวจไม่ได้ ({kind})",
            f"this could not be looked at: {kind}",
            "แก้ไขข้อที่อยู่ก่อนหน้านี้ก่อน แล้วตรวจอีกครั้ง",
            "mend what stands before this first, then look again",
        )
