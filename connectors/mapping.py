"""The declarative mapping: from a source's JSON answer to the service's record.

Its form is `mapping.schema.json`. A rule has a `type`, and a `path` (JSON Pointer, RFC 6901) from `root`:

    text       white space tidied; a number becomes its digits; Thai digits on wish
    digits     a number that is a name (a house's, a person's): text, lost leading zeros given back by `pad`
    integer, number, boolean   an integer within 2^53, as every reader reads it alike
    date       Buddhist or common era, partial where the source knows no more (see `connectors.dates`)
    code       a code translated by a list
    coded      a code and its label: {"code", "label"}
    composed   text made of several values (a full name, an address)
    object     several values as one property
    list       a list, each item by one rule
    compare    yes or no, by comparison with a value of the asker's (see `connectors.comparing`)

What is absent, null, blank or listed under `missing` is missing: the rule's `default`, else null; with
`required: true` it is a fault. What is there and does not fit is a fault too: `AgencyMisbehaved("unmapped")`,
which names neither the field nor the value. Rules are compiled once, when the connector is opened, and only
the granted fields are mapped: a mess in a field nobody asked for harms nobody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from connectors.comparing import Comparison, comparison
from connectors.dates import NotADate, partial_date
from connectors.pointers import Rule, pointer
from gateway.plugin import AgencyMisbehaved, Record

MAPPING_SCHEMA: Final[dict[str, Any]] = orjson.loads((Path(__file__).parent / "mapping.schema.json").read_bytes())

_ABSENT: Final = object()
_NOTHING: Final[Mapping[str, str]] = {}
_TO_ARABIC: Final = str.maketrans("๐๑๒๓๔๕๖๗๘๙", "0123456789")
_DIGITS: Final = re.compile(r"[0-9]+", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,18}", re.ASCII)
_LARGEST: Final = 2**53 - 1
"""Readers of JSON read a larger integer each as another number (RFC 7493, section 2.2)."""
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", re.ASCII)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")
_IDENTIFIER_LENGTH: Final = 13


class Unmapped(Exception):
    """What the source sent does not fit its rule. Carries nothing, so that nothing can leak."""


@dataclass(frozen=True, slots=True)
class Mapper:
    """A compiled mapping. `fields`, `compared`: the service's fields that are told, and that answer yes or no."""

    fields: Mapping[str, Rule]
    compared: Mapping[str, Comparison]
    root: Rule
    echo: Rule | None
    as_of: Rule | None

    def record(self, answer: Any, fields: Container[str], given: Mapping[str, str] = _NOTHING) -> Record:
        """The record of `fields` in `answer`; AgencyMisbehaved (`no_echo`, `unmapped`)."""
        echo = None if self.echo is None else _echoed(self.echo, answer)
        try:
            node = self.root(answer)
            if not isinstance(node, (dict, list)):
                raise Unmapped
            data = {name: rule(node) for name, rule in self.fields.items() if name in fields}
            data.update({name: rule(node, given) for name, rule in self.compared.items() if name in fields})
            as_of = None if self.as_of is None else self.as_of(node)
        except Unmapped:
            raise AgencyMisbehaved("unmapped") from None
        return Record(data, echo, as_of)


def compile_mapping(mapping: Mapping[str, Any]) -> Mapper:
    """`mapping` (already checked against MAPPING_SCHEMA) made ready to run."""
    common = tuple(mapping.get("missing", ()))
    echo = mapping.get("echo", "none")
    return Mapper(
        fields={name: _rule(rule, common) for name, rule in mapping["fields"].items() if rule["type"] != "compare"},
        compared={
            name: _comparison(rule, common) for name, rule in mapping["fields"].items() if rule["type"] == "compare"
        },
        root=pointer(mapping["root"]) if "root" in mapping else _itself,
        echo=None if echo == "none" else pointer(echo),
        as_of=_rule(mapping["as_of"], common) if "as_of" in mapping else None,
    )


