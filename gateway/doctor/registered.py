"""What is registered: whether this version and this machine can do with it, rules and connectors and their secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gateway.catalogue import SecretMissing, lacking, machine_secrets, services_of
from gateway.doctor.findings import Finding, ok
from gateway.errors import MalformedRequest
from gateway.model import Service
from gateway.policy import PolicySet, misfits
from gateway.registers import Registers, read_rows
from gateway.settings import Settings
from gateway.store import Connection


def look_at_registers(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """The rules, each connector, and whether its secrets are found on this machine."""
    rows, revision = read_rows(connection, 0)
    registers = Registers().with_rows(rows, revision)
    if registers.record("policies", "active") is None:
        yield Finding(
            "registers",
            "wrong",
            "ไม่มีชุดกฎ",
            "there is no policy set: the gateway was never initialised, or half so",
            "`linkage init`",
            "`linkage init`",
        )
    else:
        yield from _policies(registers)
    yield from _connectors(registers)
    resolve, looked_at = machine_secrets(settings.secrets), 0
    for agency, record in sorted(registers.records["connector"].items()):
        for reference in sorted(_references(record.get("registration"))):
            looked_at += 1
            yield from _resolved(resolve, agency, reference)
    yield ok("secrets", f"ตรวจความลับของตัวเชื่อมต่อ {looked_at} รายการ", f"{looked_at} connectors' secrets looked for")


def _policies(registers: Registers) -> Iterator[Finding]:
    """Whether the rules in force can judge what this version asks."""
    rules = misfits(PolicySet.from_json((registers.record("policies", "active") or {})["document"]))
    if not rules:
        yield ok("policies", "กติกาที่ใช้อยู่ใช้กับรุ่นนี้ได้", "the policy set in force fits this version")
        return
    which = ", ".join(rules)
    yield Finding(
        "policies",
        "wrong",
        f"กติกาที่ใช้อยู่ไม่ผ่านการตรวจกับสคีมาของรุ่นนี้: {which}",
        f"the policy set in force does not validate against this version's schema: {which}",
        "`linkage policy propose policies` แล้วให้ผู้ดูแลระบบอีกคนอนุมัติ (`linkage policy approve`)",
        "`linkage policy propose policies`, and another administrator's `linkage policy approve`",
    )


def _connectors(registers: Registers) -> Iterator[Finding]:
    """Whether what was approved is still what this version registers, and the packages of `python` connectors here."""
    services: list[Service] = []
    wrong = False
    for agency, record in sorted(registers.records["connector"].items()):
        try:
            services += services_of(record["registration"]) if record["registration"] else ()
        except MalformedRequest as error:
            wrong = True
            yield Finding(
                "connectors",
                "wrong",
                f"การลงทะเบียนของ {agency} ใช้กับรุ่นนี้ไม่ได้: {error.detail_th}",
                f"the registration of {agency} does not fit this version: {error.detail_en}",
                "เกตเวย์รุ่นนี้ไม่ให้บริการของหน่วยงานนี้ ให้ลงทะเบียนที่แก้แล้วและอนุมัติ",
                "its services are not offered by this version: register and approve a mended one",
            )
    for service, en, th in lacking(services):
        wrong = True
        yield Finding(
            "connectors",
            "wrong",
            f"{service}: {th}",
            f"{service}: {en}",
            "นำแพ็กเกจที่อนุมัติแล้วกลับมา หรือลงทะเบียนและอนุมัติใหม่",
            "bring back the package that was approved, or register and approve anew what is there",
        )
    if not wrong:
        yield ok("connectors", "ตัวเชื่อมต่อเปิดได้ตามที่อนุมัติ", "connectors are here as they were approved")


def _references(node: Any) -> set[str]:
    """Every secret reference in a registration: `{env: NAME}` or `{file: PATH}`."""
    if isinstance(node, dict):
        if len(node) == 1:
            ((where, name),) = node.items()
            if where in ("env", "file") and isinstance(name, str):
                return {f"{where}:{name}"}
        return set().union(*(_references(each) for each in node.values())) if node else set()
    return set().union(*(_references(each) for each in node)) if isinstance(node, list) and node else set()


def _resolved(resolve: Callable[[str], str], agency: str, reference: str) -> Iterator[Finding]:
    try:
        resolve(reference)
    except SecretMissing:
        yield Finding(
            "secrets",
            "wrong",
            f"ตัวเชื่อมต่อของ {agency} ไม่มีความลับ {reference}",
            f"the connector of {agency} lacks its secret {reference}",
            "ตั้งตัวแปรสภาพแวดล้อม หรือวางไฟล์ใต้ LINKAGE_SECRETS_DIR ของเกตเวย์",
            "set the environment variable for the gateway (and for this command), or put the file below "
            "LINKAGE_SECRETS_DIR",
        )
