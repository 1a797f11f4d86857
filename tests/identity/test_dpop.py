"""DPoP (RFC 9449) on the wire. The cases are those of the FAPI 2.0 conformance suite's DPoP tests, and more."""

from __future__ import annotations

import io
import json
import re
import secrets
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from connectors import population
from gateway import cli
from gateway.client import Gateway, Problem
from tests.acceptance.trail import not_on_record, on_record, size
from tests.harness import OLD_AGE, PERSON, RunningGateway, title
from tests.http.wire import fresh_id, get, refused
from tests.identity.assertions import claims_of, key_of, oauth_error, request, signed, token
from tests.identity.prover import GONE, Prover, b64, unb64

QUESTION = json.dumps(
    {"service": PERSON, "citizen_id": population.story("elder"), "purpose": OLD_AGE, "fields": ["life_status"]}
).encode()


@pytest.fixture(scope="module")
def bound(world: Any) -> dict[str, Prover]:
    """A client with a bound token, by algorithm."""
    return {algorithm: Prover(world[0], algorithm=algorithm).bind() for algorithm in ("ES256", "EdDSA")}


@pytest.fixture(params=["ES256", "EdDSA"])
def prover(bound: dict[str, Prover], request: pytest.FixtureRequest) -> Prover:
    """Each of them."""
    return bound[request.param]


@pytest.fixture
def one(running_gateway: RunningGateway) -> Prover:
    """One of its own, where the algorithm makes no difference."""
    return Prover(running_gateway).bind()


def bad_proof(response: httpx.Response, code: str = "invalid_dpop_proof") -> None:
    refused(response, 401, code)
    challenge = response.headers["www-authenticate"]
    assert re.fullmatch(rf'DPoP error="{code}", algs="ES256 EdDSA"', challenge), challenge


# -- what is good ---------------------------------------------------------------------------------------------


def test_a_token_is_bound_to_the_proofs_key(prover: Prover) -> None:
    claims = json.loads(unb64(prover.token.split(".")[1]))
    assert claims["cnf"] == {"jkt": prover.thumbprint()}
    assert prover.call().status_code == 200
    answer = prover.call("/v1/exchanges", method="POST", content=QUESTION)
    assert answer.status_code == 200, answer.text
    on_record(prover.gateway, answer.json()["exchange_id"], "released")


def test_the_nonce_is_wanted_at_both_places_and_told_with_every_answer(running_gateway: RunningGateway) -> None:
    prover = Prover(running_gateway)
    url = f"{running_gateway.url}/oauth/token"
    form = signed(key_of(running_gateway, prover.name), claims_of(running_gateway, prover.name))
    body = {"grant_type": "client_credentials", "client_assertion": form}
    body["client_assertion_type"] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    first = httpx.post(url, data=body, headers={"dpop": prover.proof("POST", url)}, trust_env=False)
    oauth_error(first, "use_dpop_nonce")
    prover.nonce = first.headers["dpop-nonce"]
    # Nothing of it was used up: the same assertion goes with the new proof.
    second = httpx.post(url, data=body, headers={"dpop": prover.proof("POST", url)}, trust_env=False)
    assert second.status_code == 200
    assert second.headers["dpop-nonce"]
    prover.token = second.json()["access_token"]
    without = httpx.get(
        f"{running_gateway.url}/v1/services",
        headers={
            "authorization": f"DPoP {prover.token}",
            "dpop": prover.proof("GET", f"{running_gateway.url}/v1/services", nonce=GONE),
        },
        trust_env=False,
    )
    bad_proof(without, "use_dpop_nonce")
    assert without.headers["dpop-nonce"]
    assert prover.call().headers["dpop-nonce"]
    assert "dpop-nonce" not in get(running_gateway, "/healthz").headers


@pytest.mark.parametrize("nonce", ["", "x", "A" * 32, "AAAAAGkAAAA" + "A" * 21, "é" * 16, 5, None, ["x"], "x" * 4000])
def test_a_nonce_that_is_not_the_gateways(one: Prover, nonce: Any) -> None:
    response = one.call(make=lambda: one.proof("GET", f"{one.gateway.url}/v1/services", nonce=nonce))
    bad_proof(response, "invalid_dpop_proof" if nonce == "x" * 4000 else "use_dpop_nonce")