def identifier_of(value: Any) -> str | None:
    """13 digits as the source writes them (a number that lost zeros, Thai digits, hyphens), or None."""
    try:
        digits = _bare_digits(value)
    except Unmapped:
        return None
    return digits.zfill(_IDENTIFIER_LENGTH) if len(digits) <= _IDENTIFIER_LENGTH else None


def _bare_digits(value: Any) -> str:
    """The digits of a number that is a name: without hyphens and spaces between them, ASCII."""
    text = _as_text(value).strip().translate(_TO_ARABIC)
    digits = text.replace("-", "").replace(" ", "")
    if _DIGITS.fullmatch(digits) is None or text[0] == "-":
        raise Unmapped
    return digits


def _echoed(path: Rule, answer: Any) -> str:
    identifier = identifier_of(path(answer))
    if identifier is None:
        raise AgencyMisbehaved("no_echo")
    return identifier


def _itself(node: Any) -> Any:
    return node


def _rule(rule: Mapping[str, Any], common: tuple[Any, ...]) -> Rule:
    """One rule made ready: find the value, say whether it is missing, turn it."""
    turn = _KINDS[rule["type"]](rule, common)
    required, default = bool(rule.get("required")), rule.get("default")

    def run(node: Any) -> Any:
        value = turn(node)
        if value is None:
            if required:
                raise Unmapped
            return default
        return value

    return run if required or default is not None else turn


def _finder(path: str, rule: Mapping[str, Any], common: tuple[Any, ...]) -> Rule:
    """The value at `path`, or None where it is missing."""
    find = pointer(path)
    missing = frozenset((type(value), value) for value in (*common, *rule.get("missing", ())))

    def found(node: Any) -> Any:
        value = find(node)
        if value is None:
            return None
        kind = type(value)
        if kind is str:
            value = value.strip()
            if not value:
                return None
        elif kind is dict or kind is list:
            return value
        return None if (kind, value) in missing else value

    return found


def _as_text(value: Any) -> str:
    """A scalar that a source may send for text or a code."""
    if isinstance(value, str):
        if _CONTROL.search(value):
            raise Unmapped
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise Unmapped


def _text(rule: Mapping[str, Any], common: tuple[Any, ...]) -> Rule:
    find, arabic = _finder(rule["path"], rule, common), "thai_digits" in rule

    def run(node: Any) -> Any:
        value = find(node)
        if value is None:
            return None
        text = " ".join(_as_text(value).split())
        return text.translate(_TO_ARABIC) if arabic else text

    return run


def _digits(rule: Mapping[str, Any], common: tuple[Any, ...]) -> Rule:
    find, length, pad = _finder(rule["path"], rule, common), rule.get("length"), bool(rule.get("pad"))

    def run(node: Any) -> Any:
        value = find(node)
        if value is None:
            return None
        digits = _bare_digits(value)
        if pad and length is not None:
            digits = digits.zfill(length)
        if length is not None and len(digits) != length:
            raise Unmapped
        return digits

    return run


