"""Writing pages that are to be printed and filed."""

from __future__ import annotations

from pathlib import Path

from gateway.cli.failures import Refused
from gateway.cli.output import Screen


def write_page(screen: Screen, path: Path, html: str) -> None:
    """Writes a page to a new file; one that is there already stays as it is."""
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(html)
    except FileExistsError:
        raise Refused(f"มีไฟล์ {path} อยู่แล้ว", f"there is a file {path} already") from None
    screen.say(f"เขียนไฟล์ {path} แล้ว", f"{path} written")
