"""Every way a command can end badly, told in Thai and English with what would help, and its exit code.

1 refused or failed, 2 wrong use. Never a traceback for what a user or a gateway did, never an identifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from gateway.errors import GatewayError, Reason
from gateway.form_texts import in_english, in_thai
from gateway.keys import KeyFileError

if TYPE_CHECKING:
    from gateway.client import Problem

_DATABASES = ("sqlite3", "psycopg", "sqlalchemy")
"""Whose exceptions are a database's: by name, so that a command that needs none does not load them."""
REFUSED = 1
WRONG_USE = 2


class WrongUse(Exception):
    """The command was not given what it needs, or something of another form. Texts in Thai and English."""

    def __init__(self, thai: str, english: str, details: Sequence[str] = ()) -> None:
        super().__init__(english)
        self.thai = thai
        self.english = english
        self.details = tuple(details)


class Refused(WrongUse):
    """The command was used well, but what it found forbids it (a check fails, a register differs)."""


class ActUnanswered(Exception):
    """No answer came to an act of governance, which may be on record all the same. `number`: the id that the command
    drew for it, where none was given.
    """

    def __init__(self, what: str, number: str = "") -> None:
        super().__init__(what)
        self.number = number


def by_number(number: str) -> tuple[str, str]:
    """(Thai, English): how a command that draws a number is given again. Without, it would draw another."""
    return (
        f"เมื่อสั่งซ้ำให้ระบุ --id {number} ซึ่งเป็นเลขที่คำสั่งนี้ออกให้ มิฉะนั้นจะเป็นรายการใหม่",
        f"when it is repeated, name the number that this command drew: --id {number}; without, it is another entry",
    )


_OAUTH = {
    "invalid_client": "เกตเวย์ไม่ยอมรับรหัสหรือกุญแจที่ใช้ยืนยันตน",
    "invalid_scope": "ขอสิทธิที่รหัสนี้ไม่มี",
    "temporarily_unavailable": "เกตเวย์ไม่พร้อมให้บริการชั่วคราว",
}
"""The token endpoint's answers, which RFC 6749 has in ASCII only, as a title in Thai."""

_HELP: dict[str, tuple[str, str]] = {
    "invalid_client": (
        "ตรวจสอบรหัส (--as) ไฟล์กุญแจ (--key) ว่าลงทะเบียนและยังไม่ถูกเพิกถอน และนาฬิกาของเครื่องนี้ "
        "หากเรียกเกตเวย์ด้วยชื่ออื่น ให้ระบุ --issuer",
        "check the id (--as), that the key (--key) is registered and not revoked, and this machine's clock; "
        "where you reach the gateway by another name than its own, give --issuer",
    ),
    "invalid_scope": (
        "บทบาทของรหัสนี้ทำรายการนี้ไม่ได้",
        "the role of this id does not reach this command",
    ),
    "insufficient_scope": (
        "บทบาทของรหัสนี้ทำรายการนี้ไม่ได้",
        "the role of this id does not reach this command",
    ),
    "not_found": ("ตรวจสอบรหัสที่ระบุ คำสั่ง list แสดงรายการที่มี", "check the id; `list` shows what there is"),
    "unknown_service": (
        "ตรวจสอบรหัสบริการข้อมูล และว่าหน่วยงานเจ้าของข้อมูลอนุมัติแล้ว",
        "check the service's id, and that its agency has approved it",
    ),
    "invalid_citizen_id": ("ตรวจสอบตัวเลขทีละหลัก", "check the number digit by digit"),
    "conflict": ("ดูสถานะปัจจุบันด้วยคำสั่ง show", "look at the present state with `show`"),
    "log_unavailable": (
        "แจ้งผู้ดูแลเกตเวย์ เมื่อบันทึกไม่ได้จะไม่มีการแลกเปลี่ยนข้อมูล",
        "tell the gateway's administrator: nothing is exchanged while nothing can be recorded",
    ),
    "gateway_failed": (
        "แจ้งผู้ดูแลเกตเวย์พร้อมรหัสรายการ",
        "tell the gateway's administrator, with the exchange's id where there is one",
    ),
}


def exit_code(error: BaseException) -> int:
    """1 for what was refused or failed, 2 for wrong use."""
    from gateway.client import NotForUrl

    if isinstance(error, Refused):
        return REFUSED
    return WRONG_USE if isinstance(error, (WrongUse, KeyFileError, NotForUrl)) else REFUSED


