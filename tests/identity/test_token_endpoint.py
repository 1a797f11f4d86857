"""The token endpoint: what an assertion must be (RFC 7523), and the errors that RFC 6749 wants."""

from __future__ import annotations

import json
import time
import warnings
from base64 import urlsafe_b64decode
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws

from gateway.client.signing import ASSERTION_TYPE
from gateway.keys import ALGORITHMS, import_key, public_key
from tests.harness import RunningGateway
from tests.http.wire import get, made_up, refused
from tests.identity.assertions import (
    FORM,
    by_secret,
    claims_of,
    key_of,
    oauth_error,
    part,
    request,
    signed,
    token,
    unsigned,
)

EDDSA, ES256 = "city-a-welfare", "city-b-welfare"
LATER = 10**12


@pytest.mark.parametrize("name", [EDDSA, ES256])
@pytest.mark.parametrize("audience", ["", "/oauth/token"])
def test_a_token_is_as_documented(running_gateway: RunningGateway, name: str, audience: str) -> None:
    gateway = running_gateway
    claims = claims_of(gateway, name, aud=gateway.url + audience)
    response = request(gateway, signed(key_of(gateway, name), claims), scope="exchange", client_id=name)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 600, "exchange")
    # RFC 9068: at+jwt, by the published key, for this audience.
    published = {key["kid"]: key for key in get(gateway, "/.well-known/jwks.json").json()["keys"]}
    verified = jws.deserialize_compact(
        body["access_token"], import_key(next(k for k in published.values() if k["kty"] == "EC")), algorithms=["ES256"]
    )
    inside = json.loads(verified.payload)
    assert verified.headers()["typ"] == "at+jwt"
    assert verified.headers()["kid"] in published
    assert (inside["iss"], inside["aud"], inside["sub"], inside["client_id"]) == (gateway.url, gateway.url, name, name)
    assert inside["exp"] - inside["iat"] == 600
    assert get(gateway, "/v1/services", body["access_token"]).status_code == 200


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": int(time.time()) - 60},
    "expired long ago": {"exp": 0},
    "never expires": {"exp": None},
    "more than five minutes ahead": {"exp": int(time.time()) + 7200},
    "a year ahead": {"exp": LATER},
    "not yet valid": {"nbf": LATER},
    "issued in the future": {"iat": LATER},
    "another issuer": {"iss": ES256},
    "another subject": {"sub": ES256},
    "nobody's": {"iss": "nobody", "sub": "nobody"},
    "no issuer": {"iss": None},
    "no subject": {"sub": None},
    "no audience": {"aud": None},
    "another audience": {"aud": "https://other.example"},
    "an empty audience": {"aud": ""},
    "no jti": {"jti": None},
    "an empty jti": {"jti": ""},
    "a jti of another type": {"jti": 5},
    "a long jti": {"jti": "j" * 257},
    "exp as text": {"exp": str(int(time.time()) + 100)},
    "exp true": {"exp": True},
    "exp an array": {"exp": [int(time.time()) + 100]},
    "nbf null in an array": {"nbf": [None]},
    "iat as text": {"iat": "now"},
    "sub an array": {"sub": [EDDSA]},
    "sub an object": {"sub": {"a": EDDSA}},
    "a citizen ID": {"iss": made_up(5), "sub": made_up(5)},
}


@pytest.mark.parametrize("case", BAD_CLAIMS)
def test_claims_that_are_not_good(running_gateway: RunningGateway, case: str) -> None:
    key = key_of(running_gateway, EDDSA)
    response = request(running_gateway, signed(key, claims_of(running_gateway, EDDSA, **BAD_CLAIMS[case])))
    oauth_error(response, "invalid_client")
    assert made_up(5) not in response.text


def test_an_audience_is_one_string(running_gateway: RunningGateway) -> None:
    key, url = key_of(running_gateway, EDDSA), running_gateway.url
    for audience in (
        [url],
        [url, "https://other.example"],
        {"aud": url},
        [f"{url}/oauth/token"],
        f"{url}/",
        url + "\0",
    ):
        response = request(running_gateway, signed(key, claims_of(running_gateway, EDDSA, aud=audience)))
        oauth_error(response, "invalid_client")