def _number(rule: Mapping[str, Any], common: tuple[Any, ...]) -> Rule:
    find, whole = _finder(rule["path"], rule, common), rule["type"] == "integer"

    def run(node: Any) -> Any:
        value = find(node)
        if value is None:
            return None
        if isinstance(value, str):
            value = value.translate(_TO_ARABIC)
            if (_INTEGER if whole else _NUMBER).fullmatch(value) is None:
                raise Unmapped
            value = float(value) if "." in value else int(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise Unmapped
        if whole and isinstance(value, float):
            if not value.is_integer():
                raise Unmapped
            value = int(value)
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise Unmapped
        return value

    return run


def _boolean(rule: Mapping[str, Any], common: tuple[Any, ...]) -> Rule:
    find = _finder(rule["path"], rule, common)
    meanings: dict[tuple[type, Any], bool] = {(bool, True): True, (bool, False): False}
    for word, meaning in (("true", True), ("false", False)):
        meanings.update({(type(value), value): meaning for value in rule.get(word, ())})

    def run(node: Any) -> Any:
        value = find(node)
        if value is None:
            return None
        meaning = None if isinstance(value, (dict, list)) else meanings.get((type(value), value))
        if meaning is None:
            raise Unmapped
        return meaning

    return run


def _date(rule: Mapping[str, Any], common: tuple[Any, ...]) -> Rule:
    find, form, buddhist = _finder(rule["path"], rule, common), rule["form"], rule["calendar"] == "buddhist"
    solid = form in ("yyyymmdd", "ddmmyyyy")

    def run(node: Any) -> Any:
        value = find(node)
        if value is None:
            return None
        written = _as_text(value).translate(_TO_ARABIC)
        if solid and isinstance(value, int):
            written = written.zfill(8)
        try:
            return partial_date(written, form=form, buddhist=buddhist)
        except NotADate:
            raise Unmapped from None

    return run


def _code(rule: Mapping[str, Any], common: tuple[Any, ...]) -> Rule:
    find, codes = _finder(rule["path"], rule, common), dict(rule["codes"])

    def run(node: Any) -> Any:
        value = find(node)
        if value is None:
            return None
        code = codes.get(_as_text(value), _ABSENT)
        if code is _ABSENT:
            raise Unmapped
        return code

    return run


def _coded(rule: Mapping[str, Any], common: tuple[Any, ...]) -> Rule:
    find = _finder(rule["code"], rule, common)
    find_label = _finder(rule["label"], rule, common) if "label" in rule else None
    length, codes = rule.get("length"), rule.get("codes")

    def run(node: Any) -> Any:
        value = find(node)
        if value is None:
            return None
        code = _as_text(value)
        label = None if find_label is None else find_label(node)
        label = None if label is None else " ".join(_as_text(label).split())
        if codes is not None:
            known = codes.get(code)
            if known is None:
                raise Unmapped
            return {"code": known["code"], "label": known.get("label", label)}
        if length is not None:
            code = code.zfill(length)
            if len(code) != length:
                raise Unmapped
        return {"code": code, "label": label}

    return run


def _composed(rule: Mapping[str, Any], common: tuple[Any, ...]) -> Rule:
    separator, arabic = rule.get("separator", " "), "thai_digits" in rule
    parts = tuple(
        (
            _finder(part["path"], rule, common),
            part.get("before", ""),
            part.get("after", ""),
            "" if part.get("joined") else separator,
        )
        for part in rule["parts"]
    )

    def run(node: Any) -> Any:
        text = ""
        for find, before, after, between in parts:
            value = find(node)
            if value is not None:
                part = f"{before}{' '.join(_as_text(value).split())}{after}"
                text = f"{text}{between}{part}" if text else part
        return (text.translate(_TO_ARABIC) if arabic else text) or None

    return run


def _object(rule: Mapping[str, Any], common: tuple[Any, ...]) -> Rule:
    find = pointer(rule["path"]) if "path" in rule else _itself
    members = {name: _rule(member, common) for name, member in rule["fields"].items()}

    def run(node: Any) -> Any:
        inner = find(node)
        if inner is None:
            return None
        if not isinstance(inner, dict):
            raise Unmapped
        return {name: member(inner) for name, member in members.items()}

    return run


def _comparison(rule: Mapping[str, Any], common: tuple[Any, ...]) -> Comparison:
    def text_at(part: Mapping[str, Any]) -> Callable[[Any], str | None]:
        find = _finder(part["path"], part, common)
        return lambda node: None if (value := find(node)) is None else _as_text(value)

    return comparison({name: (text_at(part), part["as"]) for name, part in rule["with"].items()})


def _list(rule: Mapping[str, Any], common: tuple[Any, ...]) -> Rule:
    find, item = pointer(rule["path"]), _rule(rule["items"], common)

    def run(node: Any) -> Any:
        inner = find(node)
        if inner is None:
            return None
        return [item(each) for each in (inner if isinstance(inner, list) else [inner])]

    return run


_KINDS: Final[Mapping[str, Callable[[Mapping[str, Any], tuple[Any, ...]], Rule]]] = {
    "text": _text,
    "digits": _digits,
    "integer": _number,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "code": _code,
    "coded": _coded,
    "composed": _composed,
    "object": _object,
    "list": _list,
}
