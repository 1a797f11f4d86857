"""What the gateway holds: its database, the log and who witnesses it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from cryptography.exceptions import InvalidTag

from gateway.backup.witnessed import WitnessSilent, ask_witness
from gateway.doctor.findings import Finding, guarded, ok
from gateway.doctor.registered import look_at_registers
from gateway.exchangelog.checkpoints import latest_in
from gateway.exchangelog.condition import condition_of
from gateway.exchangelog.entry import BrokenEntry, open_entry
from gateway.exchangelog.tree import LogDamaged, Tree
from gateway.exchangelog.vault import UnknownMaster, Vault
from gateway.exchangelog.witnesses import Witness
from gateway.keys import KeyFileError, Keys
from gateway.settings import Settings
from gateway.store import AlreadyInUse, Connection, Store
from gateway.store.connection import failures, sqlite_file
from gateway.store.migrate import newest, revision_of, standing_of
from gateway.tlog.checkpoint import open_checkpoint
from gateway.tlog.merkle import tree_root
from gateway.tlog.note import NoteError, Signer
from gateway.verification.database import key_in_use

LAST = 256
"""How many entries at the head are opened."""
LATE_SECONDS = 60
MOST_LAG = 10_000
_SKEW = 30


def look_at_holdings(settings: Settings) -> Iterator[Finding]:
    """The database first; what stands on it only where it answers."""
    found = list(guarded("database", lambda: _database(settings)))
    yield from found
    if any(finding.state == "wrong" for finding in found):
        return
    connection = Connection(settings.database, read_only=True)
    try:
        keys = Keys.load(settings.keys)
    except KeyFileError:
        connection.close()
        return  # told among the keys
    try:
        with connection.one_state():
            yield from guarded("server", lambda: _server(connection))
            yield from guarded("log", lambda: _log(connection, settings, keys))
            yield from guarded("projection", lambda: _projection(connection))
            yield from guarded("registers", lambda: look_at_registers(connection, settings))
            yield from guarded("witnesses", lambda: _witnesses(connection, settings, keys))
    finally:
        connection.close()


def _database(settings: Settings) -> Iterator[Finding]:
    file = sqlite_file(settings.database)
    embedded = file is not None
    try:
        have = revision_of(settings.database) if not embedded or _exists(file) else None
    except failures() as error:
        yield Finding(
            "database",
            "wrong",
            "ฐานข้อมูลไม่ตอบ",
            f"the database does not answer: {type(error).__name__}",
            "ตรวจว่าเซิร์ฟเวอร์ทำงาน เครือข่ายถึง และชื่อ รหัสผ่าน ใน LINKAGE_DATABASE_URL ถูกต้อง",
            "see that its server runs and is reached, and that LINKAGE_DATABASE_URL has the right name and password",
        )
        return
    if have is None:
        yield Finding(
            "database",
            "wrong",
            "ฐานข้อมูลยังไม่ได้เริ่มต้น",
            "the database was never set up",
            "`linkage init` หรือ `linkage restore` หรือแก้ LINKAGE_DATABASE_URL",
            "`linkage init`, or `linkage restore`, or mend LINKAGE_DATABASE_URL",
        )
        return
    if standing_of(have) == "behind":
        yield Finding(
            "database",
            "wrong",
            f"ตารางเป็นรุ่น {have} โปรแกรมนี้ต้องการรุ่น {newest()}",
            f"the tables are of migration {have}, and this program needs {newest()}",
            "`linkage backup` แล้ว `linkage db upgrade`",
            "`linkage backup`, then `linkage db upgrade`",
        )
        return
    yield ok("database", "ฐานข้อมูลตอบ และมีตารางที่รุ่นนี้ต้องใช้", "the database answers, and has this version's tables")
    if embedded:
        try:
            Store(settings.database).close()
            yield ok("lock", "ไม่มีเกตเวย์ใช้ฐานข้อมูลนี้อยู่", "no gateway has the database open")
        except AlreadyInUse:
            yield ok("lock", "เกตเวย์กำลังใช้ฐานข้อมูลนี้", "a gateway is serving from this database")


def _exists(path: str | None) -> bool:
    return path is not None and Path(path).is_file()


def _server(connection: Connection) -> Iterator[Finding]:
    """What a PostgreSQL server must be like for a commit to be on disk, and to be one at all."""
    if connection.dialect == "sqlite":
        return
    for name in ("fsync", "synchronous_commit", "full_page_writes"):
        (setting,) = connection.rows(f"SHOW {name}")[0]
        if setting == "off":
            yield Finding(
                "server",
                "wrong",
                f"PostgreSQL ตั้ง {name} = off รายการที่ยืนยันแล้วอาจสูญหาย",
                f"PostgreSQL has {name} = off: what was promised as recorded may be lost",
                f"ALTER SYSTEM SET {name} = on",
                f"ALTER SYSTEM SET {name} = on",
            )
    recovering, readonly, clock = connection.rows(
        "SELECT pg_is_in_recovery(), current_setting('default_transaction_read_only'), extract(epoch FROM now())"
    )[0]
    if recovering or readonly == "on":
        yield Finding(
            "server",
            "wrong",
            "เซิร์ฟเวอร์ฐานข้อมูลอ่านได้อย่างเดียว (เป็นสำเนา หรือตั้งไว้เช่นนั้น)",
            "the database server is read-only: a standby, or set so",
            "ชี้ LINKAGE_DATABASE_URL ไปยังเซิร์ฟเวอร์หลัก",
            "let LINKAGE_DATABASE_URL lead to the primary",
        )
    if abs(float(clock) - time.time()) > _SKEW:
        yield _clock("เซิร์ฟเวอร์ฐานข้อมูล", "the database server")


def _clock(who_thai: str, who: str) -> Finding:
    return Finding(
        "clock",
        "wrong",
        f"นาฬิกาของเครื่องนี้ต่างจากของ{who_thai}",
        f"this machine's clock differs from that of {who}",
        "ตั้งนาฬิกาด้วย NTP ทั้งสองเครื่อง (timedatectl set-ntp true)",
        "set both by NTP (timedatectl set-ntp true)",
    )


def _log(connection: Connection, settings: Settings, keys: Keys) -> Iterator[Finding]:
    latest = latest_in(connection)
    if latest is None:
        yield Finding(
            "log",
            "note",
            "บันทึกยังไม่มีจุดตรวจสอบ",
            "no checkpoint was ever signed",
            "เริ่มเกตเวย์ด้วย `linkage serve`",
            "`linkage serve` signs them",
        )
        return
    if latest.origin != settings.origin:
        yield Finding(
            "log",
            "wrong",
            f"บันทึกนี้ชื่อ {latest.origin} แต่ค่าที่ตั้งให้ชื่อ {settings.origin}",
            f"this log is called {latest.origin}, and by the settings it would be {settings.origin}",
            "ตั้ง LINKAGE_ISSUER หรือ LINKAGE_LOG_ORIGIN ให้ตรงกับชื่อเดิม",
            "set LINKAGE_ISSUER, or LINKAGE_LOG_ORIGIN, so that it keeps its name",
        )
        return
    mend = "อย่าเขียนต่อ: หยุดเกตเวย์ เก็บฐานข้อมูลไว้เป็นหลักฐาน แล้วเรียก `linkage log verify`"
    mend_en = "write nothing more: stop the gateway, keep the database as evidence, and run `linkage log verify`"
    try:
        key = key_in_use(connection, settings.origin, keys)
        open_checkpoint(latest.note, key)
        held = tree_root(latest.size, Tree(connection).subtree) == latest.root
        wrong = "" if held else f"the checkpoint of {latest.size} is no longer the beginning of the log"
        wrong = wrong or _unopened(connection, keys)
    except (NoteError, LogDamaged) as error:
        wrong = str(error)
    if wrong:
        yield Finding("log", "wrong", "บันทึกไม่ตรงกับที่ลงลายมือชื่อไว้", f"the log does not hold: {wrong}", mend, mend_en)
        return
    if key != Signer(settings.origin, keys.log_key()).verifier:
        yield Finding(
            "keys",
            "note",
            "กุญแจของบันทึกถูกเปลี่ยนแล้ว กุญแจในเครื่องนี้ยังไม่ใช่กุญแจที่ใช้อยู่",
            "the log's key was rotated, and the one on this machine is not the one in use",
            "คัดลอกไฟล์กุญแจใหม่ไปทุกเครื่อง แล้วเริ่มเกตเวย์ใหม่",
            "bring the new key files to every machine, and start each gateway anew",
        )
    yield ok("log", f"บันทึกตรงกับจุดตรวจสอบที่ {latest.size}", f"the log holds at its checkpoint of {latest.size}")
    yield from _age(connection, settings)


def _unopened(connection: Connection, keys: Keys) -> str:
    """What is wrong with the last entries, each opened and hashed; empty where nothing is."""
    vault = Vault(keys.master)
    rows = connection.rows(
        "SELECT idx, entry, month, sealed FROM log_entries WHERE length(sealed) > 0 ORDER BY idx DESC LIMIT ?", (LAST,)
    )
    for index, entry, month, sealed in rows:
        try:
            key = vault.open(connection, month)
            if key is not None:
                open_entry(index, bytes(entry), bytes(sealed), key)
        except (InvalidTag, UnknownMaster):
            return "master.key does not open the months' keys: it is another log's"
        except BrokenEntry:
            return f"entry {index} does not open, or is not what its 32 bytes commit to"
    return ""


def _age(connection: Connection, settings: Settings) -> Iterator[Finding]:
    condition = condition_of(connection)
    if condition.signed_at > time.time() + _SKEW:
        yield Finding(
            "clock",
            "wrong",
            "จุดตรวจสอบล่าสุดลงเวลาในอนาคต นาฬิกาของเครื่องเดินถอยหลัง",
            "the newest checkpoint was signed in the future: this machine's clock went back",
            "ตั้งนาฬิกาด้วย NTP (timedatectl set-ntp true)",
            "set it by NTP (timedatectl set-ntp true)",
        )
    waiting = condition.size - condition.signed
    if not waiting or time.time() - condition.signed_at < max(LATE_SECONDS, 4 * settings.checkpoint_interval):
        yield ok("checkpoint", "จุดตรวจสอบเป็นปัจจุบัน", "the newest checkpoint is up to date")
        return
    minutes = int((time.time() - condition.signed_at) / 60)
    yield Finding(
        "checkpoint",
        "note",
        f"{waiting} รายการยังไม่มีจุดตรวจสอบ มา {minutes} นาทีแล้ว",
        f"{waiting} entries are under no checkpoint, for {minutes} minutes",
        "เกตเวย์ที่ทำงานอยู่จะลงลายมือชื่อเอง หากทำงานอยู่ ให้ดูบันทึกของโพรเซส (checkpoint_not_signed, log_damaged)",
        "a gateway that serves signs them; if one does, look into its own log (checkpoint_not_signed, log_damaged)",
    )


def _projection(connection: Connection) -> Iterator[Finding]:
    condition = condition_of(connection)
    lag = condition.size - condition.projected
    if lag <= MOST_LAG:
        yield ok("projection", "การค้นหาเป็นปัจจุบัน", "searches find what was recorded")
        return
    yield Finding(
        "projection",
        "note",
        f"การค้นหายังไม่เห็น {lag} รายการล่าสุด",
        f"searches do not find the last {lag} entries yet",
        "รอให้เกตเวย์ที่ทำงานอยู่ตามทัน",
        "a gateway that serves catches up by itself",
    )


def _witnesses(connection: Connection, settings: Settings, keys: Keys) -> Iterator[Finding]:
    key = key_in_use(connection, settings.origin, keys)
    (size,) = connection.rows("SELECT size FROM head WHERE id = 1")[0]
    if not settings.witnesses:
        yield Finding(
            "witnesses",
            "note",
            "ไม่มีพยาน ไม่มีใครทราบหากฐานข้อมูลถูกย้อนกลับ",
            "there is no witness: nobody would notice a database that was rolled back",
            "ให้อีกหน่วยงานหนึ่งเปิด `linkage witness serve` แล้วตั้ง LINKAGE_WITNESSES",
            "let another authority run `linkage witness serve`, and set LINKAGE_WITNESSES",
        )
    for witness in (Witness.parse(text) for text in settings.witnesses):
        name = witness.key.name
        try:
            seen = ask_witness(witness, [key])
        except WitnessSilent as silent:
            yield Finding(
                "witnesses",
                "wrong",
                f"ติดต่อพยาน {name} ไม่ได้",
                str(silent),
                "ตรวจสอบ URL ใน LINKAGE_WITNESSES เครือข่าย และกับผู้ดูแลพยาน",
                "check its URL in LINKAGE_WITNESSES, the network, and ask its operator",
            )
            continue
        if seen is None:
            yield Finding(
                "witnesses",
                "wrong",
                f"พยาน {name} ยังไม่เคยลงลายมือชื่อให้บันทึกนี้",
                f"{name} has cosigned nothing of this log",
                f"ให้ผู้ดูแลพยานเรียก: linkage witness add '{key}'",
                f"let its operator run: linkage witness add '{key}'",
            )
            continue
        checkpoint = seen.checkpoint
        behind = checkpoint.size > size
        if behind or tree_root(checkpoint.size, Tree(connection).subtree) != checkpoint.root:
            what = (
                f"knows {checkpoint.size} entries, and here are {size}: a rollback" if behind else "knows another log"
            )
            yield Finding(
                "witnesses",
                "wrong",
                f"พยาน {name} รู้จักบันทึกที่ต่างจากนี้",
                f"{name} {what}",
                "หยุดเกตเวย์ ฐานข้อมูลนี้เก่าหรือถูกแก้ไข ดู docs/backup.md",
                "stop the gateway: this database is an old copy, or was changed; see docs/backup.md",
            )
            continue
        yield ok("witnesses", f"{name} ลงลายมือชื่อถึง {checkpoint.size}", f"{name} has cosigned {checkpoint.size}")
        _, times = open_checkpoint(seen.note, key, [witness.key])
        if max(times.values(), default=0) > time.time() + _SKEW:
            yield _clock(f"พยาน {name}", name)