@pytest.mark.parametrize("name", [EDDSA, ES256])
def test_no_signature_or_one_by_something_else(running_gateway: RunningGateway, name: str) -> None:
    gateway = running_gateway
    key, other = key_of(gateway, name), key_of(gateway, "city-a-other")
    claims, public = claims_of(gateway, name), public_key(key)
    native: Any = import_key(key).public_key
    pem = native.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    good = signed(key, claims)
    secrets = [
        pem,
        pem.strip(),
        json.dumps(public).encode(),
        json.dumps({**public}, separators=(",", ":")).encode(),
        b"",
    ]
    secrets += [public["x"].encode(), native.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)]
    forged = [
        *(by_secret(secret, {"alg": "HS256", "kid": key["kid"]}, claims) for secret in secrets),
        *(by_secret(secret, {"alg": public["alg"], "kid": key["kid"]}, claims) for secret in secrets),
        *(unsigned({"alg": alg, "kid": key["kid"]}, claims) for alg in ("none", "None", "NONE", "", None)),
        unsigned({"kid": key["kid"]}, claims),
        signed(other, claims),  # another client's key, under its own kid
        signed(other, claims, kid=key["kid"]),  # under this client's
        signed(key, claims, kid=other["kid"]),  # this client's key, under another's kid
        signed(key, claims, kid="nobody"),
        good[:-6] + "AAAAAA",
        good.rpartition(".")[0] + ".",
        good.rpartition(".")[0],
        good + ".x",
        f"{good.split('.')[0]}.{part({**claims, 'sub': 'city-a-other', 'iss': 'city-a-other'})}.{good.split('.')[2]}",
        *("", ".", "..", "...", "a.b.c", "é.é.é", part([]) + "." + part({}) + ".x", part("x") + "." + part(5) + "."),
        part({"alg": "ES256", "kid": ["x"]}) + "." + part(claims) + ".x",
        part({"alg": ["ES256"], "kid": key["kid"]}) + "." + part(claims) + ".x",
        part({"alg": public["alg"], "kid": key["kid"], "crit": 5}) + "." + part(claims) + ".x",
        "x" * 5000,
    ]
    for assertion in forged:
        response = request(gateway, assertion)
        oauth_error(response, "invalid_client")
        assert key["kid"] not in response.text


def test_a_key_in_the_header_is_not_believed(running_gateway: RunningGateway) -> None:
    key, other = key_of(running_gateway, EDDSA), key_of(running_gateway, "city-a-other")
    claims = claims_of(running_gateway, EDDSA)
    for header in ({"jwk": public_key(other)}, {"jku": "http://127.0.0.1:1/jwks"}, {"x5u": "http://127.0.0.1:1"}):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            forged = signed(other, claims, kid=key["kid"], **header)
        oauth_error(request(running_gateway, forged), "invalid_client")


def test_deeply_nested_claims_are_the_clients_fault(running_gateway: RunningGateway) -> None:
    key = key_of(running_gateway, EDDSA)
    nested = json.dumps(claims_of(running_gateway, EDDSA))[:-1] + ', "x":' + "[" * 1010 + "]" * 1010 + "}"
    assertion = jws.serialize_compact(
        {"alg": "EdDSA", "kid": key["kid"]}, nested.encode(), import_key(key), algorithms=list(ALGORITHMS)
    )
    assert request(running_gateway, assertion).status_code in (200, 401)
    deeper = nested.replace("[" * 1010, "[" * 1400).replace("]" * 1010, "]" * 1400)
    assertion = jws.serialize_compact(
        {"alg": "EdDSA", "kid": key["kid"]}, deeper.encode(), import_key(key), algorithms=list(ALGORITHMS)
    )
    oauth_error(request(running_gateway, assertion), "invalid_client")


def test_an_assertion_is_good_once(running_gateway: RunningGateway) -> None:
    key = key_of(running_gateway, EDDSA)
    claims = claims_of(running_gateway, EDDSA)
    assertion = signed(key, claims)
    assert request(running_gateway, assertion).status_code == 200
    oauth_error(request(running_gateway, assertion), "invalid_client")
    # The same jti in another assertion is the same use; another client's jti is its own.
    oauth_error(request(running_gateway, signed(key, {**claims, "exp": claims["exp"] + 1})), "invalid_client")
    other = claims_of(running_gateway, ES256, jti=claims["jti"])
    assert request(running_gateway, signed(key_of(running_gateway, ES256), other)).status_code == 200


def test_an_assertion_that_was_refused_is_not_used_up(running_gateway: RunningGateway) -> None:
    assertion = signed(key_of(running_gateway, EDDSA), claims_of(running_gateway, EDDSA))
    oauth_error(request(running_gateway, assertion, scope="admin"), "invalid_scope")
    oauth_error(request(running_gateway, assertion, client_id=ES256), "invalid_client")
    assert request(running_gateway, assertion).status_code == 200


def test_of_many_at_once_one_is_taken(running_gateway: RunningGateway) -> None:
    assertion = signed(key_of(running_gateway, EDDSA), claims_of(running_gateway, EDDSA))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: request(running_gateway, assertion).status_code, range(16)))
    assert sorted(answers) == [200] + [401] * 15


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": ""}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"}, "unsupported_grant_type"),
        ({"client_assertion": None}, "invalid_client"),
        ({"client_assertion": ""}, "invalid_client"),
        ({"client_assertion_type": None}, "invalid_client"),
        ({"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"}, "invalid_client"),
        ({"client_id": "city-a-other"}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"scope": "admin"}, "invalid_scope"),
        ({"scope": "exchange admin"}, "invalid_scope"),
        ({"scope": "consent"}, "invalid_scope"),
        ({"scope": "Exchange"}, "invalid_scope"),
        ({"scope": "\u0e01"}, "invalid_scope"),
        ({"scope": 'exchange"'}, "invalid_scope"),
    ],
    ids=str,
)
def test_what_is_wrong_with_the_request(
    running_gateway: RunningGateway, change: dict[str, str | None], error: str
) -> None:
    good = signed(key_of(running_gateway, EDDSA), claims_of(running_gateway, EDDSA))
    response = request(running_gateway, **{"assertion": good} | change)
    oauth_error(response, error)


