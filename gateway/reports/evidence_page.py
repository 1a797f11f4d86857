"""The page of an exchange's evidence, in Thai: what happened, where it stands in the log, and how to check it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from gateway.printed import facts, lines, page, table, text, thai_day, thai_time
from gateway.reports.evidence import body_of

_OUTCOMES = {
    "decided": "อนุญาตแล้ว ยังไม่สิ้นสุด",
    "refused": "ปฏิเสธ ไม่มีการถามหน่วยงานเจ้าของข้อมูล",
    "released": "อนุญาต และส่งข้อมูลให้ผู้ขอแล้ว",
    "failed": "อนุญาต แต่หน่วยงานเจ้าของข้อมูลตอบไม่สำเร็จ ไม่มีข้อมูลออกไป",
    "withheld": "อนุญาต แต่สิทธิสิ้นสุดก่อนส่ง ไม่มีข้อมูลออกไป",
    "interrupted": "อนุญาต แต่ระบบหยุดกลางคัน ไม่มีข้อมูลออกไป",
}
_RELEASES = {
    "pdpa_exemption": "ข้อยกเว้นตามมาตรา 4 แห่งพระราชบัญญัติคุ้มครองข้อมูลส่วนบุคคล",
    "secrecy_release": "การอนุญาตตามระเบียบว่าด้วยการรักษาความลับของทางราชการ",
}
_ACTS = {
    "found": "ตั้งต้นทะเบียนและกุญแจของผู้ดูแลคนแรก",
    "agency.add": "ขึ้นทะเบียนหน่วยงาน",
    "client.add": "ขึ้นทะเบียนระบบ",
    "operator.add": "ขึ้นทะเบียนผู้ปฏิบัติงานและกุญแจ",
    "operator.confirm": "ยืนยันผู้ปฏิบัติงานที่ผู้อื่นขึ้นทะเบียน",
    "purpose.add": "ขึ้นทะเบียนวัตถุประสงค์",
    "agreement.propose": "เสนอข้อตกลง",
    "agreement.approve": "อนุมัติข้อตกลง",
    "policies.propose": "เสนอชุดกติกา",
    "policies.approve": "อนุมัติชุดกติกา",
}


def evidence_page(evidence: Mapping[str, Any]) -> str:
    """HTML without its end, which the file's own parts follow. `evidence`: as `gateway.reports.evidence` has it."""
    shown = [_groups(entry) for entry in evidence["exchange"]["entries"]]
    acts = [{"index": act["index"], **_groups(act)} for act in evidence["acts"]]
    exchange = evidence["exchange"]["exchange_id"]
    made = facts(
        [
            ("รายการแลกเปลี่ยนข้อมูล", _code(exchange)),
            ("จัดทำเมื่อ", text(thai_time(evidence["made_at"]))),
            ("จัดทำโดยผู้ตรวจสอบ", text(evidence["made_by"])),
            ("บันทึก", _code(evidence["exchange"]["vkey"].partition("+")[0])),
        ]
    )
    body = [
        "<p>เอกสารนี้แสดงรายการแลกเปลี่ยนข้อมูลหนึ่งรายการตามที่บันทึกไว้ พร้อมหลักฐานทางคณิตศาสตร์ว่ารายการนี้อยู่ในบันทึกและไม่ถูกแก้ไข "
        "ผู้เชี่ยวชาญตรวจสอบได้เองโดยไม่ต้องเชื่อถือหรือติดต่อผู้ดูแลระบบ เอกสารไม่มีเลขประจำตัวประชาชนและไม่มีข้อมูลที่ส่งให้กัน "
        "เพราะระบบไม่เก็บไว้ "
        "<span lang='en'>(One exchange as the log holds it, with its proof.)</span></p>",
        made,
        "<h2>๑. สิ่งที่เกิดขึ้น</h2>",
        _exchange(shown, acts),
        "<h2>๒. ตำแหน่งในบันทึก</h2>",
        _places(evidence, shown),
        "<h2>๓. ข้อตกลงที่ใช้บังคับ</h2>",
        _agreement(evidence, shown[0], acts),
        "<h2>๔. กติกาที่ใช้พิจารณา</h2>",
        _policies(evidence, shown[0]),
        "<h2>๕. รายการกำกับดูแลที่เป็นที่มา</h2>",
        "<p>ทุกรายการลงลายมือชื่อด้วยกุญแจของผู้ทำ และอยู่ในบันทึกก่อนรายการแลกเปลี่ยนนี้ "
        "กุญแจของผู้ลงลายมือชื่อแต่ละคนมาจากรายการก่อนหน้า ย้อนไปถึงรายการตั้งต้น</p>",
        _table_of_acts(acts),
        "<h2>๖. กุญแจ</h2>",
        _keys(evidence),
        "<h2>๗. วิธีตรวจสอบ</h2>",
        _how(),
    ]
    whole = page("หลักฐานการแลกเปลี่ยนข้อมูลภาครัฐ", "\n".join(body))
    return whole.removesuffix("</body></html>\n")


