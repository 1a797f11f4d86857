"""Every act by everyone: who may do it, and that nobody else may."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.catalogue import digest_of
from gateway.errors import Denied, GatewayError, Reason
from gateway.policy import PolicySet
from gateway.registers import FORMS
from gateway.registers.acts import ACTS
from tests.harness import title
from tests.registers.town import Town, form, key, registration, settled

ADMINS = {"admin", "admin-2"}
DOPA = {"dopa-1", "dopa-2"}
CITY = {"city-1"}
NHSO = {"nhso-1"}
EVERYONE = ADMINS | DOPA | CITY | NHSO | {"auditor", "dpo"}


def person(role: str, agency: str | None = None) -> dict[str, Any]:
    return {"id": "new-one", "name": "new", "role": role, "agency": agency, "keys": [key("n1")]}


def client(agency: str = "city-a") -> dict[str, Any]:
    return {"id": "new-client", "agency": agency, "title": title("x"), "keys": [key("n1")]}


def purpose(code: str) -> dict[str, Any]:
    return {"code": code, "title": title("x"), "authority": title("An act"), "replaces": []}


def other_policies(town: Town) -> dict[str, Any]:
    """The same rules with another comment: another set."""
    document = town.policies.as_json()

    def commented(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: commented(v) for k, v in value.items()}
        if isinstance(value, str) and "forbid" in value:
            return f"// changed\n{value}"
        return value

    changed = commented(document)
    assert PolicySet.from_json(changed).digest != town.policies.digest
    return {"document": changed}


FEWER = {"version": 1, "reason": "not needed", "terms": [{"id": "t1", "officer_required": True}]}
OUTAGE = {"agency": "dopa", "from": "2026-12-05T18:00+07:00", "to": "2026-12-06T06:00+07:00", "title": title("moving")}
REQUEST = {"agency": "dopa", "right": "access", "subject": "ab" * 32, "received": "2026-11-01"}
MATRIX: list[tuple[str, str, Any, set[str]]] = [
    ("agency.add", "", {"id": "new", "title": title("new")}, ADMINS),
    ("agency.suspend", "a source", {"id": "dopa"}, ADMINS | DOPA),
    ("agency.resume", "", {"id": "city-b"}, ADMINS),
    ("group.add", "", {"id": "new", "title": title("new"), "members": ["city-a"]}, ADMINS),
    ("group.join", "", {"id": "cities", "agency": "city-a"}, ADMINS),
    ("group.leave", "", {"id": "cities", "agency": "city-b"}, ADMINS),
    ("client.add", "", client(), ADMINS),
    ("client.binding", "", {"id": "city-a-welfare", "token_binding": "dpop"}, ADMINS | CITY),
    ("client.key.add", "", {"id": "city-a-welfare", "key": key("n1")}, ADMINS | CITY),
    ("client.key.revoke", "", {"id": "city-a-welfare", "kid": "c1"}, ADMINS | CITY),
    ("client.suspend", "", {"id": "city-a-welfare"}, ADMINS | CITY),
    ("client.resume", "", {"id": "city-b-welfare"}, ADMINS),
    ("officer.add", "", {"client": "city-a-welfare", "code": "new.o"}, ADMINS | CITY),
    ("officer.suspend", "", {"client": "city-a-welfare", "code": "somsri.j"}, ADMINS | CITY),
    ("officer.resume", "", {"client": "city-a-welfare", "code": "resting.n"}, ADMINS | CITY),
    ("operator.add", "an admin", person("admin"), ADMINS),
    ("operator.add", "an auditor", person("auditor"), ADMINS),
    ("operator.add", "a dpo", person("dpo", "dopa"), ADMINS),
    ("operator.add", "an agency's first owner", person("owner", "city-b"), ADMINS),
    ("operator.add", "a further owner", person("owner", "dopa"), DOPA),
    ("operator.confirm", "an owner", {"id": "dopa-3"}, ADMINS | {"dopa-2"}),
    ("operator.confirm", "an admin", {"id": "admin-3"}, {"admin-2"} | DOPA | CITY | NHSO),
    ("operator.key.add", "an owner's", {"id": "dopa-1", "key": key("n1")}, {"dopa-1"}),
    ("operator.key.add", "an admin's", {"id": "admin", "key": key("n1")}, {"admin"}),
    ("operator.key.add", "an auditor's", {"id": "auditor", "key": key("n1")}, ADMINS | {"auditor"}),
    ("operator.key.add", "a dpo's", {"id": "dpo", "key": key("n1")}, ADMINS | {"dpo"}),
    ("operator.key.revoke", "an owner's", {"id": "dopa-1", "kid": "dopa-1-key"}, ADMINS | DOPA),
    ("operator.key.revoke", "an admin's", {"id": "admin", "kid": "admin-key"}, ADMINS),
    ("operator.key.revoke", "an auditor's", {"id": "auditor", "kid": "auditor-key"}, ADMINS | {"auditor"}),
    ("operator.suspend", "an owner", {"id": "dopa-1"}, ADMINS | DOPA),
    ("operator.suspend", "an admin", {"id": "admin"}, ADMINS),
    ("operator.suspend", "an auditor", {"id": "auditor"}, ADMINS),
    ("operator.resume", "an owner", {"id": "nhso-2"}, NHSO),
    ("operator.resume", "an auditor", {"id": "auditor-2"}, ADMINS),
    ("purpose.add", "", purpose("new.purpose"), ADMINS),
    ("purpose.suspend", "", {"code": "welfare.old-age-allowance"}, ADMINS),
    ("purpose.resume", "", {"code": "land.transfer-registration"}, ADMINS),
    ("connector.register", "", {"registration": registration(1)}, ADMINS | DOPA),
    ("connector.approve", "", {"agency": "dopa", "digest": digest_of(registration(2))}, {"dopa-2"}),
    ("connector.disable", "", {"agency": "dopa"}, ADMINS | DOPA),
    ("connector.enable", "a service", {"agency": "dopa", "service": "dopa.house.v1"}, DOPA),
    ("connector.outage", "", OUTAGE, ADMINS | DOPA),
    ("connector.outage.withdraw", "", {"agency": "dopa", "from": "2026-12-01T18:00+07:00"}, ADMINS | DOPA),
    ("agreement.propose", "", form("new"), ADMINS | DOPA | CITY),
    ("agreement.propose", "of a group", form("new", consumer={"group": "cities"}), ADMINS | DOPA),
    ("agreement.approve", "proposed by an admin", {"id": "proposed", "version": 1}, DOPA),
    ("agreement.approve", "proposed by an owner", {"id": "to-refuse", "version": 1}, {"dopa-2"}),
    ("agreement.refuse", "", {"id": "to-refuse", "version": 1, "ground": "not needed"}, DOPA),
    ("agreement.suspend", "", {"id": "to-suspend", "reason": "x"}, ADMINS | DOPA),
    ("agreement.resume", "", {"id": "suspended", "reason": "x"}, DOPA),
    ("agreement.revoke", "", {"id": "active", "reason": "x"}, DOPA),
    ("agreement.narrow", "", {**FEWER, "id": "to-suspend"}, DOPA | CITY),
    ("agreement.narrow", "of a group", {**FEWER, "id": "of-cities"}, DOPA),
    ("log.forget.propose", "", {"month": "2015-07", "reason": "past its retention"}, ADMINS),
    ("log.forget.approve", "", {"month": "2015-06"}, {"admin-2"}),
    ("opening.propose", "", {"exchange": f"ex_{'1' * 26}", "reason": "the case is closed"}, {*ADMINS, "dpo"}),
    ("opening.approve", "", {"exchange": f"ex_{'0' * 26}"}, {"admin-2", "dpo"}),
    ("rights.add", "", {**REQUEST, "id": "r-new"}, DOPA | {"dpo"}),
    ("rights.answer", "", {"id": "r-open", "answer": "a copy was sent"}, DOPA | {"dpo"}),
    ("rights.reject", "", {"id": "r-open", "ground": "no record is held"}, DOPA | {"dpo"}),
    ("rights.notice.acknowledge", "", {"id": "r-wrong"}, DOPA),
    ("rights.notice.answer", "", {"id": "r-wrong", "outcome": "done", "answer": "corrected"}, DOPA),
    ("policies.propose", "", other_policies, ADMINS),
    ("policies.approve", "", lambda town: {"digest": pending_digest(town)}, {"admin-2"}),
]


def pending_digest(town: Town) -> str:
    record = town.registers.record("policies", "active")
    assert record is not None
    return str(record["pending"]["digest"])


@pytest.fixture(scope="module")
def town() -> Town:
    """As settled, with what some acts need to find."""
    town = settled()
    town.act("dopa-1", "connector.register", {"registration": registration(2)})
    town.act("dopa-1", "connector.disable", {"agency": "dopa", "service": "dopa.house.v1"})
    town.act("dopa-1", "connector.outage", {**OUTAGE, "from": "2026-12-01T18:00+07:00"})
    town.operator("nhso-2", "owner", "nhso")
    town.act("nhso-1", "operator.suspend", {"id": "nhso-2"})
    town.act("dopa-1", "operator.add", {**person("owner", "dopa"), "id": "dopa-3", "keys": [key("n3")]})
    town.act("admin", "operator.add", {**person("admin"), "id": "admin-3", "keys": [key("n4")]})
    town.operator("auditor-2", "auditor")
    town.act("admin", "operator.suspend", {"id": "auditor-2"})
    town.act("admin", "policies.propose", other_policies(town))
    town.act("dopa-1", "agreement.propose", form("of-cities", consumer={"group": "cities"}))
    town.act("dopa-2", "agreement.approve", {"id": "of-cities", "version": 1})
    town.act("dpo", "rights.add", {**REQUEST, "id": "r-open"})
    wrong = {"agency": "city-a", "right": "correction", "service": "dopa.person.v1"}
    town.act("city-1", "rights.add", {**REQUEST, **wrong, "id": "r-wrong"})
    town.act("admin", "log.forget.propose", {"month": "2015-06", "reason": "past its retention"})
    town.act("admin", "opening.propose", {"exchange": f"ex_{'0' * 26}", "reason": "the case is closed"})
    return town


def test_every_act_has_a_form_something_that_does_it_and_a_line_here() -> None:
    assert set(FORMS) == set(ACTS) == {name for name, *_ in MATRIX}


@pytest.mark.parametrize(("name", "what", "body", "allowed"), MATRIX, ids=[f"{m[0]} {m[1]}".strip() for m in MATRIX])
def test_who_may(town: Town, name: str, what: str, body: Any, allowed: set[str]) -> None:
    given = body(town) if callable(body) else body
    may: set[str] = set()
    reasons: list[Reason] = []
    for operator in EVERYONE:
        try:
            record = town.tried(operator, name, given)
        except Denied as denied:
            reasons += denied.reasons
        except GatewayError as error:
            pytest.fail(f"{operator}: {error.code} {error.detail_en}")
        else:
            assert (record["kind"], bool(record["id"])) == (name.partition(".")[0], True)
            may.add(operator)
    assert may == allowed
    assert {reason.code for reason in reasons} <= {"role_not_allowed", "two_people"}
    assert all(reason.title_th and reason.remedy_th for reason in reasons)
