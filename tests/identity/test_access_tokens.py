"""Access tokens: whose they are, how long they hold, and what ends them at once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from joserfc import jwt

from gateway.client.signing import signed_act
from gateway.errors import InsufficientScope, InvalidToken
from gateway.identity import TOKEN_SECONDS, Directory, Identity, Presented
from gateway.keys import Keys, import_key, new_key, public_key, write_key
from gateway.model import Client, Operator
from gateway.store import Store
from tests.harness import RunningGateway, title, token_of
from tests.http.wire import fresh_id, get, post, refused
from tests.identity.assertions import claims_of, key_of, oauth_error, request, signed, token

ISSUER = "https://gateway.example"


@pytest.fixture
def staff(running_gateway: RunningGateway) -> Iterator[Any]:
    """The administrator, and new clients of a new agency that may be done away with."""
    gateway = running_gateway
    with gateway.as_("admin") as admin:
        name = fresh_id("temporary")
        admin.act("agency.add", {"id": name, "title": title(name)})

        def client(suffix: str = "c", algorithm: str = "EdDSA", **more: Any) -> str:
            full = f"{name}-{suffix}"
            form = {"id": full, "agency": name, "title": title(full), "keys": [gateway.person(full, algorithm)], **more}
            admin.act("client.add", form)
            return full

        yield gateway, admin, name, client


def works(gateway: RunningGateway, access: str) -> bool:
    response = get(gateway, "/v1/services", access)
    if response.status_code != 200:
        refused(response, 401, "invalid_token")
        assert response.headers["www-authenticate"].startswith("Bearer")
    return response.status_code == 200


def test_a_suspended_client_is_out_at_once_and_back_when_resumed(staff: Any) -> None:
    gateway, admin, _, client = staff
    name = client()
    access = token(gateway, name)
    assert works(gateway, access)
    admin.act("client.suspend", {"id": name, "reason": "lost"})
    assert not works(gateway, access)
    oauth_error(request(gateway, signed(key_of(gateway, name), claims_of(gateway, name))), "invalid_client")
    admin.act("client.resume", {"id": name})
    assert works(gateway, access)


def test_a_suspended_agency_takes_all_its_clients_along(staff: Any) -> None:
    gateway, admin, agency, client = staff
    accesses = [token(gateway, client(suffix)) for suffix in ("one", "two")]
    owner = f"{agency}-owner"
    person = {"id": owner, "name": owner, "role": "owner", "agency": agency, "keys": [gateway.person(owner)]}
    admin.act("operator.add", person)
    accesses.append(token(gateway, owner))
    admin.act("agency.suspend", {"id": agency})
    assert not any(works(gateway, access) for access in accesses)
    oauth_error(request(gateway, signed(key_of(gateway, owner), claims_of(gateway, owner))), "invalid_client")
    admin.act("agency.resume", {"id": agency})
    assert all(works(gateway, access) for access in accesses)


def test_keys_overlap_and_each_is_revoked_for_itself(staff: Any) -> None:
    gateway, admin, _, client = staff
    name = client(algorithm="EdDSA")
    first = key_of(gateway, name)
    second = new_key("ES256", "second")
    admin.act("client.key.add", {"id": name, "key": public_key(second)})
    old, new = token(gateway, name), token(gateway, name, second)
    assert works(gateway, old)
    assert works(gateway, new)
    admin.act("client.key.revoke", {"id": name, "kid": first["kid"]})
    assert not works(gateway, old)
    assert works(gateway, new)
    oauth_error(request(gateway, signed(first, claims_of(gateway, name))), "invalid_client")
    # A revoked kid does not come back, not even with another key.
    again = {**public_key(new_key("ES256")), "kid": first["kid"]}
    sent = gateway_act(gateway, "client.key.add", {"id": name, "key": again})
    refused(sent, 409, "conflict")
    admin.act("client.key.revoke", {"id": name, "kid": "second"})
    assert not works(gateway, new)


def gateway_act(gateway: RunningGateway, act: str, body: dict[str, Any]) -> Any:
    jws = signed_act(key_of(gateway, "admin"), "admin", gateway.url, act, body)
    return post(gateway, "/v1/admin/acts", json.dumps({"act": jws}).encode(), token_of(gateway, "admin", "admin"))


def test_a_network_allow_list(staff: Any) -> None:
    gateway, _, _, client = staff
    inside = client("inside", networks=["127.0.0.0/8", "203.0.113.0/24"])
    outside = client("outside", networks=["203.0.113.0/24", "2001:db8::/32"])
    assert works(gateway, token(gateway, inside))
    oauth_error(request(gateway, signed(key_of(gateway, outside), claims_of(gateway, outside))), "invalid_client")


def test_an_assertion_is_no_access_token_and_the_other_way_round(running_gateway: RunningGateway) -> None:
    gateway, name = running_gateway, "city-b-welfare"
    key = key_of(gateway, name)
    assertion = signed(key, claims_of(gateway, name, client_id=name, key_id=key["kid"], scope="exchange"))
    assert not works(gateway, assertion)
    assert not works(gateway, signed(key, claims_of(gateway, name, scope="exchange"), typ="at+jwt"))
    access = token(gateway, name)
    oauth_error(request(gateway, access), "invalid_client")


@pytest.mark.parametrize(
    ("name", "scope", "method", "path"),
    [
        ("city-a-welfare", "exchange", "POST", "/v1/admin/acts"),
        ("city-a-welfare", "exchange", "GET", "/v1/admin/registers/agency"),
        ("city-a-welfare", "exchange", "GET", "/v1/admin/registers/agency/dopa"),
        ("city-a-welfare", "exchange", "POST", "/v1/audit/exchanges/search"),
        ("city-a-welfare", "exchange", "GET", "/v1/audit/entries"),
        ("city-a-welfare", "exchange", "GET", "/v1/audit/exchanges/ex_1"),
        ("admin", "admin", "POST", "/v1/exchanges"),
        ("admin", "admin", "GET", "/v1/audit/entries"),
        ("auditor", "audit", "POST", "/v1/exchanges"),
        ("auditor", "audit", "POST", "/v1/admin/acts"),
        ("auditor", "audit", "GET", "/v1/admin/registers/operator"),
        ("dopa-owner-1", "admin", "GET", "/v1/audit/entries"),
    ],
)
def test_a_token_reaches_no_further_than_its_scope(
    running_gateway: RunningGateway, name: str, scope: str, method: str, path: str
) -> None:
    access = token_of(running_gateway, name, scope)
    response = get(running_gateway, path, access) if method == "GET" else post(running_gateway, path, b"{}", access)
    refused(response, 403, "insufficient_scope")
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]


PROTECTED = [
    ("GET", "/v1/services"),
    ("GET", "/v1/services/dopa.person.v1"),
    ("GET", "/v1/services/dopa.person.v1/schema"),
    ("GET", "/v1/purposes"),
    ("GET", "/v1/agreements"),
    ("GET", "/v1/exchanges/ex_1"),
    ("GET", "/v1/audit/entries"),
    ("GET", "/v1/audit/exchanges/ex_1"),
    ("GET", "/v1/admin/registers/agency"),
    ("GET", "/v1/admin/registers/agency/dopa"),
    ("POST", "/v1/exchanges"),
    ("POST", "/v1/audit/exchanges/search"),
    ("POST", "/v1/admin/acts"),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_without_a_good_token_nothing_is_told(running_gateway: RunningGateway, method: str, path: str) -> None:
    for authorization in (
        "",
        "Bearer",
        "Basic YWRtaW46YWRtaW4=",
        "bearer x.y.z",
        "Bearer\tx",
        "Bearer x" * 999,
    ):
        headers = {"authorization": authorization} if authorization else {}
        if method == "GET":
            response = get(running_gateway, path, **headers)
        else:
            response = post(running_gateway, path, b"{}", **headers)
        refused(response, 401, "invalid_token")


# -- the same, with the clock and the keys in hand ------------------------------------------------------------


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    return Keys.create(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def identity(keys: Keys) -> Identity:
    return Identity(keys, cast(Store, None), ISSUER)


CLIENT = Client(
    id="c", agency="a", title_en="c", title_th="c", keys=({"kid": "k1"}, {"kid": "k2"}), scopes=frozenset({"exchange"})
)
DIRECTORY = Directory({"c": CLIENT}, {"o": Operator("o", "o", "admin", ({"kid": "k1"},))}, frozenset({"a"}))


def access_token(keys: Keys, key: dict[str, Any] | None = None, typ: str = "at+jwt", **change: Any) -> str:
    now = int(time.time())
    good = {"iss": ISSUER, "aud": ISSUER, "sub": "c", "client_id": "c", "key_id": "k1", "scope": "exchange"}
    claims = {**good, "iat": now, "exp": now + TOKEN_SECONDS, "jti": "j", **change}
    signing = key or keys.token
    header = {"alg": "ES256", "typ": typ, "kid": signing["kid"]}
    return jwt.encode(header, {k: v for k, v in claims.items() if v is not None}, import_key(signing))


def test_a_token_made_by_hand_is_good(keys: Keys, identity: Identity) -> None:
    for _ in range(2):  # checked, then remembered
        caller = identity.identify(Presented(f"Bearer {access_token(keys)}", "127.0.0.1"), DIRECTORY, "exchange")
        assert (caller.id, caller.agency, caller.kind, caller.key_id) == ("c", "a", "client", "k1")
    operator = identity.identify(
        Presented(f"Bearer {access_token(keys, sub='o', scope='admin')}", ""), DIRECTORY, "admin"
    )
    assert (operator.kind, operator.role) == ("operator", "admin")


@pytest.mark.parametrize(
    "change",
    [
        {"exp": 1_700_000_000},
        {"exp": 0},
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "https://other.example"},
        {"aud": [ISSUER]},
        {"aud": None},
        {"sub": "nobody"},
        {"key_id": "k3"},
        {"typ": "JWT"},
        {"typ": "linkage-act+jwt"},
    ],
    ids=str,
)
def test_a_token_that_is_expired_or_anothers(keys: Keys, identity: Identity, change: dict[str, Any]) -> None:
    bad = access_token(keys, **change)
    for _ in range(2):
        with pytest.raises(InvalidToken):
            identity.identify(Presented(f"Bearer {bad}", "127.0.0.1"), DIRECTORY, None)


def test_a_token_by_another_key_under_the_same_kid(keys: Keys, identity: Identity, tmp_path: Path) -> None:
    other = new_key("ES256", keys.token["kid"])
    write_key(tmp_path / "other.jwk", other)
    with pytest.raises(InvalidToken):
        identity.identify(Presented(f"Bearer {access_token(keys, other)}", ""), DIRECTORY, None)


def test_a_remembered_token_expires_too(keys: Keys, identity: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    good = access_token(keys)
    identity.identify(Presented(f"Bearer {good}", ""), DIRECTORY, None)
    later = time.time() + TOKEN_SECONDS + 1
    monkeypatch.setattr("gateway.identity.tokens.time.time", lambda: later)
    with pytest.raises(InvalidToken):
        identity.identify(Presented(f"Bearer {good}", ""), DIRECTORY, None)


def test_the_registers_have_the_last_word_on_a_remembered_token(keys: Keys, identity: Identity) -> None:
    good = f"Bearer {access_token(keys)}"
    identity.identify(Presented(good, "127.0.0.1"), DIRECTORY, None)
    for client, agencies in (
        (replace(CLIENT, status="suspended"), {"a"}),
        (replace(CLIENT, keys=({"kid": "k2"},)), {"a"}),
        (replace(CLIENT, revoked_kids=frozenset({"k1"})), {"a"}),
        (replace(CLIENT, networks=("203.0.113.0/24",)), {"a"}),
        (CLIENT, set()),
    ):
        with pytest.raises(InvalidToken):
            identity.identify(Presented(good, "127.0.0.1"), Directory({"c": client}, {}, frozenset(agencies)), None)
    with pytest.raises(InsufficientScope):
        identity.identify(Presented(good, "127.0.0.1"), DIRECTORY, "admin")
