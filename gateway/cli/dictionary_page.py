"""A service's data dictionary as a page, Thai and English side by side: made of its catalogue entry and its schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.cli.output import brief, json_text
from gateway.printed import facts, lines, page, table, text

Json = Mapping[str, Any]

PDPA: Final = {
    "none": ("ไม่ใช่ข้อมูลส่วนบุคคล", "not personal data"),
    "general": ("ข้อมูลส่วนบุคคลทั่วไป", "personal data"),
    "race": ("เชื้อชาติ เผ่าพันธุ์ (ม. 26)", "race or ethnic origin (s.26)"),
    "political_opinion": ("ความคิดเห็นทางการเมือง (ม. 26)", "political opinion (s.26)"),
    "religion": ("ศาสนา ความเชื่อ ปรัชญา (ม. 26)", "religion or belief (s.26)"),
    "sexual_behaviour": ("พฤติกรรมทางเพศ (ม. 26)", "sexual behaviour (s.26)"),
    "criminal_record": ("ประวัติอาชญากรรม (ม. 26)", "criminal record (s.26)"),
    "health": ("ข้อมูลสุขภาพ (ม. 26)", "health (s.26)"),
    "disability": ("ความพิการ (ม. 26)", "disability (s.26)"),
    "trade_union": ("สหภาพแรงงาน (ม. 26)", "trade union (s.26)"),
    "genetic": ("ข้อมูลพันธุกรรม (ม. 26)", "genetic data (s.26)"),
    "biometric": ("ข้อมูลชีวภาพ (ม. 26)", "biometric data (s.26)"),
}
LEVELS: Final = {
    "01": ("เปิดเผย", "open"),
    "02": ("เผยแพร่ภายในองค์กร", "internal"),
    "03": ("ลับ", "confidential"),
    "04": ("ลับมาก", "secret"),
    "05": ("ลับที่สุด", "top secret"),
}
_TYPES: Final = {
    "string": ("ข้อความ", "text"),
    "integer": ("จำนวนเต็ม", "whole number"),
    "number": ("ตัวเลข", "number"),
    "boolean": ("ใช่หรือไม่", "yes or no"),
    "object": ("กลุ่มค่า", "group"),
    "array": ("รายการ", "list"),
    "null": ("อาจไม่มีค่า", "may be empty"),
}
_CATEGORIES: Final = {
    "public": ("ข้อมูลสาธารณะ", "public"),
    "personal": ("ข้อมูลส่วนบุคคล", "personal"),
    "official_secret": ("ความลับทางราชการ", "official secret"),
    "security": ("ความมั่นคง", "security"),
    "internal": ("ข้อมูลใช้ภายใน", "internal"),
}
_METADATA: Final = (
    ("data_type", "ประเภทข้อมูล", "data type"),
    ("owner_org", "หน่วยงานเจ้าของ", "owner"),
    ("maintainer", "ผู้ดูแลชุดข้อมูล", "maintainer"),
    ("maintainer_email", "อีเมลผู้ดูแล", "maintainer's e-mail"),
    ("tags", "คำสำคัญ", "tags"),
    ("notes", "รายละเอียด", "notes"),
    ("objective", "วัตถุประสงค์", "objective"),
    ("update_frequency_unit", "ความถี่ของการปรับปรุง", "update frequency"),
    ("geo_coverage", "ขอบเขตเชิงภูมิศาสตร์", "geographic coverage"),
    ("data_source", "แหล่งที่มา", "data source"),
    ("data_format", "รูปแบบ", "format"),
    ("data_category", "หมวดหมู่ตามธรรมาภิบาล", "governance category"),
    ("license_id", "เงื่อนไขการใช้", "licence"),
)
_COLUMNS: Final = ("รายการข้อมูล / Field", "ชนิด / Type", "ตัวอย่าง / Example", "ชั้น / Level · PDPA", "TGIX")


def dictionary_page(entry: Json, schema: Json) -> str:
    """The page of one service: what it is, who answers for it, and every field down to its parts."""
    body = [
        f"<p lang='en' class='lead'>{text(entry['title'])}</p>",
        _about(entry),
        "<h2>พจนานุกรมข้อมูล / <span lang='en'>Data dictionary</span></h2>",
        table(_COLUMNS, _rows(entry, schema)),
        "<h2>คำอธิบายชุดข้อมูล / <span lang='en'>Metadata (มรด. 3-1:2565)</span></h2>",
        facts([(f"{thai} / {english}", _value(entry["metadata"].get(name))) for name, thai, english in _METADATA]),
        "<h2>ผู้ติดต่อ / <span lang='en'>Contacts</span></h2>",
        facts(
            [
                (f"{thai} / {english}", lines(entry["contacts"][name].values()))
                for name, thai, english in (
                    ("owner", "เจ้าของข้อมูล", "data owner"),
                    ("steward", "บริกรข้อมูล", "steward"),
                    ("dpo", "เจ้าหน้าที่คุ้มครองข้อมูลส่วนบุคคล", "DPO"),
                    ("technical", "ฝ่ายเทคนิค", "technical desk"),
                )
            ]
        ),
    ]
    return page(f"{entry['title_th']}", "\n".join(body))


def _about(entry: Json) -> str:
    officer = ("ต้องระบุ", "required") if entry["officer_required"] else ("ไม่บังคับ", "not required")
    return facts(
        [
            ("รหัสบริการ / Service", f"<code>{text(entry['id'])}</code>"),
            ("หน่วยงานเจ้าของข้อมูล / Source", text(entry["agency"])),
            ("ถามด้วย / Asks by", f"<code>{text(entry['identifier'])}</code>"),
            ("ประเภท / Category", _both(_CATEGORIES.get(entry["category"], (entry["category"], "")))),
            ("ชั้นข้อมูล / Level", f"{text(entry['level'])} {_both(LEVELS[entry['level']])}"),
            ("เจ้าหน้าที่ผู้ขอ / Officer", _both(officer)),
            ("เวลาให้บริการ / Service hours", _hours(entry["hours"])),
            *([("ปิดตามแผน / Planned outages", lines(map(brief, entry["outages"])))] if entry.get("outages") else []),
            ("ความสดของข้อมูล / Freshness", text(entry["freshness"])),
            ("ตอบภายใน / Answers within", f"{text(entry['deadline_seconds'])} s"),
            ("ฉบับ / Version", f"<code>{text(entry['digest'])}</code>"),
        ]
    )


def _rows(entry: Json, schema: Json) -> Iterator[tuple[str, ...]]:
    described = {field["name"]: field for field in entry["fields"]}
    for name, field in schema["properties"].items():
        info = described[name]
        examples = field.get("examples", [])
        yield (
            _named(name, field, 0) + _given(info.get("given", ())),
            _type(schema, field),
            f"<pre>{text(json_text(examples[0]))}</pre>" if examples else "–",
            f"{text(info['level'])} {_both(LEVELS[info['level']])}<br>{_both(PDPA[info['pdpa']])}",
            f"<code>{text(info['tgix'])}</code>" if info.get("tgix") else "–",
        )
        yield from _parts(schema, field, 1)


def _parts(schema: Json, field: Json, depth: int) -> Iterator[tuple[str, ...]]:
    """The members of a field that has some, indented below it: a field is released whole, so they have its level."""
    field = _resolved(schema, field)
    inner = field.get("items", field)
    for name, member in _resolved(schema, inner).get("properties", {}).items():
        yield (_named(name, member, depth), _type(schema, member), "", "", "")
        yield from _parts(schema, member, depth + 1)


def _named(name: str, field: Json, depth: int) -> str:
    titles = [text(field.get("x-title-th")), f"<span lang='en'>{text(field.get('title'))}</span>"]
    more = [f"<span class='small'>{text(field['description'])}</span>"] if field.get("description") else []
    mark = "↳ " if depth else ""
    style = f" style='padding-left:{depth}em'" if depth else ""
    return f"<div class='field'{style}>{mark}<code>{text(name)}</code><br>{'<br>'.join([*titles, *more])}</div>"


def _given(given: Any) -> str:
    if not given:
        return ""
    listed = ", ".join(
        f"<code>given.{text(one['name'])}</code> {text(one['title_th'])} / {text(one['title'])}" for one in given
    )
    return f"<div class='small'>เปรียบเทียบกับ / compared with: {listed}</div>"


def _type(schema: Json, field: Json) -> str:
    field = _resolved(schema, field)
    kinds = field.get("type", [])
    kinds = kinds if isinstance(kinds, list) else [kinds]
    said = [_both(_TYPES.get(kind, (kind, kind))) for kind in kinds]
    for keyword in ("enum", "const"):
        if keyword in field:
            values = field[keyword] if isinstance(field[keyword], list) else [field[keyword]]
            said.append(f"<code>{text(', '.join(map(str, values)))}</code>")
    if field.keys() & {"minimum", "maximum"}:
        said.append(f"{text(field.get('minimum', '…'))} – {text(field.get('maximum', '…'))}")
    for keyword, thai, english in (
        ("maxLength", "ไม่เกิน {} อักขระ", "at most {} characters"),
        ("maxItems", "ไม่เกิน {} รายการ", "at most {} items"),
    ):
        if keyword in field:
            words = thai.format(field[keyword]), english.format(field[keyword])
            said.append(f"<span class='small'>{_both(words)}</span>")
    if "pattern" in field:
        said.append(f"<code class='small'>{text(field['pattern'])}</code>")
    return "<br>".join(said)


def _resolved(schema: Json, field: Json) -> Json:
    """A field with the definition that it refers to, within the schema."""
    reference = field.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/$defs/"):
        return field
    return {**schema["$defs"][reference.removeprefix("#/$defs/")], **field}


def _hours(hours: Json | None) -> str:
    if hours is None:
        return _both(("ตลอดเวลา", "always"))
    weekly = [f"{day} {', '.join(spans)}" for day, spans in hours["weekly"].items()]
    return lines([*weekly, *([f"closed: {', '.join(hours['closed'])}"] if hours.get("closed") else [])])


def _value(value: Any) -> str:
    if isinstance(value, Mapping) and value.keys() == {"th", "en"}:
        return _both((value["th"], value["en"]))
    return lines(value) if isinstance(value, list) else text(value)


def _both(words: tuple[str, str]) -> str:
    thai, english = words
    return f"{text(thai)} / <span lang='en'>{text(english)}</span>" if english else text(thai)
