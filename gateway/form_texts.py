"""What a form's or the settings' check finds wrong, in Thai too: pydantic and those checks say it in English."""

from __future__ import annotations

import re

from pydantic_core import ErrorDetails

OWN = {
    "must not be or hold a citizen ID": "ต้องไม่เป็นหรือมีเลขประจำตัวประชาชน",
    "must not hold a citizen ID": "ต้องไม่มีเลขประจำตัวประชาชน",
    "must not hold control characters, or any that turn the direction of writing": (
        "ต้องไม่มีอักขระควบคุมหรืออักขระที่เปลี่ยนทิศทางการเขียน"
    ),
    "a day is YYYY-MM-DD": "วันที่ต้องเป็น YYYY-MM-DD",
    "there is no such day": "ไม่มีวันที่นี้",
    "a time is written as RFC 3339 has it, with its offset": "เวลาต้องเขียนตาม RFC 3339 พร้อมเขตเวลา",
    # registers
    "the key is private: send its public half only": "เป็นกุญแจส่วนตัว ให้ส่งเฉพาะส่วนสาธารณะ",
    "not a valid Ed25519 or P-256 public key": "ไม่ใช่กุญแจสาธารณะ Ed25519 หรือ P-256 ที่ใช้ได้",
    "two keys have the same kid": "กุญแจสองดอกมี kid เดียวกัน",
    "each network is a CIDR block": "แต่ละเครือข่ายต้องเป็นช่วงที่อยู่แบบ CIDR",
    "an owner acts for an agency: name it": "เจ้าของข้อมูลต้องระบุหน่วยงาน",
    "an administrator or auditor acts for no single agency: name none": "ผู้ดูแลระบบและผู้ตรวจสอบต้องไม่ระบุหน่วยงาน",
    "a time is YYYY-MM-DDTHH:MM with its offset: +07:00, or Z": (
        "เวลาต้องเป็น YYYY-MM-DDTHH:MM ตามด้วยเขตเวลา +07:00 หรือ Z"
    ),
    "there is no such time": "ไม่มีวันหรือเวลานี้",
    "write the year in the common era: 543 less than the Thai one": "ให้เขียนปีเป็น ค.ศ. (พ.ศ. ลบ 543)",
    "that is long past": "เป็นเวลาที่ผ่านมานานแล้ว",
    "it ends before it starts": "สิ้นสุดก่อนเริ่ม",
    "longer than a month: disable the service instead": "นานกว่าหนึ่งเดือน ให้ปิดบริการแทน",
    "a month is YYYY-MM of the common era": "เดือนต้องเป็น YYYY-MM ปี ค.ศ.",
    "service: a correction names the service that has to be corrected": "service: คำขอแก้ไขต้องระบุบริการข้อมูลที่ต้องแก้ไข",
    "name an agency or a group": "ระบุหน่วยงานหรือกลุ่มอย่างใดอย่างหนึ่ง",
    "the period ends before it begins": "ระยะเวลาสิ้นสุดก่อนเริ่ม",
    "give the notice's id and version, or the exemption": "ระบุรหัสและฉบับของประกาศความเป็นส่วนตัว หรือข้อยกเว้น",
    "consent rules belong to a term whose lawful_basis or sensitive_basis is consent": (
        "เงื่อนไขความยินยอมใช้กับข้อกำหนดที่ lawful_basis หรือ sensitive_basis เป็น consent เท่านั้น"
    ),
    "what a person consents to is not withheld from them": "สิ่งที่บุคคลให้ความยินยอมจะไม่แจ้งบุคคลนั้นไม่ได้",
    "oia_ground: consent stands where lawful_basis is consent": "oia_ground: consent ใช้เมื่อ lawful_basis เป็น consent",
    "a field stands twice": "มีรายการข้อมูลซ้ำ",
    "an officer's quota is more than the whole term's": "โควตาต่อเจ้าหน้าที่มากกว่าโควตาของทั้งข้อกำหนด",
    "two terms have the same id": "ข้อกำหนดสองข้อมีรหัสเดียวกัน",
    # consents and searches
    "confirm_by says until when a minor's age band may be relied on": "confirm_by ต้องระบุว่าช่วงอายุของผู้เยาว์ใช้ได้ถึงเมื่อใด",
    "act_a_minor_may_do belongs to a minor from ten years on": "act_a_minor_may_do ใช้กับผู้เยาว์อายุตั้งแต่สิบปีขึ้นไป",
    "capacity_order names the court's order where the capacity is not full, and only there": (
        "capacity_order ระบุคำสั่งศาลเมื่อความสามารถไม่สมบูรณ์เท่านั้น และต้องระบุเมื่อเป็นเช่นนั้น"
    ),
    "it ends before it begins": "สิ้นสุดก่อนเริ่ม",
    "fields names a field twice": "fields มีรายการข้อมูลซ้ำ",
    "for such a person the guardian or curator consents whom the court appointed": (
        "บุคคลเช่นนี้ต้องให้ผู้อนุบาลหรือผู้พิทักษ์ที่ศาลตั้งเป็นผู้ให้ความยินยอม"
    ),
    "for a child of up to ten years the guardian consents (PDPA s.20)": (
        "เด็กอายุไม่เกินสิบปีต้องให้ผู้ใช้อำนาจปกครองเป็นผู้ให้ความยินยอม (พ.ร.บ.คุ้มครองข้อมูลส่วนบุคคล มาตรา 20)"
    ),
    "evidence says how the citizen was identified who consents": "evidence ต้องระบุว่ายืนยันตัวผู้ให้ความยินยอมอย่างไร",
    "guardian: no one consents for such a person but that person": "guardian: บุคคลเช่นนี้ให้ความยินยอมเองเท่านั้น",
    "by: for such a person the guardian or curator confirms": "by: บุคคลเช่นนี้ให้ผู้อนุบาลหรือผู้พิทักษ์เป็นผู้ยืนยัน",
    "must not be or hold a citizen ID: search by citizen_id": "ต้องไม่เป็นหรือมีเลขประจำตัวประชาชน ให้ค้นด้วย citizen_id",
    # settings
    "the database is sqlite:///… or postgresql://…": "ฐานข้อมูลต้องเป็น sqlite:///… หรือ postgresql://…",
    "a rate is `<how many>/second`, `/minute`, `/hour` or `/day`": (
        "อัตราต้องเป็น `<จำนวน>/second` `/minute` `/hour` หรือ `/day`"
    ),
    "the storage is redis://…, rediss://…, valkey://… or valkeys://…": (
        "ที่เก็บต้องเป็น redis://… rediss://… valkey://… หรือ valkeys://…"
    ),
    "each witness is `<verifier key> <URL>`": "พยานแต่ละรายเป็น `<กุญแจตรวจสอบ> <URL>`",
    "each is <agency>=<address or CIDR block>: private addresses are allowed to an agency": (
        "แต่ละรายการเป็น <หน่วยงาน>=<ที่อยู่หรือ CIDR> ที่อยู่ภายในอนุญาตให้หน่วยงานหนึ่ง"
    ),
    "LINKAGE_TLS_CERTIFICATE and LINKAGE_TLS_KEY go together": (
        "ต้องตั้ง LINKAGE_TLS_CERTIFICATE และ LINKAGE_TLS_KEY คู่กัน"
    ),
    "listening beyond loopback needs LINKAGE_TLS_CERTIFICATE and LINKAGE_TLS_KEY, or "
    "LINKAGE_TRUSTED_PROXIES naming the proxy that ends TLS": (
        "การเปิดให้เครื่องอื่นเรียกต้องตั้ง LINKAGE_TLS_CERTIFICATE และ LINKAGE_TLS_KEY หรือ LINKAGE_TRUSTED_PROXIES "
        "เป็นพร็อกซีที่สิ้นสุด TLS"
    ),
    "LINKAGE_WORKERS: several workers need PostgreSQL: SQLite is one process's own": (
        "LINKAGE_WORKERS: หลายโพรเซสต้องใช้ PostgreSQL เพราะ SQLite ใช้ได้โพรเซสเดียว"
    ),
    "LINKAGE_WITNESSES_WANTED is more than LINKAGE_WITNESSES names": (
        "LINKAGE_WITNESSES_WANTED มากกว่าจำนวนพยานใน LINKAGE_WITNESSES"
    ),
}
"""What the forms' and the settings' own checks say -> the same in Thai. A test holds it to be complete."""

