"""The receipt on paper: one Thai page for the citizen, with the code that shows and withdraws the consent.

It stands alone: no script, nothing to be fetched. Whoever holds the page can withdraw, and nothing more.
"""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any

from gateway.consents.record import Record
from gateway.model import BANGKOK

_MONTHS = (
    "มกราคม",
    "กุมภาพันธ์",
    "มีนาคม",
    "เมษายน",
    "พฤษภาคม",
    "มิถุนายน",
    "กรกฎาคม",
    "สิงหาคม",
    "กันยายน",
    "ตุลาคม",
    "พฤศจิกายน",
    "ธันวาคม",
)
_GIVEN_BY = {
    "self": "เจ้าของข้อมูลส่วนบุคคล",
    "guardian": "ผู้ใช้อำนาจปกครอง ผู้อนุบาล หรือผู้พิทักษ์",
    "self_and_guardian": "เจ้าของข้อมูลส่วนบุคคล และผู้ใช้อำนาจปกครอง ผู้อนุบาล หรือผู้พิทักษ์",
}
_PER = {"all": "ตลอดอายุความยินยอม", "day": "ต่อวัน", "month": "ต่อเดือน", "year": "ต่อปี"}
_STYLE = (
    "@page{size:A4;margin:18mm}body{font:15px/1.6 'Sarabun','Noto Sans Thai','Leelawadee UI',sans-serif;"
    "max-width:44em;margin:2em auto;padding:0 1em;color:#111}h1{font-size:1.5em}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35em .5em;"
    "border-bottom:1px solid #bbb}th{width:32%;font-weight:600}"
    ".code{font:700 1.6em monospace;letter-spacing:.06em;border:2px solid #111;padding:.5em;text-align:center}"
    ".notice{white-space:pre-wrap;border-left:3px solid #bbb;padding-left:1em}.small{font-size:.85em;color:#333}"
)


def thai_time(text: str) -> str:
    """An RFC 3339 time as a Thai reader writes it: Bangkok, Buddhist era."""
    moment = datetime.fromisoformat(text).astimezone(BANGKOK)
    return f"{moment.day} {_MONTHS[moment.month - 1]} พ.ศ. {moment.year + 543} เวลา {moment:%H:%M} น."


def printable(record: Record, code: str, log_entry: dict[str, Any]) -> str:
    """The page as HTML. `code`: the withdrawal code, which stands nowhere else. `log_entry`: log, entry, index."""
    limit = record["use_limit"]
    items = "".join(
        f"<li>{escape(item['title']['th'] or item['name'])}"
        f"{' <strong>(ข้อมูลอ่อนไหว)</strong>' if item['sensitive'] else ''}</li>"
        for item in record["data_items"]
    )
    rows = [
        ("เลขที่ความยินยอม", escape(record["id"])),
        ("ผู้ให้ความยินยอม", _GIVEN_BY[record["given_by"]]),
        ("ผู้ใช้ข้อมูล (ผู้ควบคุมข้อมูลส่วนบุคคล)", _party(record["controller"])),
        ("เจ้าของข้อมูล (หน่วยงานต้นทาง)", _party(record["source"])),
        ("ผู้รับข้อมูล", ", ".join(_party(party) for party in record["recipients"])),
        ("วัตถุประสงค์", escape(record["purpose"]["title"]["th"])),
        ("ข้อมูลที่ยินยอม", f"<ul>{items}</ul>"),
        ("ใช้ได้ตั้งแต่", thai_time(record["validity"]["from"])),
        ("ใช้ได้ถึง", thai_time(record["validity"]["to"])),
        ("จำนวนครั้งที่ใช้ได้", f"{limit['times']} ครั้ง {_PER[limit['per']]}" if limit else "ไม่จำกัดภายในอายุความยินยอม"),
        (
            "ระยะเวลาเก็บรักษา",
            f"{record['retention']['days']} วัน ({escape(record['retention']['destruction'])})",
        ),
        ("ผู้เก็บความยินยอม", _party(record["collector"])),
        ("บันทึกในบันทึกการแลกเปลี่ยนข้อมูล", f"ลำดับที่ {log_entry['index']}"),
    ]
    table = "".join(f"<tr><th scope='row'>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return (
        "<!doctype html><html lang='th'><head><meta charset='utf-8'><meta name='robots' content='noindex'>"
        f"<title>ใบรับความยินยอม</title><style>{_STYLE}</style></head><body>"
        "<h1>ใบรับความยินยอมให้ใช้ข้อมูลส่วนบุคคล</h1>"
        f"<p>ให้ไว้เมื่อ {thai_time(record['events'][0]['at'])} "
        "ตามมาตรา 19 แห่งพระราชบัญญัติคุ้มครองข้อมูลส่วนบุคคล พ.ศ. 2562</p>"
        f"<table>{table}</table>"
        "<h2>รหัสสำหรับดูและถอนความยินยอม</h2>"
        f"<p class='code'>{escape(code)}</p>"
        f"<p>{escape(record['withdrawal']['method']['th'])}</p>"
        "<p><strong>โปรดเก็บรหัสนี้ไว้กับตัว</strong> ผู้ที่มีรหัสนี้ถอนความยินยอมแทนท่านได้ เกตเวย์ไม่ได้เก็บรหัสนี้ไว้และออกให้ใหม่ไม่ได้ "
        "หากทำหาย ถอนความยินยอมได้ที่หน่วยงานผู้ใช้ข้อมูลหรือผู้เก็บความยินยอมโดยแสดงบัตรประจำตัวประชาชน</p>"
        "<h2>ข้อความที่แจ้งก่อนให้ความยินยอม</h2>"
        f"<p class='small'>{escape(record['notice']['id'])} ฉบับที่ {escape(record['notice']['version'])}</p>"
        f"<div class='notice' lang='{escape(record['notice']['language'])}'>{escape(record['notice']['text'])}</div>"
        f"<p class='small'>SHA-256 ของข้อความ: {record['notice']['sha256']}<br>"
        f"รายการในบันทึก: {escape(log_entry['entry'])}</p></body></html>"
    )


def _party(party: dict[str, Any]) -> str:
    return escape(party["title"]["th"] or party["agency"])
