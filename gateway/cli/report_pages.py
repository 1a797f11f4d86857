"""The reports on paper, in Thai: what an agency hands to the citizen, or files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.printed import facts, lines, page, table, text, thai_day, thai_time

OUTCOMES = {
    "released": "เปิดเผยแล้ว",
    "refused": "ปฏิเสธ",
    "failed": "ไม่สำเร็จ",
    "withheld": "ระงับการเปิดเผย",
    "interrupted": "หยุดกลางคัน",
    "decided": "อยู่ระหว่างดำเนินการ",
}
BASES = {
    "consent": "ความยินยอม (มาตรา 19)",
    "24(1)": "จดหมายเหตุ วิจัย หรือสถิติ (มาตรา 24(1))",
    "24(2)": "ป้องกันอันตรายต่อชีวิต (มาตรา 24(2))",
    "24(3)": "สัญญา (มาตรา 24(3))",
    "24(4)": "ภารกิจเพื่อประโยชน์สาธารณะหรืออำนาจรัฐ (มาตรา 24(4))",
    "24(5)": "ประโยชน์โดยชอบด้วยกฎหมาย (มาตรา 24(5))",
    "24(6)": "หน้าที่ตามกฎหมาย (มาตรา 24(6))",
}
RELEASES = {
    "pdpa_exemption": "ข้อยกเว้นตามมาตรา 4",
    "secrecy_release": "อนุญาตตามระเบียบว่าด้วยการรักษาความลับของทางราชการ",
}
RIGHTS = {"access": "ขอเข้าถึง", "correction": "ขอแก้ไข", "objection": "คัดค้าน", "erasure": "ขอให้ลบ"}
Json = Mapping[str, Any]


def name_of(item: Json | None) -> str:
    """A titled id in Thai."""
    return str((item["title"]["th"] or item["id"]) if item else "")


def _span(body: Json) -> str:
    return f"{thai_time(body['from']) if body['from'] else 'ตั้งแต่ต้น'} – {thai_time(body['to'] or body['made_at'])}"


def _authorities(one: Json) -> str:
    """The law that it was asked by, what it stood on beside that, and by which the person was not told of it."""
    held = one.get("withheld")
    more = [f"{title} {text(one[name])}" for name, title in RELEASES.items() if one.get(name)]
    later = [f"เคยไม่เปิดเผยต่อท่านตาม {text(held['authority']['th'])}"] if held else []
    return "<br>".join([text(one["authority"]["th"]), *more, *later])


def subject_page(body: Json) -> str:
    """PDPA s.30: every access, for the person."""
    rows = [
        (
            text(thai_time(one["time"])),
            text(name_of(one["consumer"])),
            text(name_of(one["source"])),
            f"{text(name_of(one['purpose']))}<br><span class='small'>{_authorities(one)}</span>",
            text(BASES.get(one["lawful_basis"], one["lawful_basis"])),
            lines(field["title"]["th"] or field["name"] for field in one["fields"]),
            text(OUTCOMES.get(one["outcome"], one["outcome"])),
            text(one["exchange_id"]),
        )
        for one in body["accesses"]
    ]
    columns = ("เวลา", "หน่วยงานที่ขอ", "หน่วยงานเจ้าของข้อมูล", "วัตถุประสงค์และกฎหมาย", "ฐาน", "ข้อมูลที่ให้", "ผล", "รายการ")
    counted = body.get("counted")
    note = "ครบถ้วน" if body["complete"] else "เฉพาะบางส่วน"
    own = name_of(body["agency"])
    if own:  # one agency's DPO is told of no other's
        note += f" เฉพาะที่{own}เป็นผู้ขอหรือเจ้าของข้อมูล ไม่มีหลักฐานว่าไม่มีรายการอื่น"
    about = facts(
        [
            ("ช่วงเวลา", text(_span(body))),
            ("จัดทำเมื่อ", text(thai_time(body["made_at"]))),
            ("จัดทำโดย", text(body["made_by"])),
            ("เหตุผล", text(body["reason"])),
            ("รหัสแฝงของบุคคล", text(body["subject"])),
            *([("รายการที่นับในบันทึก", f"{counted['count']} (ล่าสุด {text(counted['latest'])})")] if counted else []),
            ("ความครบถ้วนของรายงาน", text(note)),
        ]
    )
    whose = f"ซึ่ง{own}เป็นผู้ขอหรือเป็นเจ้าของข้อมูล" if own else ""
    intro = (
        "<p>รายงานนี้จัดทำตามมาตรา 30 แห่งพระราชบัญญัติคุ้มครองข้อมูลส่วนบุคคล พ.ศ. 2562 "
        f"แสดงทุกครั้งที่มีการขอข้อมูลของท่านผ่านเกตเวย์นี้{text(whose)} เกตเวย์ไม่เก็บค่าของข้อมูล</p>"
    )
    none = "<p>ไม่พบรายการ</p>"
    return page("รายงานการเข้าถึงข้อมูลส่วนบุคคล", intro + about + (table(columns, rows) if rows else none))


def ropa_page(body: Json) -> str:
    """PDPA s.39."""
    agency = body["agency"]
    parts = [
        facts(
            [
                ("หน่วยงาน", text(agency["title"]["th"])),
                ("ติดต่อ", text(agency["contact"])),
                ("ช่วงเวลาของจำนวนครั้ง", text(_span(body))),
                ("จัดทำเมื่อ", text(thai_time(body["made_at"]))),
            ]
        )
    ]
    for title, key in (("กิจกรรมในฐานะผู้ใช้ข้อมูล", "as_consumer"), ("กิจกรรมในฐานะเจ้าของข้อมูล", "as_source")):
        columns = ("วัตถุประสงค์และกฎหมาย", "ข้อมูล", "คู่สัญญา", "ฐาน", "การเก็บรักษา", "ข้อตกลง", "จำนวนครั้ง")
        rows = [_activity(one, "source" if key == "as_consumer" else "consumer") for one in body[key]]
        parts.append(f"<h2>{title}</h2>" + (table(columns, rows) if rows else "<p>ไม่มี</p>"))
    disclosed = [(text(name_of(one["consumer"])), str(one["exchanges"])) for one in body["disclosed_to"]]
    parts.append("<h2>การเปิดเผย (มาตรา 27)</h2>")
    parts.append(table(("เปิดเผยแก่", "จำนวนครั้ง"), disclosed) if disclosed else "<p>ไม่มี</p>")
    requests = body["rights_requests"]
    parts.append(
        f"<h2>คำขอใช้สิทธิ</h2><p>รับ {requests['received']} ค้าง {requests['open']} ตอบแล้ว {requests['answered']} "
        f"ปฏิเสธ {len(requests['rejected'])}</p>"
    )
    rejected = [
        (text(one["id"]), text(RIGHTS[one["right"]]), text(thai_day(one["received"])), text(one["ground"]))
        for one in requests["rejected"]
    ]
    if rejected:
        parts.append(table(("คำขอที่ปฏิเสธ", "สิทธิ", "วันที่รับ", "เหตุผล"), rejected))
    security = "".join(f"<li>{text(one['th'])}</li>" for one in body["security"])
    parts.append(f"<h2>มาตรการรักษาความมั่นคงปลอดภัย (มาตรา 37(1))</h2><ul>{security}</ul>")
    return page("บันทึกรายการกิจกรรมการประมวลผลข้อมูลส่วนบุคคล (มาตรา 39)", "\n".join(parts))


def _activity(one: Json, other: str) -> tuple[str, ...]:
    return (
        f"{text(name_of(one['purpose']))}<br><span class='small'>{text(one['authority']['th'])}</span>",
        lines(
            f"{field['title']['th'] or field['name']}{' (อ่อนไหว)' if field['pdpa'] not in ('none', 'general') else ''}"
            for field in one["data"]
        ),
        text(name_of(one[other])),
        text(BASES.get(one["lawful_basis"], one["lawful_basis"]))
        + (f"<br>{text(one['sensitive_basis'])}" if one["sensitive_basis"] else ""),
        f"{one['retention']['days']} วัน<br>{text(one['retention']['destruction'])}",
        f"{text(one['agreement'])} ฉบับที่ {one['version']}<br>"
        f"{thai_day(one['period']['from'])} – {thai_day(one['period']['to'])}",
        lines(f"{OUTCOMES.get(name, name)} {number}" for name, number in one["exchanges"].items()),
    )


def breach_page(body: Json) -> str:
    """PDPA s.37(4): to be filled into the notice within 72 hours."""
    about = facts(
        [
            ("เกี่ยวกับ", lines(f"{name}: {value}" for name, value in body["of"].items())),
            ("ช่วงเวลา", text(_span(body))),
            ("เหตุ", text(body["reason"])),
            ("จำนวนรายการแลกเปลี่ยน", str(body["exchanges"])),
            ("จำนวนเจ้าของข้อมูลส่วนบุคคลที่ได้รับผลกระทบ", str(body["subject_count"])),
            ("รายการแรก – รายการสุดท้าย", f"{text(thai_time(body['first']))} – {text(thai_time(body['last']))}"),
            ("ความครบถ้วนของรายงาน", "ครบถ้วน" if body["complete"] else "เฉพาะบางส่วน"),
        ]
    )
    fields = [
        (text(one["service"]), text(one["title"]["th"] or one["name"]), text(one["pdpa"]), str(one["subjects"]))
        for one in body["fields"]
    ]
    officers = [
        (text(one["client"]), text(one["officer"] or "ระบบ"), str(one["exchanges"])) for one in body["officers"]
    ]
    subjects = [(text(one["subject"]), str(one["exchanges"]), lines(one["fields"])) for one in body["subjects"]]
    return page(
        "ข้อมูลสำหรับแจ้งเหตุละเมิดข้อมูลส่วนบุคคล (มาตรา 37(4))",
        about
        + "<h2>ข้อมูลที่เกี่ยวข้อง</h2>"
        + table(("บริการข้อมูล", "รายการข้อมูล", "ประเภท", "จำนวนคน"), fields)
        + "<h2>เจ้าหน้าที่</h2>"
        + table(("ระบบ", "เจ้าหน้าที่", "จำนวนครั้ง"), officers)
        + "<h2>เจ้าของข้อมูลส่วนบุคคล (รหัสแฝง)</h2>"
        + table(("รหัสแฝง", "จำนวนครั้ง", "ข้อมูล"), subjects),
    )
