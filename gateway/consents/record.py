"""A consent's record, with the fields of ISO/IEC TS 27560, and what of it the judge is told.

A record only ever grows: each change adds an event, and nothing of what was agreed is written over.
"""

from __future__ import annotations

import calendar
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from gateway.consents.forms import ConfirmConsent, Evidence, GiveConsent, Guardian, Standing
from gateway.model import BANGKOK, Consent, FieldInfo, Term, bangkok_day, holds_citizen_id, timestamp

SCHEMA = "ISO/IEC TS 27560:2023; linkage-consent/1"
STATUS = {"given": "given", "paused": "paused", "resumed": "given", "withdrawn": "withdrawn"}
"""The status that an event leaves; one that is not here leaves it as it is."""
_FROM: dict[str, tuple[str, ...]] = {
    "paused": ("given",),
    "resumed": ("paused",),
    "withdrawn": ("given", "paused"),
    "guardian_added": ("given", "paused"),
    "confirmed": ("given", "paused"),
}
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PRIVATE = ("log_subject",)
_OFFICE = ("reference", "officer", "binding", "subject")
_OF_EVENT = ("evidence", "guardian", "before", "now")
Record = dict[str, Any]


def allowed_from(kind: str) -> tuple[str, ...]:
    """The statuses that an event of this kind may follow."""
    return _FROM[kind]


def draw_code() -> str:
    """A withdrawal code: 100 random bits in letters that are hard to mistake (Crockford), in groups of four."""
    while True:
        letters = "".join(secrets.choice(_LETTERS) for _ in range(20))
        if not holds_citizen_id(letters):
            return "-".join(letters[place : place + 4] for place in range(0, 20, 4))


def plain_code(text: str) -> str:
    """A code as it was drawn, however it was typed: any case, O for 0, I or L for 1, with or without dashes."""
    letters = "".join(letter for letter in text.upper() if letter.isalnum())
    return letters.translate(str.maketrans("OIL", "011"))


def notice_digest(text: str) -> str:
    """SHA-256 of a notice's text in UTF-8, hex. It holds nothing about anyone."""
    return hashlib.sha256(text.encode()).hexdigest()


def new_record(
    form: GiveConsent,
    *,
    consent: str,
    moment: datetime,
    subject: bytes,
    log_subject: bytes,
    guardian_subject: bytes | None,
    bindings: Sequence[str],
    fields: Sequence[FieldInfo],
    parties: Mapping[str, Any],
    basis: Mapping[str, Any],
) -> Record:
    """The record of a consent just given.

    `parties`: controller, source, recipients, collector. `basis`: agreement, term, lawful_basis, purpose,
    retention, use_limit, withdrawal. `bindings`: the keyed digests of the citizen's and the guardian's evidence.
    """
    own, guardians = bindings
    return {
        "schema_version": SCHEMA,
        "id": consent,
        "status": "given",
        "subject": {"pseudonym": subject.hex(), "age_band": form.age_band, "capacity": form.capacity},
        "log_subject": log_subject.hex(),
        **_standing(form),
        "given_by": _given_by(form.evidence, form.guardian),
        "notice": {**form.notice.model_dump(), "sha256": notice_digest(form.notice.text)},
        "service": form.service,
        "data_items": [
            {
                "name": item.name,
                "title": {"th": item.title_th, "en": item.title_en},
                "level": item.level,
                "category": item.pdpa,
                "sensitive": item.sensitive,
            }
            for item in fields
        ],
        **parties,
        **basis,
        "validity": {
            "from": timestamp(form.validity.from_ or moment),
            "to": timestamp(form.validity.to),
        },
        "evidence": _evidence(form.evidence, own),
        "guardian": _guardian(form.guardian, guardian_subject, guardians) if form.guardian else None,
        "events": [],
    }


def _standing(form: Standing) -> Record:
    return {
        "confirm_by": timestamp(form.confirm_by) if form.confirm_by else None,
        "act_a_minor_may_do": form.act_a_minor_may_do,
        "capacity_order": form.capacity_order,
    }


def _given_by(own: object, guardian: object) -> str:
    if guardian is None:
        return "self"
    return "guardian" if own is None else "self_and_guardian"


def _evidence(evidence: Evidence | None, binding: str) -> Record | None:
    return {**evidence.model_dump(), "binding": binding} if evidence else None


def _guardian(guardian: Guardian, subject: bytes | None, binding: str) -> Record:
    who = {"relation": guardian.relation, "subject": subject.hex() if subject else None}
    return {**who, **(_evidence(guardian.evidence, binding) or {})}


def with_guardian(record: Record, guardian: Guardian, subject: bytes | None, binding: str, collector: str) -> Record:
    """The record once someone else has consented too; who did before stays in the event, which is `changed_by`."""
    added = {**_guardian(guardian, subject, binding), "collector": collector}
    return {**record, "guardian": added, "given_by": _given_by(record["evidence"], added)}