def _groups(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The groups that an entry shows; those that it does not are left out."""
    groups = entry["groups"] or {}
    return {name: orjson.loads(group["content"]) for name, group in groups.items() if "content" in group}


def _exchange(shown: list[dict[str, Any]], acts: list[dict[str, Any]]) -> str:
    first, last = shown[0], shown[-1]
    parties, legal = first["parties"], first["legal"]
    reasons = [code for entry in shown for code in entry["content"].get("reasons", [])]
    faults = [entry["content"]["fault"] for entry in shown if entry["content"].get("fault")]
    return facts(
        [
            ("ผล", f"<strong>{text(_OUTCOMES.get(last['content']['outcome'], last['content']['outcome']))}</strong>"),
            ("เวลาที่พิจารณา", text(thai_time(first["public"]["time"]))),
            ("เวลาที่สิ้นสุด", text(thai_time(last["public"]["time"])) if len(shown) > 1 else "–"),
            ("หน่วยงานผู้ใช้ข้อมูล", _titled(acts, "agency", parties["consumer"])),
            ("ระบบ และกุญแจที่ใช้", f"{text(parties['client'])}<br>{_code(parties['client_key'])}"),
            ("เจ้าหน้าที่", text(parties["officer"] or "ระบบเป็นผู้ขอเอง")),
            ("หน่วยงานเจ้าของข้อมูล", _titled(acts, "agency", parties["source"])),
            ("บริการข้อมูล", text(parties["service"])),
            ("วัตถุประสงค์", _titled(acts, "purpose", legal["purpose"])),
            ("เลขที่เรื่อง", text(legal["case_reference"])),
            ("ฐานตามกฎหมาย", text(legal["lawful_basis"])),
            ("อำนาจตามกฎหมาย", text(legal["authority"])),
            *((title, text(legal[name])) for name, title in _RELEASES.items() if name in legal),
            ("ความยินยอม", text(legal["consent"])),
            ("ข้อมูลที่ขอ", lines(legal["asked"]) if legal["asked"] else "ตามข้อตกลง"),
            ("ข้อมูลที่อนุญาต", lines(legal["granted"])),
            ("ข้อมูลที่ส่งให้", lines(last["legal"].get("released", []))),
            ("เหตุที่ไม่ส่ง", lines([*reasons, *faults])),
        ]
    )


def _places(evidence: Mapping[str, Any], shown: list[dict[str, Any]]) -> str:
    rows = []
    for entry, groups in zip(evidence["exchange"]["entries"], shown, strict=True):
        _, size, root, *_rest = entry["proof"].split("\n\n", 1)[1].split("\n")
        witnesses = [line.split(" ")[1] for line in entry["proof"].split("\n") if line.startswith("— ")][1:]
        rows.append(
            [
                text(entry["index"]),
                f"<span class='word'>{text(groups['public']['kind'].removeprefix('exchange.'))}</span>",
                _code(entry["entry"]),
                f"{text(size)} รายการ<br>{_code(root)}",
                lines(witnesses),
            ]
        )
    return table(["ลำดับ", "ชนิด", "ค่าแฮชของรายการ", "จุดตรวจสอบที่ครอบคลุม", "พยานที่ลงลายมือชื่อ"], rows)


def _agreement(evidence: Mapping[str, Any], first: Mapping[str, Any], acts: list[dict[str, Any]]) -> str:
    legal = first["legal"]
    if evidence["agreement"] is None:
        return "<p>ไม่มีข้อตกลงที่ครอบคลุมคำขอนี้</p>"
    by_index = {act["index"]: act for act in acts}
    form = body_of(by_index[evidence["agreement"]["proposed"]])
    who = [by_index[evidence["agreement"][name]]["parties"]["operator"] for name in ("proposed", "approved")]
    term = next((one for one in form["terms"] if one["id"] == legal["term"]), None)
    pairs = [
        ("ข้อตกลง", f"{text(form['title']['th'])}<br>{_code(form['id'])}"),
        ("มีผล", f"{text(thai_day(form['period']['from']))} ถึง {text(thai_day(form['period']['to']))}"),
        ("เสนอโดย", f"{text(who[0])} (รายการที่ {text(evidence['agreement']['proposed'])})"),
        ("อนุมัติโดย", f"{text(who[1])} (รายการที่ {text(evidence['agreement']['approved'])})"),
    ]
    if term is not None:
        pairs += [
            ("ข้อที่ใช้", text(term["id"])),
            ("วัตถุประสงค์ในข้อ", text(term["purpose"])),
            ("ข้อมูลในข้อ", lines(term["fields"])),
            ("ฐานและอำนาจในข้อ", f"{text(term['lawful_basis'])} {text(term['authority']['th'])}"),
        ]
    return facts(pairs)


def _policies(evidence: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    legal, found = first["legal"], evidence["policies"]
    held = f"รายการที่ {found['proposed']}" if found else "ไม่อยู่ในเอกสารนี้"
    return facts(
        [
            ("กติกาที่ตัดสิน", lines(legal["policies"])),
            ("ค่าแฮชของชุดกติกา", _code(legal["policy_digest"])),
            ("ข้อความของชุดกติกา", text(held)),
        ]
    )


def _table_of_acts(acts: Iterable[Mapping[str, Any]]) -> str:
    rows = [
        [
            text(act["index"]),
            text(thai_time(act["public"]["time"])),
            text(_ACTS.get(act["legal"]["act"], act["legal"]["act"])),
            text(act["legal"]["id"]),
            text(act["parties"]["operator"]),
        ]
        for act in acts
    ]
    return table(["ลำดับ", "เวลา", "รายการ", "เรื่อง", "ผู้ทำ"], rows)


def _keys(evidence: Mapping[str, Any]) -> str:
    document = evidence["exchange"]
    history = [key["vkey"] for key in document["keys"]] if "keys" in document else [document["vkey"]]
    return facts(
        [
            ("กุญแจตรวจสอบของบันทึก", "<br>".join(map(_code, history))),
            ("กุญแจตรวจสอบของพยาน", "<br>".join(map(_code, evidence["witnesses"])) or "–"),
        ]
    )


def _how() -> str:
    return (
        "<ol><li>ขอกุญแจตรวจสอบของบันทึกจากแหล่งอื่นที่ไม่ใช่เอกสารนี้ เช่น ที่ประกาศไว้ หรือจากพยาน กุญแจในเอกสารนี้เองไม่ยืนยันสิ่งใด</li>"
        "<li>ตรวจด้วยคำสั่ง <code>linkage proof verify FILE --vkey KEY --witness KEY</code> ไม่ต้องเชื่อมต่อเครือข่าย</li>"
        "<li>หรือเขียนโปรแกรมตรวจเองตาม docs/verify.md ซึ่งใช้มาตรฐานเปิดเท่านั้น (RFC 6962, RFC 7515, RFC 8785, "
        "c2sp.org/signed-note, tlog-checkpoint, tlog-proof, tlog-cosignature)</li>"
        "<li>ไฟล์นี้ทั้งไฟล์ถูกบันทึกไว้เมื่อส่งออก การแก้ไขแม้หนึ่งตัวอักษรจะตรวจพบ ให้ใช้ไฟล์ต้นฉบับ กระดาษที่พิมพ์มีไว้อ่านเท่านั้น</li></ol>"
    )


def _titled(acts: Iterable[Mapping[str, Any]], register: str, name: str | None) -> str:
    """A party's or purpose's title as an act gave it, and its id."""
    title = ""
    for act in acts:
        if (act["legal"]["register"], act["legal"]["id"]) == (register, name):
            title = (body_of(act).get("title") or {}).get("th", title)
    return f"{text(title)}<br>{_code(name)}" if title else text(name)


def _code(value: Any) -> str:
    return f"<code>{text(value)}</code>"
