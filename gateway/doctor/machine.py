"""The machine itself: settings that do not go together, key files, certificates, disk, clock, open files."""

from __future__ import annotations

import ipaddress
import resource
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from cryptography.x509 import Certificate, load_pem_x509_certificates

from gateway.doctor.findings import Finding, guarded, ok
from gateway.keys import KeyFileError, Keys
from gateway.settings import Settings

LEAST_FREE = 1 << 30
LEAST_FILES = 4096
SOON_DAYS = 30


def look_at_machine(settings: Settings) -> Iterator[Finding]:
    """What can be told without the database."""
    yield from guarded("settings", lambda: _settings(settings))
    yield from guarded("keys", lambda: _keys(settings))
    yield from guarded("certificates", lambda: _certificates(settings))
    yield from guarded("disk", lambda: _disk(settings))
    yield from guarded("open_files", _open_files)


def _settings(settings: Settings) -> Iterator[Finding]:
    found = list(_contradictions(settings))
    yield from found or [ok("settings", "ค่าที่ตั้งไว้เข้ากัน", "the settings go together")]


def _contradictions(settings: Settings) -> Iterator[Finding]:
    beyond = not _is_loopback(settings.host)
    scheme, _, rest = settings.issuer.partition("://")
    named_here = _is_loopback(rest.partition("/")[0].rpartition(":")[0] or rest)
    if settings.sandbox and (beyond or not named_here):
        yield Finding(
            "settings",
            "wrong",
            "โหมดทดลอง (LINKAGE_SANDBOX) เปิดอยู่ และเกตเวย์ให้บริการนอกเครื่องนี้",
            "sandbox mode is on (LINKAGE_SANDBOX), and the gateway serves beyond this machine",
            "ปิด LINKAGE_SANDBOX",
            "unset LINKAGE_SANDBOX",
        )
    if beyond and named_here:
        yield Finding(
            "settings",
            "wrong",
            "LINKAGE_ISSUER เป็นที่อยู่ในเครื่อง แต่เกตเวย์ให้บริการนอกเครื่อง",
            "LINKAGE_ISSUER is an address of this machine, and the gateway serves beyond it",
            "ตั้ง LINKAGE_ISSUER เป็น URL ที่ผู้ใช้เรียก (ก่อนเริ่มบันทึก เพราะเป็นชื่อของบันทึกด้วย)",
            "set LINKAGE_ISSUER to the URL that clients call (before the log begins: it is the log's name too)",
        )
    if scheme != "https" and not named_here:
        yield Finding(
            "settings",
            "wrong",
            "LINKAGE_ISSUER ไม่ได้ขึ้นต้นด้วย https",
            "LINKAGE_ISSUER does not begin with https: tokens would travel in plain",
            "ให้พร็อกซีด้านหน้าสิ้นสุด TLS และตั้ง LINKAGE_ISSUER เป็น https",
            "let the proxy in front end TLS, and set LINKAGE_ISSUER to its https URL",
        )
    if settings.otlp_endpoint and find_spec("opentelemetry.sdk") is None:
        yield Finding(
            "settings",
            "wrong",
            "ตั้ง LINKAGE_OTLP_ENDPOINT แต่ไม่ได้ติดตั้งส่วนเสริม traces",
            "LINKAGE_OTLP_ENDPOINT is set, and what makes traces is not installed: the gateway does not start",
            "pip install 'linkage-gateway[traces]'",
            "pip install 'linkage-gateway[traces]'",
        )
    shared = not settings.database.startswith("sqlite")
    if shared and settings.gateway_name == Settings.model_fields["gateway_name"].default:
        yield Finding(
            "settings",
            "note",
            f"ชื่อเกตเวย์ยังเป็น {settings.gateway_name} หลายเครื่องบนฐานข้อมูลเดียวต้องมีชื่อต่างกัน",
            f"this gateway is called {settings.gateway_name}: of several on one database each needs a name of its own",
            "ตั้ง LINKAGE_GATEWAY_NAME ให้ไม่ซ้ำกัน",
            "set LINKAGE_GATEWAY_NAME on each",
        )
    if settings.witnesses_demanded and not settings.witnesses_wanted:
        yield Finding(
            "settings",
            "note",
            "LINKAGE_WITNESSES_DEMANDED ไม่มีผลเมื่อ LINKAGE_WITNESSES_WANTED เป็น 0",
            "LINKAGE_WITNESSES_DEMANDED demands nothing while LINKAGE_WITNESSES_WANTED is 0",
            "ตั้ง LINKAGE_WITNESSES_WANTED",
            "set LINKAGE_WITNESSES_WANTED",
        )


