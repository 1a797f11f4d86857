"""`linkage log archive`: the log's older part moved from the database into a folder, once it is proved whole there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.connection import local
from gateway.cli.failures import Refused, WrongUse
from gateway.cli.local import StateDir, read_settings
from gateway.cli.output import Screen


@local
def archive(
    screen: Screen,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder; the same as LINKAGE_LOG_ARCHIVE.")],
    through: Annotated[str, typer.Option(metavar="YYYY-MM", help="What is of this month and of months before.")],
    state_dir: StateDir = None,
) -> None:
    """ย้ายบันทึกส่วนเก่าออกจากฐานข้อมูล / Moves whole tiles and sealed bundles into a folder, and proves that none is lost.

    With SQLite the gateway is stopped meanwhile; on PostgreSQL it may go on.
    """
    from gateway.archiving import archive as move
    from gateway.exchangelog.archive import BadArchive
    from gateway.exchangelog.vault import Vault
    from gateway.keys import Keys
    from gateway.store import AlreadyInUse, Connection, Store
    from gateway.verification.database import key_in_use

    if re.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])", through) is None:
        raise WrongUse("ระบุเดือนเป็น ค.ศ. เช่น 2026-11", "--through takes a month of the common era, YYYY-MM")
    settings = read_settings(state_dir=state_dir)
    if settings.log_archive is None or settings.log_archive.resolve() != folder.resolve():
        raise Refused(
            f"ตั้ง LINKAGE_LOG_ARCHIVE={folder} ให้เกตเวย์ก่อน เพื่อให้อ่านส่วนที่ย้ายไปได้",
            f"set LINKAGE_LOG_ARCHIVE={folder} for the gateway first, so that it finds what is moved there",
        )
    keys = Keys.load(settings.keys)
    try:
        store = Store(settings.database)  # takes the lock of an embedded database
    except AlreadyInUse as error:
        raise Refused("ฐานข้อมูลนี้มีเกตเวย์ใช้งานอยู่ หยุดเกตเวย์ก่อน", f"{error}: stop it first") from None
    connection = Connection(settings.database)
    try:
        key = key_in_use(connection, settings.origin, keys)
        done = move(connection, folder, key, Vault(keys.master, folder), through)
    except BadArchive as error:
        raise Refused("ย้ายไม่ได้ เพราะพิสูจน์ความครบถ้วนไม่ผ่าน", str(error)) from None
    finally:
        connection.close()
        store.close()
    body = {"entries": done.entries, "moved": done.moved, "bytes": done.size, "folder": str(folder)}
    screen.show(
        body,
        lambda: screen.say(
            f"ย้าย {done.moved} รายการ ({done.size} ไบต์) ในคลังมี {done.entries} รายการ",
            f"{done.moved} entries ({done.size} bytes) moved; the archive has {done.entries}",
        ),
    )
