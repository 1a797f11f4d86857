"""One act of governance, from a signed text to a record. Every change to a register goes this way.

    1 verify     the act's signature (JWS) by its operator's own key; fresh, and never seen before
    2 read       the act's name and body, strictly
    3 judge      whether this operator may, and whether the registers' state allows it
    4 record     the entry with the signed act, and the register's change: one transaction
    5 refresh    this gateway holds what now is; others see it within a poll, and `decided` fails until they do

An administrator's, an owner's, an auditor's act: all alike, all in the exchange log, all checkable by their
signature years later.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode
from pydantic import ValidationError

from gateway.catalogue import digest_of, require_openable, services_of
from gateway.current import Current, Holding
from gateway.errors import Conflict, GatewayError, LogUnavailable, Moved, Overloaded
from gateway.errors import MalformedRequest as Malformed
from gateway.exchangelog import ExchangeLog, canonical
from gateway.keys import ALGORITHMS, Keys, algorithm_of, import_key
from gateway.model import Caller, Operator, Receipt, Service, now, timestamp
from gateway.policy import PolicySet, require_fitting
from gateway.questions import mistakes, read_object
from gateway.registers import FORMS, Act, Book, Form, Record, perform, record_digest
from gateway.store import (
    REGISTERS,
    AlreadyUsed,
    Change,
    ForgetMonths,
    Hasten,
    NotWithheld,
    Once,
    PutRegister,
    RequireWithheld,
    Store,
)

FRESH_SECONDS = 300
ATTEMPTS = 8
TYPE = "linkage-act+jwt"
LONGEST_ACT = 4 * 1024 * 1024
_SIZES = jws.JWSRegistry(algorithms=list(ALGORITHMS))
_SIZES.max_payload_length = LONGEST_ACT
"""A registration with its schemas, or a group of thousands, is more than joserfc takes by itself."""
MAY_BE_WRITTEN = (
    "whether this act is on record is not known: it may yet be written. Look at its record, or give the act again: "
    "none is done twice. One that is on record is refused (conflict, not found), and a proposal takes its own place",
    "ไม่ทราบว่ารายการนี้บันทึกแล้วหรือไม่ เพราะอาจถูกเขียนภายหลัง ให้ดูทะเบียน หรือสั่งซ้ำได้โดยไม่เกิดผลสองครั้ง "
    "รายการที่บันทึกแล้วจะถูกปฏิเสธ (conflict หรือ not found) ส่วนข้อเสนอจะแทนที่ข้อเสนอเดิมของตน",
)
"""Said of an act whose writing was given up: the database may hold it all the same (`Writer._late`)."""
_PAYLOAD = {"act", "body", "operator", "time", "nonce", "audience"}


@dataclass(frozen=True, slots=True)
class Signed:
    """An act whose signature holds: what its operator signed, and the text that was signed."""

    name: str
    body: Mapping[str, Any]
    operator: Operator
    key_id: str
    nonce: str
    jws: str


@dataclass(frozen=True, slots=True)
class Done:
    """An act that is on record."""

    act: str
    record: Record
    receipt: Receipt


class Governance:
    """The path of every act."""

    def __init__(
        self, current: Current, store: Store, log: ExchangeLog, keys: Keys, *, audience: str, retention_months: int
    ) -> None:
        self._current = current
        self._store = store
        self._log = log
        self._audience = audience
        self._nonce_keys = keys.derive_all("nonce")
        self._retention_months = retention_months
        self._one_at_a_time = asyncio.Lock()

    async def act(self, caller: Caller, text: str) -> Done:
        """Performs a signed act. Raises MalformedRequest, Denied, NotFound, Conflict, LogUnavailable.

        Every act moves the registers: this gateway's own wait for each other, and only another gateway's make
        one be judged again.
        """
        async with self._one_at_a_time:
            return await self._act(caller, text)

    async def _act(self, caller: Caller, text: str) -> Done:
        for _ in range(ATTEMPTS):
            holding = await self._current.refresh()  # or what another gateway has just registered is unknown here
            signed = self._verify(text, caller, holding)  # 1
            form = _read(signed)  # 2
            time_text = timestamp(now())
            book = replace(_book(holding, signed), retention_months=self._retention_months)
            record = perform(Act(signed.name, form, signed.operator, time_text), book)  # 3
            try:
                done = await self._record(signed, record, holding)  # 4
            except Moved:
                continue
            except AlreadyUsed:
                raise Conflict("this very act was sent before", "รายการนี้ถูกส่งมาแล้ว") from None
            except NotWithheld:
                raise Conflict(
                    "no such exchange is withheld from anyone, or it was told already",
                    "ไม่มีรายการนี้ที่ยังไม่เปิดเผยต่อเจ้าของข้อมูล หรือเปิดเผยไปแล้ว",
                ) from None
            with contextlib.suppress(LogUnavailable):  # the act is on record; the next poll reads it
                await self._current.refresh()  # 5
            return done
        raise Overloaded("the registers keep changing: try again", "ทะเบียนกำลังเปลี่ยนแปลง โปรดลองใหม่", retry_after=1)

    def _verify(self, text: str, caller: Caller, holding: Holding) -> Signed:
        refused = Malformed(
            "the act is not validly signed by the operator who sends it, for this gateway, within five minutes",
            "ลายมือชื่อของรายการไม่ถูกต้อง ไม่ใช่ของผู้ส่ง หรือเกินห้านาที",
        )
        operator = holding.registers.operators.get(caller.id)
        if operator is None or not holding.directory.may_act(operator) or len(text) > LONGEST_ACT:
            raise refused
        try:
            header = orjson.loads(urlsafe_b64decode(text.partition(".")[0].encode()))
            jwk = next(key for key in operator.keys if key["kid"] == header["kid"])
            if header["alg"] != algorithm_of(jwk):
                raise refused
            verified = jws.deserialize_compact(text, import_key(jwk), registry=_SIZES)
            payload = read_object(verified.payload)
        except (JoseError, ValueError, TypeError, KeyError, StopIteration, RecursionError, GatewayError):
            raise refused from None
        name, body, nonce = payload.get("act"), payload.get("body"), payload.get("nonce")
        good = (
            payload.keys() == _PAYLOAD
            and header.get("typ") == TYPE
            and payload["operator"] == operator.id
            and payload["audience"] == self._audience
            and isinstance(name, str)
            and isinstance(body, dict)
            and isinstance(nonce, str)
            and 16 <= len(nonce) <= 128
            and _fresh(payload["time"])
        )
        if not good or not isinstance(name, str) or not isinstance(nonce, str) or not isinstance(body, dict):
            raise refused
        return Signed(name, body, operator, header["kid"], nonce, text)

    async def _record(self, signed: Signed, record: Record, holding: Holding) -> Done:
        moment = now()
        await self._log.ready(moment)
        entry = self._log.draft(
            "act",
            moment,
            parties={"operator": signed.operator.id, "role": signed.operator.role, "agency": signed.operator.agency},
            legal={
                "act": signed.name,
                "register": record["kind"],
                "id": record["id"],
                "record_digests": _record_digests(record),
                **_digests(signed, record),
            },
            content={"signed": signed.jws, "key_id": signed.key_id},
        )
        used, until = f"{signed.operator.id}\0{signed.nonce}".encode(), int(time.time()) + 2 * FRESH_SECONDS
        changes = [
            PutRegister(record["kind"], record["id"], record),
            *(Once(hmac.digest(key, used, "sha256"), until) for key in self._nonce_keys),
            *_with(signed.name, record),
        ]
        try:
            appended = await self._store.append([entry], changes, {REGISTERS: holding.registers.revision})
        except LogUnavailable as error:
            raise LogUnavailable(*MAY_BE_WRITTEN, retry_after=error.retry_after) from error
        receipt = Receipt(self._log.origin, appended.entries[0].hex(), appended.indexes[0])
        return Done(signed.name, record, receipt)


def _fresh(moment: object) -> bool:
    if not isinstance(moment, str):
        return False
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        return False
    return at.tzinfo is not None and abs((datetime.now(UTC) - at).total_seconds()) <= FRESH_SECONDS


def _read(signed: Signed) -> Form:
    """The act's body as its form. The errors name places and kinds of mistake, never values."""
    form = FORMS.get(signed.name)
    if form is None:
        raise Malformed("there is no act of this name", "ไม่มีรายการชื่อนี้")
    try:
        return form.model_validate(signed.body)
    except ValidationError as error:
        raise Malformed(*mistakes(error)) from None


