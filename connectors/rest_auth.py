"""How a `rest` connector proves who it is: an API key, basic, a fixed bearer token, or OAuth 2 client credentials.

Secrets are resolved at each use. An OAuth access token (RFC 6749 section 4.4) is kept in memory until shortly
before it expires and asked for once, however many questions wait for it; a source that refuses it (401) makes
it be asked for anew, once a question.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from connectors.json_answer import BadAnswer, bounded, parse, unpacked
from gateway.plugin import AgencyMisbehaved, AgencyUnavailable

Header = tuple[str, str]
Secret = Callable[[str], str]

_TOKEN_SECONDS: Final = 10.0
"""How long the token endpoint may take, whoever waits."""
_EARLY: Final = 20.0
"""A token is renewed this many seconds before it expires, or at half its life if that is shorter."""
_DEFAULT_LIFE: Final = 300.0
_LONGEST_LIFE: Final = 86400.0


class Proof(Protocol):
    """What makes the header that proves who we are."""

    def header(self) -> Header | None:
        """The header, or None where one must be fetched first."""
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
    return ClientCredentials(auth, secret) if auth["scheme"] == "oauth2" else Fixed(auth, secret)


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
            return auth["header"], _fit(resolved(self._secret, auth["key"]))
        if auth["scheme"] == "bearer":
            return "Authorization", f"Bearer {_fit(resolved(self._secret, auth['token']))}"
        return "Authorization", _basic(
            resolved(self._secret, auth["username"]), resolved(self._secret, auth["password"])
        )

    async def renewed(self, session: aiohttp.ClientSession) -> Header:
        """The same: there is nothing to fetch."""
        return self.header()

    def refused(self, header: Header) -> bool:
        """No: the same secret makes the same header."""
        return False


class ClientCredentials:
    """An access token of the source's authorisation server, by the client credentials grant."""

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
                token, life = await self._asked(session)
            self._held = ("Authorization", f"Bearer {token}")
            self._until = asked + max(life - _EARLY, life / 2)
            return self._held
        except BadAnswer:
            failure = AgencyMisbehaved("token")
        except TimeoutError:
            failure = AgencyUnavailable("token")
        raise failure

    async def _asked(self, session: aiohttp.ClientSession) -> tuple[str, float]:
        auth = self._auth
        name, password = resolved(self._secret, auth["client_id"]), resolved(self._secret, auth["client_secret"])
        form = {"grant_type": "client_credentials"}
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if "scope" in auth:
            form["scope"] = auth["scope"]
        if auth.get("client_auth", "basic") == "basic":
            # RFC 6749 section 2.3.1: both form-encoded before they are joined.
            headers["Authorization"] = _basic(quote(name, safe=""), quote(password, safe=""))
        else:
            form.update(client_id=name, client_secret=password)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        async with session.post(
            self._url, data=urlencode(form).encode(), headers=headers, allow_redirects=False
        ) as response:
            if response.status != 200:
                raise _token_failure(response.status)
            raw = unpacked(await bounded(response), response.headers.get("Content-Encoding", ""))
            answer = parse(raw, response.headers.get("Content-Type", ""))
        return _token(answer)


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