def test_headers_names_and_schemes_have_no_case(one: Prover) -> None:
    assert one.call(header_name="DPOP").status_code == 200
    for scheme in ("dpop", "DPOP", "dPoP"):
        assert one.call(scheme=scheme).status_code == 200


def test_more_in_header_or_claims_is_ignored(one: Prover) -> None:
    now = int(time.time())
    url = f"{one.gateway.url}/v1/services"
    more = {"nbf": now, "exp": now + 300, "other": {"a": 1}}
    assert one.call(make=lambda: one.proof("GET", url, {"kid": "x", "other": "y"}, **more)).status_code == 200


@pytest.mark.parametrize("shift", [-10, 10])
def test_a_clock_may_be_off_by_seconds(one: Prover, shift: int) -> None:
    url = f"{one.gateway.url}/v1/services"
    assert one.call(make=lambda: one.proof("GET", url, iat=int(time.time()) + shift)).status_code == 200


def test_htu_is_compared_as_urls_are(one: Prover) -> None:
    base = one.gateway.url
    path = "/v1/services/dopa.person.v1"
    upper = base.upper().replace("HTTP://", "HTTP://")
    for good in (f"{base}{path}", f"{base}{path}?a=b#c", f"{upper}{path}", f"{base}/v1/services/dopa%2Eperson.v1"):
        assert one.call(path, make=lambda htu=good: one.proof("GET", htu)).status_code == 200, good
    assert one.call(f"{path}?x=1", make=lambda: one.proof("GET", f"{base}{path}")).status_code == 200


# -- what is not ----------------------------------------------------------------------------------------------

Spoil = Callable[[Prover, str], "str | list[str]"]


def _flipped(proof: str) -> str:
    head, claims, signature = proof.split(".")
    raw = bytearray(unb64(signature))
    raw[5] ^= 1
    return f"{head}.{claims}.{b64(bytes(raw))}"


def _other_key(p: Prover, url: str) -> str:
    other = Prover(p.gateway, algorithm=p.algorithm)
    other.token, other.nonce = p.token, p.nonce
    return other.proof("GET", url)


def _other_key_under_its_jwk(p: Prover, url: str) -> str:
    other = Prover(p.gateway, algorithm=p.algorithm)
    other.token, other.nonce = p.token, p.nonce
    return other.proof("GET", url, {"jwk": p.jwk()})


def _rsa(p: Prover, url: str, alg: str) -> str:
    key = rsa.generate_private_key(65537, 2048)
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "n": b64(numbers.n.to_bytes(256)), "e": b64(numbers.e.to_bytes(3))}
    base = p.proof("GET", url, {"alg": alg, "jwk": jwk}).rpartition(".")[0]
    pad: Any = padding.PSS(padding.MGF1(SHA256()), 32) if alg == "PS256" else padding.PKCS1v15()
    return f"{base}.{b64(key.sign(base.encode(), pad, SHA256()))}"


def _unsigned(p: Prover, url: str) -> str:
    return p.proof("GET", url, {"alg": "none"}).rpartition(".")[0] + "."


