"""Consents given, confirmed, paused, resumed and withdrawn. Every change of one goes this way.

    1 judge      whether the agreement's term lets this collector take this consent, with this evidence
    2 write      the record as it then is: what was agreed stays, an event is added
    3 record     the entry, counted for the person, and the record: one transaction, durable before the answer
    4 receipt    signed by the gateway, for the citizen to keep

From the entry of a withdrawal on, nothing is released on that consent: `decided` and `released` name the
revision that they stand on, and one that has moved fails them, in every gateway on this database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.consenting.offices import NONE, concerns, event_by, parties, require_collector, require_keeper
from gateway.consenting.rules import Basis, basis_of, proofs_of, require_proof, use_limit
from gateway.consents import (
    AddGuardian,
    ConfirmConsent,
    ConsentBook,
    Evidence,
    GiveConsent,
    Held,
    Record,
    allowed_from,
    confirmed,
    draw_code,
    event_for_log,
    for_citizen,
    for_log,
    for_office,
    new_record,
    notice_digest,
    printable,
    signed_receipt,
    standing_of,
    with_event,
    with_guardian,
)
from gateway.current import Current
from gateway.errors import Conflict, MalformedRequest, Moved, NotFound, Overloaded
from gateway.exchangelog import EntryDraft, ExchangeLog, Subject
from gateway.keys import Keys
from gateway.model import Caller, IdentifierKind, Receipt, holds_citizen_id, new_id, now, require_identifier
from gateway.store import REGISTERS, Store

ATTEMPTS = 8
CITIZEN = IdentifierKind.CITIZEN


@dataclass(frozen=True, slots=True)
class Changed:
    """A consent as it now is, with the entry of its latest event and the citizen's receipt (JWS)."""

    consent: Mapping[str, Any] = field(repr=False)
    entry: Receipt
    receipt: str = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """As the API shows it."""
        log = {"log": self.entry.log, "entry": self.entry.entry, "index": self.entry.index}
        return {"consent": dict(self.consent), "log": log, "receipt": self.receipt}


@dataclass(frozen=True, slots=True)
class Given:
    """A consent just given. `code`: the withdrawal code, told this once; `page`: what is printed for the citizen."""

    changed: Changed
    code: str = field(repr=False)
    page: str = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {**self.changed.as_json(), "withdrawal_code": self.code, "page": self.page}


