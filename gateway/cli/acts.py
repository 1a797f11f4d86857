"""Acts of governance as the commands send them: checked by the register's own form first, then signed and sent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from gateway.cli.connection import Remote
from gateway.cli.failures import ActUnanswered, WrongUse, form_faults
from gateway.client import Unreachable
from gateway.registers.forms import FORMS

_BUDDHIST = "เป็นปี พ.ศ. ให้เขียนเป็น ค.ศ. โดยลบ 543 / a year of the Buddhist era: write it in the common era, 543 less"


def faults_of(name: str, body: Mapping[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    """What the form of act `name` finds wrong with `body`, as (place, what in Thai and English); none where it fits."""
    faults = [(place, _BUDDHIST) for place in _buddhist(body)]
    try:
        FORMS[name].model_validate(dict(body))
    except ValidationError as error:
        faults += form_faults(error)
    return faults


def is_buddhist(text: str) -> bool:
    """Whether a date `YYYY-…` can only be meant in the Buddhist era: read as it stands, it lies centuries ahead."""
    return re.match(r"2[4-6][0-9]{2}-", text, re.ASCII) is not None


def _buddhist(value: Any, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where a body's dates (`from`, `to`, `date`) are of the Buddhist era."""
    if isinstance(value, str):
        return [place] if place[-1:] in (("from",), ("to",), ("date",)) and is_buddhist(value) else []
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, item in parts for found in _buddhist(item, (*place, name))]


def placed(place: Sequence[str | int], what: str) -> str:
    """A fault in one line: `terms.0.fields: …`."""
    return f"{'.'.join(str(part) for part in place)}: {what}" if place else what


def given(**values: Any) -> dict[str, Any]:
    """A body of what was given: None and empty lists are left out."""
    return {name: value for name, value in values.items() if value is not None and value != []}


def send(remote: Remote, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Signs and sends one act. ActUnanswered where it may have been done without an answer."""
    try:
        return dict(remote.gateway.act(name, body))
    except Unreachable as lost:
        raise (ActUnanswered(str(lost)) if lost.sent else lost) from None


def perform(remote: Remote, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Checks, signs and sends one act, and tells that it is done; returns the gateway's answer."""
    faults = faults_of(name, body)
    if faults:
        raise WrongUse("ข้อมูลไม่ได้อยู่ในรูปแบบที่กำหนด", "what was given does not fit", [placed(*fault) for fault in faults])
    done = send(remote, name, body)
    remote.screen.show(done, lambda: remote.screen.line(sentence(name, done)))
    return done


def sentence(name: str, done: Mapping[str, Any]) -> str:
    """That an act is done, in one line, by the gateway's answer to it."""
    record, receipt = done.get("record"), done.get("receipt")
    status = record.get("status") if isinstance(record, dict) else None
    index = receipt.get("index") if isinstance(receipt, dict) else None
    parts = [f"ดำเนินการแล้ว / done: {name} {done.get('id', '')}"]
    parts += [f"สถานะ / status: {status}"] if status else []
    parts += [f"บันทึกลำดับที่ / log entry: {index}"] if index is not None else []
    return " · ".join(parts)