SPOILT: dict[str, Spoil] = {
    "two proofs": lambda p, url: [p.proof("GET", url), p.proof("GET", url)],
    "two in one line": lambda p, url: f"{p.proof('GET', url)}, {p.proof('GET', url)}",
    "none": lambda p, url: [],
    "empty": lambda p, url: "",
    "not a JWT": lambda p, url: "a.b",
    "cut off": lambda p, url: p.proof("GET", url)[:-20],
    "garbage": lambda p, url: "x" * 300,
    "very long": lambda p, url: p.proof("GET", url, more="x" * 5000),
    "no typ": lambda p, url: p.proof("GET", url, {"typ": GONE}),
    "another typ": lambda p, url: p.proof("GET", url, {"typ": "JWT"}),
    "no alg": lambda p, url: p.proof("GET", url, {"alg": GONE}),
    "alg none": _unsigned,
    "alg HS256": lambda p, url: p.proof("GET", url, {"alg": "HS256"}),
    "RS256": lambda p, url: _rsa(p, url, "RS256"),
    "PS256": lambda p, url: _rsa(p, url, "PS256"),
    "the other alg": lambda p, url: p.proof("GET", url, {"alg": {"ES256": "EdDSA", "EdDSA": "ES256"}[p.algorithm]}),
    "no jwk": lambda p, url: p.proof("GET", url, {"jwk": GONE}),
    "a private jwk": lambda p, url: p.proof("GET", url, {"jwk": p.jwk(private=True)}),
    "a jwk that is none": lambda p, url: p.proof("GET", url, {"jwk": "x"}),
    "a symmetric jwk": lambda p, url: p.proof("GET", url, {"jwk": {"kty": "oct", "k": "AAAA"}}),
    "a point off the curve": lambda p, url: p.proof(
        "GET", url, {"jwk": {"kty": "EC", "crv": "P-256", "x": b64(b"\1" * 32), "y": b64(b"\2" * 32)}}
    ),
    "crit": lambda p, url: p.proof("GET", url, {"crit": ["b64"], "b64": False}),
    "no jti": lambda p, url: p.proof("GET", url, jti=GONE),
    "an empty jti": lambda p, url: p.proof("GET", url, jti=""),
    "a jti that is none": lambda p, url: p.proof("GET", url, jti=5),
    "a long jti": lambda p, url: p.proof("GET", url, jti="x" * 257),
    "no htm": lambda p, url: p.proof("GET", url, htm=GONE),
    "another htm": lambda p, url: p.proof("PUT", url),
    "htm in small letters": lambda p, url: p.proof("get", url),
    "no htu": lambda p, url: p.proof("GET", url, htu=GONE),
    "another path": lambda p, url: p.proof("GET", f"{url}/x"),
    "a path below": lambda p, url: p.proof("GET", url.rpartition("/")[0]),
    "a slash more": lambda p, url: p.proof("GET", f"{url}/"),
    "another host": lambda p, url: p.proof("GET", url.replace("127.0.0.1", "evil.example")),
    "another port": lambda p, url: p.proof("GET", re.sub(r":\d+/", ":1/", url)),
    "another scheme": lambda p, url: p.proof("GET", url.replace("http:", "https:")),
    "a user before the host": lambda p, url: p.proof("GET", url.replace("://", "://u@")),
    "an htu that is none": lambda p, url: p.proof("GET", url, htu=["x"]),
    "a port that is none": lambda p, url: p.proof("GET", "http://127.0.0.1:99999999/v1/services"),
    "no iat": lambda p, url: p.proof("GET", url, iat=GONE),
    "iat an hour ahead": lambda p, url: p.proof("GET", url, iat=int(time.time()) + 3600),
    "iat an hour ago": lambda p, url: p.proof("GET", url, iat=int(time.time()) - 3600),
    "iat as text": lambda p, url: p.proof("GET", url, iat=str(int(time.time()))),
    "iat true": lambda p, url: p.proof("GET", url, iat=True),
    "no ath": lambda p, url: p.proof("GET", url, ath=GONE),
    "another ath": lambda p, url: p.proof("GET", url, ath=b64(b"x" * 32)),
    "another signature": lambda p, url: _flipped(p.proof("GET", url)),
    "another key": _other_key,
    "another key under this one's jwk": _other_key_under_its_jwk,
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_proof_that_is_not_good(prover: Prover, case: str) -> None:
    url = f"{prover.gateway.url}/v1/services"
    bad_proof(prover.call(make=lambda: SPOILT[case](prover, url)))
    assert prover.call().status_code == 200  # it was the proof, and nothing else


AT_THE_TOKEN_ENDPOINT = [case for case in SPOILT if case not in ("none", "no ath", "another ath", "another key")]


@pytest.mark.parametrize("case", AT_THE_TOKEN_ENDPOINT)
def test_nor_is_it_at_the_token_endpoint(running_gateway: RunningGateway, case: str) -> None:
    prover = Prover(running_gateway)
    url = f"{running_gateway.url}/oauth/token"

    def spoilt() -> Any:
        as_post = Prover.proof

        class Posting(Prover):
            def proof(self, method: str, url: str, header: Any = None, **change: Any) -> str:
                return as_post(self, {"GET": "POST", "get": "post"}.get(method, method), url, header, **change)

        posting = Posting(running_gateway)
        posting.key, posting.nonce = prover.key, prover.nonce
        return SPOILT[case](posting, url)

    oauth_error(prover.ask_token(spoilt), "invalid_dpop_proof")
    assert prover.ask_token().status_code == 200


def test_a_bound_token_is_good_with_its_proof_only(one: Prover) -> None:
    bare = get(one.gateway, "/v1/services", one.token)  # as Bearer
    refused(bare, 401, "invalid_token")
    assert bare.headers["www-authenticate"].startswith('DPoP error="invalid_token"')
    with_proof = one.call(scheme="Bearer")
    refused(with_proof, 401, "invalid_token")
    assert with_proof.headers["www-authenticate"].startswith('DPoP error="invalid_token"')


def test_a_bearer_token_is_no_bound_one(running_gateway: RunningGateway, one: Prover) -> None:
    one.token = token(running_gateway, one.name)
    refused(one.call(), 401, "invalid_token")
    assert one.call(scheme="Bearer").status_code == 200


def test_another_clients_bound_token_with_ones_own_key(running_gateway: RunningGateway, one: Prover) -> None:
    thief = Prover(running_gateway, "city-a-other").bind()
    thief.token = one.token
    bad_proof(thief.call())


# -- used once ------------------------------------------------------------------------------------------------


def test_a_proof_is_good_once(one: Prover) -> None:
    url = f"{one.gateway.url}/v1/services"
    one.call()
    proof = one.proof("GET", url)
    assert one.call(make=lambda: proof).status_code == 200
    bad_proof(one.call(make=lambda: proof))
    jti = secrets.token_hex(8)
    assert one.call(make=lambda: one.proof("GET", url, jti=jti)).status_code == 200
    bad_proof(one.call(make=lambda: one.proof("GET", url, jti=jti)))
    other = Prover(one.gateway, "city-a-other").bind()
    assert other.call(make=lambda: other.proof("GET", url, jti=jti)).status_code == 200  # another key's own


def test_a_token_requests_proof_is_good_once(running_gateway: RunningGateway) -> None:
    prover = Prover(running_gateway).bind()
    prover.token = ""
    proof = prover.proof("POST", f"{running_gateway.url}/oauth/token")
    assert prover.ask_token(lambda: proof).status_code == 200
    assert prover.ask_token(lambda: proof).status_code in (400, 401)


def test_of_many_exchanges_with_one_proof_one_happens(one: Prover) -> None:
    one.call()
    proof = one.proof("POST", f"{one.gateway.url}/v1/exchanges")
    since = size(one.gateway)
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: one.call("/v1/exchanges", lambda: proof, method="POST", content=QUESTION), range(12))
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 11
    for answer in answers:
        if answer.status_code == 200:
            on_record(one.gateway, answer.json()["exchange_id"], "released")
        else:
            bad_proof(answer)
            not_on_record(one.gateway, answer.json()["exchange_id"], since)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (QUESTION.replace(b"life_status", b"father_name"), 403),
        (b"{", 400),
        (QUESTION.replace(b"dopa.person.v1", b"dopa.nothing.v1"), 404),
        (QUESTION.replace(b"life_status", b"no_such_field"), 400),
    ],
)
def test_a_proof_is_used_up_by_a_question_that_is_refused(one: Prover, content: bytes, status: int) -> None:
    """Or whoever saw it could ask another question with it."""
    one.call()
    proof = one.proof("POST", f"{one.gateway.url}/v1/exchanges")
    assert one.call("/v1/exchanges", lambda: proof, method="POST", content=content).status_code == status
    bad_proof(one.call("/v1/exchanges", lambda: proof, method="POST", content=QUESTION))


