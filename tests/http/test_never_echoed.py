"""Whatever is sent, no answer is a 500, and none holds what was sent."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.client.signing import signed_act
from gateway.http.openapi_file import openapi_yaml
from gateway.keys import read_key
from gateway.registers import FORMS
from tests.harness import COVER, HOUSE, OLD_AGE, PERSON, RunningGateway, token_of
from tests.http.wire import made_up

PERSON_ID = made_up(88_776_655_443)
WORD = "zqsentinel7731x"
SENTINELS = (PERSON_ID, WORD)
QUICK = settings(
    deadline=None,
    max_examples=120,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ANSWERS = {200, 201, 400, 401, 403, 404, 408, 409, 413, 415, 429}

sentinels = st.sampled_from(SENTINELS)
texts = st.one_of(
    sentinels,
    st.builds(lambda a, s, b: a + s + b, st.text(max_size=4), sentinels, st.text(max_size=4)),
    st.builds(lambda s: f"a.{s}", sentinels),
    st.text(max_size=20),
)
values = st.recursive(
    st.one_of(texts, st.integers(), st.floats(), st.booleans(), st.none(), st.just(int(PERSON_ID))),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=8,
)


def objects(known: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[bytes]:
    """JSON objects that are nearly right: known keys with right or any values, and sometimes any key at all."""
    keys = st.fixed_dictionaries({}, optional={key: st.one_of(right, values) for key, right in known.items()})
    mixed = st.builds(lambda a, b: {**a, **b}, keys, st.dictionaries(texts, values, max_size=1))
    escaped = st.builds(lambda body, ascii: json.dumps(body, ensure_ascii=ascii), mixed, st.booleans())
    return escaped.map(lambda text: text.encode("utf-8", "surrogatepass"))


any_bytes = st.builds(lambda a, s, b: a + s.encode() + b, st.binary(max_size=30), sentinels, st.binary(max_size=30))
QUESTIONS = objects(
    {
        "service": st.sampled_from([PERSON, HOUSE, COVER, f"dopa.{WORD}.v1"]),
        "citizen_id": st.sampled_from([PERSON_ID, made_up(1)]),
        "purpose": st.sampled_from([OLD_AGE, f"welfare.{WORD}"]),
        "fields": st.lists(st.sampled_from(["date_of_birth", WORD, "life_status"]), max_size=3),
        "given": st.dictionaries(st.sampled_from(["first_name", "last_name", WORD]), texts, max_size=3),
        "officer": st.sampled_from(["somsri.j", WORD]),
        "case_reference": sentinels,
        "consent_id": sentinels,
    }
)
SEARCHES = objects(
    {
        "citizen_id": st.just(PERSON_ID),
        "reason": st.sampled_from(["a complaint", WORD]),
        "consumer": st.just(WORD),
        "from": st.sampled_from(["2026-01-01T00:00:00Z", WORD]),
        "limit": st.integers(0, 300),
        "cursor": st.sampled_from(["ff", WORD]),
    }
)
ACT_KEYS = ["id", "title", "agency", "keys", "key", "kid", "client", "code", "networks", "terms", "registration"]
BODIES = objects(
    dict.fromkeys(ACT_KEYS, values)
    | {"id": st.sampled_from(["city-a", WORD, PERSON_ID]), "title": st.just({"th": WORD, "en": WORD})}
)


PARAMETERS = ["grant_type", "client_assertion", "client_assertion_type", "client_id", "scope"]


@pytest.fixture(scope="module")
def wire(world: Any) -> Any:
    with httpx.Client(base_url=world[0].url, trust_env=False, timeout=20) as client:
        yield client


@pytest.fixture(scope="module")
def tokens(world: Any) -> dict[str, str]:
    gateway: RunningGateway = world[0]
    return {
        "exchange": token_of(gateway, "city-a-welfare"),
        "audit": token_of(gateway, "auditor", "audit"),
        "admin": token_of(gateway, "admin", "admin"),
    }


def check(response: httpx.Response) -> None:
    """What is found may hold a purpose that was asked for before; what is refused holds nothing."""
    assert response.status_code in ANSWERS, (response.status_code, response.text)
    said = response.text + str(response.headers)
    assert PERSON_ID not in said
    if response.status_code >= 400:
        assert WORD not in said
        assert "code" in response.json() or "error" in response.json()


@QUICK
@given(body=st.one_of(QUESTIONS, any_bytes))
def test_no_question_is_echoed(wire: httpx.Client, tokens: dict[str, str], body: bytes) -> None:
    headers = {"authorization": f"Bearer {tokens['exchange']}", "content-type": "application/json"}
    check(wire.post("/v1/exchanges", content=body, headers=headers))


@QUICK
@given(body=st.one_of(SEARCHES, any_bytes))
def test_no_search_is_echoed(wire: httpx.Client, tokens: dict[str, str], body: bytes) -> None:
    headers = {"authorization": f"Bearer {tokens['audit']}", "content-type": "application/json"}
    check(wire.post("/v1/audit/exchanges/search", content=body, headers=headers))


@QUICK
@given(name=st.one_of(st.sampled_from(sorted(FORMS)), texts), body=BODIES)
def test_no_refused_act_is_echoed(
    world: Any, wire: httpx.Client, tokens: dict[str, str], name: str, body: bytes
) -> None:
    key = read_key(world[0].keys / "admin.jwk")
    try:
        act = signed_act(key, "admin", world[0].url, name, json.loads(body))
    except (ValueError, TypeError):  # not to be written as JSON by this client at all
        return
    headers = {"authorization": f"Bearer {tokens['admin']}", "content-type": "application/json"}
    response = wire.post("/v1/admin/acts", json={"act": act}, headers=headers)
    if response.status_code != 201:
        check(response)


def routes() -> dict[str, list[str]]:
    """Every documented route that takes a JSON body: path -> the keys of its form."""
    document = yaml.safe_load(openapi_yaml())
    found = {}
    for path, operations in document["paths"].items():
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        reference = content.get("application/json", {}).get("schema", {}).get("$ref")
        if reference is not None:
            model = document["components"]["schemas"][reference.rpartition("/")[2]]
            found[path] = sorted(model["properties"])
    return found


ROUTES = routes()


@pytest.mark.parametrize("path", ROUTES)
@settings(QUICK, max_examples=40)
@given(data=st.data(), scope=st.sampled_from(["exchange", "audit", "admin"]))
def test_no_route_echoes(
    wire: httpx.Client, tokens: dict[str, str], path: str, data: st.DataObject, scope: str
) -> None:
    """Whatever is added to the contract, too."""
    body = data.draw(objects(dict.fromkeys(ROUTES[path], st.one_of(sentinels, st.just(made_up(3))))))
    headers = {"authorization": f"Bearer {tokens[scope]}", "content-type": "application/json"}
    check(wire.post(path, content=body, headers=headers))


@QUICK
@given(
    form=st.dictionaries(
        st.one_of(
            st.sampled_from(["grant_type", "client_assertion", "client_assertion_type", "client_id", "scope"]), texts
        ),
        st.one_of(texts, st.sampled_from(["client_credentials", "exchange"])),
        max_size=5,
    ),
    raw=st.one_of(st.none(), any_bytes),
)
def test_no_token_request_is_echoed(wire: httpx.Client, form: dict[str, str], raw: bytes | None) -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    if raw is not None:
        check(wire.post("/oauth/token", content=raw, headers=headers))
        return
    encoded = {key: value.encode("utf-8", "replace") for key, value in form.items()}
    try:
        check(wire.post("/oauth/token", data=encoded, headers=headers))
    except UnicodeEncodeError:  # a key that this client cannot send
        return


@QUICK
@given(token=st.one_of(texts, st.binary(max_size=60).map(lambda b: b.decode("latin-1"))), dots=st.integers(0, 5))
def test_no_token_is_echoed_and_none_but_a_good_one_is_taken(wire: httpx.Client, token: str, dots: int) -> None:
    value = f"Bearer {WORD}{'.' * dots}{token}".encode("utf-8", "replace")
    if any(byte < 32 or byte == 127 for byte in value) or value.endswith(b" "):
        return  # no header that this client sends
    response = wire.get("/v1/services", headers={b"authorization": value})
    check(response)
    assert response.status_code in (400, 401)
