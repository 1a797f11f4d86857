"""An agreement on paper, in Thai or in English, with every clause of a data-sharing agreement (DGA framework).

Parties and signatories, contacts, dataset, fields, purpose, legal authority, kinds of personal data, subject
categories, period, classification, frequency and format, onward sharing, retention and destruction, security,
breach notice, audit, termination: all from the registers and the catalogue, nothing typed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.printed import facts, lines, page, table, text, thai_day

Json = Mapping[str, Any]
Words = Mapping[str, str]

_THAI: Words = {
    "head": "ข้อตกลงการแบ่งปันข้อมูล",
    "parties": "คู่สัญญาและผู้ลงนาม",
    "consumer": "หน่วยงานผู้ใช้ข้อมูล",
    "source": "หน่วยงานเจ้าของข้อมูล",
    "group": "กลุ่มหน่วยงาน",
    "signatory": "ผู้ลงนาม",
    "contact": "ผู้ประสานงาน",
    "roles": "บทบาทตามมาตรา 40",
    "controller": "ผู้ควบคุมข้อมูลส่วนบุคคล",
    "processor": "ผู้ประมวลผลข้อมูลส่วนบุคคล",
    "joint_controller": "ผู้ควบคุมข้อมูลส่วนบุคคลร่วม",
    "dataset": "ชุดข้อมูล",
    "level": "ชั้นความลับของข้อมูล",
    "category": "ประเภทข้อมูล",
    "format": "ความถี่และรูปแบบ",
    "format_is": "ถามทีละคนเมื่อมีเรื่อง ตอบทันทีเป็น JSON ความเป็นปัจจุบันของข้อมูล",
    "subjects": "กลุ่มเจ้าของข้อมูลส่วนบุคคล",
    "subjects_are": "บุคคลที่เป็นเรื่องของวัตถุประสงค์แต่ละข้อ ระบุด้วย",
    "period": "ระยะเวลา",
    "version": "ฉบับที่",
    "status": "สถานะ",
    "systems": "ระบบที่ใช้ได้",
    "all_systems": "ทุกระบบของหน่วยงานผู้ใช้ข้อมูล",
    "term": "ข้อกำหนด",
    "purpose": "วัตถุประสงค์",
    "authority": "ฐานอำนาจตามกฎหมาย",
    "basis": "ฐานตามมาตรา 24 / 26",
    "oia": "ข้อยกเว้นตามมาตรา 24 พ.ร.บ.ข้อมูลข่าวสารฯ",
    "fields": "รายการข้อมูล (ประเภทข้อมูลส่วนบุคคล)",
    "notice": "การแจ้งเจ้าของข้อมูลส่วนบุคคล",
    "exempt": "ได้รับยกเว้น",
    "limits": "โควตาและเงื่อนไข",
    "per_day": "ครั้งต่อวัน",
    "per_officer": "ครั้งต่อเจ้าหน้าที่ต่อวัน",
    "officer_required": "ต้องระบุเจ้าหน้าที่",
    "cross_border": "ใช้จากต่างประเทศได้",
    "no_limits": "ไม่มี",
    "exemption": "ข้อยกเว้นตามมาตรา 4",
    "release": "การอนุญาตตามระเบียบรักษาความลับทางราชการ",
    "withheld": "ไม่เปิดเผยต่อเจ้าของข้อมูล (มาตรา 30)",
    "withheld_for": "เป็นเวลา",
    "clauses": "ข้อตกลงทั่วไป",
    "onward": "การเปิดเผยต่อ",
    "onward_no": "ห้ามเปิดเผยต่อ (มาตรา 27)",
    "onward_yes": "เปิดเผยต่อได้ตามที่ตกลง",
    "retention": "การเก็บรักษาและทำลาย",
    "days": "วัน",
    "security": "ความมั่นคงปลอดภัย",
    "security_is": "คำถามและคำตอบเข้ารหัสระหว่างทางและลงลายมือชื่อ เกตเวย์ไม่เก็บค่าของข้อมูล "
    "ผ่านเฉพาะรายการข้อมูลในข้อตกลงนี้ ระบบยืนยันตัวด้วยกุญแจส่วนตัว",
    "breach": "การแจ้งเหตุละเมิด",
    "breach_is": "ฝ่ายที่พบแจ้งผู้ประสานงานของอีกฝ่ายโดยไม่ชักช้า เพื่อให้แจ้งได้ภายใน 72 ชั่วโมง (มาตรา 37(4))",
    "audit": "การตรวจสอบ",
    "audit_is": "ทุกรายการอยู่ในบันทึกการแลกเปลี่ยนข้อมูลซึ่งตรวจสอบได้ หน่วยงานเจ้าของข้อมูลเรียกดูทะเบียนการเปิดเผยได้",
    "termination": "การสิ้นสุด",
    "termination_is": "สิ้นสุดเมื่อครบกำหนด หน่วยงานเจ้าของข้อมูลระงับหรือเพิกถอนได้ทันที การทำให้แคบลงมีผลทันที การขยายต้องอนุมัติฉบับใหม่",
    "signed": "การลงลายมือชื่อ",
    "act": "รายการ",
    "by": "โดย",
    "key": "กุญแจ",
    "entry": "ลำดับในบันทึก",
}
_ENGLISH: Words = {
    "head": "Data-sharing agreement",
    "parties": "Parties and signatories",
    "consumer": "Consumer",
    "source": "Source",
    "group": "group of agencies",
    "signatory": "Signatory",
    "contact": "Contact",
    "roles": "Roles under PDPA s.40",
    "controller": "controller",
    "processor": "processor",
    "joint_controller": "joint controller",
    "dataset": "Dataset",
    "level": "Classification",
    "category": "Category",
    "format": "Frequency and format",
    "format_is": "One person at a time, as a case arises; answered at once as JSON; freshness of the data",
    "subjects": "Data subjects",
    "subjects_are": "The persons whom each purpose is about, named by",
    "period": "Period",
    "version": "Version",
    "status": "Status",
    "systems": "Systems",
    "all_systems": "every system of the consumer's",
    "term": "Term",
    "purpose": "Purpose",
    "authority": "Legal authority",
    "basis": "Basis under PDPA s.24 / s.26",
    "oia": "Exception of the Official Information Act s.24",
    "fields": "Fields (kind of personal data)",
    "notice": "Notice to the data subject",
    "exempt": "exempt",
    "limits": "Quotas and conditions",
    "per_day": "a day",
    "per_officer": "an officer and day",
    "officer_required": "an officer is named",
    "cross_border": "use from abroad is allowed",
    "no_limits": "none",
    "exemption": "Exemption under PDPA s.4",
    "release": "Release under the Official Secrets Regulation",
    "withheld": "Withheld from the data subject (PDPA s.30)",
    "withheld_for": "for",
    "clauses": "General clauses",
    "onward": "Onward sharing",
    "onward_no": "not allowed (PDPA s.27)",
    "onward_yes": "allowed as agreed",
    "retention": "Retention and destruction",
    "days": "days",
    "security": "Security",
    "security_is": "Questions and answers travel encrypted and signed; the gateway keeps no field's value and passes "
    "only the fields of this agreement; systems prove themselves by private keys",
    "breach": "Breach notice",
    "breach_is": "Who finds a breach tells the other side's contact without delay, in time for the 72 hours of s.37(4)",
    "audit": "Audit",
    "audit_is": "Every exchange is in the exchange log, which can be verified; the source may read its register of "
    "disclosures at any time",
    "termination": "Termination",
    "termination_is": "At the end of the period; the source may suspend or revoke it at once; narrowing holds at once, "
    "widening needs the approval of a new version",
    "signed": "Signatures",
    "act": "Act",
    "by": "By",
    "key": "Key",
    "entry": "Log entry",
}
WORDS = {"th": _THAI, "en": _ENGLISH}


def agreement_page(
    language: str, record: Json, service: Json, titles: Mapping[str, Json], purposes: Mapping[str, Json], acts: Any
) -> str:
    """The page. `titles`: agency or group id -> its title; `purposes`: code -> title; `acts`: those that made it."""
    words = WORDS[language]
    title = f"{words['head']}: {record['title'][language]}"
    body = [_parties(words, language, record, titles), _dataset(words, language, record, service)]
    names = {field["name"]: field for field in service["fields"]}
    for term in record["terms"]:
        body.append(f"<h2>{words['term']} {text(term['id'])}</h2>")
        body.append(_term(words, language, term, names, purposes))
    body.append(_clauses(words, record))
    rows = [
        (text(act["act"]), text(act["operator"]), text(act["time"]), text(act["key_id"]), text(act["index"]))
        for act in acts
    ]
    columns = (words["act"], words["by"], "UTC", words["key"], words["entry"])
    body.append(f"<h2>{words['signed']}</h2>" + table(columns, rows))
    return page(title, "\n".join(body), language)


def _day(language: str, day: str) -> str:
    return thai_day(day) if language == "th" else day


def _parties(words: Words, language: str, record: Json, titles: Mapping[str, Json]) -> str:
    party = record["consumer"]
    name = party.get("agency") or party["group"]
    consumer = titles.get(name, {}).get(language) or name
    consumer += "" if party.get("agency") else f" ({words['group']})"
    sides = {"consumer": consumer, "source": titles.get(record["source"], {}).get(language) or record["source"]}
    rows = [
        (
            text(words[side]),
            text(sides[side]),
            text((record["signatories"] or {}).get(side)),
            text(record["contacts"][side]),
            text(words[record["controller"][side]]),
        )
        for side in ("consumer", "source")
    ]
    return f"<h2>{words['parties']}</h2>" + table(("", "", words["signatory"], words["contact"], words["roles"]), rows)


def _dataset(words: Words, language: str, record: Json, service: Json) -> str:
    name = service["title_th"] if language == "th" else service["title"]
    period = record["period"]
    return facts(
        [
            (words["dataset"], f"{text(name)} ({text(service['id'])})"),
            (words["category"], text(service["category"])),
            (words["level"], text(service["level"])),
            (words["format"], f"{words['format_is']}: {text(service['freshness'])}"),
            (words["subjects"], f"{words['subjects_are']} {text(service['identifier'])}"),
            (words["period"], f"{_day(language, period['from'])} – {_day(language, period['to'])}"),
            (words["version"], text(record["version"])),
            (words["status"], text(record["status"])),
            (words["systems"], lines(record["clients"]) if record["clients"] else words["all_systems"]),
        ]
    )


def _term(words: Words, language: str, term: Json, names: Mapping[str, Json], purposes: Mapping[str, Json]) -> str:
    purpose = purposes.get(term["purpose"], {}).get(language, "")
    notice = term["notice"]
    given = f"{notice['id']} {notice['version']}" if notice.get("id") else f"{words['exempt']}: {notice['exemption']}"
    which = "title_th" if language == "th" else "title"
    fields = [f"{names[n][which]} · {n} ({names[n]['pdpa']})" if n in names else n for n in term["fields"]]
    limits = [
        *([f"{term['quota_per_day']} {words['per_day']}"] if term.get("quota_per_day") else []),
        *(
            [f"{term['quota_per_officer_per_day']} {words['per_officer']}"]
            if term.get("quota_per_officer_per_day")
            else []
        ),
        *([words["officer_required"]] if term["officer_required"] else []),
        *([words["cross_border"]] if term["cross_border"] else []),
    ]
    more = [
        (words[name], text(" · ".join(str(part) for part in term[key].values())))
        for name, key in (("exemption", "pdpa_exemption"), ("release", "secrecy_release"))
        if term.get(key)
    ]
    withheld = term.get("withheld_from_subject")
    if withheld:
        length = f"{words['withheld_for']} {withheld['days']} {words['days']}"
        more.append((words["withheld"], f"{text(withheld['authority'][language])} · {length}"))
    basis = " / ".join(part for part in (term["lawful_basis"], term.get("sensitive_basis")) if part)
    return facts(
        [
            (words["purpose"], f"{text(purpose)} ({text(term['purpose'])})"),
            (words["authority"], text(term["authority"][language])),
            (words["basis"], text(basis)),
            (words["oia"], text(term["oia_ground"])),
            (words["fields"], lines(fields)),
            (words["notice"], text(given)),
            (words["limits"], lines(limits) if limits else words["no_limits"]),
            *more,
        ]
    )


def _clauses(words: Words, record: Json) -> str:
    retention = record["retention"]
    return f"<h2>{words['clauses']}</h2>" + facts(
        [
            (words["onward"], words["onward_yes"] if record["onward_sharing"] else words["onward_no"]),
            (words["retention"], f"{retention['days']} {words['days']}; {text(retention['destruction'])}"),
            *((words[name], words[f"{name}_is"]) for name in ("security", "breach", "audit", "termination")),
        ]
    )