# -- who has to -----------------------------------------------------------------------------------------------


@pytest.fixture
def demanding(running_gateway: RunningGateway) -> Iterator[Any]:
    """A new client whose registration demands a key."""
    name = fresh_id("bound")
    with running_gateway.as_("admin") as admin:
        key = running_gateway.person(name)
        form = {"id": name, "agency": "city-a", "title": title(name), "keys": [key], "token_binding": "dpop"}
        admin.act("client.add", form)
        yield name, admin


def test_a_client_that_demands_it_gets_no_other_token(running_gateway: RunningGateway, demanding: Any) -> None:
    name, admin = demanding
    bare = request(running_gateway, signed(key_of(running_gateway, name), claims_of(running_gateway, name)))
    oauth_error(bare, "invalid_request")
    assert Prover(running_gateway, name).bind().call().status_code == 200
    with running_gateway.as_(name) as client, pytest.raises(Problem):
        client.services()
    # Loosened, it gets a bearer token; demanded again, that token is no longer taken.
    admin.act("client.binding", {"id": name, "token_binding": None, "reason": "a test"})
    loose = token(running_gateway, name)
    assert get(running_gateway, "/v1/services", loose).status_code == 200
    admin.act("client.binding", {"id": name, "token_binding": "any"})
    refused(get(running_gateway, "/v1/services", loose), 401, "invalid_token")
    assert Prover(running_gateway, name).bind().call().status_code == 200
    admin.act("client.binding", {"id": name, "token_binding": "mtls"})
    assert Prover(running_gateway, name).ask_token().status_code == 400  # a key is not the certificate demanded
    with pytest.raises(Problem) as again:
        admin.act("client.binding", {"id": name, "token_binding": "mtls"})
    assert again.value.code == "conflict"


