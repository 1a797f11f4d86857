"""The path of an act: whose signature, for which gateway, how old, how often; and what is then on record."""

from __future__ import annotations

import json
import secrets
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from joserfc import jws

from gateway.keys import ALGORITHMS, import_key, new_key, public_key, write_key
from gateway.model import timestamp
from tests.harness import OLD_AGE, PERSON, RunningGateway, agreement, term, title, token_of
from tests.http.wire import fresh_id, get, made_up, post, refused
from tests.identity.assertions import by_secret, key_of, part, signed, unsigned

TYPE = "linkage-act+jwt"


def payload(
    gateway: RunningGateway, name: str, body: Any, operator: str = "admin", change: dict[str, Any] | None = None
) -> dict[str, Any]:
    """A good payload with members changed, or (...) left out."""
    good = {
        "act": name,
        "body": body,
        "operator": operator,
        "time": timestamp(datetime.now(UTC)),
        "nonce": secrets.token_urlsafe(24),
        "audience": gateway.url,
    }
    return {key: value for key, value in {**good, **(change or {})}.items() if value is not ...}


def send(gateway: RunningGateway, act: Any, operator: str = "admin") -> httpx.Response:
    body = json.dumps({"act": act}).encode()
    return post(gateway, "/v1/admin/acts", body, token_of(gateway, operator, "admin"))


def act(
    gateway: RunningGateway, name: str, body: Any, operator: str = "admin", change: dict[str, Any] | None = None
) -> httpx.Response:
    content = payload(gateway, name, body, operator, change)
    return send(gateway, signed(key_of(gateway, operator), content, typ=TYPE), operator)


def agency(name: str) -> dict[str, Any]:
    return {"id": name, "title": title(name)}


def present(gateway: RunningGateway, kind: str, name: str) -> bool:
    return get(gateway, f"/v1/admin/registers/{kind}/{name}", token_of(gateway, "admin", "admin")).status_code == 200


def test_an_act_is_on_record(running_gateway: RunningGateway) -> None:
    name = fresh_id()
    response = act(running_gateway, "agency.add", agency(name))
    assert response.status_code == 201
    body = response.json()
    assert (body["act"], body["kind"], body["id"]) == ("agency.add", "agency", name)
    assert body["record"]["added_by"] == "admin"
    auditor = token_of(running_gateway, "auditor", "audit")
    page = get(running_gateway, f"/v1/audit/entries?after={body['receipt']['index']}&limit=1", auditor).json()
    entry = page["entries"][0]
    assert (entry["public"]["kind"], entry["entry"]) == ("act", body["receipt"]["entry"])
    assert entry["legal"]["act"] == "agency.add"
    assert entry["parties"]["operator"] == "admin"
    assert json.loads(part_of(entry["content"]["signed"]))["body"] == agency(name)


def part_of(jws: str) -> bytes:
    return urlsafe_b64decode(jws.split(".")[1] + "==")


def moved(minutes: int) -> str:
    """A time so far from when it is asked for."""
    return timestamp(datetime.now(UTC) + timedelta(minutes=minutes))


BAD: dict[str, dict[str, Any]] = {
    "stale": {"time": lambda: moved(-6)},
    "of the future": {"time": lambda: moved(6)},
    "of long ago": {"time": "0001-01-01T00:00:00+14:00"},
    "of the end of time": {"time": "9999-12-31T23:59:59-14:00"},
    "without an offset": {"time": lambda: moved(0).removesuffix("Z")},
    "without a time": {"time": ...},
    "with a number for a time": {"time": 1_700_000_000},
    "with any text for a time": {"time": "now"},
    "for another gateway": {"audience": "https://other.example"},
    "for two gateways": {"audience": ["https://other.example"]},
    "for no gateway": {"audience": ...},
    "of another operator": {"operator": "auditor"},
    "of nobody": {"operator": ...},
    "without a nonce": {"nonce": ...},
    "with a short nonce": {"nonce": "n" * 15},
    "with a long nonce": {"nonce": "n" * 129},
    "with a number for a nonce": {"nonce": 1234567890123456},
    "without a body": {"body": ...},
    "with an array for a body": {"body": []},
    "with something more": {"also": 1},
    "without a name": {"act": ...},
    "with a number for a name": {"act": 5},
}


