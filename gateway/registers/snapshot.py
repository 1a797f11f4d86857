"""The registers as one immutable value: what holds at one revision, with the indexes that judging needs.

A change makes a new snapshot; an exchange keeps the one it began with, and `decided` fails if it is no
longer the current one. So nothing is ever judged on half a change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import orjson

from gateway.model import Agency, Agreement, Client, Officer, Operator, Purpose, Term, Withholding
from gateway.store import REGISTERS, Connection

Record = dict[str, Any]
KINDS = (
    *("agency", "group", "client", "officer", "operator", "purpose", "connector", "agreement", "policies", "rights"),
    "reminder",
    *("key", "log", "opening"),
)


def record_digest(record: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a record as an act leaves it, without the list of its acts: what its entry commits to.

    No record names a person but by pseudonym or staff code, and the digest stands in a sealed group.
    """
    bare = {name: value for name, value in record.items() if name != "acts"}
    return hashlib.sha256(orjson.dumps(bare, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True)
class Registers:
    """Everything registered, at `revision`. `records`: kind -> id -> the record as stored."""

    revision: int = 0
    records: Mapping[str, Mapping[str, Record]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    agencies: Mapping[str, Agency] = field(default_factory=dict)
    clients: Mapping[str, Client] = field(default_factory=dict)
    officers: Mapping[tuple[str, str], Officer] = field(default_factory=dict)
    operators: Mapping[str, Operator] = field(default_factory=dict)
    purposes: Mapping[str, Purpose] = field(default_factory=dict)
    agreements: Mapping[tuple[str, str, bool], tuple[Agreement, ...]] = field(default_factory=dict)
    """(service, consumer, consumer is a group) -> its agreements, those in force first."""
    unknown: frozenset[str] = frozenset()
    """Kinds that were met and are none of `KINDS`: a newer version serves from the same database."""

    def with_rows(self, rows: Iterable[tuple[str, str, str]], revision: int) -> Registers:
        """The next snapshot: `rows` are (kind, id, body as JSON text) of what changed.

        Rows of an unknown kind are left out: to fail on them would keep this version at an old revision, on which
        every exchange is refused, while a newer one takes its place. Nothing that it judges by is in them.
        """
        rows = list(rows)
        unknown = self.unknown.union(kind for kind, _, _ in rows if kind not in self.records)
        changed = [(kind, name, orjson.loads(body)) for kind, name, body in rows if kind in self.records]
        if not changed:
            return replace(self, revision=revision, unknown=unknown)
        kinds = {kind for kind, _, _ in changed}
        records = {kind: dict(held) if kind in kinds else held for kind, held in self.records.items()}
        for kind, name, body in changed:
            records[kind][name] = body  # type: ignore[index]
        new = replace(self, revision=revision, records=records, unknown=unknown)
        return replace(
            new,
            agencies=_agencies(self.agencies, records, changed),
            clients=_updated(self.clients, changed, "client", _client),
            operators=_updated(self.operators, changed, "operator", _operator),
            purposes=_updated(self.purposes, changed, "purpose", _purpose),
            officers={
                **self.officers,
                **{(b["client"], b["code"]): _officer(b) for kind, _, b in changed if kind == "officer"},
            },
            agreements=_agreements(self.agreements, changed),
        )

    def record(self, kind: str, name: str) -> Record | None:
        """One record as stored, or None."""
        return self.records[kind].get(name)

    def standing(self, service: str, consumer: Agency) -> list[Agreement]:
        """Every agreement, whatever its state, between this consumer (or a group of its) and this service."""
        found = list(self.agreements.get((service, consumer.id, False), ()))
        for group in sorted(consumer.groups):
            found.extend(self.agreements.get((service, group, True), ()))
        return found


def outages_of(connector: Record) -> list[dict[str, Any]]:
    """The outages announced in a connector's record: {service or null, from, to, title, announced_by}."""
    return list(connector.get("outages", ()))


def read_rows(connection: Connection, since: int) -> tuple[list[tuple[str, str, str]], int]:
    """(the rows that changed after revision `since`, the revision now)."""
    # The revision is read first: a row that changes between the two reads is read again next time.
    current = connection.rows("SELECT revision FROM revisions WHERE scope = ?", (REGISTERS,))
    revision = int(current[0][0]) if current else 0
    if revision == since:
        return [], revision
    rows = connection.rows("SELECT kind, id, body FROM registers WHERE revision > ? ORDER BY revision", (since,))
    return [(kind, name, body) for kind, name, body in rows], revision


def _updated(held: Mapping[str, Any], changed: list[tuple[str, str, Record]], kind: str, parse: Any) -> Any:
    fresh = {name: parse(body) for changed_kind, name, body in changed if changed_kind == kind}
    return {**held, **fresh} if fresh else held


def _agreements(
    held: Mapping[tuple[str, str, bool], tuple[Agreement, ...]], changed: list[tuple[str, str, Record]]
) -> Mapping[tuple[str, str, bool], tuple[Agreement, ...]]:
    fresh = [agreement for kind, _, body in changed if kind == "agreement" and (agreement := _agreement(body))]
    if not fresh:
        return held
    index = dict(held)
    for agreement in fresh:
        key = (agreement.service, agreement.consumer, agreement.consumer_is_group)
        others = [other for other in index.get(key, ()) if other.id != agreement.id]
        index[key] = tuple(sorted([*others, agreement], key=lambda a: (a.status != "active", a.id)))
    return index


def _agencies(
    held: Mapping[str, Agency], records: Mapping[str, Mapping[str, Record]], changed: list[tuple[str, str, Record]]
) -> Mapping[str, Agency]:
    """Each agency with its groups. Of thousands in one group, one that changes is looked up there, and not all."""
    groups = records["group"]
    if all(kind != "group" for kind, _, _ in changed):
        own = {name: body for kind, name, body in changed if kind == "agency"}
        fresh = {
            name: _agency(body, (group for group, of in groups.items() if name in of["members"]))
            for name, body in own.items()
        }
        return {**held, **fresh} if fresh else held
    groups_of: dict[str, list[str]] = {}
    for group, body in groups.items():
        for member in body["members"]:
            groups_of.setdefault(member, []).append(group)
    return {name: _agency(body, groups_of.get(name, ())) for name, body in records["agency"].items()}


def _agency(body: Record, groups: Iterable[str]) -> Agency:
    return Agency(body["id"], body["title"]["en"], body["title"]["th"], body["status"], frozenset(groups))


def _client(body: Record) -> Client:
    return Client(
        id=body["id"],
        agency=body["agency"],
        title_en=body["title"]["en"],
        title_th=body["title"]["th"],
        keys=tuple(body["keys"]),
        scopes=frozenset(body["scopes"]),
        status=body["status"],
        revoked_kids=frozenset(body.get("revoked_kids", ())),
        networks=tuple(body["networks"]),
        clearance=body["clearance"],
        cross_border=body["cross_border"],
        token_binding=body.get("token_binding") or "",
    )


def _officer(body: Record) -> Officer:
    return Officer(body["client"], body["code"], body["status"])


def _operator(body: Record) -> Operator:
    return Operator(
        id=body["id"],
        name=body["name"],
        role=body["role"],
        keys=tuple(body["keys"]),
        agency=body.get("agency") or "",
        status=body["status"],
        revoked_kids=frozenset(body.get("revoked_kids", ())),
    )


def _purpose(body: Record) -> Purpose:
    return Purpose(
        code=body["code"],
        title_en=body["title"]["en"],
        title_th=body["title"]["th"],
        authority_en=body["authority"]["en"],
        authority_th=body["authority"]["th"],
        replaces=tuple(document["th"] for document in body["replaces"]),
        status=body["status"],
    )


def _agreement(body: Record) -> Agreement | None:
    """None while it is only proposed: what nobody at the source approved does not exist for the judge."""
    if body["version"] == 0:
        return None
    consumer = body["consumer"]
    return Agreement(
        id=body["id"],
        consumer=consumer.get("agency") or consumer["group"],
        consumer_is_group=consumer.get("agency") is None,
        service=body["service"],
        status=body["status"],
        starts=date.fromisoformat(body["period"]["from"]),
        ends=date.fromisoformat(body["period"]["to"]),
        terms=tuple(_term(term) for term in body["terms"]),
        version=body["version"],
        clients=frozenset(body["clients"]),
        controller=f"consumer: {body['controller']['consumer']}, source: {body['controller']['source']}",
        contact=body["contacts"]["source"],
        onward_sharing=body["onward_sharing"],
    )


def _term(body: Record) -> Term:
    notice, exemption, release = body["notice"], body.get("pdpa_exemption"), body.get("secrecy_release")
    consent, withheld = body.get("consent") or {}, body.get("withheld_from_subject")
    return Term(
        id=body["id"],
        purpose=body["purpose"],
        fields=frozenset(body["fields"]),
        lawful_basis=body["lawful_basis"],
        authority_en=body["authority"]["en"],
        authority_th=body["authority"]["th"],
        oia_ground=body["oia_ground"],
        notice=f"{notice['id']} {notice['version']}" if notice.get("id") else f"exempt: {notice['exemption']}",
        sensitive_basis=body.get("sensitive_basis") or "",
        quota_per_day=body.get("quota_per_day") or 0,
        quota_per_officer_per_day=body.get("quota_per_officer_per_day") or 0,
        officer_required=body["officer_required"],
        cross_border=body["cross_border"],
        pdpa_exemption=" · ".join(exemption[k] for k in ("clause", "reference", "authority", "date"))
        if exemption
        else "",
        secrecy_release=" · ".join(release[k] for k in ("order", "authority", "date")) if release else "",
        consent_collectors=frozenset(consent.get("collectors", ())),
        consent_methods=frozenset(consent.get("methods", ())),
        consent_assurance=consent.get("least_assurance", 3),
        withheld=Withholding(withheld["authority"]["en"], withheld["authority"]["th"], withheld["days"])
        if withheld
        else None,
    )
