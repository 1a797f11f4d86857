"""The client against a gateway of a few lines: tokens, renewal, problems. Sync and async run the same tests."""

from __future__ import annotations

import asyncio
import inspect
import json
import ssl
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx
from jose import jwt as jose_jwt  # type: ignore[import-untyped]

from gateway.client import Answer, AsyncGateway, Gateway, NotForUrl, Problem, UnexpectedAnswer, Unreachable
from gateway.client.steps import trust
from gateway.conformance.certificates import authority
from gateway.keys import KeyFileError, new_key, public_key, write_key
from tests.client.stand import CITIZEN, QUESTION, URL, Stand


def test_a_question_in_one_call(client: Any, stand: Stand) -> None:
    answer = client().exchange(**QUESTION, officer="A-0117", fields=("life_status",), case_reference=None)
    assert isinstance(answer, Answer)
    assert (answer.data, answer.receipt["index"], answer.sealed_by) == ({"life_status": "alive"}, 7, "seal-1")
    sent = json.loads(stand.asked[0].content)
    assert sent == {**QUESTION, "officer": "A-0117", "fields": ["life_status"]}
    assert CITIZEN not in str(stand.asked[0].url)
    assert "alive" not in repr(answer)


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_the_assertion_is_as_rfc_7523_wants_it(client: Any, stand: Stand, algorithm: str) -> None:
    key = new_key(algorithm, "k1")
    gateway = client(key)
    gateway.exchange(**QUESTION)
    form = {name: values[0] for name, values in stand.forms[0].items()}
    assert form["grant_type"] == "client_credentials"
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert form["scope"] == "exchange"
    assertion = form["client_assertion"]
    assert jose_jwt.get_unverified_header(assertion) == {"alg": algorithm, "kid": "k1", "typ": "JWT"}
    claims = jose_jwt.get_unverified_claims(assertion)
    if algorithm == "ES256":
        assert jose_jwt.decode(assertion, public_key(key), algorithms=["ES256"], audience=URL) == claims
    assert claims["iss"] == claims["sub"] == "city"
    assert claims["aud"] == URL
    assert 0 < claims["exp"] - claims["iat"] <= 300


