"""Every call's logic, once, without I/O: what to send, what to make of what comes back, when to renew the token.

A call is a generator (`Flow`). It yields an `httpx.Request` and is sent the response, or yields `Renew` and is
resumed once the token has been renewed; what it returns is the call's result. `Gateway` and `AsyncGateway` differ
only in how they send and wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar
from urllib.parse import urlencode

import httpx
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.client.answer import Answer, ExportFields, QuestionFields, SearchFields, answer_of, present
from gateway.client.failures import Problem, UnexpectedAnswer, UntrustedAnswer, problem_of
from gateway.client.seal import check_seal, content_digest, read_seal, sealing_keys
from gateway.client.signing import ASSERTION_TYPE, assertion, dpop_proof, signed_act
from gateway.client.urls import checked_url, path_of
from gateway.keys import import_key, new_key, read_key

EARLY_SECONDS = 30.0
"""A token is renewed so long before it expires, so that none expires on its way."""

ANY = ""
"""The scope of a call that any valid token may make."""

STREAM = "linkage.stream"
"""The request extension that says whether a success's body is left to be read by the caller."""

ConsentChange = Literal["withdraw", "pause", "resume"]
"""What an office does to a consent on the citizen's behalf."""

ConsentAddition = Literal["guardian", "confirm"]
"""What an office adds to a consent: a guardian who consents too; the age and capacity as they are now."""

_QUESTION = frozenset(QuestionFields.__annotations__)
_SEARCH = frozenset(SearchFields.__annotations__)
_EXPORT = frozenset(ExportFields.__annotations__)
_RENAMED = {"since": "from", "until": "to"}


@dataclass(frozen=True, slots=True)
class Renew:
    """Asks for a token of `scope` that is not `stale`. Only one renewal runs at a time."""

    scope: str
    stale: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """An access token; `renew_at` on the monotonic clock."""

    value: str = field(repr=False)
    renew_at: float


T = TypeVar("T")
Json = dict[str, Any]
Flow: TypeAlias = Generator[httpx.Request | Renew, httpx.Response, T]