@pytest.mark.parametrize("case", BAD)
def test_an_act_that_is(running_gateway: RunningGateway, case: str) -> None:
    name = fresh_id()
    change = {key: value() if callable(value) else value for key, value in BAD[case].items()}
    response = act(running_gateway, "agency.add", agency(name), change=change)
    refused(response, 400, "malformed_request")
    assert not present(running_gateway, "agency", name)


def test_a_signature_that_does_not_hold(running_gateway: RunningGateway) -> None:
    gateway, name = running_gateway, fresh_id()
    mine, other = key_of(gateway, "admin"), key_of(gateway, "dopa-owner-1")
    content = payload(gateway, "agency.add", agency(name))
    good = signed(mine, content, typ=TYPE)
    public, head = public_key(mine), {"alg": "EdDSA", "kid": mine["kid"], "typ": TYPE}
    for forged in (
        signed(other, content, typ=TYPE),
        signed(other, content, typ=TYPE, kid=mine["kid"]),
        signed(mine, content, typ=TYPE, kid=other["kid"]),
        signed(mine, content, typ="JWT"),
        signed(mine, content),
        unsigned({"alg": "none", "kid": mine["kid"], "typ": TYPE}, content),
        by_secret(json.dumps(public).encode(), {"alg": "HS256", "kid": mine["kid"], "typ": TYPE}, content),
        by_secret(public["x"].encode(), {"alg": "EdDSA", "kid": mine["kid"], "typ": TYPE}, content),
        good[:-4] + "AAAA",
        good.rpartition(".")[0] + ".",
        ".".join([good.split(".")[0], part({**content, "act": "agency.suspend"}), good.split(".")[2]]),
        ".".join([part({**head, "b64": False, "crit": ["b64"]}), *good.split(".")[1:]]),
        ".".join([part([]), *good.split(".")[1:]]),
        "x",
        "..",
        "é.é.é",
    ):
        problem = refused(send(gateway, forged), 400, "malformed_request")
        assert "signed" in problem["detail"]
    assert not present(gateway, "agency", name)
    # One operator's act, sent by another: it is not theirs to send.
    refused(send(gateway, good, "dopa-owner-1"), 400, "malformed_request")
    assert send(gateway, good).status_code == 201


@pytest.mark.parametrize("wrong", [None, 5, "", [], {}, True])
def test_what_is_no_act_at_all(running_gateway: RunningGateway, wrong: Any) -> None:
    refused(send(running_gateway, wrong), 400, "malformed_request")


def test_a_payload_is_read_strictly(running_gateway: RunningGateway) -> None:
    gateway, name = running_gateway, fresh_id()
    mine = key_of(gateway, "admin")
    text = json.dumps(payload(gateway, "agency.add", agency(name)))
    head = {"alg": "EdDSA", "kid": mine["kid"], "typ": TYPE}
    for wrong in (
        text[:-1] + ', "act": "agency.add"}',
        text.replace('"act"', '"\\u0061ct"', 1)[:-1] + ', "act": "agency.add"}',
        text.replace(f'"{name}"', f'"{name}", "id": "{name}"', 1),
        text.replace(f'"id": "{name}"', '"id": NaN'),
        text.replace(f'"id": "{name}"', f'"id": {2**64}'),
        text.replace(f'"id": "{name}"', '"id": "\\ud800"'),
        text.replace(f'"id": "{name}"', f'"id": {"[" * 900}{"]" * 900}'),
        text.replace(f'"id": "{name}"', f'"id": {"[" * 20000}{"]" * 20000}'),
        f"[{text}]",
        "",
    ):
        assert wrong != text
        act = jws.serialize_compact(head, wrong.encode(), import_key(mine), algorithms=list(ALGORITHMS))
        refused(send(gateway, act), 400, "malformed_request")
    assert not present(gateway, "agency", name)


