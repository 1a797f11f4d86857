"""How a `rest` connector proves who it is: an API key, basic, a fixed bearer token, or a token fetched first.

Secrets are resolved at each use. A fetched token (OAuth 2 client credentials, RFC 6749 section 4.4; or the token
of the DGA's GDX) is kept in memory until shortly before it expires and asked for once, however many questions
wait for it; a source that refuses it (401) makes it be asked for anew, once a question.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from connectors.client_assertion import ASSERTION_TYPE, client_assertion
from connectors.json_answer import BadAnswer, bounded, parse, unpacked
from gateway.plugin import AgencyMisbehaved, AgencyUnavailable

Header = tuple[tuple[str, str], ...]
"""The headers that prove it, each name and value."""
Secret = Callable[[str], str]

_TOKEN_SECONDS: Final = 10.0
"""How long the token endpoint may take, whoever waits."""
_EARLY: Final = 20.0
"""A token is renewed this many seconds before it expires, or at half its life if that is shorter."""
_DEFAULT_LIFE: Final = 300.0
_LONGEST_LIFE: Final = 86400.0
_GDX_LIFE: Final = 3000.0


class Proof(Protocol):
    """What makes the headers that prove who we are."""

    def header(self) -> Header | None:
        """The headers, or None where a token must be fetched first."""
        ...

    async def renewed(self, session: aiohttp.ClientSession) -> Header:
        """A header fetched anew."""
        ...

    def refused(self, header: Header) -> bool:
        """The source refused `header` (401): whether asking with a new one may help."""
        ...


def proof_of(auth: Mapping[str, Any] | None, secret: Secret) -> Proof | None:
    """The proof that the settings' `auth` describes."""
    if auth is None:
        return None
    fetched = {"oauth2": ClientCredentials, "gdx": GdxToken}.get(auth["scheme"])
    return Fixed(auth, secret) if fetched is None else fetched(auth, secret)


def resolved(secret: Secret, reference: Mapping[str, str]) -> str:
    """The value behind `{env: NAME}` or `{file: PATH}`, asked for as `env:NAME` or `file:PATH`."""
    ((where, name),) = reference.items()
    try:
        return secret(f"{where}:{name}")
    except (LookupError, OSError, ValueError):
        pass
    raise AgencyUnavailable("secret_missing")


class Fixed:
    """A header that follows from the secrets alone."""

    def __init__(self, auth: Mapping[str, Any], secret: Secret) -> None:
        self._auth, self._secret = auth, secret

    def header(self) -> Header:
        """The header, its secret read now."""
        auth = self._auth
        if auth["scheme"] == "api_key":
            return ((auth["header"], _fit(resolved(self._secret, auth["key"]))),)
        if auth["scheme"] == "bearer":
            return (("Authorization", f"Bearer {_fit(resolved(self._secret, auth['token']))}"),)
        name, password = resolved(self._secret, auth["username"]), resolved(self._secret, auth["password"])
        return (("Authorization", _basic(name, password)),)

    async def renewed(self, session: aiohttp.ClientSession) -> Header:
        """The same: there is nothing to fetch."""
        return self.header()

    def refused(self, header: Header) -> bool:
        """No: the same secret makes the same header."""
        return False