def test_a_token_serves_until_it_is_almost_over(client: Any, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = client()
    now = [1000.0]
    monkeypatch.setattr("gateway.client.session.time.monotonic", lambda: now[0])
    gateway.exchange(**QUESTION)
    now[0] += 569
    gateway.exchange(**QUESTION)
    assert len(stand.tokens) == 1
    now[0] += 2
    gateway.exchange(**QUESTION)
    assert len(stand.tokens) == 2
    assert [request.headers["authorization"][7:] for request in stand.asked] == ["token-1", "token-1", "token-2"]


def test_each_assertion_is_used_once(client: Any, stand: Stand) -> None:
    gateway = client()
    for _ in range(3):
        gateway.exchange(**QUESTION)
        stand.revoked.update(stand.tokens)
    used = [jose_jwt.get_unverified_claims(form["client_assertion"][0])["jti"] for form in stand.forms]
    assert len(used) == len(set(used)) == 3


def test_a_refused_token_is_renewed_once(client: Any, stand: Stand) -> None:
    gateway = client()
    gateway.exchange(**QUESTION)
    stand.revoked.add("token-1")
    assert gateway.exchange(**QUESTION).exchange_id == "ex_01"
    assert stand.tokens == ["token-1", "token-2"]


def test_a_gateway_that_takes_no_token_is_not_asked_for_ever(client: Any, stand: Stand) -> None:
    stand.revoked.update(f"token-{number}" for number in range(9))
    with pytest.raises(Problem) as caught:
        client().exchange(**QUESTION)
    assert (caught.value.status, caught.value.code, len(stand.asked)) == (401, "invalid_token", 2)


def test_another_401_is_not_retried(client: Any, stand: Stand) -> None:
    stand.answer = lambda request: httpx.Response(401, json={"code": "elsewhere"})
    with pytest.raises(Problem):
        client().exchange(**QUESTION)
    assert len(stand.asked) == 1


def test_scopes_have_tokens_of_their_own_and_any_will_do_where_any_does(client: Any, stand: Stand) -> None:
    stand.answer = lambda request: httpx.Response(200, json={"records": [], "services": [], "exchanges": []})
    gateway = client()
    gateway.register("agency")
    gateway.services()
    gateway.search(outcome="refused")
    assert [form.get("scope") for form in stand.forms] == [["admin"], ["audit"]]


def test_without_a_token_yet_a_call_for_any_names_no_scope(client: Any, stand: Stand) -> None:
    stand.answer = lambda request: httpx.Response(200, json={"services": []})
    client().services()
    assert "scope" not in stand.forms[0]


def test_a_denial_comes_with_its_reasons(client: Any, stand: Stand) -> None:
    reason = {
        "code": "field_not_covered",
        "policy": "p",
        "section": "PDPA s.22",
        "title": "t",
        "title_th": "ท",
        "remedy": "r",
        "remedy_th": "ร",
        "ask": "dopa",
        "fields": ["father_name"],
    }
    body = {
        "type": "about:blank",
        "status": 403,
        "code": "denied",
        "title": "The question is refused",
        "title_th": "ปฏิเสธคำขอ",
        "detail": "d",
        "exchange_id": "ex_9",
        "reasons": [reason, "not a reason"],
    }
    stand.answer = lambda request: httpx.Response(403, json=body, headers={"retry-after": "30"})
    with pytest.raises(Problem) as caught:
        client().exchange(**QUESTION)
    problem = caught.value
    assert (problem.status, problem.code, problem.title_th) == (403, "denied", "ปฏิเสธคำขอ")
    assert (problem.exchange_id, problem.retry_after, problem.detail) == ("ex_9", 30, "d")
    assert [each.as_json() for each in problem.reasons] == [reason]
    assert CITIZEN not in str(problem)


def test_an_oauth_error_is_a_problem(client: Any, stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = httpx.Response(401, json={"error": "invalid_client", "error_description": "unknown key"})
    original = Stand.__call__
    monkeypatch.setattr(
        Stand, "__call__", lambda self, r: refusal if r.url.path == "/oauth/token" else original(self, r)
    )
    with pytest.raises(Problem) as caught:
        client().exchange(**QUESTION)
    assert (caught.value.status, caught.value.code, caught.value.detail) == (401, "invalid_client", "unknown key")


def test_a_url_with_a_path_too_many_is_said_to_be_one(
    client: Any, stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = httpx.Response(404, json={"status": 404, "code": "not_found", "title": "Not found"})
    original = Stand.__call__
    monkeypatch.setattr(
        Stand, "__call__", lambda self, r: nothing if r.url.path == "/oauth/token" else original(self, r)
    )
    with pytest.raises(UnexpectedAnswer, match="URL") as caught:
        client().exchange(**QUESTION)
    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (502, {"text": "<html>bad gateway</html>"}),
        (200, {"json": [1]}),
        (200, {"content": b"\xff"}),
        (302, {"headers": {"location": "https://elsewhere.example/"}}),
        (500, {"json": {"code": 7}}),
    ],
)
def test_what_is_not_the_gateways_is_said_to_be_so(client: Any, stand: Stand, status: int, answer: Any) -> None:
    stand.answer = lambda request: httpx.Response(status, **answer)
    with pytest.raises(UnexpectedAnswer) as caught:
        client(verify_answers=False).exchange(**QUESTION)
    assert caught.value.status == status
    assert len(stand.asked) == 1


def test_a_broken_connection_names_nothing(client: Any, stand: Stand) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"no {CITIZEN}", request=request)

    stand.answer = broken
    with pytest.raises(Unreachable) as caught:
        client().exchange(**QUESTION)
    assert CITIZEN not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_act_is_signed_by_its_operator(client: Any, stand: Stand) -> None:
    key = new_key("ES256", "op-1")
    stand.answer = lambda request: httpx.Response(201, json={"act": "agency.add", "id": "dopa"})
    assert client(key, issuer="https://issuer.example/").act("agency.add", {"id": "dopa"})["id"] == "dopa"
    signed = json.loads(stand.asked[0].content)["act"]
    header = jose_jwt.get_unverified_header(signed)
    payload = jose_jwt.decode(
        signed, public_key(key), algorithms=["ES256"], audience=None, options={"verify_aud": False}
    )
    assert header == {"alg": "ES256", "kid": "op-1", "typ": "linkage-act+jwt"}
    assert payload["act"] == "agency.add"
    assert payload["body"] == {"id": "dopa"}
    assert (payload["operator"], payload["audience"]) == ("city", "https://issuer.example")
    assert len(payload["nonce"]) >= 16
    assert payload["time"].endswith("Z")


def test_search_sends_the_documented_names(client: Any, stand: Stand) -> None:
    stand.answer = lambda request: httpx.Response(200, json={"exchanges": [], "next_cursor": None})
    client().search(since="2026-11-20T00:00:00Z", citizen_id=CITIZEN, reason="complaint 12", cursor=None)
    sent = json.loads(stand.asked[0].content)
    assert sent == {"from": "2026-11-20T00:00:00Z", "citizen_id": CITIZEN, "reason": "complaint 12"}
    assert CITIZEN not in str(stand.asked[0].url)


