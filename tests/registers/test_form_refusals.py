"""The forms of acts: what they refuse, and that they say where without saying what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.keys import new_key, public_key
from gateway.questions import mistakes
from gateway.registers import FORMS
from tests.harness import OLD_AGE, PERSON, agreement, term, title
from tests.http.wire import made_up
from tests.registers.town import key

SOMEONE = made_up(27_182_818)
WORD = "zqsentinel7731x"
SPACED = f"{SOMEONE[0]}-{SOMEONE[1:5]}-{SOMEONE[5:10]}-{SOMEONE[10:12]}-{SOMEONE[12]}"
THAI = SOMEONE.translate({ord("0") + n: 0x0E50 + n for n in range(10)})
PUBLIC = key()
PRIVATE = new_key("EdDSA", "k1")
EC = public_key(new_key("ES256", "e1"))
CLIENT = {"id": "city", "agency": "city", "title": title("x"), "keys": [PUBLIC]}
AGREEMENT = agreement("a1", PERSON, [term(OLD_AGE, ["life_status"])])
OWNER = {"id": "o1", "name": "o", "role": "owner", "agency": "city", "keys": [PUBLIC]}


def refusal(name: str, body: Any) -> str:
    """What is said of a body that the form refuses."""
    with pytest.raises(ValidationError) as refused:
        FORMS[name].model_validate(body)
    english, thai = mistakes(refused.value)
    said = english + thai
    for value in (SOMEONE, SPACED, THAI, WORD, "7731"):
        assert value not in said
    assert english
    assert "Value error" not in english
    # In Thai too, not the English under a Thai heading.
    assert not any(f": {text}" in thai for text in ("String should", "Input should", "Field required", "Extra inputs"))
    assert thai.count(": ") >= english.count("; ") + 1
    return english


def without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def with_term(**change: Any) -> dict[str, Any]:
    return {**AGREEMENT, "terms": [{**AGREEMENT["terms"][0], **change}]}


WRONG: list[Any] = [[], "x", None, 7731]
BAD: list[tuple[str, Any, str]] = [
    ("agency.add", {}, "id"),
    ("agency.add", {"id": "city", "title": "City"}, "title"),
    ("agency.add", {"id": "city", "title": {"en": "City"}}, "title.th"),
    ("agency.add", {"id": "city", "title": {**title("x"), WORD: "x"}}, "title.?"),
    ("agency.add", {"id": "city", "title": title("x"), SOMEONE: 1}, "?"),
    ("agency.add", {"id": "city", "title": title("x"), "สมชาย": 1}, "?"),
    ("agency.add", {"id": "City", "title": title("x")}, "id"),
    ("agency.add", {"id": "c", "title": title("x")}, "id"),
    ("agency.add", {"id": "city\n", "title": title("x")}, "id"),
    ("agency.add", {"id": "../x", "title": title("x")}, "id"),
    ("agency.add", {"id": "ciｔy", "title": title("x")}, "id"),
    ("agency.add", {"id": "c" * 65, "title": title("x")}, "id"),
    ("agency.add", {"id": SOMEONE, "title": title("x")}, "id"),
    ("agency.add", {"id": f"x-{SOMEONE[:6]}.{SOMEONE[6:]}", "title": title("x")}, "id"),
    ("agency.add", {"id": 77311, "title": title("x")}, "id"),
    ("agency.add", {"id": "city", "title": title("")}, "title.th"),
    ("agency.add", {"id": "city", "title": title("   ")}, "title.th"),
    ("agency.add", {"id": "city", "title": title("x" * 2001)}, "title.th"),
    ("agency.add", {"id": "city", "title": title("a\0b")}, "title.th"),
    ("agency.add", {"id": "city", "title": title("a\x1b[31mb")}, "title.th"),
    ("agency.add", {"id": "city", "title": title("a\u202eb")}, "title.th"),
    ("agency.add", {"id": "city", "title": title("a\u2067b\u2069")}, "title.th"),
    ("agency.add", {"id": "city", "title": title("x"), "contact": f"ask {SOMEONE}"}, "contact"),
    ("agency.add", {"id": "city", "title": title("x"), "contact": 7731}, "contact"),
    ("agency.suspend", {"id": "city", "reason": f"of {SPACED}."}, "reason"),
    ("agency.suspend", {"id": "city", "reason": f"เรื่อง {THAI}"}, "reason"),
    ("client.add", without(CLIENT, "keys"), "keys"),
    ("client.add", {**CLIENT, "keys": []}, "keys"),
    ("client.add", {**CLIENT, "keys": [key(f"k{n}") for n in range(9)]}, "keys"),
    ("client.add", {**CLIENT, "keys": [key("k1"), key("k1")]}, "keys"),
    ("client.add", {**CLIENT, "keys": [PRIVATE]}, "keys.0"),
    ("client.add", {**CLIENT, "keys": [{**PUBLIC, "k": WORD}]}, "keys.0"),
    ("client.add", {**CLIENT, "keys": [without(PUBLIC, "kid")]}, "keys.0.kid"),
    ("client.add", {**CLIENT, "keys": [{**PUBLIC, "kid": SOMEONE}]}, "keys.0.kid"),
    ("client.add", {**CLIENT, "keys": [{**PUBLIC, "kid": "a b"}]}, "keys.0.kid"),
    ("client.add", {**CLIENT, "keys": [{**PUBLIC, "kty": "RSA"}]}, "keys.0.kty"),
    ("client.add", {**CLIENT, "keys": [{"kty": "oct", "k": "AAAA", "kid": "k"}]}, "keys.0"),
    ("client.add", {**CLIENT, "keys": [{**PUBLIC, "crv": "Ed448"}]}, "keys.0.crv"),
    ("client.add", {**CLIENT, "keys": [{**PUBLIC, "x": WORD}]}, "keys.0"),
    ("client.add", {**CLIENT, "keys": [{**EC, "y": EC["x"]}]}, "keys.0"),
    ("client.add", {**CLIENT, "keys": [without(EC, "y")]}, "keys.0"),
    ("client.add", {**CLIENT, "keys": [{**EC, "crv": "Ed25519"}]}, "keys.0"),
    ("client.add", {**CLIENT, "scopes": ["admin"]}, "scopes.0"),
    ("client.add", {**CLIENT, "scopes": []}, "scopes"),
    ("client.add", {**CLIENT, "scopes": "exchange"}, "scopes"),
    ("client.add", {**CLIENT, "networks": [WORD]}, "networks"),
    ("client.add", {**CLIENT, "networks": ["300.0.0.0/8"]}, "networks"),
    ("client.add", {**CLIENT, "networks": [7731]}, "networks.0"),
    ("client.add", {**CLIENT, "clearance": 4}, "clearance"),
    ("client.add", {**CLIENT, "clearance": "3"}, "clearance"),
    ("client.add", {**CLIENT, "clearance": True}, "clearance"),
    ("client.add", {**CLIENT, "clearance": 2.0}, "clearance"),
    ("client.add", {**CLIENT, "cross_border": "yes"}, "cross_border"),
    ("client.add", {**CLIENT, "cross_border": 1}, "cross_border"),
    ("client.add", {**CLIENT, "token_binding": "none"}, "token_binding"),
    ("client.binding", {"id": "city", "token_binding": "bearer"}, "token_binding"),
    ("client.binding", {"id": "city"}, "token_binding"),
    ("client.key.add", {"id": "city", "key": PRIVATE}, "key"),
    ("officer.add", {"client": "city", "code": SOMEONE}, "code"),
    ("officer.add", {"client": "city", "code": SPACED}, "code"),
    ("officer.add", {"client": "city", "code": "a b"}, "code"),
    ("officer.add", {"client": "city", "code": "a:b"}, "code"),
    ("operator.add", without(OWNER, "agency"), "body"),
    ("operator.add", {**OWNER, "role": "root"}, "role"),
    ("operator.add", {**OWNER, "role": "admin"}, "body"),
    ("operator.add", {**OWNER, "role": "auditor"}, "body"),
    ("operator.add", {**OWNER, "keys": [PRIVATE]}, "keys.0"),
    ("operator.add", {**OWNER, "name": f"{SOMEONE}"}, "name"),
    ("purpose.add", {"code": "x", "title": title("x"), "authority": title("x")}, "code"),
    ("purpose.add", {"code": f"x.{SOMEONE}", "title": title("x"), "authority": title("x")}, "code"),
    ("connector.register", {"registration": []}, "registration"),
    ("connector.approve", {"agency": "dopa", "digest": "A" * 64}, "digest"),
    ("agreement.propose", {**AGREEMENT, "consumer": {}}, "consumer"),
    ("agreement.propose", {**AGREEMENT, "consumer": {"agency": "city", "group": "cities"}}, "consumer"),
    ("agreement.propose", {**AGREEMENT, "period": {"from": "2026-01-02", "to": "2026-01-01"}}, "period"),
    ("agreement.propose", {**AGREEMENT, "period": {"from": "2026-01-01", "to": "2570-01-01"}}, "period.to"),
    ("agreement.propose", {**AGREEMENT, "period": {"from": "2026-1-1", "to": "2027-01-01"}}, "period.from"),
    ("agreement.propose", {**AGREEMENT, "period": {"from": "2026-02-30", "to": "2027-01-01"}}, "period.from"),
    ("agreement.propose", {**AGREEMENT, "period": {"from": 1700000000, "to": "2027-01-01"}}, "period.from"),
    ("agreement.propose", {**AGREEMENT, "period": {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01"}}, "period.from"),
    ("agreement.propose", {**AGREEMENT, "period": {"from": "๒๐๒๖-๐๑-๐๑", "to": "2027-01-01"}}, "period.from"),
    ("agreement.propose", {**AGREEMENT, "terms": []}, "terms"),
    ("agreement.propose", {**AGREEMENT, "terms": AGREEMENT["terms"] * 2}, "body"),
    ("agreement.propose", with_term(fields=[]), "terms.0.fields"),
    ("agreement.propose", with_term(fields=[SOMEONE]), "terms.0.fields.0"),
    ("agreement.propose", with_term(lawful_basis="24(7)"), "terms.0.lawful_basis"),
    ("agreement.propose", with_term(sensitive_basis="26(6)"), "terms.0.sensitive_basis"),
    ("agreement.propose", with_term(notice={}), "terms.0.notice"),
    ("agreement.propose", with_term(notice={"id": "n"}), "terms.0.notice"),
    ("agreement.propose", with_term(notice={"id": "n", "version": "1", "exemption": "x"}), "terms.0.notice"),
    ("agreement.propose", with_term(quota_per_day=0), "terms.0.quota_per_day"),
    ("agreement.propose", with_term(quota_per_day="5"), "terms.0.quota_per_day"),
    ("agreement.propose", with_term(quota_per_day=2**70), "terms.0.quota_per_day"),
    ("agreement.propose", with_term(officer_required="true"), "terms.0.officer_required"),
    ("agreement.propose", with_term(pdpa_exemption={"clause": "4(1)"}), "terms.0.pdpa_exemption.reference"),
    ("agreement.propose", {**AGREEMENT, "retention": {"days": -1, "destruction": "x"}}, "retention.days"),
    ("agreement.propose", {**AGREEMENT, "onward_sharing": None}, "onward_sharing"),
    ("agreement.approve", {"id": "a1", "version": "1"}, "version"),
    ("agreement.approve", {"id": "a1"}, "version"),
    ("agreement.refuse", {"id": "a1", "version": 1}, "ground"),
    *((name, wrong, "body") for name in FORMS for wrong in WRONG),
]


@pytest.mark.parametrize(("name", "body", "place"), BAD, ids=[f"{n} {p} {i}" for i, (n, _, p) in enumerate(BAD)])
def test_a_body_that_is_refused_says_where(name: str, body: Any, place: str) -> None:
    assert f"{place}:" in refusal(name, body)


@pytest.mark.parametrize("name", FORMS)
def test_every_form_refuses_a_key_that_it_does_not_know(name: str) -> None:
    assert "?: Extra inputs" in refusal(name, {WORD: SOMEONE})


@pytest.mark.parametrize(
    "text",
    ["02-141-1000 ต่อ 1234", "053-259-000, 053-259-001", "9.11111.11111.14", "desk@city.example", "5 Nov 2569 14:30"],
)
def test_what_only_looks_like_a_citizen_id_is_taken(text: str) -> None:
    FORMS["agency.add"].model_validate({"id": "city", "title": title("x"), "contact": text})


sentinels = st.sampled_from([SOMEONE, WORD, int(SOMEONE), SPACED])
texts = st.one_of(st.sampled_from([SOMEONE, WORD, SPACED, "city", "x.y"]), st.text(max_size=6))
values = st.recursive(
    st.one_of(sentinels, texts, st.integers(), st.floats(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(texts, inner, max_size=2)),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), name=st.sampled_from(sorted(FORMS)))
def test_no_refusal_ever_repeats_a_value(data: st.DataObject, name: str) -> None:
    fields = [field.alias or key for key, field in FORMS[name].model_fields.items()]
    known = st.fixed_dictionaries({}, optional=dict.fromkeys(fields, values))
    body = {**data.draw(known), **data.draw(st.dictionaries(texts, values, max_size=1))}
    try:
        FORMS[name].model_validate(body)
    except ValidationError as error:
        said = "".join(mistakes(error))
        assert SOMEONE not in said
        assert SPACED not in said
        assert WORD not in said


def test_an_agreements_form_is_written_back_as_it_was_given() -> None:
    form = FORMS["agreement.propose"].model_validate(AGREEMENT)
    written = json.loads(json.dumps(form.model_dump(mode="json", by_alias=True)))
    assert FORMS["agreement.propose"].model_validate(written) == form
    assert written["period"] == AGREEMENT["period"]