class Session:
    """One client's (or operator's) standing with one gateway: its key, its tokens, the gateway's sealing keys."""

    def __init__(
        self,
        url: str,
        client_id: str,
        key: str | Path | Mapping[str, Any],
        *,
        issuer: str | None = None,
        gateway_keys: Mapping[str, Any] | None = None,
        verify_answers: bool = True,
        allow_plaintext: bool = False,
        timeout: float = 60.0,
        dpop: bool = False,
    ) -> None:
        self.url = checked_url(url, allow_plaintext)
        self.client_id = client_id
        self.issuer = (issuer or self.url).rstrip("/")
        self._key = dict(key) if isinstance(key, Mapping) else read_key(Path(key))
        import_key(self._key)
        self._verify = verify_answers
        self._pinned = gateway_keys is not None
        self._sealing: dict[str, Ed25519PublicKey] = sealing_keys(gateway_keys) if gateway_keys is not None else {}
        self._tokens: dict[str, Token] = {}
        # The key that tokens are bound to lives as long as the session, and never leaves it.
        self._proof_key = new_key("ES256") if dpop else None
        self._nonce = ""
        self._timeout = httpx.Timeout(timeout, connect=10.0).as_dict()

    # Tokens ---------------------------------------------------------------------------------------------------

    def renew(self, step: Renew) -> Flow[None]:
        """Fetches the token that `step` asks for, unless another call has done so meanwhile."""
        if self._held(step.scope, step.stale) is not None:
            return
        began = time.monotonic()
        response = yield from self._proven(lambda: self._token_request(step.scope))
        if response.status_code == httpx.codes.NOT_FOUND:  # never about a record: the URL has a path too many
            raise UnexpectedAnswer(response.status_code, "no tokens are given here: is the URL the gateway's own?")
        body = _read(response)
        token, seconds = body.get("access_token"), body.get("expires_in")
        if not isinstance(token, str) or not token.isascii() or not isinstance(seconds, int):
            raise UnexpectedAnswer(200, "the token answer is not in the form of RFC 6749")
        if self._proof_key is not None and str(body.get("token_type")).lower() != "dpop":
            raise UnexpectedAnswer(200, "the token is not bound to this client's key")
        self._tokens[step.scope] = Token(token, began + max(seconds - EARLY_SECONDS, seconds / 2))

    def _token_request(self, scope: str) -> httpx.Request:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(self._key, self.client_id, self.issuer),
            **({"scope": scope} if scope else {}),
        }
        headers = {"content-type": "application/x-www-form-urlencoded", **self._proof("POST", "/oauth/token", None)}
        return self._request("POST", "/oauth/token", content=urlencode(form).encode(), headers=headers)

    def _held(self, scope: str, stale: str | None) -> str | None:
        names = [scope] if scope else list(self._tokens)
        for token in (self._tokens.get(name) for name in names):
            if token is not None and token.value != stale and time.monotonic() < token.renew_at:
                return token.value
        return None

    def _token(self, scope: str, stale: str | None = None) -> Flow[str]:
        token = self._held(scope, stale)
        if token is None:
            yield Renew(scope, stale)
            # Fresh from the gateway, so it is used even where it is already due for renewal again.
            token = self._held(scope, stale) or self._tokens[scope].value
        return token

    # Calls ----------------------------------------------------------------------------------------------------

    def exchange(self, question: QuestionFields) -> Flow[Answer]:
        """Asks one question; returns the `Answer`, its seal checked."""
        body = present(question, _QUESTION)
        if "fields" in body:
            body["fields"] = list(body["fields"])
        response = yield from self._send("exchange", "POST", "/v1/exchanges", body)
        sealed_by = (yield from self._check(response)) if self._verify else None
        answer = answer_of(response.status_code, _read(response), sealed_by)
        if answer.service != question["service"]:
            raise UntrustedAnswer("the answer is another service's")
        return answer

    def act(self, name: str, body: Mapping[str, Any]) -> Flow[Json]:
        """Signs one act of governance with the operator's key and posts it; returns its record and receipt."""
        signed = signed_act(self._key, self.client_id, self.issuer, name, body)
        return _read((yield from self._send("admin", "POST", "/v1/admin/acts", {"act": signed})))

    def search(self, criteria: SearchFields) -> Flow[Json]:
        """One page of the exchanges that fit: {"exchanges", "next_cursor"}."""
        body = {_RENAMED.get(name, name): value for name, value in present(criteria, _SEARCH).items()}
        return _read((yield from self._send("audit", "POST", "/v1/audit/exchanges/search", body)))

    def export(self, criteria: ExportFields) -> Flow[httpx.Response]:
        """All exchanges that fit: a response to be read line by line, and closed, by the caller."""
        body = {_RENAMED.get(name, name): value for name, value in present(criteria, _EXPORT).items()}
        return (yield from self._send("audit", "POST", "/v1/audit/exchanges/export", body, stream=True))

    def asked(self, body: Mapping[str, Any]) -> Flow[httpx.Response]:
        """Every exchange in which a source was asked: a response to be read line by line, and closed."""
        return (yield from self._send(ANY, "POST", "/v1/disclosures/asked", body, stream=True))

    def known(self, body: Mapping[str, Any]) -> Flow[Json]:
        """Which of a source's exchanges the log has."""
        return _read((yield from self._send(ANY, "POST", "/v1/disclosures/known", body)))

    def summary(self, asked: Mapping[str, str]) -> Flow[Json]:
        """A time of the log in numbers."""
        query = f"?{urlencode(asked)}" if asked else ""
        return self._get("audit", path_of("v1", "audit", "summary") + query)

    def evidence(self, exchange_id: str, reason: str) -> Flow[bytes]:
        """Evidence of one exchange, as the bytes of one file."""
        path = path_of("v1", "audit", "exchanges", exchange_id, "evidence")
        return (yield from self._send("audit", "POST", path, {"reason": reason})).content

    def status(self, exchange_id: str) -> Flow[Json]:
        """What became of one's own exchange."""
        return self._get(ANY, path_of("v1", "exchanges", exchange_id))

    def services(self) -> Flow[list[Json]]:
        """The services on offer."""
        return self._list(ANY, path_of("v1", "services"), "services")

    def service(self, service: str) -> Flow[Json]:
        """One service's description."""
        return self._get(ANY, path_of("v1", "services", service))

    def schema(self, service: str) -> Flow[Json]:
        """One service's JSON Schema."""
        return self._get(ANY, path_of("v1", "services", service, "schema"))

    def purposes(self) -> Flow[list[Json]]:
        """The registered purposes."""
        return self._list(ANY, path_of("v1", "purposes"), "purposes")

    def agreements(self) -> Flow[list[Json]]:
        """One's own agreements."""
        return self._list(ANY, path_of("v1", "agreements"), "agreements")

    def register(self, kind: str) -> Flow[list[Json]]:
        """A register's records."""
        return self._list("admin", path_of("v1", "admin", "registers", kind), "records")

    def sources(self) -> Flow[Json]:
        """How each source fares."""
        return self._get("admin", path_of("v1", "admin", "sources"))

    def record(self, kind: str, id: str) -> Flow[Json]:
        """One record of a register."""
        return self._get("admin", path_of("v1", "admin", "registers", kind, id))

    def audited(self, exchange_id: str) -> Flow[Json]:
        """One exchange with what its entries hold."""
        return self._get("audit", path_of("v1", "audit", "exchanges", exchange_id))

    def proof(self, exchange_id: str) -> Flow[Json]:
        """The proof document of an exchange."""
        return self._get(ANY, path_of("v1", "exchanges", exchange_id, "proof"))

    def entry(self, index: int) -> Flow[Json]:
        """One entry with its contents and its proof."""
        return self._get("audit", path_of("v1", "audit", "entries", str(index)))

    def entries(self, after: int | None, limit: int | None) -> Flow[Json]:
        """A page of the log's entries from the index `after` on: {"entries", "next"}."""
        query = {name: int(value) for name, value in (("after", after), ("limit", limit)) if value is not None}
        return self._get("audit", path_of("v1", "audit", "entries") + (f"?{urlencode(query)}" if query else ""))

    def explain(self, question: Mapping[str, Any]) -> Flow[Json]:
        """What would be decided on a question now, and by which rules."""
        return _read((yield from self._send(ANY, "POST", "/v1/exchanges/explain", question)))

    def facts(self, since: str, until: str | None, after: int | None) -> Flow[Json]:
        """A page of recorded decisions with their facts: {"recorded", "next"}."""
        body = {name: v for name, v in (("from", since), ("to", until), ("after", after)) if v is not None}
        return _read((yield from self._send("audit", "POST", "/v1/audit/facts", body)))

    def report(self, name: str, body: Mapping[str, Any], scope: str = ANY) -> Flow[Json]:
        """One of the reports that the gateway makes of its log and registers."""
        return _read((yield from self._send(scope, "POST", path_of("v1", "reports", name), body)))

    def pseudonym(self, person: Mapping[str, Any]) -> Flow[str]:
        """How the log knows a person."""
        return str(_read((yield from self._send("audit", "POST", "/v1/audit/subject", person))).get("subject"))

    def disclosures(self, body: Mapping[str, Any]) -> Flow[Json]:
        """A page of a source's own register of disclosures: {"disclosures", "next_cursor"}."""
        return _read((yield from self._send(ANY, "POST", "/v1/disclosures/search", body)))

    def notices(self) -> Flow[list[Json]]:
        """What waits for the operator."""
        return self._list(ANY, path_of("v1", "notices"), "notices")

    def acts_of(self, kind: str, id: str) -> Flow[list[Json]]:
        """The signed acts that made a record what it is."""
        return self._list("admin", path_of("v1", "admin", "registers", kind, id, "acts"), "acts")

    def give_consent(self, form: Mapping[str, Any]) -> Flow[Json]:
        """A citizen's consent, as its collector."""
        return _read((yield from self._send("consent", "POST", path_of("v1", "consents"), dict(form))))

    def consent(self, consent_id: str) -> Flow[Json]:
        """One consent."""
        return self._get("consent", path_of("v1", "consents", consent_id))

    def consents(self, citizen_id: str, reason: str) -> Flow[list[Json]]:
        """A citizen's consents; the ID travels in the body."""
        asked = {"citizen_id": citizen_id, "reason": reason}
        return self._list("consent", path_of("v1", "consents", "search"), "consents", asked)

    def change_consent(self, consent_id: str, change: ConsentChange, reason: str | None) -> Flow[Json]:
        """Withdraws, pauses or resumes a consent."""
        body = {} if reason is None else {"reason": reason}
        return _read((yield from self._send("consent", "POST", path_of("v1", "consents", consent_id, change), body)))

    def add_to_consent(self, consent_id: str, addition: ConsentAddition, form: Mapping[str, Any]) -> Flow[Json]:
        """What a citizen's side adds later, as its collector."""
        path = path_of("v1", "consents", consent_id, addition)
        return _read((yield from self._send("consent", "POST", path, dict(form))))

    def by_code(self, verb: str, code: str) -> Flow[Json]:
        """What a printed receipt's code is good for, without a token."""
        content = orjson.dumps({"code": code})
        path = path_of("v1", "consents", "by-code", verb)
        return _read((yield self._request("POST", path, content=content, headers={"content-type": "application/json"})))

    def _get(self, scope: str, path: str) -> Flow[Json]:
        return _read((yield from self._send(scope, "GET", path)))

    def _list(self, scope: str, path: str, name: str, body: Mapping[str, Any] | None = None) -> Flow[list[Json]]:
        response = yield from self._send(scope, "GET" if body is None else "POST", path, body)
        items = _read(response).get(name)
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise UnexpectedAnswer(response.status_code, "the answer is not in the gateway's form")
        return items

    def _send(
        self, scope: str, method: str, path: str, body: Mapping[str, Any] | None = None, *, stream: bool = False
    ) -> Flow[httpx.Response]:
        """Sends with a token, and once more with a new one where the gateway no longer takes the first.

        `stream`: a success's body is left to be read.
        """
        content = None if body is None else orjson.dumps(body)
        token = yield from self._token(scope)
        response = yield from self._proven(lambda: self._authorised(token, method, path, content, stream))
        if response.status_code == 401 and _code(response) == "invalid_token":
            fresh = yield from self._token(scope, stale=token)
            response = yield from self._proven(lambda: self._authorised(fresh, method, path, content, stream))
        if not response.is_success:
            raise problem_of(response)
        return response

    def _proven(self, make: Callable[[], httpx.Request]) -> Flow[httpx.Response]:
        """Sends the request; with DPoP once more where the gateway wants a newer nonce (RFC 9449 sections 8 and 9)."""
        response = yield make()
        if self._proof_key is not None:
            self._nonce = response.headers.get("dpop-nonce", self._nonce)
            if response.status_code in (400, 401) and _code(response) == "use_dpop_nonce":
                response = yield make()
                self._nonce = response.headers.get("dpop-nonce", self._nonce)
        return response

    def _proof(self, method: str, path: str, token: str | None) -> dict[str, str]:
        """The DPoP header of one request, where tokens are bound."""
        if self._proof_key is None:
            return {}
        url = self.issuer + path.partition("?")[0]
        return {"dpop": dpop_proof(self._proof_key, method, url, token, self._nonce)}

    def _check(self, response: httpx.Response) -> Flow[str]:
        """Checks the answer's seal, with keys fetched anew where it names one that is not known yet."""
        seal = read_seal(response.headers)
        if seal.key_id not in self._sealing and not self._pinned:
            self._sealing = sealing_keys(_read((yield self._request("GET", "/.well-known/jwks.json"))))
        key = self._sealing.get(seal.key_id)
        if key is None:
            raise UntrustedAnswer("the answer is sealed with a key that is not the gateway's")
        check_seal(seal, key, response, time.time())
        return seal.key_id

    # Requests -------------------------------------------------------------------------------------------------

    def _authorised(self, token: str, method: str, path: str, content: bytes | None, stream: bool) -> httpx.Request:
        scheme = "Bearer" if self._proof_key is None else "DPoP"
        headers = {"authorization": f"{scheme} {token}", **self._proof(method, path, token)}
        if content is not None:
            headers |= {"content-type": "application/json", "content-digest": content_digest(content)}
        request = self._request(method, path, content=content, headers=headers)
        request.extensions[STREAM] = stream
        return request

    def _request(
        self, method: str, path: str, *, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Request:
        # No compression: the seal's digest is of the bytes as they travel.
        fixed = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "linkage-client/1"}
        return httpx.Request(
            method,
            self.url + path,
            content=content,
            headers={**fixed, **(headers or {})},
            extensions={"timeout": self._timeout},
        )


def _read(response: httpx.Response) -> Json:
    """A success's JSON object, else the exception that says what came instead."""
    if not response.is_success:
        raise problem_of(response)
    try:
        body = orjson.loads(response.content)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise UnexpectedAnswer(response.status_code, "the answer is not a JSON object: is this the gateway's URL?")
    return body


def _code(response: httpx.Response) -> str:
    problem = problem_of(response)
    return problem.code if isinstance(problem, Problem) else ""
