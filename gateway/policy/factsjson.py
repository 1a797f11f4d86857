"""Facts as JSON: for the policies' examples, for explaining a question, for judging recorded ones again.

Only what the judge reads is in it, so neither keys nor titles nor schemas, and never an identifier. What is
left out takes the model's default (a status is then `active`). `service.fields` is {name: {"level", "pdpa"}};
`agreement.terms` lists whole terms, and `term` names the one that is judged.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import date, datetime
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from gateway.errors import MalformedRequest
from gateway.model import (
    Agency,
    Agreement,
    Caller,
    Client,
    Consent,
    Facts,
    FieldInfo,
    IdentifierKind,
    Officer,
    Purpose,
    Service,
    Term,
    Withholding,
    timestamp,
)

_TITLES = {"title_en": "", "title_th": ""}
_UNREAD: dict[type, dict[str, Any]] = {
    Agency: _TITLES,
    Client: {
        **_TITLES,
        "keys": (),
        "scopes": frozenset(),
        "revoked_kids": frozenset(),
        "networks": (),
        "token_binding": "",
    },
    Purpose: {**_TITLES, "authority_en": "", "authority_th": "", "replaces": ()},
    FieldInfo: {**_TITLES, "name": "", "tgix": "", "given": ()},
    Service: {
        **_TITLES,
        "identifier_kind": IdentifierKind.CITIZEN,
        "deadline": 0.0,
        "echo": True,
        "schema": {},
        "metadata": {},
        "connector": {},
        "hours": None,
        "digest": "",
    },
    Officer: {},
    Term: {},
    Withholding: {},
    Agreement: {},
    Consent: {},
}
"""What the judge does not read of each, and what stands in its place."""

_TOP = {
    "now",
    "client",
    "consumer",
    "source",
    "service",
    "connector_status",
    "purpose",
    "fields",
    "officer_named",
    "officer",
    "agreement",
    "term",
    "consent_named",
    "consent",
    "quota_used",
    "officer_quota_used",
    "comparisons_used",
}


def _malformed(where: str, en: str, th: str) -> MalformedRequest:
    return MalformedRequest(f"facts: {where}: {en}", f"ข้อเท็จจริง: {where}: {th}")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def facts_from_json(doc: Mapping[str, Any]) -> Facts:
    """The facts that `doc` states. Raises MalformedRequest for an unknown key, a missing one or a wrong type."""
    if not isinstance(doc, Mapping):
        raise _malformed("facts", "not an object", "ไม่ใช่ออบเจกต์")
    unknown = doc.keys() - _TOP
    if unknown:
        raise _malformed(", ".join(sorted(unknown)), "unknown key", "ไม่รู้จักคีย์")
    consumer = _read(Agency, "consumer", doc.get("consumer"))
    source = _read(Agency, "source", doc.get("source"))
    client = _read(Client, "client", doc.get("client"), agency=consumer.id)
    officer = _optional(Officer, "officer", doc.get("officer"), client=client.id)
    agreement = _optional(Agreement, "agreement", doc.get("agreement"))
    consent = _optional(Consent, "consent", doc.get("consent"))
    return Facts(
        now=_value(datetime, "now", doc.get("now")),
        caller=Caller(client.id, client.agency, "client", "", frozenset(), ""),
        client=client,
        consumer=consumer,
        source=source,
        service=_read(Service, "service", doc.get("service"), agency=source.id),
        connector_status=_value(str, "connector_status", doc.get("connector_status", "active")),
        purpose=_optional(Purpose, "purpose", doc.get("purpose")),
        fields=_value(tuple[str, ...], "fields", doc.get("fields")),
        officer_named=_value(bool, "officer_named", doc.get("officer_named", officer is not None)),
        officer=officer,
        agreement=agreement,
        term=_chosen(agreement, _value(str | None, "term", doc.get("term"))),
        consent_named=_value(bool, "consent_named", doc.get("consent_named", consent is not None)),
        consent=consent,
        quota_used=_value(int, "quota_used", doc.get("quota_used", 0)),
        officer_quota_used=_value(int, "officer_quota_used", doc.get("officer_quota_used", 0)),
        comparisons_used=_value(int | None, "comparisons_used", doc.get("comparisons_used")),
    )


def facts_as_json(facts: Facts) -> dict[str, Any]:
    """What the judge reads of `facts`, so that `facts_from_json` gives facts that are judged alike."""
    return {
        "now": timestamp(facts.now),
        "client": _write(facts.client),
        "consumer": _write(facts.consumer),
        "source": _write(facts.source),
        "service": _write(facts.service),
        "connector_status": facts.connector_status,
        "purpose": _write(facts.purpose),
        "fields": list(facts.fields),
        "officer_named": facts.officer_named,
        "officer": _write(facts.officer),
        "agreement": _write(facts.agreement),
        "term": facts.term.id if facts.term else None,
        "consent_named": facts.consent_named,
        "consent": _write(facts.consent),
        "quota_used": facts.quota_used,
        "officer_quota_used": facts.officer_quota_used,
        "comparisons_used": facts.comparisons_used,
    }


def _chosen(agreement: Agreement | None, name: str | None) -> Term | None:
    if name is None:
        return None
    for term in agreement.terms if agreement else ():
        if term.id == name:
            return term
    raise _malformed("term", "not a term of the agreement", "ไม่ใช่ข้อกำหนดของข้อตกลง")


def _optional(kind: type, where: str, doc: Any, **implied: Any) -> Any:
    return None if doc is None else _read(kind, where, doc, **implied)


def _read(kind: type, where: str, doc: Any, **implied: Any) -> Any:
    """One member of the model out of its JSON object; `implied` stands in for what `doc` leaves out."""
    if not isinstance(doc, Mapping):
        raise _malformed(where, "missing, or not an object", "ไม่มี หรือไม่ใช่ออบเจกต์")
    unread = _UNREAD[kind]
    hints = _hints(kind)
    unknown = [str(key) for key in doc if key not in hints or key in unread]
    if unknown:
        raise _malformed(f"{where}.{', '.join(sorted(unknown))}", "unknown key", "ไม่รู้จักคีย์")
    values = {**unread, **implied}
    for own in fields(kind):
        if own.name in doc:
            values[own.name] = _value(hints[own.name], f"{where}.{own.name}", doc[own.name])
        elif own.name not in values and own.default is MISSING and own.default_factory is MISSING:
            raise _malformed(f"{where}.{own.name}", "missing", "ไม่มีค่า")
    return kind(**values)


def _value(hint: Any, where: str, value: Any) -> Any:
    """`value` as the type that the model declares. JSON's true is no number here, and a number no text."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        inner = next(arm for arm in get_args(hint) if arm is not type(None))
        return None if value is None else _value(inner, where, value)
    if origin in (frozenset, tuple) and isinstance(value, list):
        kind = get_args(hint)[0]
        items = [_value(kind, f"{where}.{place}", item) for place, item in enumerate(value)]
        return frozenset(items) if origin is frozenset else tuple(items)
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, Mapping):
        return {str(name): _read(FieldInfo, f"{where}.{name}", item, name=str(name)) for name, item in value.items()}
    if hint in _UNREAD:
        return _read(hint, where, value)
    if hint in (date, datetime) and isinstance(value, str):
        try:
            moment = hint.fromisoformat(value)
        except ValueError:
            raise _malformed(where, "not a date or time", "ไม่ใช่วันที่หรือเวลา") from None
        if hint is date or moment.tzinfo is not None:
            return moment
        raise _malformed(where, "a time without an offset", "เวลาไม่มีเขตเวลา")
    if type(value) is hint:
        return value
    raise _malformed(where, "missing, or of the wrong type", "ไม่มี หรือผิดชนิด")


def member_as_json(member: Any) -> Any:
    """One member of the model (a consent, a client, …) as `facts_as_json` has it, without what is as by default."""
    unread = _UNREAD[type(member)]
    return {
        own.name: _write(value)
        for own in fields(member)
        if own.name not in unread and (value := getattr(member, own.name)) != own.default
    }


def _write(member: Any) -> Any:
    """A member of the model as JSON, without what the judge does not read."""
    if isinstance(member, date):  # which a datetime is too
        return timestamp(member) if isinstance(member, datetime) else member.isoformat()
    if isinstance(member, frozenset):
        return sorted(member)
    if isinstance(member, tuple):
        return [_write(item) for item in member]
    if isinstance(member, Mapping):
        return {name: _write(item) for name, item in member.items()}
    unread = _UNREAD.get(type(member))
    if unread is None:
        return member
    return {own.name: _write(getattr(member, own.name)) for own in fields(member) if own.name not in unread}
