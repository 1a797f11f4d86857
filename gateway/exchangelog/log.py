"""Drafts of entries, and the log's readings.

Kinds: `exchange.decided`, `exchange.released`, `exchange.failed`, `exchange.withheld`, `exchange.interrupted`,
`exchange.refused`, `consent.given`, `consent.paused`, `consent.resumed`, `consent.withdrawn`, `consent.search`,
`act` (governance), `audit.search`, `gateway.started`, `gateway.stopped`, `requests.counted`, `log.continued`,
`key.changed`, `month.forgotten`, `subject.moved`, `subject.told`, `subjects.mapped`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gateway.exchangelog.entry import GROUPS, VERSION, BrokenEntry, EntryDraft, OpenedEntry, canonical, open_entry
from gateway.exchangelog.projection import project
from gateway.exchangelog.vault import Vault, month_of
from gateway.keys import KeyedDigest, Keys
from gateway.model import Caller, Decision, Question, Service, Withholding, new_id, now, timestamp
from gateway.store import Connection, Store


@dataclass(frozen=True, slots=True)
class Subject:
    """A person in the log: the keyed pseudonym (HMAC-SHA-256 over `kind:id`) and nothing else.

    `earlier`: the pseudonyms under the keys before, the latest first, by which the log may still know the person.
    """

    pseudonym: bytes = field(repr=False)
    earlier: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def names(self) -> tuple[bytes, ...]:
        """Every name that the log may have for the person."""
        return (self.pseudonym, *self.earlier)

    @property
    def hex(self) -> str:
        """The pseudonym as the log writes it."""
        return self.pseudonym.hex()


MOVED = "SELECT previous FROM counters WHERE subject = ? AND count = 0"
"""The name that a person is counted under since another pseudonym key took the place of this name's."""