@pytest.mark.parametrize(("name", "scope"), [("admin", "audit"), ("dopa-owner-1", "audit"), ("auditor", "admin")])
def test_an_operator_gets_its_roles_scopes_only(running_gateway: RunningGateway, name: str, scope: str) -> None:
    key = key_of(running_gateway, name)
    for wanted in (scope, "exchange"):
        oauth_error(
            request(running_gateway, signed(key, claims_of(running_gateway, name)), scope=wanted), "invalid_scope"
        )


def posted(gateway: RunningGateway, content: bytes, kind: str = FORM) -> httpx.Response:
    return httpx.post(f"{gateway.url}/oauth/token", content=content, headers={"content-type": kind}, trust_env=False)


def test_a_form_that_is_none(running_gateway: RunningGateway) -> None:
    good = {"grant_type": "client_credentials", "client_assertion_type": ASSERTION_TYPE}
    good["client_assertion"] = signed(key_of(running_gateway, EDDSA), claims_of(running_gateway, EDDSA))
    form = urlencode(good).encode()
    for content in (
        form + b"&grant_type=client_credentials",
        form + b"&scope=exchange&scope=exchange",
        form + b"&sc%6fpe=exchange&scope=admin",
        b"grant_type",
        b"&&&",
        b"\xff\xfe=1",
        b"=".join([b"a"] * 3) + b"&b",
        b"&".join(b"a%d=1" % n for n in range(60)),
        json.dumps(good).encode(),
        b"",
        b"x" * 70000,
    ):
        oauth_error(posted(running_gateway, content), "invalid_request")
    for kind in ("application/json", "text/plain", "multipart/form-data", f"{FORM}; charset=tis-620", ""):
        oauth_error(posted(running_gateway, form, kind), "invalid_request")
    assert posted(running_gateway, form, f"{FORM};charset=UTF-8").status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_the_endpoint_takes_a_post(running_gateway: RunningGateway, method: str) -> None:
    response = httpx.request(method, f"{running_gateway.url}/oauth/token", trust_env=False)
    refused(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


def test_what_a_client_finds_out_by_itself(running_gateway: RunningGateway) -> None:
    url = running_gateway.url
    found = get(running_gateway, "/.well-known/oauth-authorization-server").json()
    assert (found["issuer"], found["token_endpoint"]) == (url, f"{url}/oauth/token")
    assert found["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    keys = httpx.get(found["jwks_uri"], trust_env=False).json()["keys"]
    assert {(key["kty"], key["crv"]) for key in keys} == {("EC", "P-256"), ("OKP", "Ed25519")}
    assert not any(key.keys() & {"d", "k", "p", "q"} for key in keys)


def test_another_library_is_a_client_too(running_gateway: RunningGateway) -> None:
    """python-jose: ES256, from its own idea of a key."""
    jose: Any = pytest.importorskip("jose.jwt")
    key = key_of(running_gateway, ES256)
    jwk = {**{k: v for k, v in key.items() if k != "kid"}, "alg": "ES256"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assertion = jose.encode(claims_of(running_gateway, ES256), jwk, algorithm="ES256", headers={"kid": key["kid"]})
        access = request(running_gateway, assertion).json()["access_token"]
        published = get(running_gateway, "/.well-known/jwks.json").json()
        mine = {"keys": [k for k in published["keys"] if k["kty"] == "EC"]}
        inside = jose.decode(
            access, mine, algorithms=["ES256"], audience=running_gateway.url, issuer=running_gateway.url
        )
    assert inside["sub"] == ES256
    assert get(running_gateway, "/v1/services", access).status_code == 200


def test_the_public_key_is_no_secret_for_access_tokens_either(running_gateway: RunningGateway) -> None:
    gateway = running_gateway
    good = token(gateway, EDDSA)
    header, claims = (json.loads(urlsafe_b64decode(p + "==")) for p in good.split(".")[:2])
    published = next(k for k in get(gateway, "/.well-known/jwks.json").json()["keys"] if k["kty"] == "EC")
    native: Any = import_key(published).public_key
    pem = native.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for secret in (pem, pem.strip(), json.dumps(published).encode(), b""):
        refused(
            get(gateway, "/v1/services", by_secret(secret, {**header, "alg": "HS256"}, claims)), 401, "invalid_token"
        )
    for alg in ("none", "NONE", ""):
        refused(get(gateway, "/v1/services", unsigned({**header, "alg": alg}, claims)), 401, "invalid_token")