class FetchedToken:
    """A token that is fetched from `auth.token_endpoint`, kept, and fetched anew in time."""

    def __init__(self, auth: Mapping[str, Any], secret: Secret) -> None:
        self._auth, self._secret = auth, secret
        self._url = URL(auth["token_endpoint"], encoded=True)
        self._held: Header | None = None
        self._until = 0.0
        self._renewal: asyncio.Task[Header] | None = None

    def header(self) -> Header | None:
        """The header with the token held, None if there is none that is still good."""
        return self._held if asyncio.get_running_loop().time() < self._until else None

    async def renewed(self, session: aiohttp.ClientSession) -> Header:
        """The header with a new token. All who wait share one request, which outlives any one of them."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._fetched(session))
            self._renewal.add_done_callback(_looked_at)
        return await asyncio.shield(self._renewal)

    def refused(self, header: Header) -> bool:
        """Forgets the token, unless another question has renewed it since."""
        if self._held == header:
            self._held, self._until = None, 0.0
        return True

    async def _fetched(self, session: aiohttp.ClientSession) -> Header:
        loop = asyncio.get_running_loop()
        asked = loop.time()
        failure: Exception
        try:
            async with asyncio.timeout(_TOKEN_SECONDS):
                held, life = await self._asked(session)
            self._held = held
            self._until = asked + max(life - _EARLY, life / 2)
            return self._held
        except BadAnswer:
            failure = AgencyMisbehaved("token")
        except TimeoutError:
            failure = AgencyUnavailable("token")
        raise failure

    async def _asked(self, session: aiohttp.ClientSession) -> tuple[Header, float]:
        """The headers with a new token, and its life in seconds. Raises BadAnswer, SourceFault."""
        raise NotImplementedError

    async def _answer(
        self, session: aiohttp.ClientSession, method: str, url: URL, headers: Mapping[str, str], body: bytes | None
    ) -> Any:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", **headers}
        async with session.request(method, url, data=body, headers=headers, allow_redirects=False) as response:
            if response.status != 200:
                raise _token_failure(response.status)
            raw = unpacked(await bounded(response), response.headers.get("Content-Encoding", ""))
            return parse(raw, response.headers.get("Content-Type", ""))


class ClientCredentials(FetchedToken):
    """An access token of the source's authorisation server, by the client credentials grant."""

    async def _asked(self, session: aiohttp.ClientSession) -> tuple[Header, float]:
        auth = self._auth
        name, way = resolved(self._secret, auth["client_id"]), auth.get("client_auth", "basic")
        form = {"grant_type": "client_credentials"}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if "scope" in auth:
            form["scope"] = auth["scope"]
        if way == "private_key_jwt":
            signed = client_assertion(
                resolved(self._secret, auth["private_key"]),
                name,
                auth.get("audience", auth["token_endpoint"]),
                algorithm=auth["algorithm"],
                kid=auth.get("kid"),
            )
            form.update(client_id=name, client_assertion_type=ASSERTION_TYPE, client_assertion=signed)
        elif way == "basic":
            # RFC 6749 section 2.3.1: both form-encoded before they are joined.
            password = resolved(self._secret, auth["client_secret"])
            headers["Authorization"] = _basic(quote(name, safe=""), quote(password, safe=""))
        else:
            form.update(client_id=name, client_secret=resolved(self._secret, auth["client_secret"]))
        token, life = _token(await self._answer(session, "POST", self._url, headers, urlencode(form).encode()))
        return (("Authorization", f"Bearer {token}"),), life


class GdxToken(FetchedToken):
    """The token of the DGA's government data exchange: good until an hour has passed without use.

    Its service wants the consumer's secret in the query string; our log has no URLs, its own may.
    """

    async def _asked(self, session: aiohttp.ClientSession) -> tuple[Header, float]:
        auth = self._auth
        key = _fit(resolved(self._secret, auth["consumer_key"]))
        query = {
            "ConsumerSecret": resolved(self._secret, auth["consumer_secret"]),
            "AgentID": resolved(self._secret, auth["agent"]),
        }
        url = URL(f"{self._url}?{urlencode(query)}", encoded=True)
        answer = await self._answer(session, "GET", url, {"Consumer-Key": key}, None)
        token = answer.get("Result") if isinstance(answer, dict) else None
        if not isinstance(token, str) or not 0 < len(token) <= 8192 or not (token.isascii() and token.isprintable()):
            raise BadAnswer("token")
        return (("Consumer-Key", key), ("Token", token)), _GDX_LIFE


def _token(answer: Any) -> tuple[str, float]:
    """Token and life in seconds of a token endpoint's answer (RFC 6749 section 5.1)."""
    if not isinstance(answer, dict):
        raise BadAnswer("token")
    token, kind, life = answer.get("access_token"), answer.get("token_type"), answer.get("expires_in", _DEFAULT_LIFE)
    if isinstance(life, str) and life.isascii() and life.isdigit():
        life = float(life[:10])
    usable = isinstance(token, str) and 0 < len(token) <= 8192 and token.isascii() and token.isprintable()
    if not usable or not isinstance(kind, str) or kind.lower() != "bearer":
        raise BadAnswer("token")
    if isinstance(life, bool) or not isinstance(life, (int, float)) or not life > 0:
        raise BadAnswer("token")
    return str(token), min(float(life), _LONGEST_LIFE)


def _token_failure(status: int) -> AgencyMisbehaved | AgencyUnavailable:
    return AgencyUnavailable("token") if status in (429, 503) else AgencyMisbehaved("token")


def _basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def _fit(value: str) -> str:
    """`value` if a header can hold it."""
    if value.isascii() and value.isprintable():
        return value
    raise AgencyUnavailable("secret_unusable")


def _looked_at(task: asyncio.Task[Header]) -> None:
    """Takes notice of a failed renewal for which nobody waits any more."""
    if not task.cancelled():
        task.exception()
