"""How long each proposal waited for its source, and each refusal with its ground (Digital Government Act s.13)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.registers import Registers
from gateway.reports.titles import Json


def proposals(registers: Registers, moment: datetime, agency: str | None = None) -> list[Json]:
    """Every proposal of every agreement (of one agency's, where named), oldest first; `waited_hours` until `moment`
    where it still waits.
    """
    found: list[Json] = []
    for record in registers.records["agreement"].values():
        parties = (record["source"], record["consumer"].get("agency"))
        if agency is not None and agency not in parties:
            continue
        waiting = [{**record["pending"], "outcome": "waiting"}] if record["pending"] else []
        found += [_line(record, one, moment) for one in (*record.get("decisions", ()), *waiting)]
    return sorted(found, key=lambda line: (line["proposed_at"], line["agreement"]))


def _line(record: Mapping[str, Any], one: Mapping[str, Any], moment: datetime) -> Json:
    until = datetime.fromisoformat(one["decided_at"]) if one.get("decided_at") else moment
    waited = until - datetime.fromisoformat(one["proposed_at"])
    return {
        "agreement": record["id"],
        "version": one["version"],
        "service": record["service"],
        "source": record["source"],
        "consumer": record["consumer"].get("agency") or f"group {record['consumer']['group']}",
        "proposed_by": one["proposed_by"],
        "proposed_at": one["proposed_at"],
        "outcome": one["outcome"],
        "decided_by": one.get("decided_by"),
        "decided_at": one.get("decided_at"),
        "waited_hours": round(waited.total_seconds() / 3600, 1),
        "ground": one.get("ground"),
    }
