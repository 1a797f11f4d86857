"""Pages to print and to file: HTML in UTF-8 that says its language, stands alone, and takes every text literally."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from html import escape
from typing import Any

from gateway.model import BANGKOK

HARMFUL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""C0 and C1 controls but the line feed, lone surrogates, and what turns the direction of writing."""

_MONTHS = (
    "ม.ค.",
    "ก.พ.",
    "มี.ค.",
    "เม.ย.",
    "พ.ค.",
    "มิ.ย.",
    "ก.ค.",
    "ส.ค.",
    "ก.ย.",
    "ต.ค.",
    "พ.ย.",
    "ธ.ค.",
)
_STYLE = (
    "@page{size:A4;margin:18mm}body{font:14px/1.6 'Sarabun','Noto Sans Thai','Leelawadee UI',sans-serif;"
    "max-width:60em;margin:2em auto;padding:0 1em;color:#111}h1{font-size:1.5em}h2{font-size:1.15em;margin-top:1.6em}"
    "table{border-collapse:collapse;width:100%;margin:.6em 0}th,td{text-align:left;vertical-align:top;"
    "padding:.3em .5em;border:1px solid #bbb;overflow-wrap:anywhere}thead{display:table-header-group}"
    "tr{break-inside:avoid}th{overflow-wrap:break-word}th[scope=row]{width:28%}"
    ".word{white-space:nowrap}.small{font-size:.85em;color:#333}.field{min-width:9em;max-width:17em}.lead{font-size:1.15em;margin-top:-.6em;color:#333}"
    "code,pre{font-size:.9em;overflow-wrap:anywhere;white-space:pre-wrap;margin:0}"
)


def visible(text: str) -> str:
    """`text` with every character that a terminal would obey shown as its code point."""
    return HARMFUL.sub(lambda found: f"<U+{ord(found[0]):04X}>", text)


def page(title: str, body: str, language: str = "th") -> str:
    """A whole page. `body`: HTML; `title`: text."""
    return (
        f"<!doctype html>\n<html lang='{language}'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'><meta name='robots' content='noindex'>"
        f"<title>{text(title)}</title><style>{_STYLE}</style></head>\n<body><h1>{text(title)}</h1>\n{body}\n</body></html>\n"
    )


def text(value: Any) -> str:
    """A text as HTML; what turns the direction of writing is made visible."""
    return escape(visible(str(value))) if value not in (None, "") else "–"


def lines(values: Iterable[Any]) -> str:
    """Texts below each other."""
    return "<br>".join(text(value) for value in values) or "–"


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; the cells are HTML already."""
    head = "".join(f"<th scope='col'>{text(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values (HTML already) side by side."""
    rows = "".join(f"<tr><th scope='row'>{text(name)}</th><td>{value}</td></tr>\n" for name, value in pairs)
    return f"<table><tbody>{rows}</tbody></table>"


def thai_day(day: str | None) -> str:
    """`2026-11-20` in the Buddhist era: 20 พ.ย. 2569."""
    if day is None:
        return "–"
    found = date.fromisoformat(day)
    return f"{found.day} {_MONTHS[found.month - 1]} {found.year + 543}"


def thai_time(moment: str | None) -> str:
    """An RFC 3339 time in Bangkok and the Buddhist era."""
    if moment is None:
        return "–"
    found = datetime.fromisoformat(moment).astimezone(BANGKOK)
    return f"{thai_day(found.date().isoformat())} {found:%H:%M} น."
