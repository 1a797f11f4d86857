"""`linkage agreement narrow|expiring|render`: an agreement after its approval, and on paper."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
import typer
from joserfc import jws
from joserfc.errors import JoseError

from gateway.cli.acts import given, perform
from gateway.cli.agreement_page import agreement_page
from gateway.cli.connection import Remote, remote
from gateway.cli.failures import Refused, WrongUse
from gateway.cli.output import csv_text
from gateway.cli.printed import write_page
from gateway.cli.registers import Id
from gateway.keys import ALGORITHMS, import_key
from gateway.model import bangkok_day, now

Json = dict[str, Any]
_SIZES = jws.JWSRegistry(algorithms=list(ALGORITHMS))
_SIZES.max_payload_length = 4 * 1024 * 1024
_EXPIRING = (
    ("รหัส", "id"),
    ("สิ้นสุด", "ends"),
    ("เหลือ (วัน)", "days_left"),
    ("หน่วยงานผู้ใช้ข้อมูล", "consumer"),
    ("บริการข้อมูล", "service"),
    ("ผู้ประสานงาน", "contacts"),
    ("ฉบับต่ออายุที่รออนุมัติ", "renewal"),
    ("แจ้งเตือนแล้วที่ (วัน)", "reminded"),
)


@remote
def narrow(
    remote: Remote,
    id: Id,
    reason: Annotated[str, typer.Option(help="Why; it is recorded.")],
    term: Annotated[str | None, typer.Option(help="The term that --field and the quotas are about.")] = None,
    field: Annotated[list[str] | None, typer.Option(help="A field that stays; may be repeated.")] = None,
    quota: Annotated[int | None, typer.Option("--quota-per-day", min=1)] = None,
    officer_quota: Annotated[int | None, typer.Option("--quota-per-officer", min=1)] = None,
    officer_required: Annotated[bool, typer.Option("--officer-required", help="An officer is demanded.")] = False,
    drop_term: Annotated[list[str] | None, typer.Option(help="A term that ends; may be repeated.")] = None,
    client: Annotated[list[str] | None, typer.Option(help="A client that stays; may be repeated.")] = None,
    begins: Annotated[str | None, typer.Option("--from", help="A later first day.")] = None,
    ends: Annotated[str | None, typer.Option("--to", help="An earlier last day.")] = None,
) -> None:
    """ทำข้อตกลงให้แคบลง มีผลทันที / Narrows an agreement, at once; an owner of either side may."""
    change = given(
        fields=field,
        quota_per_day=quota,
        quota_per_officer_per_day=officer_quota,
        officer_required=officer_required or None,
    )
    if bool(change) != (term is not None):
        raise WrongUse("ระบุ --term คู่กับสิ่งที่จะทำให้แคบลง", "--term goes with what of it is narrowed")
    body = {
        "id": id,
        "version": remote.gateway.record("agreement", id)["version"],
        "reason": reason,
        **given(**{"from": begins, "to": ends}, clients=client, drop_terms=drop_term),
        **({"terms": [{"id": term, **change}]} if change else {}),
    }
    perform(remote, "agreement.narrow", body)


@remote
def expiring(
    remote: Remote,
    within: Annotated[int, typer.Option(min=0, metavar="DAYS", help="Within so many days from today.")] = 60,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """ข้อตกลงที่ใกล้หมดอายุ / The agreements that end soon, or have ended: reminded of when, and whether a renewal waits."""
    today = bangkok_day(now())
    last = (today + timedelta(days=within)).isoformat()
    reminded: dict[tuple[str, str], list[Json]] = {}
    for one in sorted(remote.gateway.register("reminder"), key=lambda one: str(one["at"])):
        marks = reminded.setdefault((one["agreement"], one["ends"]), [])
        marks.append({"days": one["days"], "at": one["at"], "entry": one["acts"][-1]})
    found = [
        {
            "id": record["id"],
            "ends": record["period"]["to"],
            "days_left": (type(today).fromisoformat(record["period"]["to"]) - today).days,
            "consumer": record["consumer"].get("agency") or f"group {record['consumer']['group']}",
            "service": record["service"],
            "contacts": record["contacts"],
            "renewal": (record["pending"] or {}).get("version"),
            "reminders": reminded.get((record["id"], record["period"]["to"]), []),
        }
        for record in remote.gateway.register("agreement")
        if record["status"] in ("active", "suspended") and record["period"]["to"] <= last
    ]
    found.sort(key=lambda one: (one["ends"], one["id"]))
    rows = [{**one, "reminded": [mark["days"] for mark in one["reminders"]]} for one in found]
    cells = ([row[name] for _, name in _EXPIRING] for row in rows)
    if as_csv:
        if remote.screen.as_json:
            raise WrongUse("เลือก --json หรือ --csv อย่างใดอย่างหนึ่ง", "choose --json or --csv")
        remote.screen.raw(csv_text([name for _, name in _EXPIRING], cells))
        return

    def render() -> None:
        if found:
            remote.screen.table(_EXPIRING, cells)
        else:
            remote.screen.say("ไม่มีข้อตกลงที่ใกล้หมดอายุ", "no agreement ends soon")

    remote.screen.show({"agreements": found}, render)


@remote
def render(
    remote: Remote,
    id: Id,
    language: Annotated[Literal["th", "en"], typer.Option("--lang", help="In which language.")] = "th",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page there, and both signatures to FILE.signed.json.")
    ] = None,
) -> None:
    """พิมพ์ข้อตกลง / An agreement as a page to file, with the acts that both sides signed."""
    record = remote.gateway.record("agreement", id)
    acts = _acts_in_force(remote, record)
    titles = {one["id"]: one["title"] for kind in ("agency", "group") for one in remote.gateway.register(kind)}
    purposes = {one["code"]: one["title"] for one in remote.gateway.purposes()}
    service = remote.gateway.service(record["service"])
    html = agreement_page(language, record, service, titles, purposes, acts)
    digest = hashlib.sha256(html.encode()).hexdigest()
    signed = {"agreement": id, "version": record["version"], "page_sha256": digest, "acts": acts}
    if out is None:
        remote.screen.show({**signed, "page": html}, lambda: remote.screen.raw(html))
        return
    write_page(remote.screen, out, html)
    beside = out.with_name(f"{out.name}.signed.json")
    write_page(remote.screen, beside, orjson.dumps(signed, option=orjson.OPT_INDENT_2).decode() + "\n")
    if remote.screen.as_json:
        remote.screen.show({"page": str(out), "signed": str(beside), "page_sha256": digest}, lambda: None)


def _acts_in_force(remote: Remote, record: Json) -> list[Json]:
    """The proposal, its approval, and what narrowed it since: each act's JWS and key, the signature checked here."""
    acts = [{**act, "payload": _payload(act["signed"])} for act in remote.gateway.acts_of("agreement", record["id"])]
    approved = [one for one in record.get("decisions", ()) if one["outcome"] == "approved"]
    if not approved:
        raise Refused("ข้อตกลงยังไม่ได้รับอนุมัติ", "the agreement has not been approved")
    version = approved[-1]["version"]
    approval = next(
        act for act in acts if act["act"] == "agreement.approve" and act["payload"]["body"].get("version") == version
    )
    proposal = [act for act in acts if act["act"] == "agreement.propose" and act["index"] < approval["index"]][-1]
    later = [act for act in acts if act["act"] == "agreement.narrow" and act["index"] > approval["index"]]
    keys = {one["id"]: {key["kid"]: key for key in one["keys"]} for one in remote.gateway.register("operator")}
    found = []
    for act in (proposal, approval, *later):
        key = keys.get(act["operator"], {}).get(act["key_id"])
        names = ("act", "operator", "role", "agency", "time", "index", "entry", "key_id")
        checked = key is not None and _signed_by(act["signed"], key)
        found.append({**{name: act[name] for name in names}, "key": key, "checked": checked, "jws": act["signed"]})
        if key is not None and not checked:
            raise Refused(f"ลายมือชื่อของ {act['operator']} ไม่ถูกต้อง", f"the signature of {act['operator']} does not hold")
    return found


def _payload(signed: str) -> Json:
    body: Json = orjson.loads(jws.extract_compact(signed.encode()).payload)
    return body


def _signed_by(signed: str, key: Json) -> bool:
    try:
        jws.deserialize_compact(signed, import_key(key), registry=_SIZES)
    except (JoseError, ValueError):
        return False
    return True