def _keys(settings: Settings) -> Iterator[Finding]:
    if not settings.keys.is_dir():
        yield Finding(
            "keys",
            "wrong",
            f"ไม่มีโฟลเดอร์กุญแจ {settings.keys}",
            f"there is no folder of keys at {settings.keys}",
            "เกตเวย์ใหม่: `linkage init` เกตเวย์เดิม: นำสำเนากุญแจกลับมา อย่าสร้างใหม่",
            "a new gateway: `linkage init`; an old one: bring back the copy of its keys, never make new ones",
        )
        return
    try:
        Keys.load(settings.keys)
        yield ok("keys", "ไฟล์กุญแจครบและอ่านได้", "the key files are all there and can be read")
    except KeyFileError as error:
        yield Finding(
            "keys",
            "wrong",
            "ไฟล์กุญแจขาดหรือใช้ไม่ได้",
            str(error),
            "นำสำเนาของไฟล์นี้กลับมา กุญแจใหม่เปิดบันทึกเดิมไม่ได้",
            "bring back the copy of this file; a new key does not open the old log",
        )
    held = [settings.keys, *settings.keys.iterdir()]
    if settings.secrets.is_dir():
        held += [settings.secrets, *settings.secrets.rglob("*")]
    yield from (_readable(path) for path in held if path.stat().st_mode & 0o077)
    if settings.state_dir.is_dir() and settings.state_dir.stat().st_mode & 0o007:
        yield _readable(settings.state_dir)
    left = sorted((settings.state_dir / "operators").glob("*.jwk"))
    if left:
        yield Finding(
            "keys",
            "note",
            f"กุญแจของผู้ปฏิบัติงานยังอยู่ในเครื่องนี้: {', '.join(path.name for path in left)}",
            f"operators' private keys still lie on this machine: {', '.join(path.name for path in left)}",
            "ย้ายไปไว้กับเจ้าของ แล้วลบออกจากที่นี่",
            "move each to its operator's own machine, and delete it here",
        )


def _readable(path: Path) -> Finding:
    """A group that may read may be meant so (a volume's, in a cluster); everybody is not."""
    return Finding(
        "permissions",
        "wrong" if path.stat().st_mode & 0o007 else "note",
        f"ผู้อื่นในเครื่องเข้าถึง {path} ได้",
        f"others on this machine may read or change {path}",
        f"chmod go-rwx {path}",
        f"chmod go-rwx {path}",
    )


def _certificates(settings: Settings) -> Iterator[Finding]:
    path = settings.tls_certificate
    if path is None:
        yield ok("certificates", "เกตเวย์ไม่ได้สิ้นสุด TLS เอง", "the gateway does not end TLS itself")
        return
    try:
        chain = load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError):
        yield Finding(
            "certificates",
            "wrong",
            f"อ่านใบรับรอง {path} ไม่ได้",
            f"{path} holds no certificate that can be read",
            "ตั้ง LINKAGE_TLS_CERTIFICATE เป็นไฟล์ PEM ที่มีใบรับรองครบสาย",
            "set LINKAGE_TLS_CERTIFICATE to a PEM file with the whole chain",
        )
        return
    for certificate in chain:
        yield _expiry(path, certificate)


def _expiry(path: Path, certificate: Certificate) -> Finding:
    until = certificate.not_valid_after_utc
    days = (until - datetime.now(UTC)).days
    if certificate.not_valid_before_utc > datetime.now(UTC):
        days = -1
    date = until.date().isoformat()
    if days >= SOON_DAYS:
        return ok("certificates", f"ใบรับรองใช้ได้ถึง {date}", f"a certificate is good until {date}")
    return Finding(
        "certificates",
        "wrong" if days < 0 else "note",
        f"ใบรับรองใน {path} ใช้ได้ถึง {date}",
        f"a certificate in {path} is not good now" if days < 0 else f"a certificate in {path} ends on {date}",
        "ขอใบรับรองใหม่ แล้วเริ่มเกตเวย์ใหม่",
        "get a new one, and start the gateway again",
    )


def _disk(settings: Settings) -> Iterator[Finding]:
    if not settings.state_dir.is_dir():
        yield Finding(
            "disk",
            "wrong",
            f"ไม่มีโฟลเดอร์ {settings.state_dir}",
            f"there is no folder {settings.state_dir}",
            "`linkage init` หรือแก้ LINKAGE_STATE_DIR",
            "`linkage init`, or mend LINKAGE_STATE_DIR",
        )
        return
    free = shutil.disk_usage(settings.state_dir).free
    told = f"{free / (1 << 30):.1f} GiB"
    if free >= LEAST_FREE:
        yield ok("disk", f"เหลือที่ว่าง {told}", f"{told} are free")
        return
    yield Finding(
        "disk",
        "wrong",
        f"เหลือที่ว่างเพียง {told} เมื่อเต็มจะไม่มีการแลกเปลี่ยนข้อมูล",
        f"only {told} are free; nothing is exchanged once nothing can be recorded",
        "เพิ่มพื้นที่ดิสก์ หรือย้ายฐานข้อมูล",
        "make room, or move the database to a larger disk",
    )


def _open_files() -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= LEAST_FILES or soft == resource.RLIM_INFINITY:
        yield ok("open_files", f"เปิดไฟล์ได้ {soft}", f"{soft} files may be open at once")
        return
    yield Finding(
        "open_files",
        "note",
        f"เปิดไฟล์และการเชื่อมต่อได้เพียง {soft} พร้อมกัน",
        f"only {soft} files and connections may be open at once",
        f"ulimit -n {LEAST_FILES} (หรือ LimitNOFILE ของ systemd)",
        f"ulimit -n {LEAST_FILES} (or LimitNOFILE in systemd)",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
