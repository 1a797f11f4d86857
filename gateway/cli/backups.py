"""`linkage backup` and `linkage restore`: the database in a folder, and back, with its log proved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.connection import local
from gateway.cli.failures import REFUSED, Refused, WrongUse
from gateway.cli.local import StateDir, read_settings
from gateway.cli.output import Screen
from gateway.model import holds_citizen_id
from gateway.tlog.note import NoteError

if TYPE_CHECKING:
    from gateway.backup.manifest import Manifest
    from gateway.backup.restoring import Restored
    from gateway.backup.witnessed import Seen
    from gateway.settings import Settings

LONGEST_REASON = 500


@local
def backup(
    screen: Screen,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    archive_apart: Annotated[
        bool,
        typer.Option("--archive-apart", help="Of LINKAGE_LOG_ARCHIVE, digests only: its files are backed up apart."),
    ] = False,
    state_dir: StateDir = None,
) -> None:
    """สำรองฐานข้อมูลและบันทึกส่วนเก่า ไม่รวมกุญแจ / Backs up the database and the log's archive while the gateway serves.

    No key is in it: keep those apart.
    """
    from gateway.backup.manifest import BadBackup
    from gateway.backup.taking import take_backup

    settings = read_settings(state_dir=state_dir)
    try:
        manifest = take_backup(settings, folder, archive_apart=archive_apart)
    except BadBackup as bad:
        raise Refused("สำรองข้อมูลไม่ได้", f"no backup was made: {bad}") from None

    def render() -> None:
        screen.say(f"สำรองไว้ที่ {folder} แล้ว", f"backed up into {folder}")
        screen.line(f"{manifest.origin}: {manifest.size} รายการ / entries, {manifest.made_at}")
        if manifest.archive is not None and manifest.archive.held:
            screen.line(
                f"archive: {manifest.archive.entries} รายการ / entries, "
                f"{manifest.archive.files} ไฟล์ / files, {manifest.archive.bytes} ไบต์ / bytes"
            )
        elif manifest.archive is not None:
            screen.say(
                f"ไฟล์ใน {settings.log_archive} ไม่ได้อยู่ในนี้ มีเพียงค่าแฮชไว้ตรวจสอบ ให้สำรองโฟลเดอร์นั้นแยกไว้",
                f"the files of {settings.log_archive} are not in it, only their digests: back that folder up apart",
            )
        screen.say(
            f"กุญแจใน {settings.keys} ไม่ได้อยู่ในนี้ ให้สำรองแยกไว้ที่อื่น",
            f"the keys in {settings.keys} are not in it: keep a copy of them elsewhere",
        )

    screen.show({"folder": str(folder), **manifest.as_json()}, render)


@local
def restore(
    screen: Screen,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that `linkage backup` wrote.")],
    state_dir: StateDir = None,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(help="A file with a checkpoint that somebody kept, besides what LINKAGE_WITNESSES say."),
    ] = None,
    unwitnessed: Annotated[
        bool, typer.Option("--unwitnessed", help="Go on though nobody can say whether entries are lost.")
    ] = False,
    reason: Annotated[
        str, typer.Option(help="Why the log goes on under another name (LINKAGE_LOG_ORIGIN); on record.")
    ] = "",
) -> None:
    """กู้คืนฐานข้อมูลและพิสูจน์บันทึก / Fills an empty database from a backup; refuses a log that lost entries, or forked."""
    from gateway.backup.manifest import BadBackup
    from gateway.backup.restoring import Behind, NotEmpty, NotProved
    from gateway.backup.restoring import restore as fill
    from gateway.backup.taking import read_backup
    from gateway.store import AlreadyInUse

    settings = read_settings(state_dir=state_dir)
    try:
        manifest = read_backup(folder)
        _check_reason(settings, manifest, reason)
        seen = _gathered(settings, manifest, checkpoint or [], unwitnessed)
        restored = fill(settings, folder, seen, reason=reason)
    except BadBackup as bad:
        raise Refused("ใช้ข้อมูลสำรองนี้ไม่ได้", f"this backup cannot be used: {bad}") from None
    except NotEmpty as error:
        raise Refused("ฐานข้อมูลไม่ว่าง กู้คืนลงฐานข้อมูลใหม่เท่านั้น", str(error)) from None
    except AlreadyInUse as error:
        raise Refused("ฐานข้อมูลนี้มีเกตเวย์อื่นใช้งานอยู่", str(error)) from None
    except Behind as behind:
        _tell_behind(screen, behind.first, behind.last, behind.seen)
        raise typer.Exit(REFUSED) from None
    except NotProved as unproved:
        findings = [f"{finding.place}: {finding.what}" for finding in unproved.report.findings[:20]]
        raise Refused("บันทึกที่กู้คืนไม่ตรงกับที่เคยลงลายมือชื่อ", str(unproved), findings) from None
    _tell(screen, restored)


def _check_reason(settings: Settings, manifest: Manifest, reason: str) -> None:
    renamed = settings.origin != manifest.origin
    if renamed and not reason.strip():
        raise WrongUse(
            f"บันทึกเดิมชื่อ {manifest.origin} จะใช้ชื่อ {settings.origin} ต้องระบุเหตุผลด้วย --reason",
            f"the log was called {manifest.origin} and would go on as {settings.origin}: say why with --reason, or "
            "set LINKAGE_ISSUER as it was",
        )
    if reason and not renamed:
        raise WrongUse(
            "--reason ใช้เมื่อเปลี่ยนชื่อบันทึกด้วย LINKAGE_LOG_ORIGIN",
            "--reason goes with another name for the log: set LINKAGE_LOG_ORIGIN",
        )
    if len(reason) > LONGEST_REASON or holds_citizen_id(reason):
        raise WrongUse(
            f"เหตุผลยาวได้ไม่เกิน {LONGEST_REASON} ตัวอักษร และต้องไม่มีเลขประจำตัวประชาชน",
            f"--reason takes at most {LONGEST_REASON} characters, and no citizen ID",
        )


def _gathered(settings: Settings, manifest: Manifest, files: Sequence[Path], unwitnessed: bool) -> list[Seen]:
    """All that was seen of the log before; Refused where a witness keeps silent and no file speaks in its place."""
    from gateway.backup.restoring import log_keys
    from gateway.backup.witnessed import WitnessSilent, ask_witness, read_seen
    from gateway.exchangelog.witnesses import Witness
    from gateway.keys import Keys

    keys = log_keys(manifest, Keys.load(settings.keys))
    seen: list[Seen | None] = []
    for file in files:
        try:
            seen.append(read_seen(file.name, file.read_text(encoding="utf-8"), keys))
        except (NoteError, UnicodeDecodeError) as error:
            raise Refused(
                f"ไฟล์ {file} ไม่ใช่จุดตรวจสอบของบันทึกนี้", f"{file} is no checkpoint of this log: {error}"
            ) from None
    if not files and not unwitnessed:
        if not settings.witnesses:
            raise Refused(
                "ไม่มีพยาน (LINKAGE_WITNESSES) และไม่มีไฟล์จุดตรวจสอบ (--checkpoint) จึงไม่ทราบว่ามีรายการสูญหายหรือไม่",
                "neither a witness (LINKAGE_WITNESSES) nor a --checkpoint file says how large the log was: entries may "
                "be lost, and the log would fork. --unwitnessed goes on all the same",
            )
        for witness in (Witness.parse(text) for text in settings.witnesses):
            try:
                seen.append(ask_witness(witness, keys))
            except WitnessSilent as silent:
                raise Refused(
                    "ติดต่อพยานไม่ได้ ขอจุดตรวจสอบล่าสุดจากพยานเป็นไฟล์แล้วระบุด้วย --checkpoint",
                    f"{silent}. It may know a larger log: get its newest checkpoint as a file, for --checkpoint",
                ) from None
    return [one for one in seen if one is not None]


def _tell(screen: Screen, restored: Restored) -> None:
    manifest, seen = restored.manifest, restored.witnessed
    renamed = restored.origin != manifest.origin
    body: dict[str, Any] = {
        "restored": True,
        "made_at": manifest.made_at,
        "size": manifest.size,
        "origin": restored.origin,
        "vkey": restored.vkey,
        "continued_from": manifest.origin if renamed else None,
        "lost": restored.lost,
        "witnessed": seen and {"by": seen.by, "size": seen.checkpoint.size},
        "counts": restored.report.counts,
    }

    def render() -> None:
        screen.say(f"กู้คืน {manifest.size} รายการแล้ว และพิสูจน์แล้ว", f"{manifest.size} entries restored, and proved")
        if seen is None:
            screen.say("ไม่มีพยานยืนยันขนาดของบันทึก", "nobody has said how large the log was")
        else:
            screen.line(f"{seen.by}: {seen.checkpoint.size}")
        if renamed:
            screen.say(
                f"บันทึกใช้ชื่อใหม่ {restored.origin} สูญหาย {restored.lost} รายการ",
                f"the log goes on as {restored.origin}; {restored.lost} entries are known to be lost",
            )
            screen.line(f"แจ้งพยานและผู้ตรวจสอบ / tell witnesses and auditors: {restored.vkey}")

    screen.show(body, render)


def _tell_behind(screen: Screen, first: int, last: int, seen: Seen) -> None:
    thai = f"ข้อมูลสำรองขาดรายการ {first} ถึง {last} ซึ่ง {seen.by} เคยเห็นแล้ว ไม่ได้กู้คืนสิ่งใด"
    english = f"the backup lacks entries {first} to {last}, which {seen.by} has seen; nothing was restored"
    body = {
        "code": "behind",
        "title": english,
        "title_th": thai,
        "lost": {"first": first, "last": last, "count": last - first + 1},
        "witnessed": {"by": seen.by, "size": seen.checkpoint.size},
    }
    lines = [
        thai,
        english,
        "หาข้อมูลสำรองที่ใหม่กว่า หากไม่มี ให้ตั้ง LINKAGE_LOG_ORIGIN เป็นชื่อใหม่และระบุ --reason (docs/backup.md)",
        "find a newer backup; if there is none, give the log another name with LINKAGE_LOG_ORIGIN, and --reason "
        "(docs/backup.md)",
    ]
    screen.failure(body, lines)