class Consenting:
    """The path of every consent."""

    def __init__(
        self,
        current: Current,
        store: Store,
        log: ExchangeLog,
        book: ConsentBook,
        keys: Keys,
        *,
        issuer: str,
        sandbox: bool,
    ) -> None:
        self._current = current
        self._store = store
        self._log = log
        self._book = book
        self._keys = keys
        self._issuer = issuer
        self._sandbox = sandbox

    # -- giving -------------------------------------------------------------------------------------------

    async def give(self, caller: Caller, form: GiveConsent) -> Given:
        """Takes a consent. Raises InsufficientScope, MalformedRequest, UnknownService, Denied, LogUnavailable."""
        require_collector(caller)
        citizen = require_identifier(form.citizen_id, CITIZEN, sandbox=self._sandbox)
        guardian = form.guardian.citizen_id if form.guardian else None
        if guardian is not None and require_identifier(guardian, CITIZEN, sandbox=self._sandbox) == citizen:
            raise MalformedRequest("no one is their own guardian", "ผู้ใช้อำนาจปกครองต้องเป็นบุคคลอื่น")
        if any(proof.notice_sha256 != notice_digest(form.notice.text) for proof in proofs_of(form)):
            raise MalformedRequest(
                "notice_sha256 is not the digest of the notice's text", "notice_sha256 ไม่ตรงกับข้อความที่แจ้ง"
            )
        code = draw_code()
        for _ in range(ATTEMPTS):
            holding, moment = self._current.holding, now()
            _require_future(form.validity.to, form.confirm_by, moment)
            basis = basis_of(holding, caller, form)  # 1
            held = self._new(caller, form, basis, moment, citizen, guardian, code)  # 2
            try:
                changed = await self._record(  # 3, 4
                    held, "given", caller, moment, {REGISTERS: holding.registers.revision}, citizen
                )
            except Moved:
                await self._current.refresh()
                continue
            return Given(changed, code, printable(held.record, code, changed.as_json()["log"]))
        raise _busy()

    def _new(
        self,
        caller: Caller,
        form: GiveConsent,
        basis: Basis,
        moment: datetime,
        citizen: str,
        guardian: str | None,
        code: str,
    ) -> Held:
        consent = _new_consent_id()
        subject = self._book.subject(CITIZEN.value, citizen)
        guardian_subject = self._book.subject(CITIZEN.value, guardian) if guardian else None
        own = form.evidence
        others = form.guardian.evidence if form.guardian else None
        record = new_record(
            form,
            consent=consent,
            moment=moment,
            subject=subject,
            log_subject=self._log.subject(CITIZEN.value, citizen).pseudonym,
            guardian_subject=guardian_subject,
            bindings=[
                self._book.binding(consent, who or subject, proof.model_dump()) if proof else ""
                for who, proof in ((subject, own), (guardian_subject, others))
            ],
            fields=[basis.service.fields[name] for name in form.fields],
            parties=parties(self._current.holding.registers.agencies, caller, basis),
            basis=self._basis(form, basis),
        )
        officer = next((proof.officer for proof in proofs_of(form) if proof.officer), None)
        record = with_event(record, "given", moment, {**event_by(caller), "officer": officer}, None)
        return Held(consent, 1, subject, basis.consumer.id, self._book.code_digest(code), record)

    def _basis(self, form: GiveConsent, basis: Basis) -> dict[str, Any]:
        purpose = self._current.holding.registers.record("purpose", form.purpose) or {}
        place = f"{self._issuer.rstrip('/')}/v1/consents/by-code/withdraw"
        return {
            "agreement": basis.agreement.id,
            "term": basis.term.id,
            "lawful_basis": "consent" if basis.term.lawful_basis == "consent" else "explicit consent (s.26)",
            "purpose": {"code": form.purpose, "title": purpose.get("title", {"th": form.purpose, "en": form.purpose})},
            "retention": dict(basis.form["retention"]),
            "onward_sharing": basis.agreement.onward_sharing,
            "use_limit": use_limit(form, basis),
            "withdrawal": {
                "method": {
                    "th": f"ยื่นรหัสนี้ที่หน่วยงานใดก็ได้ในระบบ หรือส่งรหัสไปที่ {place} การถอนมีผลทันที",
                    "en": f"Show the code at any office in the system, or send it to {place}; it takes effect at once",
                },
                "url": place,
            },
        }

    # -- changing -----------------------------------------------------------------------------------------

    async def change(self, caller: Caller, consent: str, kind: str, reason: str | None) -> Changed:
        """`paused`, `resumed` or `withdrawn`, by an office concerned. Raises NotFound, Conflict, LogUnavailable."""
        for _ in range(ATTEMPTS):
            held = await self._seen(caller, consent)
            require_keeper(caller, held)
            try:
                return await self._change(held, kind, caller, reason)
            except Moved:
                continue
        raise _busy()

    async def add_guardian(self, caller: Caller, consent: str, form: AddGuardian) -> Changed:
        """A parent, guardian or curator consents too (PDPA s.20). Raises as `change` does, MalformedRequest, Denied."""
        guardian = form.guardian
        other = guardian.citizen_id
        if other is not None and require_identifier(other, CITIZEN, sandbox=self._sandbox) == form.citizen_id:
            raise MalformedRequest("no one is their own guardian", "ผู้ใช้อำนาจปกครองต้องเป็นบุคคลอื่น")
        subject = self._book.subject(CITIZEN.value, other) if other else None

        def added(held: Held) -> tuple[Record, Record]:
            before = held.record["guardian"]
            if before is not None and before["relation"] == guardian.relation:
                raise Conflict("such a guardian has consented already", "ผู้ใช้อำนาจปกครองให้ความยินยอมแล้ว")
            binding = self._book.binding(held.id, subject or held.subject, guardian.evidence.model_dump())
            record = with_guardian(held.record, guardian, subject, binding, caller.agency)
            return record, {"before": before, "guardian": record["guardian"]}

        return await self._amend(caller, consent, form.citizen_id, "guardian_added", guardian.evidence, added)

    async def confirm(self, caller: Caller, consent: str, form: ConfirmConsent) -> Changed:
        """The citizen's age and capacity as they are now (PDPA s.20). Raises as `add_guardian`."""

        def as_now(held: Held) -> tuple[Record, Record]:
            by_guardian, guardian = form.by == "guardian", held.record["guardian"]
            if by_guardian and guardian is None:
                raise Conflict("no guardian has consented: add one first", "ยังไม่มีผู้ใช้อำนาจปกครองให้ความยินยอม")
            who = bytes.fromhex(guardian["subject"]) if by_guardian and guardian["subject"] else held.subject
            proof = form.evidence.model_dump()
            binding = self._book.binding(held.id, who, proof)
            record = confirmed(held.record, form, binding, caller.agency)
            shown = {**proof, "binding": binding, "by": form.by}
            return record, {"before": standing_of(held.record), "now": standing_of(record), "evidence": shown}

        _require_future(None, form.confirm_by, now())
        return await self._amend(caller, consent, form.citizen_id, "confirmed", form.evidence, as_now)

    async def _amend(
        self,
        caller: Caller,
        consent: str,
        citizen_id: str,
        kind: str,
        proof: Evidence,
        amended: Callable[[Held], tuple[Record, Record]],
    ) -> Changed:
        """What the citizen's side adds to a consent: taken by its collector, as one is given."""
        require_collector(caller)
        names = self._book.names(CITIZEN.value, require_identifier(citizen_id, CITIZEN, sandbox=self._sandbox))
        for _ in range(ATTEMPTS):
            held, holding, moment = await self._seen(caller, consent), self._current.holding, now()
            if held.subject not in names:
                raise NotFound(*NONE)
            _require_allowed(held, kind)
            require_proof(holding, caller, held.record, proof)  # 1
            record, more = amended(held)  # 2
            by = {**event_by(caller), "officer": proof.officer}
            record = with_event(record, kind, moment, by, None, **more)
            changed = replace(held, revision=held.revision + 1, record=record)
            unless = {REGISTERS: holding.registers.revision}
            try:
                return await self._record(changed, kind, caller, moment, unless)  # 3, 4
            except Moved:
                await self._current.refresh()
        raise _busy()

    async def withdraw_by_code(self, code: str) -> Changed:
        """Withdraws the consent that the code is of. Raises NotFound, Conflict, LogUnavailable."""
        for _ in range(ATTEMPTS):
            held = await self._book.by_code(code, now())
            if held is None:
                raise NotFound(*NONE)
            try:
                return await self._change(held, "withdrawn", None, None)
            except Moved:
                continue
        raise _busy()

    async def _change(self, held: Held, kind: str, caller: Caller | None, reason: str | None) -> Changed:
        _require_allowed(held, kind)
        moment = now()
        by = event_by(caller) if caller else {"kind": "code"}
        record = with_event(held.record, kind, moment, by, reason)
        return await self._record(replace(held, revision=held.revision + 1, record=record), kind, caller, moment, {})

    async def _record(
        self,
        held: Held,
        kind: str,
        caller: Caller | None,
        moment: datetime,
        unless: Mapping[str, int],
        citizen: str | None = None,
    ) -> Changed:
        """Entry and record in one transaction, then the receipt. Raises Moved, LogUnavailable.

        `citizen`: the person's number, where the act comes with it; else the log's name of then says who it is.
        """
        await self._log.ready(moment)
        if citizen is not None:
            subject = self._log.subject(CITIZEN.value, citizen)
        else:
            subject = await self._log.present(Subject(bytes.fromhex(held.record["log_subject"])))
        entry = self._entry(held, kind, caller, moment, subject)
        appended = await self._store.append([entry], [self._book.put(held)], unless)
        where = Receipt(self._log.origin, appended.entries[0].hex(), appended.indexes[0])
        shown = for_office(held.record) if caller else for_citizen(held.record)
        receipt = signed_receipt(self._keys, self._issuer, held.record, held.revision, where)
        return Changed({**shown, "revision": held.revision}, where, receipt)

    def _entry(self, held: Held, kind: str, caller: Caller | None, moment: datetime, subject: Subject) -> EntryDraft:
        record = held.record
        shown = for_log(record)
        return self._log.draft(
            f"consent.{kind}",
            moment,
            parties={
                "consumer": held.consumer,
                "source": record["source"]["agency"],
                "collector": record["collector"]["agency"],
                "service": record["service"],
                "client": caller.id if caller else None,
                "client_key": caller.key_id if caller else None,
                "role": caller.role if caller else "citizen",
            },
            subject={"pseudonym": subject.hex},
            legal={
                "consent": held.id,
                "consent_revision": held.revision,
                "purpose": record["purpose"]["code"],
                "agreement": record["agreement"],
                "term": record["term"],
                "lawful_basis": record["lawful_basis"],
                "fields": [item["name"] for item in record["data_items"]],
            },
            content={"status": record["status"], "event": event_for_log(record["events"][-1]), "record": shown},
            counts=subject,
        )

    # -- looking ------------------------------------------------------------------------------------------

    async def view(self, caller: Caller, consent: str) -> dict[str, Any]:
        """One consent, for the offices concerned. Raises NotFound."""
        held = await self._seen(caller, consent)
        return {**for_office(held.record), "revision": held.revision, "used": held.used}

    async def view_by_code(self, code: str) -> dict[str, Any]:
        """The consent that the code is of, without the offices' own notes. Raises NotFound."""
        held = await self._book.by_code(code, now())
        if held is None:
            raise NotFound(*NONE)
        return {**for_citizen(held.record), "revision": held.revision, "used": held.used}

    async def search(self, caller: Caller, citizen_id: str, reason: str) -> list[dict[str, Any]]:
        """A citizen's consents as far as they concern the caller, the newest first. The look is on record."""
        identifier = require_identifier(citizen_id, CITIZEN, sandbox=self._sandbox)
        moment = now()
        await self._log.ready(moment)
        entry = self._log.draft(
            "consent.search",
            moment,
            parties={"consumer": caller.agency, "client": caller.id, "client_key": caller.key_id, "role": caller.role},
            subject={"pseudonym": self._log.subject(CITIZEN.value, identifier).hex},
            content={"reason": reason},
        )
        await self._store.append([entry])
        found = await self._book.of_subject(self._book.names(CITIZEN.value, identifier), moment)
        return [
            {**for_office(held.record), "revision": held.revision, "used": held.used}
            for held in found
            if concerns(caller, held)
        ]

    async def _seen(self, caller: Caller, consent: str) -> Held:
        held = await self._book.one(consent, now())
        if held is None or not concerns(caller, held):
            raise NotFound(*NONE)
        return held


def _new_consent_id() -> str:
    """An id stands in URLs: none in which digits meet as a citizen ID would."""
    while holds_citizen_id(drawn := new_id("cns")):
        continue
    return drawn


def _require_allowed(held: Held, kind: str) -> None:
    """That the consent's status allows an event of this kind. Raises Conflict."""
    if held.record["status"] not in allowed_from(kind):
        raise Conflict(f"the consent is {held.record['status']}", "สถานะของความยินยอมไม่รองรับรายการนี้")


def _require_future(ends: datetime | None, confirm_by: datetime | None, moment: datetime) -> None:
    if ends is not None and ends <= moment:
        raise MalformedRequest("validity.to has passed", "validity.to ผ่านไปแล้ว")
    if confirm_by is not None and confirm_by <= moment:
        raise MalformedRequest("confirm_by has passed", "confirm_by ผ่านไปแล้ว")


def _busy() -> Overloaded:
    return Overloaded("it keeps changing: try again", "รายการกำลังเปลี่ยนแปลง โปรดลองใหม่", retry_after=1)