def _book(holding: Holding, signed: Signed) -> Book:
    """What the act is judged on; a registration is checked by the catalogue here, a policy set by the judge."""
    proposed: tuple[Service, ...] = ()
    digest = ""
    if signed.name == "connector.register":
        registration = signed.body.get("registration")
        if not isinstance(registration, dict):
            raise Malformed("registration must be an object", "registration ต้องเป็นออบเจกต์")
        proposed = services_of(registration)
        require_openable(proposed)
        digest = digest_of(registration)
    elif signed.name == "connector.approve":
        # What is approved is what is on this machine now: a package that changed since is not waved through.
        record = holding.registers.record("connector", str(signed.body.get("agency"))) or {}
        if record.get("pending"):
            require_openable(services_of(record["pending"]["registration"]))
    elif signed.name == "policies.propose":
        policies = PolicySet.from_json(signed.body["document"])
        require_fitting(policies)
        digest = policies.digest
    elif signed.name == "policies.approve":
        # Once more, by this gateway: what it could not read would stop it, and every other, for good.
        waiting = (holding.registers.record("policies", "active") or {}).get("pending")
        if waiting:
            require_fitting(PolicySet.from_json(waiting["document"]))
    return Book(holding.registers, holding.services, proposed, digest)


def _digests(signed: Signed, record: Record) -> dict[str, Any]:
    """Of an act on the policies: the set that is, or is to be, replaced, and the one that replaces it."""
    if signed.name == "policies.propose":
        return {"old_digest": record["digest"], "new_digest": record["pending"]["digest"]}
    if signed.name == "policies.approve":
        return {"old_digest": record["replaced"], "new_digest": record["digest"]}
    return {}


