"""One person with two keys is one person: what takes two is not passed by whom one of them enrolled."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import Conflict, Denied
from tests.registers.test_who_may_act import other_policies, pending_digest, person
from tests.registers.town import Town, form, key, settled


@pytest.fixture
def town() -> Town:
    return settled()


def enrol(town: Town, by: str, name: str, role: str, agency: str | None = None) -> dict[str, Any]:
    return town.act(by, "operator.add", {**person(role, agency), "id": name, "keys": [key(f"{name}-key")]})


def refused(town: Town, operator: str, act: str, body: dict[str, Any]) -> str:
    """The code of the refusal."""
    with pytest.raises(Denied) as denied:
        town.tried(operator, act, body)
    return denied.value.reasons[0].code


def test_an_administrator_does_not_replace_the_rules_with_one_of_his_own_making(town: Town) -> None:
    enrol(town, "admin", "shadow", "admin")
    enrol(town, "shadow", "shadow-2", "admin")
    town.act("admin", "policies.propose", other_policies(town))
    approve = {"digest": pending_digest(town)}
    for operator in ("shadow", "shadow-2"):
        assert refused(town, operator, "policies.approve", approve) == "two_people"
    town.act("shadow-2", "policies.propose", other_policies(town))
    for operator in ("admin", "shadow"):
        assert refused(town, operator, "policies.approve", approve) == "two_people"
    assert town.tried("admin-2", "policies.approve", approve)


def test_nor_confirms_it(town: Town) -> None:
    enrol(town, "admin", "shadow", "admin")
    enrol(town, "admin", "shadow-2", "admin")
    for operator in ("admin", "shadow", "shadow-2"):
        assert refused(town, operator, "operator.confirm", {"id": "shadow"}) == "two_people"
    confirmed = town.act("admin-2", "operator.confirm", {"id": "shadow"})
    assert (confirmed["unconfirmed"], confirmed["added_by"], confirmed["confirmed_by"]) == (False, "admin", "admin-2")
    with pytest.raises(Conflict):
        town.tried("dopa-1", "operator.confirm", {"id": "shadow"})
    # Someone of their own from now on, who may vouch for another.
    town.act("admin", "policies.propose", other_policies(town))
    assert town.tried("shadow", "policies.approve", {"digest": pending_digest(town)})
    assert town.tried("shadow", "operator.confirm", {"id": "shadow-2"})


def test_an_owner_does_not_approve_through_an_owner_of_his_own_making(town: Town) -> None:
    enrol(town, "dopa-1", "dopa-3", "owner", "dopa")
    town.act("dopa-1", "agreement.propose", form("alone"))
    assert refused(town, "dopa-3", "agreement.approve", {"id": "alone", "version": 1}) == "two_people"
    assert town.tried("dopa-2", "agreement.approve", {"id": "alone", "version": 1})
    town.act("dopa-3", "agreement.propose", form("other"))
    assert refused(town, "dopa-1", "agreement.approve", {"id": "other", "version": 1}) == "two_people"
    assert refused(town, "city-1", "operator.confirm", {"id": "dopa-3"}) == "role_not_allowed"
    town.act("dopa-2", "operator.confirm", {"id": "dopa-3"})
    assert town.tried("dopa-3", "agreement.approve", {"id": "alone", "version": 1})
    assert town.tried("dopa-1", "agreement.approve", {"id": "other", "version": 1})


def test_an_administrator_does_not_approve_as_the_first_owner_whom_he_enrolled(town: Town) -> None:
    town.act("admin-2", "agency.resume", {"id": "city-b"})
    enrol(town, "admin", "city-b-1", "owner", "city-b")
    enrol(town, "city-b-1", "city-b-2", "owner", "city-b")
    for operator in ("admin", "city-b-1", "city-b-2"):
        for name in ("city-b-1", "city-b-2"):
            assert refused(town, operator, "operator.confirm", {"id": name}) in ("two_people", "role_not_allowed")
    town.act("admin-2", "operator.confirm", {"id": "city-b-1"})
    assert refused(town, "city-b-1", "operator.confirm", {"id": "city-b-2"}) == "two_people"
    assert town.tried("admin", "operator.confirm", {"id": "city-b-2"})


def test_the_first_two_administrators_are_on_record_as_such() -> None:
    town = Town()
    town.operator("founder", "admin")
    second = enrol(town, "founder", "second", "admin")
    assert (second["first_two"], second.get("unconfirmed")) == (True, None)
    assert enrol(town, "second", "third", "admin")["unconfirmed"] is True
    assert enrol(town, "founder", "watcher", "auditor").get("unconfirmed") is None
    town.act("founder", "policies.propose", other_policies(town))
    approve = {"digest": pending_digest(town)}
    assert town.tried("second", "policies.approve", approve)
    assert town.tried("third", "policies.approve", approve), "it stands for the second, who did not propose"


def test_an_agency_whose_owners_are_all_gone_is_restored_by_two(town: Town) -> None:
    town.act("admin", "operator.suspend", {"id": "nhso-1"})
    resume, new = {"id": "nhso-1"}, {**person("owner", "nhso"), "id": "nhso-9"}
    assert refused(town, "admin", "operator.resume", resume) == "two_people"
    assert refused(town, "admin", "operator.add", new) == "two_people"
    assert town.tried("admin-2", "operator.resume", resume)["status"] == "active"
    assert town.tried("admin-2", "operator.add", new)["unconfirmed"] is True
    enrol(town, "admin", "shadow", "admin")
    assert refused(town, "shadow", "operator.resume", resume) == "two_people"
    town.act("admin-2", "operator.resume", resume)
    # While one is there, it is the owners' own matter.
    town.act("admin", "operator.suspend", {"id": "dopa-1"})
    assert refused(town, "admin-2", "operator.resume", {"id": "dopa-1"}) == "role_not_allowed"


def test_an_owner_without_any_key_left_is_replaced_by_two(town: Town) -> None:
    town.act("admin", "operator.key.revoke", {"id": "nhso-1", "kid": "nhso-1-key"})
    new = {**person("owner", "nhso"), "id": "nhso-9"}
    assert refused(town, "admin", "operator.add", new) == "two_people"
    assert town.tried("admin-2", "operator.add", new)["agency"] == "nhso"