@pytest.mark.parametrize("call", ["record", "status", "audited", "service"])
@pytest.mark.parametrize("id", [CITIZEN, "9-1000-00000-01-1", f"city:{CITIZEN}", "", ".."])
def test_no_citizen_id_goes_into_a_url(client: Any, stand: Stand, call: str, id: str) -> None:
    with pytest.raises(NotForUrl) as caught:
        getattr(client(), call)(*(["officer", id] if call == "record" else [id]))
    assert CITIZEN not in str(caught.value)
    assert (stand.asked, stand.forms) == ([], [])


def test_paths_are_quoted(client: Any, stand: Stand) -> None:
    stand.answer = lambda request: httpx.Response(200, json={})
    client().record("officer", "city:A/1?x")
    assert stand.asked[0].url.raw_path == b"/v1/admin/registers/officer/city%3AA%2F1%3Fx"


def test_an_unknown_part_of_a_question_is_a_type_error_that_names_no_value(client: Any) -> None:
    with pytest.raises(TypeError, match="cityzen_id") as caught:
        client().exchange(service="s", purpose="p", cityzen_id=CITIZEN)
    assert CITIZEN not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://gateway.example.go.th", "ftp://x", "gateway", "https://user:pass@x", "https://x/?q=1", "https://x:port"],
)
def test_urls_that_would_betray_something_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        Gateway(url, "city", new_key("EdDSA"))


def test_http_is_for_this_machine_unless_said_otherwise() -> None:
    for url in ("http://127.0.0.1:8440", "http://localhost", "http://[::1]:1"):
        Gateway(url, "city", new_key("EdDSA")).close()
    Gateway("http://gateway:8440", "city", new_key("EdDSA"), allow_plaintext=True).close()


def test_a_key_file_is_read_and_a_wrong_one_named(tmp_path: Any) -> None:
    write_key(tmp_path / "key.jwk", new_key("ES256"))
    Gateway(URL, "city", tmp_path / "key.jwk").close()
    with pytest.raises(KeyFileError, match=r"none\.jwk"):
        Gateway(URL, "city", str(tmp_path / "none.jwk"))


def test_both_clients_have_the_same_calls() -> None:
    def calls(client: type) -> dict[str, str]:
        return {
            name: str(inspect.signature(method)).replace("AsyncIterator", "Iterator")
            for name, method in inspect.getmembers(client, inspect.isfunction)
            if not name.startswith("_")
        }

    assert calls(Gateway) == calls(AsyncGateway)
    assert len(calls(Gateway)) > 10


def test_threads_share_one_renewal(stand: Stand) -> None:
    with Gateway(URL, "city", new_key("EdDSA"), transport=httpx.MockTransport(stand)) as gateway:
        barrier = threading.Barrier(8)

        def ask() -> None:
            barrier.wait()
            gateway.exchange(**QUESTION)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(stand.asked), len(stand.tokens)) == (8, 1)


async def test_tasks_share_one_renewal(stand: Stand) -> None:
    async with AsyncGateway(URL, "city", new_key("EdDSA"), transport=httpx.MockTransport(stand)) as gateway:
        await asyncio.gather(*(gateway.exchange(**QUESTION) for _ in range(8)))
        stand.revoked.add("token-1")
        await asyncio.gather(*(gateway.exchange(**QUESTION) for _ in range(8)))
    assert stand.tokens == ["token-1", "token-2"]


@respx.mock
def test_the_environment_has_no_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere.pem")
    respx.post(f"{URL}/oauth/token").respond(json={"access_token": "t", "expires_in": 600})
    route = respx.get(f"{URL}/v1/services").respond(json={"services": [{"id": "dopa.person.v1"}]})
    with Gateway(URL, "city", new_key("EdDSA")) as gateway:
        assert not any("proxy" in str(pattern.pattern) for pattern in gateway._http._mounts)
        assert gateway.services() == [{"id": "dopa.person.v1"}]
    assert route.calls.last.request.headers["authorization"] == "Bearer t"


def test_without_tls_nobody_is_trusted_and_with_it_nobody_unchecked(tmp_path: Path) -> None:
    assert trust("https://gateway.example") is True  # httpx's own: the public authorities
    assert trust("HTTPS://gateway.example") is True
    for url, file in (("http://127.0.0.1", None), ("https://gateway.example", tmp_path / "ours.pem")):
        if file is not None:
            file.write_text(authority().pem)
        context = trust(url, file)
        assert isinstance(context, ssl.SSLContext)
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert len(context.get_ca_certs()) == (0 if file is None else 1)