def confirmed(record: Record, form: ConfirmConsent, binding: str, collector: str) -> Record:
    """The record with the citizen's age and capacity as they now are. A citizen who confirms has consented too."""
    own = record["evidence"]
    if own is None and form.by == "citizen":
        own = {**(_evidence(form.evidence, binding) or {}), "collector": collector}
    return {
        **record,
        **_standing(form),
        "subject": {**record["subject"], "age_band": form.age_band, "capacity": form.capacity},
        "evidence": own,
        "given_by": _given_by(own, record["guardian"]),
    }


def standing_of(record: Record) -> Record:
    """What a confirmation can change."""
    subject = record["subject"]
    return {
        "age_band": subject["age_band"],
        "capacity": subject.get("capacity", "full"),
        **{name: record.get(name) for name in ("confirm_by", "act_a_minor_may_do", "capacity_order")},
    }


def with_event(
    record: Record, kind: str, moment: datetime, by: Mapping[str, Any], reason: str | None, **more: Any
) -> Record:
    """The record as the event leaves it. `more`: what the event says besides, of `_OF_EVENT`."""
    event = {"kind": kind, "at": timestamp(moment), "by": dict(by), "reason": reason, **more}
    return {**record, "status": STATUS.get(kind, record.get("status")), "events": [*record["events"], event]}


def for_office(record: Record) -> Record:
    """What the offices concerned see: all but the person as the log knows them."""
    return {name: value for name, value in record.items() if name not in _PRIVATE}


def for_log(record: Record) -> Record:
    """What the entry's contents hold: the notice by its hash, and no pseudonym of this use, as the log has its own."""
    shown = for_office(record)
    shown["notice"] = {name: value for name, value in record["notice"].items() if name != "text"}
    shown["subject"] = {name: value for name, value in record["subject"].items() if name != "pseudonym"}
    if shown["guardian"] is not None:
        shown["guardian"] = _without(shown["guardian"], ("subject",))
    shown["events"] = [event_for_log(event) for event in record["events"]]
    return shown


def event_for_log(event: Record) -> Record:
    """An event without a guardian's pseudonym of this use."""
    return {name: _without(value, ("subject",)) if name in _OF_EVENT else value for name, value in event.items()}


def _without(value: Any, names: Sequence[str]) -> Any:
    return {key: own for key, own in value.items() if key not in names} if isinstance(value, dict) else value


def for_citizen(record: Record) -> Record:
    """What the receipt holds, and whoever has the code sees: without the offices' own references and officers."""
    hidden = (*_OFFICE, "capacity_order")
    shown = _without(for_office(record), ("capacity_order",))
    for name in ("evidence", "guardian"):
        shown[name] = _without(shown[name], hidden)
    shown["events"] = [
        {name: _without(value, hidden) if name in ("by", *_OF_EVENT) else value for name, value in event.items()}
        for event in shown["events"]
    ]
    return dict(shown)


def standing_facts(record: Record, revision: int, term: Term, *, same_subject: bool, used: int) -> Consent:
    """The consent as the judge sees it, for one term: who may collect for it, and how, is the term's to say."""
    proofs = [proof for proof in (record["evidence"], record["guardian"]) if proof is not None]
    limit = record["use_limit"]
    collectors = {proof.get("collector", record["collector"]["agency"]) for proof in proofs}
    return Consent(
        id=record["id"],
        revision=revision,
        status=record["status"],
        consumer=record["controller"]["agency"],
        service=record["service"],
        fields=frozenset(item["name"] for item in record["data_items"]),
        purpose=record["purpose"]["code"],
        starts=datetime.fromisoformat(record["validity"]["from"]),
        ends=datetime.fromisoformat(record["validity"]["to"]),
        same_subject=same_subject,
        collector_allowed=collectors <= term.consent_collectors
        and all(proof["method"] in term.consent_methods for proof in proofs),
        assurance_sufficient=min(proof["assurance"] for proof in proofs) >= term.consent_assurance,
        uses_left=max(limit["times"] - used, 0) if limit else None,
        age_band=record["subject"]["age_band"],
        guardian=record["guardian"]["relation"] if record["guardian"] else "",
        act_a_minor_may_do=record["act_a_minor_may_do"] is not None,
        confirm_by=datetime.fromisoformat(record["confirm_by"]) if record["confirm_by"] else None,
        capacity=record["subject"].get("capacity", "full"),
        by_self=record["evidence"] is not None,
    )


def period_of(record: Record, moment: datetime) -> date:
    """The last day of the period in which a use at `moment` counts (Asia/Bangkok); of the whole, the last day."""
    today = bangkok_day(moment)
    match record["use_limit"]["per"]:
        case "day":
            return today
        case "month":
            return today.replace(day=calendar.monthrange(today.year, today.month)[1])
        case "year":
            return today.replace(month=12, day=31)
        case _:
            return datetime.fromisoformat(record["validity"]["to"]).astimezone(BANGKOK).date()


def in_force(record: Record, moment: datetime) -> bool:
    """Given, begun and not ended."""
    validity = record["validity"]
    starts, ends = (datetime.fromisoformat(validity[edge]) for edge in ("from", "to"))
    return record["status"] == "given" and starts <= moment < ends