class ExchangeLog:
    """One gateway's log. `origin` names the log, `gateway` this process, `boot` this start of it."""

    def __init__(
        self,
        store: Store,
        keys: Keys,
        *,
        origin: str,
        gateway: str,
        vault: Vault | None = None,
        boot: str | None = None,
    ) -> None:
        self.store = store
        self.origin = origin
        self.gateway = gateway
        self.boot = boot or new_id("boot")
        self._vault = vault or Vault(keys.master)
        self._pseudonyms, *self._earlier = (KeyedDigest(key) for key in keys.derive_all("pseudonym/log"))
        self._requests = KeyedDigest(keys.derive("digest/request"))
        self._answers = KeyedDigest(keys.derive("digest/answer"))

    # -- persons and digests ------------------------------------------------------------------------------

    def subject(self, kind: str, identifier: str) -> Subject:
        """The person as the log knows them."""
        person = f"{kind}:{identifier}".encode()
        if not self._earlier:
            return Subject(self._pseudonyms.of(person))
        return Subject(self._pseudonyms.of(person), tuple(key.of(person) for key in self._earlier))

    async def present(self, subject: Subject) -> Subject:
        """A person as the log knows them now, who may have been met again under a later pseudonym key since."""
        name = subject.pseudonym
        while self._earlier:
            rows = await self.store.read(lambda c, n=name: c.rows(MOVED, (n,)))  # type: ignore[misc]
            if not rows:
                break
            name = bytes(rows[0][0])
        return subject if name == subject.pseudonym else Subject(name)

    def request_digest(self, body: bytes) -> str:
        """Keyed digest of a request's body: an unkeyed one would give the citizen ID away in hours."""
        return self._requests.of(body).hex()

    def answer_digest(self, data: Mapping[str, Any]) -> str:
        """Keyed digest of an answer's canonical `data`."""
        return self._answers.of(canonical(data)).hex()

    # -- drafts -------------------------------------------------------------------------------------------

    async def ready(self, moment: datetime) -> None:
        """Makes sure that the key of this month is at hand. LogUnavailable where it cannot be."""
        if self._vault.known(month_of(moment)) is None:
            await self._vault.prepare(self.store, month_of(moment))

    def draft(
        self,
        kind: str,
        moment: datetime,
        *,
        exchange: str | None = None,
        parties: Mapping[str, Any] | None = None,
        subject: Mapping[str, Any] | None = None,
        legal: Mapping[str, Any] | None = None,
        content: Mapping[str, Any] | None = None,
        counts: Subject | None = None,
    ) -> EntryDraft:
        """An entry of any kind. `counts`: the subject whose counter it counts. Call `ready` first."""
        month = month_of(moment)
        key = self._vault.known(month)
        if key is None:
            raise LookupError(f"the key of {month} is not prepared")
        public = {
            "version": VERSION,
            "kind": kind,
            "time": timestamp(moment),
            "gateway": self.gateway,
            "boot": self.boot,
            "exchange": exchange,
        }
        groups = {
            "public": public,
            "parties": dict(parties or {}),
            "subject": dict(subject or {}),
            "legal": dict(legal or {}),
            "content": dict(content or {}),
        }
        fresh = self._vault.just_sealed
        if counts is None:
            return EntryDraft(month, key, groups, fresh=fresh)
        return EntryDraft(month, key, groups, counts.pseudonym, counts.earlier, fresh)

    def decided(
        self,
        exchange: str,
        caller: Caller,
        question: Question,
        service: Service,
        decision: Decision,
        subject: Subject,
        *,
        request_digest: str,
        judged_us: int,
        facts: Mapping[str, Any] | None = None,
        at: datetime | None = None,
    ) -> EntryDraft:
        """`exchange.decided` for a permit, `exchange.refused` for a denial. `at`: when, as `ready` was told.

        `facts`: what it was judged on. In the group that no proof shows: a consent's facts tell the source of a
        citizen's age, and other agreements' are not the asker's to see. What is withheld from the person counts later
        (`told`), so that their count does not tip them off.
        """
        moment, withheld = at or now(), decision.withheld
        return self.draft(
            "exchange.decided" if decision.permit else "exchange.refused",
            moment,
            exchange=exchange,
            parties={
                "consumer": caller.agency,
                "client": caller.id,
                "client_key": caller.key_id,
                "officer": question.officer,
                "officer_proof": "asserted" if question.officer else None,
                "source": service.agency,
                "service": service.id,
                "service_digest": service.digest,
            },
            subject={"pseudonym": subject.hex, "facts": facts},
            legal={
                "purpose": question.purpose,
                "case_reference": question.case_reference,
                "agreement": decision.agreement,
                "term": decision.term,
                "lawful_basis": decision.lawful_basis,
                "authority": decision.authority,
                "consent": decision.consent_id,
                "consent_revision": decision.consent_revision,
                "policies": list(decision.policies),
                "policy_digest": decision.policy_digest,
                "asked": list(question.fields) if question.fields is not None else None,
                "granted": list(decision.fields),
                **({"given": sorted(question.given)} if question.given else {}),
                **({"withheld": _withheld(withheld, moment)} if withheld is not None else {}),
                **_releases(decision),
            },
            content={
                "outcome": "decided" if decision.permit else "refused",
                "reasons": [reason.code for reason in decision.reasons],
                "request_digest": request_digest,
                "judged_us": judged_us,
            },
            counts=subject if decision.permit and withheld is None else None,
        )

    def told(
        self,
        exchange: str,
        subject: Subject,
        index: int,
        entry: bytes,
        time: str,
        *,
        early: bool,
        at: datetime | None = None,
    ) -> EntryDraft:
        """`subject.told`: an exchange that was withheld from the person counts from here on.

        `index`, `entry`, `time`: of its `decided`, named in the group that the person is shown. `early`: two people had
        it told before its time. `at`: as above.
        """
        decided = {"index": index, "entry": entry.hex(), "time": time}
        return self.draft(
            "subject.told",
            at or now(),
            exchange=exchange,
            subject={"pseudonym": subject.hex, "decided": decided},
            content={"early": early},
            counts=subject,
        )

    def closed(
        self,
        outcome: str,
        exchange: str,
        *,
        subject: Subject | None = None,
        released: tuple[str, ...] = (),
        answer_digest: str | None = None,
        fault: str | None = None,
        reasons: tuple[str, ...] = (),
        source_us: int | None = None,
        at: datetime | None = None,
    ) -> EntryDraft:
        """The one outcome of a decided exchange: `released`, `failed`, `withheld` or `interrupted`. `at`: as above."""
        return self.draft(
            f"exchange.{outcome}",
            at or now(),
            exchange=exchange,
            subject={"pseudonym": subject.hex} if subject else {},
            legal={"released": list(released)},
            content={
                "outcome": outcome,
                "fault": fault,
                "reasons": list(reasons),
                "answer_digest": answer_digest,
                "source_us": source_us,
            },
        )

    # -- readings -----------------------------------------------------------------------------------------

    def behind(self, connection: Connection) -> bool:
        """A slice of the projection's work, in the writer's thread; True if more is left."""
        return project(connection, self._vault)

    async def size(self) -> int:
        """How many entries the log has."""
        rows = await self.store.read(lambda c: c.rows("SELECT size FROM head WHERE id = 1"))
        return int(rows[0][0])

    async def entries(self, after: int, limit: int, keep: Callable[[OpenedEntry], bool] | None = None) -> list[Any]:
        """Up to `limit` opened entries from index `after` on.

        Where the month is forgotten the groups are None; where the entry is broken too, and `broken` is true.
        """

        def read(connection: Connection) -> list[Any]:
            rows = connection.rows(
                "SELECT idx, entry, month, sealed FROM log_entries WHERE idx >= ? ORDER BY idx LIMIT ?",
                (after, limit),
            )
            found: list[Any] = []
            for index, entry, month, sealed in rows:
                key, closed = self._vault.open(connection, month), {"index": index, "entry": bytes(entry).hex()}
                if key is None:
                    found.append({**closed, **dict.fromkeys(GROUPS)})
                    continue
                try:
                    opened = open_entry(index, bytes(entry), self._vault.sealed(index, bytes(sealed)), key)
                except BrokenEntry:
                    found.append({**closed, **dict.fromkeys(GROUPS), "broken": True})
                    continue
                if keep is None or keep(opened):
                    found.append(opened.as_json())
            return found

        return await self.store.read(read)


def _withheld(withheld: Withholding, moment: datetime) -> dict[str, Any]:
    authority = {"en": withheld.authority_en, "th": withheld.authority_th}
    return {"authority": authority, "until": timestamp(moment + timedelta(days=withheld.days))}


def _releases(decision: Decision) -> dict[str, str]:
    """What the decision stands on beside the law's own grounds: named with every use, and where there is one only."""
    named = {"pdpa_exemption": decision.pdpa_exemption, "secrecy_release": decision.secrecy_release}
    return {name: text for name, text in named.items() if text}