_PYDANTIC = {
    "missing": "ต้องระบุ",
    "extra_forbidden": "ไม่มีรายการชื่อนี้ในรูปแบบ",
    "literal_error": "ไม่ใช่ค่าที่เลือกได้",
    "enum": "ไม่ใช่ค่าที่เลือกได้",
}
"""pydantic's error types -> Thai; of types that are not here the ending tells enough."""

_LIMITS = {
    "string_too_short": "สั้นเกินไป อย่างน้อย",
    "string_too_long": "ยาวเกินไป ไม่เกิน",
    "too_short": "มีรายการน้อยเกินไป อย่างน้อย",
    "too_long": "มีรายการมากเกินไป ไม่เกิน",
    "greater_than": "ค่าน้อยเกินไป ต้องมากกว่า",
    "greater_than_equal": "ค่าน้อยเกินไป อย่างน้อย",
    "less_than": "ค่ามากเกินไป ต้องน้อยกว่า",
    "less_than_equal": "ค่ามากเกินไป ไม่เกิน",
    "string_pattern_mismatch": "รูปแบบไม่ถูกต้อง ต้องเป็น",
}
"""The same of errors whose English tells a limit, or a pattern: the first in it."""

_LIMIT = re.compile(r"'.*'|-?[0-9]+(\.[0-9]+)?")


def in_english(fault: ErrorDetails) -> str:
    """What is wrong. Of the input nothing is told."""
    return fault["msg"].removeprefix("Value error, ")


def in_thai(fault: ErrorDetails) -> str:
    """The same in Thai."""
    text = in_english(fault)
    if text in OWN:
        return OWN[text]
    if fault["type"] in _LIMITS:
        limit = _LIMIT.search(text)
        return f"{_LIMITS[fault['type']]} {limit[0]}" if limit else "ค่านี้ใช้ไม่ได้"
    other = "ชนิดของค่าไม่ถูกต้อง" if fault["type"].endswith(("_type", "_parsing")) else "ค่านี้ใช้ไม่ได้"
    return _PYDANTIC.get(fault["type"], other)
