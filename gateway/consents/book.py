"""The consents as the database holds them: sealed records under keyed pseudonyms.

A record is sealed with AES-256-GCM under a key of its own use, with its id and revision as associated data, so
that a database holds nothing about a person but a pseudonym that only this use of the keys can make.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import re
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.consents.record import Record, in_force, period_of, plain_code, standing_facts
from gateway.keys import Keys
from gateway.model import Consent, Facts, Question, Term, now
from gateway.store import Connection, PutConsent, Reserve, Store, consent_scope

_NONCE = 12
_COLUMNS = "id, revision, subject, consumer, code, sealed"
_ID = re.compile(r"cns_[0-9a-z]{26}", re.ASCII)
_MOST = 200
"""Consents of one person that are looked through at most, the newest first (an id begins with its time)."""


@dataclass(frozen=True, slots=True)
class Held:
    """A consent as it is at `revision`. `used`: how often in the period that now is."""

    id: str
    revision: int
    subject: bytes = field(repr=False)
    consumer: str
    code: bytes = field(repr=False)
    record: Record = field(repr=False)
    used: int = 0

    @property
    def scope(self) -> str:
        """What to name in `unless`, with `revision`."""
        return consent_scope(self.id)

    def facts(self, term: Term, names: tuple[bytes, ...], *, own: int = 0) -> Consent:
        """What the judge is told on `term` about the person of these `names`; `own`: uses that are this exchange's."""
        used = max(self.used - own, 0)
        return standing_facts(self.record, self.revision, term, same_subject=self.subject in names, used=used)

    def uses(self, moment: datetime) -> list[Reserve]:
        """What one use takes from the consent's limit."""
        limit = self.record["use_limit"]
        if limit is None:
            return []
        return [Reserve(self.scope, period_of(self.record, moment), limit["times"])]