def test_an_act_is_done_once(running_gateway: RunningGateway) -> None:
    gateway, name = running_gateway, fresh_id()
    act(gateway, "agency.add", agency(name))
    content = payload(gateway, "agency.suspend", {"id": name})
    once = signed(key_of(gateway, "admin"), content, typ=TYPE)
    assert send(gateway, once).status_code == 201
    assert act(gateway, "agency.resume", {"id": name}).status_code == 201
    # The state would allow it again; the nonce does not, whatever else is changed.
    refused(send(gateway, once), 409, "conflict")
    refused(act(gateway, "agency.suspend", {"id": name}, change={"nonce": content["nonce"]}), 409, "conflict")
    assert act(gateway, "agency.suspend", {"id": name}).status_code == 201


def test_an_act_that_was_refused_has_not_used_its_nonce(running_gateway: RunningGateway) -> None:
    name = fresh_id()
    waiting = signed(
        key_of(running_gateway, "admin"), payload(running_gateway, "agency.suspend", {"id": name}), typ=TYPE
    )
    refused(send(running_gateway, waiting), 404, "not_found")
    act(running_gateway, "agency.add", agency(name))
    assert send(running_gateway, waiting).status_code == 201


def test_a_large_act_is_taken_and_a_huge_one_is_not(running_gateway: RunningGateway) -> None:
    """A registration with many schemas, a group of thousands: more than most tokens ever hold."""
    gateway = running_gateway
    documents = [title("สำเนา" * 300) for _ in range(64)]
    body = {
        "code": f"large.{fresh_id()}",
        "title": title("x"),
        "authority": title("x"),
        "replaces": documents,
    }
    assert len(json.dumps(body, ensure_ascii=False).encode()) > 500_000
    assert act(gateway, "purpose.add", body).status_code == 201
    huge = {**body, "code": "large.huge", "replaces": documents * 30}
    refused(act(gateway, "purpose.add", huge), 413, "too_large")


def test_the_refusals_of_an_act_quote_nothing(running_gateway: RunningGateway) -> None:
    someone, word = made_up(16_180_339), "zqsentinel7731x"
    gateway = running_gateway
    for name, body in (
        (word, {}),
        ("agency.add", {"id": someone, "title": title(word)}),
        ("agency.add", {"id": "x1", "title": {**title("x"), word: someone}}),
        ("agency.suspend", {"id": word}),
        ("officer.add", {"client": word, "code": "x"}),
        ("officer.add", {"client": "city-a-welfare", "code": someone}),
        ("client.key.revoke", {"id": "city-a-welfare", "kid": word}),
        ("connector.register", {"registration": {word: someone}}),
        ("connector.register", {"registration": {"id": word, "services": [{word: someone}]}}),
        ("agreement.propose", agreement("x1", PERSON, [term(OLD_AGE, [word])])),
        ("agreement.propose", agreement("x1", f"dopa.{word}.v1", [term(OLD_AGE, ["life_status"])])),
        ("policies.propose", {"document": {word: someone}}),
    ):
        response = act(gateway, name, body)
        assert 400 <= response.status_code < 500, (name, response.text)
        assert someone not in response.text
        assert word not in response.text, (name, response.text)
        assert response.json()["title_th"]


def test_an_operator_who_was_suspended_acts_no_more(running_gateway: RunningGateway) -> None:
    gateway = running_gateway
    name = fresh_id("admin")
    person = {"id": name, "name": "x", "role": "admin", "keys": [gateway.person(name)]}
    assert act(gateway, "operator.add", person).status_code == 201
    token = token_of(gateway, name, "admin")
    ready = signed(key_of(gateway, name), payload(gateway, "agency.add", agency(fresh_id()), name), typ=TYPE)
    assert act(gateway, "operator.suspend", {"id": name}).status_code == 201
    refused(post(gateway, "/v1/admin/acts", json.dumps({"act": ready}).encode(), token), 401, "invalid_token")
    assert act(gateway, "operator.resume", {"id": name}).status_code == 201
    # A revoked key signs nothing, although the token was got with another.
    second = new_key("ES256", "second")
    assert act(gateway, "operator.key.add", {"id": name, "key": public_key(second)}, name).status_code == 201
    assert act(gateway, "operator.key.revoke", {"id": name, "kid": "second"}).status_code == 201
    write_key(gateway.keys / f"{name}-second.jwk", second)
    late = signed(second, payload(gateway, "agency.add", agency(fresh_id()), name), typ=TYPE)
    refused(send(gateway, late, name), 400, "malformed_request")
    assert send(gateway, ready, name).status_code == 201