def _with(act: str, record: Record) -> list[Change]:
    """What goes with an act, in the same transaction: the months' keys; a withheld exchange's time to be told."""
    match act:
        case "log.forget.approve":
            return [ForgetMonths(record["forgotten"])]
        case "opening.propose":
            return [RequireWithheld(record["id"])]
        case "opening.approve":
            return [Hasten(record["id"])]
        case _:
            return []


def _record_digests(*records: Record) -> dict[str, str]:
    """What the registers hold from this entry on: `kind/id` -> the record's digest."""
    return {f"{record['kind']}/{record['id']}": record_digest(record) for record in records}


async def found(
    store: Store, log: ExchangeLog, operator: Record, policies: Mapping[str, Any], digest: str, *, key: dict[str, Any]
) -> None:
    """The first act: the first administrator and the policy set, written once into an empty database.

    `key`: the administrator's private JWK, which signs this act as it will every later one. Conflict where
    the registers are not empty.
    """
    moment = now()
    payload = {"act": "found", "operator": operator["id"], "keys": operator["keys"], "policy_digest": digest}
    header = {"alg": algorithm_of(key), "kid": key["kid"], "typ": TYPE}
    signed = jws.serialize_compact(header, canonical(payload), import_key(key), algorithms=[algorithm_of(key)])
    await log.ready(moment)
    rules: Record = {
        **{"kind": "policies", "id": "active", "status": "active", "version": 1, "digest": digest},
        "document": dict(policies),
    }
    entry = log.draft(
        "act",
        moment,
        parties={"operator": operator["id"], "role": "admin", "agency": ""},
        legal={
            "act": "found",
            "register": "operator",
            "id": operator["id"],
            "record_digests": _record_digests(operator, rules),
            "policy_digest": digest,
        },
        content={"signed": signed, "key_id": key["kid"], "policies": dict(policies)},
    )
    changes = [PutRegister(record["kind"], record["id"], record) for record in (operator, rules)]
    try:
        await store.append([entry], changes, {REGISTERS: 0})
    except Moved:
        raise Conflict("this database has been founded already", "ฐานข้อมูลนี้ถูกตั้งต้นไว้แล้ว") from None
