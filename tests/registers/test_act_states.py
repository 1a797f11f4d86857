"""What the registers' state forbids: twice the same, out of order, or leaving nobody who could go on."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.catalogue import digest_of
from gateway.errors import Conflict, Denied, MalformedRequest, NotFound
from gateway.keys import new_key, public_key
from tests.harness import COVER, HOUSE, OLD_AGE, title
from tests.harness import term as good_term
from tests.registers.town import Town, form, key, registration, settled


@pytest.fixture
def town() -> Town:
    return settled()


@pytest.fixture(scope="module")
def narrowable() -> Town:
    """An agreement with something to take away."""
    town = settled()
    terms = [
        good_term(OLD_AGE, FIELDS[:3], id="t1", quota_per_day=20),
        good_term(OLD_AGE, FIELDS[:1], id="t2", officer_required=True),
    ]
    town.act("dopa-1", "agreement.propose", form("new", terms=terms))
    town.act("dopa-2", "agreement.approve", {"id": "new", "version": 1})
    return town


CONFLICTS: list[tuple[str, str, dict[str, Any]]] = [
    ("admin", "agency.add", {"id": "dopa", "title": title("x")}),
    ("admin", "agency.resume", {"id": "dopa"}),
    ("admin", "agency.suspend", {"id": "city-b"}),
    ("admin", "group.add", {"id": "cities", "title": title("x")}),
    ("admin", "group.join", {"id": "cities", "agency": "city-b"}),
    ("admin", "group.leave", {"id": "cities", "agency": "city-a"}),
    ("admin", "client.add", {"id": "city-a-welfare", "agency": "city-a", "title": title("x"), "keys": [key()]}),
    ("admin", "client.add", {"id": "auditor", "agency": "city-a", "title": title("x"), "keys": [key()]}),
    ("admin", "client.resume", {"id": "city-a-welfare"}),
    ("admin", "client.suspend", {"id": "city-b-welfare"}),
    ("admin", "client.key.add", {"id": "city-a-welfare", "key": key("c1")}),
    ("admin", "officer.add", {"client": "city-a-welfare", "code": "somsri.j"}),
    ("admin", "officer.resume", {"client": "city-a-welfare", "code": "somsri.j"}),
    ("admin", "officer.suspend", {"client": "city-a-welfare", "code": "resting.n"}),
    ("admin", "operator.add", {"id": "auditor", "name": "x", "role": "auditor", "keys": [key()]}),
    ("admin", "operator.add", {"id": "city-a-welfare", "name": "x", "role": "auditor", "keys": [key()]}),
    ("admin", "operator.resume", {"id": "auditor"}),
    ("admin", "purpose.add", {"code": OLD_AGE, "title": title("x"), "authority": title("x")}),
    ("admin", "purpose.resume", {"code": OLD_AGE}),
    ("admin", "purpose.suspend", {"code": "land.transfer-registration"}),
    ("admin", "connector.register", {"registration": registration()}),
    ("dopa-1", "connector.approve", {"agency": "dopa", "digest": digest_of(registration())}),
    ("dopa-1", "connector.enable", {"agency": "dopa"}),
    ("dopa-1", "connector.enable", {"agency": "dopa", "service": HOUSE}),
    ("dopa-1", "agreement.approve", {"id": "active", "version": 1}),
    ("dopa-2", "agreement.approve", {"id": "to-refuse", "version": 2}),
    ("dopa-1", "agreement.refuse", {"id": "active", "version": 1, "ground": "x"}),
    ("dopa-1", "agreement.resume", {"id": "active"}),
    ("dopa-1", "agreement.suspend", {"id": "suspended"}),
    ("dopa-1", "agreement.suspend", {"id": "proposed"}),
    ("dopa-1", "agreement.revoke", {"id": "proposed"}),
    ("dopa-1", "agreement.propose", form("active", consumer={"agency": "city-b"})),
    ("city-1", "agreement.propose", form("proposed")),
    ("admin", "policies.approve", {"digest": "0" * 64}),
]


@pytest.mark.parametrize(
    ("operator", "name", "body"), CONFLICTS, ids=[f"{n} {i}" for i, (_, n, _) in enumerate(CONFLICTS)]
)
def test_the_state_forbids(town: Town, operator: str, name: str, body: dict[str, Any]) -> None:
    with pytest.raises(Conflict) as refused:
        town.tried(operator, name, body)
    assert refused.value.detail_th


MISSING: list[tuple[str, str, dict[str, Any]]] = [
    ("admin", "agency.suspend", {"id": "nowhere"}),
    ("admin", "group.add", {"id": "new", "title": title("x"), "members": ["dopa", "nowhere"]}),
    ("admin", "group.join", {"id": "nowhere", "agency": "dopa"}),
    ("admin", "group.join", {"id": "cities", "agency": "nowhere"}),
    ("admin", "client.add", {"id": "new", "agency": "nowhere", "title": title("x"), "keys": [key()]}),
    ("admin", "client.suspend", {"id": "nowhere"}),
    ("admin", "client.key.add", {"id": "nowhere", "key": key()}),
    ("admin", "client.key.revoke", {"id": "city-a-welfare", "kid": "c9"}),
    ("admin", "officer.add", {"client": "nowhere", "code": "x"}),
    ("admin", "officer.suspend", {"client": "city-a-welfare", "code": "x"}),
    ("admin", "operator.add", {"id": "new", "name": "x", "role": "owner", "agency": "nowhere", "keys": [key()]}),
    ("admin", "operator.key.revoke", {"id": "nowhere", "kid": "x"}),
    ("admin", "operator.suspend", {"id": "nowhere"}),
    ("admin", "purpose.suspend", {"code": "no.where"}),
    ("dopa-1", "connector.disable", {"agency": "dopa", "service": COVER}),
    ("nhso-1", "connector.approve", {"agency": "nhso", "digest": "0" * 64}),
    ("dopa-1", "agreement.propose", form("new", service=COVER)),
    ("dopa-1", "agreement.propose", form("new", consumer={"agency": "nowhere"})),
    ("dopa-1", "agreement.propose", form("new", consumer={"group": "nowhere"})),
    ("dopa-1", "agreement.propose", form("new", clients=["nowhere"])),
    ("dopa-1", "agreement.propose", form("new", terms=[good_term("no.where", ["life_status"])])),
    ("dopa-1", "agreement.approve", {"id": "nowhere", "version": 1}),
    ("dopa-1", "agreement.revoke", {"id": "nowhere"}),
]


@pytest.mark.parametrize(("operator", "name", "body"), MISSING, ids=[name for _, name, _ in MISSING])
def test_what_is_not_there(town: Town, operator: str, name: str, body: dict[str, Any]) -> None:
    with pytest.raises(NotFound) as refused:
        town.tried(operator, name, body)
    assert "nowhere" not in refused.value.detail_en + refused.value.detail_th


def test_an_agreements_life(town: Town) -> None:
    town.act("dopa-1", "agreement.suspend", {"id": "active", "reason": "x"})
    town.act("city-1", "agreement.propose", form("active", terms=[good_term(OLD_AGE, ["date_of_birth"])]))
    record = town.act("dopa-1", "agreement.approve", {"id": "active", "version": 2})
    # What was suspended stays so: a new version does not resume it.
    assert (record["status"], record["version"], record["terms"][0]["fields"]) == ("suspended", 2, ["date_of_birth"])
    assert town.act("dopa-2", "agreement.resume", {"id": "active"})["status"] == "active"
    assert town.act("dopa-2", "agreement.revoke", {"id": "active", "reason": "x"})["status"] == "revoked"
    for name, body in (
        ("agreement.resume", {"id": "active"}),
        ("agreement.suspend", {"id": "active"}),
        ("agreement.revoke", {"id": "active"}),
        ("agreement.propose", form("active")),
    ):
        with pytest.raises(Conflict):
            town.tried("dopa-1", name, body)


def test_a_pending_proposal_dies_with_its_agreement(town: Town) -> None:
    town.act("city-1", "agreement.propose", form("active", terms=[good_term(OLD_AGE, ["date_of_birth"])]))
    town.act("dopa-2", "agreement.revoke", {"id": "active", "reason": "x"})
    with pytest.raises(Conflict):
        town.tried("dopa-1", "agreement.approve", {"id": "active", "version": 2})


def test_who_approves_a_version_approves_the_form_that_they_read(town: Town) -> None:
    """A proposal that replaces another has a number of its own, whether the first waited or was refused."""
    modest, greedy = ["life_status"], ["first_name", "last_name"]
    town.act("dopa-1", "agreement.propose", form("new", terms=[good_term(OLD_AGE, modest)]))
    replaced = town.act("city-1", "agreement.propose", form("new", terms=[good_term(OLD_AGE, greedy)]))
    assert replaced["pending"]["version"] == 2
    with pytest.raises(Conflict):
        town.tried("dopa-2", "agreement.approve", {"id": "new", "version": 1})
    town.act("dopa-2", "agreement.refuse", {"id": "new", "version": 2, "ground": "more than needed"})
    with pytest.raises(Conflict):
        town.tried("dopa-2", "agreement.approve", {"id": "new", "version": 2})
    again = town.act("city-1", "agreement.propose", form("new", terms=[good_term(OLD_AGE, modest)]))
    assert again["pending"]["version"] == 3
    approved = town.act("dopa-2", "agreement.approve", {"id": "new", "version": 3})
    assert (approved["status"], approved["version"], approved["added_by"]) == ("active", 3, "dopa-1")


def test_narrowing_ends_what_was_proposed_before_it(town: Town) -> None:
    """Approved later, it would undo what is narrowed now; and its number is not given again."""
    town.act("city-1", "agreement.propose", form("active", terms=[good_term(OLD_AGE, ["date_of_birth"])]))
    less = {"id": "active", "version": 1, "reason": "x", "terms": [{"id": "t1", "quota_per_day": 5}]}
    narrowed = town.act("city-1", "agreement.narrow", less)
    assert (narrowed["version"], narrowed["pending"], narrowed["terms"][0]["quota_per_day"]) == (3, None, 5)
    with pytest.raises(Conflict):
        town.tried("dopa-2", "agreement.approve", {"id": "active", "version": 2})
    with pytest.raises(Conflict):  # of a version that is no longer the present one
        town.tried("dopa-1", "agreement.narrow", {**less, "terms": [{"id": "t1", "quota_per_day": 4}]})


SPANS = st.none() | st.integers(-40, 320)
FIELDS = ["life_status", "date_of_birth", "first_name", "last_name"]


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    first=SPANS,
    last=SPANS,
    clients=st.none() | st.lists(st.sampled_from(["city-a-welfare", "city-b-welfare"]), min_size=1, max_size=2),
    drop=st.lists(st.sampled_from(["t1", "t2", "t3"]), max_size=2),
    fields=st.none() | st.lists(st.sampled_from(FIELDS), min_size=1, max_size=3, unique=True),
    quota=st.none() | st.integers(1, 30),
    demanded=st.sampled_from([None, True]),
)
def test_narrowing_never_widens(
    narrowable: Town,
    first: int | None,
    last: int | None,
    clients: list[str] | None,
    drop: list[str],
    fields: list[str] | None,
    quota: int | None,
    demanded: bool | None,
) -> None:
    today = date.today()
    change = {"id": "t1", "fields": fields, "quota_per_day": quota, "officer_required": demanded}
    body = {"id": "new", "version": 1, "reason": "x", "drop_terms": drop, "terms": [change], "clients": clients}
    body |= {name: str(today + timedelta(days=n)) for name, n in (("from", first), ("to", last)) if n is not None}
    old = narrowable.registers.records["agreement"]["new"]
    try:
        new = narrowable.tried("dopa-1", "agreement.narrow", body)
    except (Conflict, MalformedRequest, NotFound):
        return
    assert old["period"]["from"] <= new["period"]["from"] <= new["period"]["to"] <= old["period"]["to"]
    assert not old["clients"] or set(new["clients"]) <= set(old["clients"])
    terms = {term["id"]: term for term in old["terms"]}
    assert new["terms"]
    for term in new["terms"]:
        before = terms[term["id"]]
        assert set(term["fields"]) <= set(before["fields"])
        assert term["quota_per_day"] is None or term["quota_per_day"] <= (before["quota_per_day"] or 10**9)
        assert before["quota_per_day"] is None or term["quota_per_day"] is not None
        assert term["officer_required"] >= before["officer_required"]
        same = ("purpose", "lawful_basis", "sensitive_basis", "authority", "notice", "oia_ground", "secrecy_release")
        assert all(term[name] == before[name] for name in same)
    same = ("id", "service", "consumer", "source", "status", "onward_sharing", "controller")
    assert all(new[name] == old[name] for name in same)


def test_a_rights_request_is_closed_once(town: Town) -> None:
    request = {"id": "r1", "agency": "dopa", "right": "access", "subject": "ab" * 32, "received": "2026-11-01"}
    assert town.act("dpo", "rights.add", request)["due"] == "2026-12-01"
    with pytest.raises(Conflict):
        town.tried("dpo", "rights.add", request)
    with pytest.raises(MalformedRequest):
        town.tried("dpo", "rights.add", {**request, "id": "r2", "received": "2026-11-21"})
    assert town.act("dopa-1", "rights.answer", {"id": "r1", "answer": "a copy was sent"})["status"] == "answered"
    for again in ("answer", "reject"):
        body = {"id": "r1", "answer" if again == "answer" else "ground": "once more"}
        with pytest.raises(Conflict):
            town.tried("dpo", f"rights.{again}", body)


def test_a_refused_proposal_is_no_agreement(town: Town) -> None:
    record = town.act("dopa-1", "agreement.refuse", {"id": "to-refuse", "version": 1, "ground": "not needed"})
    assert (record["status"], record["refused"]["ground"]) == ("refused", "not needed")
    kept = town.act("city-1", "agreement.propose", form("active", terms=[good_term(OLD_AGE, ["date_of_birth"])]))
    kept = town.act("dopa-1", "agreement.refuse", {"id": "active", "version": 2, "ground": "not needed"})
    assert (kept["status"], kept["version"], kept["terms"][0]["fields"]) == ("active", 1, ["life_status"])


def test_a_proposal_does_nothing_until_it_is_approved(town: Town) -> None:
    consumer = town.registers.agencies["city-a"]
    names = {agreement.id for agreement in town.registers.standing(HOUSE, consumer)}
    assert "proposed" not in names
    town.act("dopa-1", "agreement.approve", {"id": "proposed", "version": 1})
    assert "proposed" in {agreement.id for agreement in town.registers.standing(HOUSE, consumer)}


def test_a_connectors_life(town: Town) -> None:
    before = dict(town.services)
    town.act("dopa-1", "connector.register", {"registration": registration(1)})
    assert town.services == before
    with pytest.raises(Denied):  # registered by the one who would approve
        town.tried("dopa-1", "connector.approve", {"agency": "dopa", "digest": digest_of(registration(1))})
    town.act("dopa-1", "connector.disable", {"agency": "dopa"})
    record = town.act("dopa-2", "connector.approve", {"agency": "dopa", "digest": digest_of(registration(1))})
    assert (record["status"], record["digest"]) == ("disabled", digest_of(registration(1)))
    with pytest.raises(Conflict):
        town.tried("admin", "connector.disable", {"agency": "dopa"})
    assert town.act("dopa-2", "connector.enable", {"agency": "dopa"})["status"] == "active"
    disabled = town.act("admin", "connector.disable", {"agency": "dopa", "service": HOUSE})
    assert (disabled["status"], disabled["disabled_services"]) == ("active", [HOUSE])


def outage(starts: str, ends: str, **more: Any) -> dict[str, Any]:
    return {"agency": "dopa", "from": starts, "to": ends, "title": title("moving"), **more}


def test_outages_are_announced_and_taken_back(town: Town) -> None:
    """NOW is 2026-11-20T04:17Z; an outage that is over goes with the next announcement."""
    first = town.act("dopa-1", "connector.outage", outage("2026-11-20T10:00+07:00", "2026-11-20T12:00+07:00"))
    assert [each["from"] for each in first["outages"]] == ["2026-11-20T03:00:00.000Z"]
    of_house = outage("2026-12-01T00:00Z", "2026-12-02T00:00Z", service=HOUSE)
    town.act("admin", "connector.outage", of_house)
    with pytest.raises(Conflict):
        town.tried("admin", "connector.outage", of_house)
    with pytest.raises(Conflict):  # over
        town.tried("dopa-1", "connector.outage", outage("2026-11-19T10:00Z", "2026-11-20T04:00Z"))
    with pytest.raises(NotFound):
        town.tried("dopa-1", "connector.outage", outage("2026-12-01T00:00Z", "2026-12-02T00:00Z", service=COVER))
    with pytest.raises(NotFound):  # that one is of the house register alone
        town.tried("dopa-1", "connector.outage.withdraw", {"agency": "dopa", "from": "2026-12-01T00:00Z"})
    gone = {"agency": "dopa", "service": HOUSE, "from": "2026-12-01T07:00+07:00"}
    assert len(town.act("dopa-2", "connector.outage.withdraw", gone)["outages"]) == 1


@pytest.mark.parametrize(
    ("starts", "ends"),
    [
        ("2026-12-02T00:00Z", "2026-12-01T00:00Z"),
        ("2026-12-01T00:00Z", "2027-02-01T00:00Z"),
        ("2026-12-01T00:00", "2026-12-02T00:00"),
        ("2569-12-01T00:00Z", "2569-12-02T00:00Z"),
        ("2026-13-01T00:00Z", "2026-12-02T00:00Z"),
        ("tomorrow", "2026-12-02T00:00Z"),
        ("0001-01-01T00:00+14:00", "2026-12-02T00:00Z"),
    ],
)
def test_what_is_no_outage(town: Town, starts: str, ends: str) -> None:
    with pytest.raises(ValidationError) as refused:
        town.tried("dopa-1", "connector.outage", outage(starts, ends))
    assert all(starts not in fault["msg"] for fault in refused.value.errors())


def test_somebody_is_always_left_who_can_administer(town: Town) -> None:
    town.act("admin", "operator.suspend", {"id": "admin-2"})
    with pytest.raises(Conflict):
        town.tried("admin", "operator.suspend", {"id": "admin"})
    with pytest.raises(Conflict):
        town.tried("admin", "operator.key.revoke", {"id": "admin", "kid": "admin-key"})
    town.act("admin", "operator.key.add", {"id": "admin", "key": key("second")})
    town.act("admin", "operator.key.revoke", {"id": "admin", "kid": "admin-key"})
    town.act("admin", "operator.resume", {"id": "admin-2"})
    # Another administrator without any key is nobody to go on with.
    town.act("admin", "operator.key.revoke", {"id": "admin-2", "kid": "admin-2-key"})
    with pytest.raises(Conflict):
        town.tried("admin", "operator.suspend", {"id": "admin"})


def test_one_key_is_one_person(town: Town) -> None:
    mine = key("mine")
    town.act("dopa-1", "operator.key.add", {"id": "dopa-1", "key": mine})
    second = {"name": "x", "role": "owner", "agency": "dopa", "keys": [{**mine, "kid": "other"}]}
    with pytest.raises(Conflict):
        town.tried("dopa-1", "operator.add", {"id": "dopa-3", **second})
    with pytest.raises(Conflict):
        town.tried("dopa-2", "operator.key.add", {"id": "dopa-2", "key": {**mine, "kid": "other"}})
    theirs = town.registers.records["client"]["city-a-welfare"]["keys"][0]
    with pytest.raises(Conflict):
        town.tried(
            "admin", "operator.add", {"id": "x1", "name": "x", "role": "auditor", "keys": [{**theirs, "kid": "y"}]}
        )


def test_keys_are_few_and_a_kid_is_used_once(town: Town) -> None:
    for number in range(6):
        town.act("admin", "client.key.add", {"id": "city-a-welfare", "key": key(f"k{number}")})
    with pytest.raises(Conflict):
        town.tried("admin", "client.key.add", {"id": "city-a-welfare", "key": key("one-more")})
    town.act("admin", "client.key.revoke", {"id": "city-a-welfare", "kid": "c1"})
    with pytest.raises(Conflict):
        town.tried("admin", "client.key.add", {"id": "city-a-welfare", "key": key("c1")})


def test_an_agreement_is_held_against_the_service(town: Town) -> None:
    for terms in (
        [good_term(OLD_AGE, ["no_such_field"])],
        [good_term(OLD_AGE, ["life_status", "zqsentinel7731x"])],
    ):
        with pytest.raises(MalformedRequest) as refused:
            town.tried("dopa-1", "agreement.propose", form("new", terms=terms))
        assert "terms.0.fields." in refused.value.detail_en
        assert "zqsentinel" not in refused.value.detail_en + refused.value.detail_th
        assert "no_such" not in refused.value.detail_en + refused.value.detail_th
    sensitive = [name for name, info in town.services["dopa.person.v1"].fields.items() if info.sensitive]
    for name in sensitive[:1]:
        with pytest.raises(MalformedRequest):
            town.tried("dopa-1", "agreement.propose", form("new", terms=[good_term(OLD_AGE, [name])]))
    with pytest.raises(MalformedRequest):
        town.tried("dopa-1", "agreement.propose", form("new", clients=["city-b-welfare"]))


def test_a_signed_body_is_kept_as_it_was(town: Town) -> None:
    today = date.today()
    period = {"from": str(today), "to": str(today + timedelta(days=1))}
    record = town.act("dopa-1", "agreement.propose", form("new", period=period))
    assert record["pending"]["form"]["period"] == period
    assert record["status"] == "proposed"
    jwk = {**public_key(new_key("ES256")), "kid": "e1", "use": "sig", "x5c": ["AAAA"]}
    body = {
        "id": "new",
        "agency": "city-a",
        "title": title("x"),
        "keys": [jwk],
        "networks": ["10.0.0.0/8", "2001:db8::1"],
    }
    stored = town.act("admin", "client.add", body)
    assert stored["keys"] == [{name: jwk[name] for name in ("kty", "crv", "x", "y", "kid")}]
    assert stored["networks"] == ["10.0.0.0/8", "2001:db8::1/128"]


def test_one_agency_does_not_disclose_to_another_as_to_its_own_officials() -> None:
    """Official Information Act s.24(1) is for officials of the same agency."""
    town = settled()
    own = [good_term(OLD_AGE, ["life_status"], oia_ground="24(1)")]
    with pytest.raises(MalformedRequest) as refused:
        town.tried("dopa-1", "agreement.propose", form("own", terms=own))
    assert "terms.0.oia_ground" in refused.value.detail_en
    assert town.tried("dopa-1", "agreement.propose", form("own", terms=own, consumer={"agency": "dopa"}))