def _client_errors() -> tuple[tuple[type[Exception], str, str, str], ...]:
    """The client is loaded where an error is told: a command that needs none, like `serve`, does without it."""
    from gateway.client import ClientError, NotForUrl, Unreachable, UntrustedAnswer

    return (
        (
            NotForUrl,
            "wrong_use",
            "รหัสที่ระบุเว้นว่าง หรือคล้ายเลขประจำตัวประชาชน จึงไม่ส่ง",
            "",
        ),
        (
            ActUnanswered,
            "unreachable",
            "ไม่มีคำตอบจากเกตเวย์ จึงไม่ทราบว่ารายการนี้บันทึกแล้วหรือไม่ ดูด้วยคำสั่ง show หรือสั่งซ้ำได้โดยไม่เกิดผลสองครั้ง",
            "; whether the act is on record is not known: look with `show`, or repeat the command: none is done twice",
        ),
        (
            Unreachable,
            "unreachable",
            "ติดต่อเกตเวย์ไม่ได้ ตรวจสอบ --url และว่าเกตเวย์ทำงานอยู่",
            "; check --url, and that the gateway runs",
        ),
        (
            UntrustedAnswer,
            "untrusted_answer",
            "ลายมือชื่อของคำตอบไม่ถูกต้อง จึงไม่ใช้คำตอบนี้ แจ้งผู้ดูแลเกตเวย์",
            "; the answer was thrown away: tell the gateway's administrator",
        ),
        (ClientError, "unexpected_answer", "คำตอบไม่ได้อยู่ในรูปแบบของเกตเวย์ ตรวจสอบ --url", "; check --url"),
    )


def told(error: BaseException) -> tuple[dict[str, Any], list[str]]:  # noqa: PLR0911 - one return a kind
    """The error as a JSON body and as lines for a person."""
    from gateway.client import Problem

    if isinstance(error, Problem):
        return error.as_json(), _problem_lines(error)
    for kind, code, thai, more in _client_errors():
        if isinstance(error, kind):
            number = by_number(error.number) if isinstance(error, ActUnanswered) and error.number else None
            english = f"{error}{more}"
            return _both(code, *((f"{thai} {number[0]}", f"{english}; {number[1]}") if number else (thai, english)))
    if isinstance(error, WrongUse):
        body, lines = _both("refused" if isinstance(error, Refused) else "wrong_use", error.thai, error.english)
        more_body = {"details": list(error.details)} if error.details else {}
        return {**body, **more_body}, [*lines, *(f"  - {detail}" for detail in error.details)]
    if isinstance(error, GatewayError):
        english = ": ".join(text for text in (error.title_en, error.detail_en) if text)
        return _both(error.code, ": ".join(text for text in (error.title_th, error.detail_th) if text), english)
    if isinstance(error, KeyFileError):
        return _both("key_file", error.thai or "ใช้ไฟล์กุญแจไม่ได้", str(error))
    if isinstance(error, OSError):
        name = f"{error.filename}: " if isinstance(error.filename, str) else ""
        return _both("file", "อ่านหรือเขียนไฟล์ไม่ได้", f"{name}{error.strerror or type(error).__name__}")
    if type(error).__module__.partition(".")[0] in _DATABASES:
        at_fault = getattr(error, "orig", None) or error
        what = getattr(at_fault, "sqlite_errorname", None) or getattr(at_fault, "sqlstate", None) or ""
        english = f"the database does not answer: {type(at_fault).__name__} {what}".rstrip()
        return _both(
            "database", "ใช้ฐานข้อมูลไม่ได้ ตรวจสอบด้วย `linkage doctor`", f"{english}; `linkage doctor` looks at it"
        )
    # A fault of ours: its kind and place, for a report; its text could hold anything.
    return _both(
        "internal", "โปรแกรมผิดพลาด โปรดแจ้งผู้พัฒนา", f"a fault of this program: {_place(error)}; please report it"
    )


def form_faults(error: ValidationError) -> list[tuple[tuple[str | int, ...], str]]:
    """What a form's check found: (place, what is wrong in Thai and English), never the value that was there."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    return [(tuple(fault["loc"]), f"{in_thai(fault)} / {in_english(fault)}") for fault in faults]


def _problem_lines(problem: Problem) -> list[str]:
    titles = " / ".join(text for text in (problem.title_th, problem.title) if text)
    titles = titles or " / ".join(text for text in (_OAUTH.get(problem.code), problem.detail) if text)
    lines = [f"{titles} ({problem.status} {problem.code})"]
    lines += [f"  {text}" for text in (problem.detail_th, problem.detail) if text and not titles.endswith(text)]
    for number, reason in enumerate(problem.reasons, 1):
        lines += _reason_lines(number, reason)
    if problem.retry_after is not None:
        lines.append(f"  ลองใหม่ได้ในอีก {problem.retry_after} วินาที / try again in {problem.retry_after} s")
    if problem.code in _HELP and not problem.reasons:
        lines += [f"  {text}" for text in _HELP[problem.code]]
    if problem.exchange_id:
        lines.append(f"  รายการแลกเปลี่ยนข้อมูล / exchange: {problem.exchange_id}")
    return lines


def _reason_lines(number: int, reason: Reason) -> list[str]:
    about = " · ".join(text for text in (reason.code, reason.section, reason.clause, ", ".join(reason.fields)) if text)
    lines = [f"  {number}. {about}"]
    lines += [f"     {text}" for text in (reason.title_th, reason.title_en) if text]
    lines += [f"     ทางแก้: {reason.remedy_th}"] if reason.remedy_th else []
    lines += [f"     Remedy: {reason.remedy_en}"] if reason.remedy_en else []
    lines += [f"     สอบถาม / ask: {reason.ask}"] if reason.ask else []
    return lines


def _both(code: str, thai: str, english: str) -> tuple[dict[str, Any], list[str]]:
    return {"code": code, "title": english, "title_th": thai}, [thai, english]


def _place(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(error).__name__}{where}"