# -- many at once ---------------------------------------------------------------------------------------------


def at_once(gateway: RunningGateway, acts: list[tuple[str, dict[str, Any], str]]) -> list[int]:
    tokens = {operator: token_of(gateway, operator, "admin") for _, _, operator in acts}
    bodies = [
        (json.dumps({"act": signed(key_of(gateway, o), payload(gateway, n, b, o), typ=TYPE)}).encode(), tokens[o])
        for n, b, o in acts
    ]
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(lambda one: post(gateway, "/v1/admin/acts", *one).status_code, bodies))


def test_of_many_that_exclude_each_other_one_is_done(running_gateway: RunningGateway) -> None:
    gateway, name = running_gateway, fresh_id()
    assert sorted(at_once(gateway, [("agency.add", agency(name), "admin")] * 12)) == [201] + [409] * 11
    assert sorted(at_once(gateway, [("agency.suspend", {"id": name}, "admin")] * 12)) == [201] + [409] * 11
    client = {"client": "city-a-welfare", "code": fresh_id("o")}
    assert sorted(at_once(gateway, [("officer.add", client, "admin")] * 12)) == [201] + [409] * 11


def test_of_many_that_do_not_none_is_lost(running_gateway: RunningGateway) -> None:
    gateway, group = running_gateway, fresh_id("group")
    names = [fresh_id(f"m{n}") for n in range(24)]
    assert at_once(gateway, [("agency.add", agency(name), "admin") for name in names]) == [201] * 24
    act(gateway, "group.add", {"id": group, "title": title(group)})
    # All change the same record: each on what the one before it left.
    joins = [("group.join", {"id": group, "agency": name}, "admin") for name in names]
    assert at_once(gateway, joins) == [201] * 24
    token = token_of(gateway, "admin", "admin")
    record = get(gateway, f"/v1/admin/registers/group/{group}", token).json()
    assert sorted(record["members"]) == sorted(names)
    assert record["version"] == 25


def test_two_administrators_cannot_suspend_each_other_at_once(running_gateway: RunningGateway) -> None:
    """Whoever is first wins; somebody is left."""
    gateway, name = running_gateway, fresh_id("admin")
    person = {"id": name, "name": "x", "role": "admin", "keys": [gateway.person(name)]}
    act(gateway, "operator.add", person)
    operators = get(gateway, "/v1/admin/registers/operator", token_of(gateway, "admin", "admin")).json()["records"]
    active = {one["id"] for one in operators if one["role"] == "admin" and one["status"] == "active"}
    others = active - {"admin", name}
    for other in others:
        act(gateway, "operator.suspend", {"id": other})
    mutual = [("operator.suspend", {"id": name}, "admin"), ("operator.suspend", {"id": "admin"}, name)]
    answers = at_once(gateway, mutual)
    assert sorted(answers)[0] == 201
    assert sorted(answers)[1] in (400, 401)
    if answers[1] == 201:
        assert act(gateway, "operator.resume", {"id": "admin"}, name).status_code == 201


def test_an_agreement_is_approved_or_refused_but_not_both(running_gateway: RunningGateway) -> None:
    gateway, name = running_gateway, fresh_id("agreement")
    proposal = agreement(name, PERSON, [term(OLD_AGE, ["life_status"])])
    assert act(gateway, "agreement.propose", proposal).status_code == 201
    fates = [
        ("agreement.approve", {"id": name, "version": 1}, "dopa-owner-1"),
        ("agreement.approve", {"id": name, "version": 1}, "dopa-owner-2"),
        ("agreement.refuse", {"id": name, "version": 1, "ground": "x"}, "dopa-owner-1"),
        ("agreement.refuse", {"id": name, "version": 1, "ground": "x"}, "dopa-owner-2"),
    ]
    answers = at_once(gateway, fates * 3)
    assert sorted(answers) == [201] + [409] * 11
    won = fates[answers.index(201) % 4][0]
    token = token_of(gateway, "admin", "admin")
    status = get(gateway, f"/v1/admin/registers/agreement/{name}", token).json()["status"]
    assert status == {"agreement.approve": "active", "agreement.refuse": "refused"}[won]
    if status == "active":
        act(gateway, "agreement.revoke", {"id": name}, "dopa-owner-1")