def test_who_may_say_so(running_gateway: RunningGateway, demanding: Any) -> None:
    name, _ = demanding
    with running_gateway.as_("dopa-owner-1") as stranger, pytest.raises(Problem) as refusal:
        stranger.act("client.binding", {"id": name, "token_binding": None})
    assert refusal.value.code == "denied"


def test_the_python_client_does_all_of_it(running_gateway: RunningGateway, demanding: Any) -> None:
    name, _ = demanding
    with Gateway(running_gateway.url, name, running_gateway.keys / f"{name}.jwk", dpop=True) as client:
        assert client.services()
        assert client.exchange(**json.loads(QUESTION)).data
        client._session._nonce = "old"  # as after a long sleep
        assert client.services()


def test_the_commands_do_it_too(
    running_gateway: RunningGateway,
    demanding: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, keys = f"{demanding[0]}-too", running_gateway.keys
    (keys / f"{name}.public.jwk").write_text(json.dumps(running_gateway.person(name)))

    def run(who: str, *arguments: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(population.story("elder")))
        connection = ("--url", running_gateway.url, "--as", who, "--key", str(keys / f"{who}.jwk"), "--json")
        capsys.readouterr()
        return cli.run([*arguments, *connection])

    titles = ("--title-th", "x", "--title-en", "x", "--public-key", str(keys / f"{name}.public.jwk"))
    assert run("admin", "client", "add", name, "--agency", "city-a", *titles, "--token-binding", "any", "--dpop") == 0
    assert run("admin", "client", "binding", name, "dpop", "--reason", "a test") == 0
    assert json.loads(capsys.readouterr().out)["record"]["token_binding"] == "dpop"
    asks = ("exchange", "--service", PERSON, "--purpose", OLD_AGE)
    assert run(name, *asks) == 1
    assert run(name, *asks, "--dpop") == 0
    assert json.loads(capsys.readouterr().out)["data"]["life_status"]
    assert run("admin", "client", "binding", name, "none") == 0
    assert run(name, *asks) == 0


def test_an_operator_may_bind_its_tokens_too(running_gateway: RunningGateway) -> None:
    admin = Prover(running_gateway, "admin").bind()
    assert admin.call("/v1/admin/registers/client/city-a-welfare").status_code == 200
    claims = json.loads(urlsafe_b64decode(admin.token.split(".")[1] + "=="))
    assert claims["cnf"]["jkt"] == admin.thumbprint()


def test_what_a_client_finds_out_about_it(running_gateway: RunningGateway) -> None:
    found = get(running_gateway, "/.well-known/oauth-authorization-server").json()
    assert found["dpop_signing_alg_values_supported"] == ["ES256", "EdDSA"]
    assert found["tls_client_certificate_bound_access_tokens"] is True
    assert get(running_gateway, "/v1/services").headers["www-authenticate"] == (
        'Bearer error="invalid_token", DPoP algs="ES256 EdDSA"'
    )
