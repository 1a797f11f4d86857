"""Registers grown by acts alone, without a gateway: who did what leaves which record."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import orjson

from gateway.catalogue import digest_of, services_of
from gateway.keys import new_key, public_key
from gateway.model import Service
from gateway.policy import PolicySet
from gateway.registers import FORMS, Act, Book, Record, Registers, perform
from tests.harness import HOUSE, OLD_AGE, PERSON, ROOT, agreement, registration_of, term, title

NOW = "2026-11-20T04:17:08.123Z"
CONSENTED = "education.scholarship"


@cache
def _services(registration: bytes) -> tuple[Service, ...]:
    return services_of(orjson.loads(registration))


def key(kid: str = "k1") -> dict[str, Any]:
    """A fresh public JWK."""
    return {**public_key(new_key("EdDSA")), "kid": kid}


class Town:
    """Registers at one revision, and acts done on them. `rows` is what a database would hold."""

    def __init__(self) -> None:
        self.registers = Registers()
        self.rows: dict[tuple[str, str], str] = {}
        policies = PolicySet.from_folder(ROOT / "policies")
        record = {"status": "active", "version": 1, "digest": policies.digest, "document": dict(policies.as_json())}
        self.put({"kind": "policies", "id": "active", **record})
        self.policies = policies

    @property
    def services(self) -> dict[str, Service]:
        """What is approved."""
        connectors = self.registers.records["connector"].values()
        approved = [orjson.dumps(record["registration"]) for record in connectors if record["registration"]]
        return {service.id: service for registration in approved for service in _services(registration)}

    def put(self, record: Record) -> None:
        """Stores a record as the database would: as JSON."""
        row = (record["kind"], record["id"], orjson.dumps(record).decode())
        self.rows[row[:2]] = row[2]
        self.registers = self.registers.with_rows([row], self.registers.revision + 1)

    def operator(self, name: str, role: str, agency: str | None = None) -> None:
        """An operator, put there without an act."""
        person = {"name": name, "role": role, "agency": agency, "keys": [key(f"{name}-key")], "revoked_kids": []}
        self.put({"kind": "operator", "id": name, "status": "active", "version": 1, **person})

    def book(self, name: str, body: dict[str, Any]) -> Book:
        """What the governance path would judge on."""
        proposed: tuple[Service, ...] = ()
        digest = ""
        if name == "connector.register":
            proposed, digest = services_of(body["registration"]), digest_of(body["registration"])
        elif name == "policies.propose":
            digest = PolicySet.from_json(body["document"]).digest
        return Book(self.registers, self.services, proposed, digest)

    def tried(self, operator: str, name: str, body: dict[str, Any]) -> Record:
        """What the act would leave; raises what stands against it."""
        form = FORMS[name].model_validate(body)
        return perform(Act(name, form, self.registers.operators[operator], NOW), self.book(name, body))

    def act(self, operator: str, name: str, body: dict[str, Any]) -> Record:
        """Does the act."""
        record = self.tried(operator, name, body)
        self.put(record)
        return record


@cache
def registration(variant: int = 0) -> dict[str, Any]:
    """dopa's, at an address of its own for each variant."""
    return registration_of("dopa", f"http://127.0.0.1:{9000 + variant}")


def form(name: str, **more: Any) -> dict[str, Any]:
    """An agreement of city-a with dopa."""
    return agreement(name, more.pop("service", PERSON), more.pop("terms", [term(OLD_AGE, ["life_status"])]), **more)


def settled() -> Town:
    """Everyone there is: an admin and a second, auditor, dpo, two owners of dopa, one of city-a and of nhso.

    Each call gives a town of its own; they grow from the same, as registers are values.
    """
    town = copy.copy(_settled())
    town.rows = dict(town.rows)
    return town


@cache
def _settled() -> Town:
    town = Town()
    town.operator("admin", "admin")
    town.operator("admin-2", "admin")
    town.operator("auditor", "auditor")
    town.operator("dpo", "dpo")
    for agency in ("dopa", "city-a", "city-b", "nhso"):
        town.act("admin", "agency.add", {"id": agency, "title": title(agency)})
    for owner, agency in (("dopa-1", "dopa"), ("dopa-2", "dopa"), ("city-1", "city-a"), ("nhso-1", "nhso")):
        town.operator(owner, "owner", agency)
    town.act("admin", "group.add", {"id": "cities", "title": title("cities"), "members": ["city-b"]})
    for client, agency in (("city-a-welfare", "city-a"), ("city-b-welfare", "city-b")):
        body = {"id": client, "agency": agency, "title": title(client), "keys": [key("c1"), key("c2")]}
        town.act("admin", "client.add", body)
    for code in ("somsri.j", "resting.n"):
        town.act("admin", "officer.add", {"client": "city-a-welfare", "code": code})
    town.act("admin", "officer.suspend", {"client": "city-a-welfare", "code": "resting.n"})
    for purpose in (OLD_AGE, "land.transfer-registration"):
        body = {"code": purpose, "title": title(purpose), "authority": title("An act"), "replaces": [title("copy")]}
        town.act("admin", "purpose.add", body)
    town.act("admin", "purpose.suspend", {"code": "land.transfer-registration"})
    town.act("admin", "connector.register", {"registration": registration()})
    town.act("dopa-1", "connector.approve", {"agency": "dopa", "digest": digest_of(registration())})
    for name in ("active", "to-suspend", "suspended", "to-refuse"):
        town.act("dopa-1", "agreement.propose", form(name))
        if name != "to-refuse":
            town.act("dopa-2", "agreement.approve", {"id": name, "version": 1})
    town.act("dopa-1", "agreement.suspend", {"id": "suspended", "reason": "under review"})
    town.act("admin", "agreement.propose", form("proposed", service=HOUSE, terms=[term(OLD_AGE, ["local_authority"])]))
    town.act("admin", "client.suspend", {"id": "city-b-welfare"})
    town.act("admin", "agency.suspend", {"id": "city-b"})
    return town
