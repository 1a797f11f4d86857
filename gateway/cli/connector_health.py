"""`linkage connector list`: what each agency has registered, and how its sources fare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.cli.connection import Remote, remote
from gateway.cli.register_views import services_of

Json = Mapping[str, Any]


@remote
def list_all(remote: Remote) -> None:
    """แสดงทุกรายการพร้อมสถานะของแหล่งข้อมูล / Shows all, with the health of each source."""
    records, health = remote.gateway.register("connector"), remote.gateway.sources()
    fared = {one["service"]: one for one in health["sources"]}

    def render() -> None:
        if not records:
            remote.screen.say("ไม่มีรายการ", "nothing registered")
            return
        remote.screen.table(
            [
                ("หน่วยงาน", "agency"),
                ("บริการข้อมูล", "service"),
                ("สถานะ", "status"),
                ("เบรกเกอร์", "breaker"),
                ("ตอบ/ล้มเหลว", "answers/failures"),
                ("ตอบล่าสุด", "last answer"),
                ("ล้มเหลวล่าสุด", "last failure"),
                ("สาเหตุ", "faults"),
                ("p50/p99 ms", "p50/p99 ms"),
            ],
            [_row(record, service, fared.get(service)) for record in records for service in services_of(record)],
        )
        for one in health["sources"]:
            for refused in one["refused"]:
                where, how = f"{one['service']}: {refused['address']}", refused["allow"]
                remote.screen.say(
                    f"ไม่อนุญาตให้เชื่อมต่อ {where} หากเป็นเครือข่ายของหน่วยงานให้ตั้ง {how}",
                    f"not allowed to connect to {where}; if it is the agency's own network, set {how}",
                )
        gateway = health["gateway"]
        remote.screen.say(f"ตามที่เกตเวย์ {gateway} เห็นตั้งแต่เริ่มทำงาน", f"as the gateway {gateway} saw it since it started")

    remote.screen.show({"records": records, "health": health}, render)


def _row(record: Json, service: str, fared: Json | None) -> list[Any]:
    row = [record["id"], service, _status(record, service)]
    if fared is None:
        return [*row, "", "", "", "", "", ""]
    durations = "" if fared["p50_ms"] is None else f"{fared['p50_ms']}/{fared['p99_ms']}"
    counts = f"{fared['answers']}/{fared['failures']}"
    told = [fared["breaker"], counts, fared["last_answer"], fared["last_failure"], fared["faults"], durations]
    return [*row, *told]


def _status(record: Json, service: str) -> str:
    """Of one service: what its agency's registration is, and whether another version waits."""
    status = "disabled" if service in record["disabled_services"] else str(record["status"])
    waits = record["status"] != "registered" and record["pending"] is not None
    return f"{status} (registration waits)" if waits else status