class ConsentBook:
    """Reads consents, and prepares what a change writes. Pseudonyms and codes are keyed, each with its own key."""

    def __init__(self, keys: Keys, store: Store) -> None:
        self._store = store
        self._pseudonym_keys = keys.derive_all("pseudonym/consent")
        self._code_keys = keys.derive_all("digest/consent-code")
        self._evidence_key = keys.derive("digest/consent-evidence")
        self._seals = [AESGCM(key) for key in keys.derive_all("seal/consent")]

    def subject(self, kind: str, identifier: str) -> bytes:
        """The person as the consents know them: HMAC-SHA-256 over `kind:id`."""
        return hmac.digest(self._pseudonym_keys[0], f"{kind}:{identifier}".encode(), "sha256")

    def names(self, kind: str, identifier: str) -> tuple[bytes, ...]:
        """The person under every pseudonym key, the one in use first: consents given before keep their name."""
        return tuple(hmac.digest(key, f"{kind}:{identifier}".encode(), "sha256") for key in self._pseudonym_keys)

    def code_digest(self, code: str) -> bytes:
        """The keyed digest of a withdrawal code, however it was typed."""
        return hmac.digest(self._code_keys[0], plain_code(code).encode(), "sha256")

    def binding(self, consent: str, subject: bytes, evidence: Record) -> str:
        """The keyed digest that binds evidence to consent, person and notice (its hash is in the evidence)."""
        bound = orjson.dumps(
            {"consent": consent, "subject": subject.hex(), "evidence": evidence}, option=orjson.OPT_SORT_KEYS
        )
        return hmac.digest(self._evidence_key, bound, "sha256").hex()

    def put(self, held: Held) -> PutConsent:
        """The change that writes `held` as the consent's next revision."""
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._seals[0].encrypt(nonce, orjson.dumps(held.record), _bound(held.id, held.revision))
        return PutConsent(held.id, held.revision, held.subject, held.consumer, held.code, sealed)

    async def one(self, consent: str, moment: datetime) -> Held | None:
        """The consent of this id, with its uses as of `moment`."""
        if _ID.fullmatch(consent) is None:
            return None
        found = await self._read("id = ?", (consent,), moment)
        return found[0] if found else None

    async def by_code(self, code: str, moment: datetime) -> Held | None:
        """The consent that this withdrawal code is of."""
        digests = tuple(hmac.digest(key, plain_code(code).encode(), "sha256") for key in self._code_keys)
        found = await self._read(_among("code", digests), digests, moment)
        return found[0] if found else None

    async def of_subject(self, names: tuple[bytes, ...], moment: datetime, consumer: str | None = None) -> list[Held]:
        """The consents of the person of these names, the newest first."""
        person = _among("subject", names)
        if consumer is None:
            return await self._read(person, names, moment)
        return await self._read(f"{person} AND consumer = ?", (*names, consumer), moment)

    async def answering(
        self, question: Question, names: tuple[bytes, ...], consumer: str, moment: datetime
    ) -> Held | None:
        """The consent that a question stands on: the one it names, else the newest in force for what it asks.

        Where none is in force, the newest at all: it says why the question is refused.
        """
        if question.consent_id is not None:
            return await self.one(question.consent_id, moment)
        about = [
            held
            for held in await self.of_subject(names, moment, consumer)
            if held.record["service"] == question.service and held.record["purpose"]["code"] == question.purpose
        ]
        good = [held for held in about if in_force(held.record, moment) and _uses_left(held)]
        return next(iter(good or about), None)

    async def joined(
        self, facts: list[Facts], question: Question, moment: datetime, *, own: int
    ) -> tuple[list[Facts], Held | None]:
        """The facts with the consent that the question names, or that there is for what it asks; and that consent.

        Read from the database each time, so that every gateway judges a withdrawal as soon as it is on record.
        `own`: how many of its uses are this exchange's.
        """
        terms = [fact.term for fact in facts if fact.term is not None]
        on_consent = any("consent" in (term.lawful_basis, term.sensitive_basis) for term in terms)
        if not terms or not (on_consent or question.consent_id):
            return facts, None
        names = self.names(question.identifier_kind.value, question.identifier)
        held = await self.answering(question, names, facts[0].consumer.id, moment)
        if held is None:
            return facts, None
        read_at = max(moment, now())  # a consent given since the question came in has begun by now
        return [
            replace(fact, now=read_at, consent=held.facts(fact.term, names, own=own) if fact.term else None)
            for fact in facts
        ], held

    async def _read(self, where: str, values: tuple[object, ...], moment: datetime) -> list[Held]:
        # `where` is one of ours above; every value is a parameter.
        query = f"SELECT {_COLUMNS} FROM consents WHERE {where} ORDER BY id DESC LIMIT {_MOST}"  # noqa: S608

        def read(connection: Connection) -> list[Held]:
            return [self._open(row, connection, moment) for row in connection.rows(query, values)]

        return await self._store.read(read)

    def _open(self, row: tuple[str, int, bytes, str, bytes, bytes], connection: Connection, moment: datetime) -> Held:
        name, revision, subject, consumer, code, sealed = row
        blob = bytes(sealed)
        record: Record = orjson.loads(self._unsealed(blob, _bound(name, revision)))
        used = 0
        if record["use_limit"] is not None:
            period = period_of(record, moment).isoformat()
            found = connection.rows("SELECT used FROM quotas WHERE key = ? AND day = ?", (consent_scope(name), period))
            used = found[0][0] if found else 0
        return Held(name, revision, bytes(subject), consumer, bytes(code), record, used)

    def _unsealed(self, blob: bytes, bound: bytes) -> bytes:
        """With the key in use, or with one before: a record keeps its seal until it is next written."""
        for seal in self._seals[:-1]:
            with contextlib.suppress(InvalidTag):
                return seal.decrypt(blob[:_NONCE], blob[_NONCE:], bound)
        return self._seals[-1].decrypt(blob[:_NONCE], blob[_NONCE:], bound)


def _among(column: str, values: tuple[bytes, ...]) -> str:
    """That a column is one of the values, as parameters."""
    return f"{column} IN ({', '.join('?' * len(values))})" if len(values) > 1 else f"{column} = ?"


def _bound(consent: str, revision: int) -> bytes:
    return f"{consent}@{revision}".encode()


def _uses_left(held: Held) -> bool:
    limit = held.record["use_limit"]
    return limit is None or held.used < limit["times"]
