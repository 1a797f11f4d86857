"""What every kind that asks over HTTP shares: kept connections to allowed addresses, and what their failures mean."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from connectors.egress import guarded_connector, refused_address
from connectors.json_answer import BadAnswer
from connectors.outcomes import Failure
from connectors.source_tls import tls_context
from gateway.plugin import (
    INTRODUCTION,
    AgencyMisbehaved,
    AgencyTimeout,
    AgencyUnavailable,
    Ask,
    CitizenNotFound,
    ConnectorSettings,
    Record,
    SourceFault,
)

_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
"""The deadline is kept by one timer around everything, not by aiohttp's own."""
RENEWED_SECONDS: Final = 30.0
"""How old a connection becomes. A source that has moved is followed even where it is asked all the time, and a
certificate of ours that was replaced is shown."""
_LINGER_SECONDS: Final = 70.0
"""Longer than any service's deadline."""
_PAUSE_SECONDS: Final = 0.1
_LOOPBACK: Final = re.compile(r"127(\.[0-9]{1,3}){3}", re.ASCII)


async def in_contract(ask: Ask, fetch: Callable[[Ask], Awaitable[Record]]) -> Record:
    """What `fetch` makes of the question, under its deadline; raises only what `gateway.plugin` names."""
    failure: Failure
    try:
        async with asyncio.timeout_at(ask.deadline):
            return await fetch(ask)
    except (CitizenNotFound, SourceFault) as known:
        failure = known
    except BadAnswer as bad:
        failure = AgencyMisbehaved(bad.fault)
    except TimeoutError:
        failure = AgencyTimeout("late")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        failure = http_failure(error)
    # Raised out here, so that no HTTP client's exception (which holds the URL) hangs on it as context.
    raise failure.with_traceback(None)


def introduced(headers: dict[str, str], ask: Ask) -> None:
    """Puts the gateway's introduction among the headers of a question."""
    introduction = ask.introduce()
    if introduction:
        headers[INTRODUCTION] = introduction


class HttpSource:
    """The way to one source. Opens its connections at the first use, on that loop, and all of them anew now and then.

    Settings it reads: `tls`, `connections`, `keep_alive_seconds`, `repeatable`.
    """

    def __init__(self, opened: ConnectorSettings) -> None:
        self._opened = opened
        self._repeatable = opened.settings.get("repeatable", True)
        self._session: aiohttp.ClientSession | None = None
        self._until = 0.0
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session, opened if it is not.

        Raises AgencyUnavailable: `secret_missing`, `secret_unusable`; `disconnected` where it was closed.
        """
        if self._closed:  # meanwhile: it is we who hung up
            raise AgencyUnavailable("disconnected")
        loop = asyncio.get_running_loop()
        if self._session is None or loop.time() >= self._until:
            session, self._session = self._session, self._open()
            self._until = loop.time() + RENEWED_SECONDS
            if session is not None:
                self._end(session)
        return self._session

    async def send(
        self, method: str, url: URL, body: bytes | None, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """The response's head; its body is still to be read. Redirects are not followed.

        Asked once more, within the same deadline: where no connection came about, as nothing was sent (the name is
        then looked up anew); and where the settings let it be, what was lost on a kept connection that the source
        closed as we wrote to it.
        """
        session = self.session
        try:
            return await session.request(method, url, data=body, headers=headers, allow_redirects=False)
        except aiohttp.ClientConnectorError as error:
            if isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientConnectorSSLError) or refused_address(error):
                raise
            if isinstance(session.connector, aiohttp.TCPConnector):
                session.connector.clear_dns_cache()
            await asyncio.sleep(_PAUSE_SECONDS)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            if not self._repeatable:
                raise
        return await self.session.request(method, url, data=body, headers=headers, allow_redirects=False)

    async def close(self) -> None:
        """Closes every connection."""
        self._closed = True
        session, self._session = self._session, None
        for task in self._ending:
            task.cancel()
        await asyncio.gather(*self._ending, return_exceptions=True)
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        settings = self._opened.settings
        connector = guarded_connector(
            self._opened.address_allowed,
            connections=settings.get("connections", 128),
            keep_alive=settings.get("keep_alive_seconds", 10.0),
            tls=tls_context(settings.get("tls", {}), self._opened.secret),
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_NO_TIMEOUT,
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": "linkage-gateway"},
        )

    def _end(self, session: aiohttp.ClientSession) -> None:
        """Closes `session` once nothing can be under way on it any more."""

        async def ended() -> None:
            try:
                await asyncio.sleep(_LINGER_SECONDS)
            finally:
                await session.close()

        task = asyncio.create_task(ended())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


def http_failure(error: Exception) -> Failure:
    """What went wrong below HTTP, in our words."""
    if refused_address(error):
        return AgencyUnavailable("address_not_allowed")
    for kind, failure, fault in _BELOW_HTTP:
        if isinstance(error, kind):
            return failure(fault)
    return AgencyMisbehaved("not_http")


def address_faults(place: str, url: str, *, plaintext: bool) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a source's URL: (place, English, Thai). `plaintext`: the settings give a reason for it."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or "@" in parts.netloc:
        yield (
            place,
            "it must be http(s)://host[:port][/path], without user, query or fragment",
            "ต้องเป็น http(s)://host[:port][/path] โดยไม่มีชื่อผู้ใช้ query หรือ fragment",
        )
    elif parts.scheme == "http" and not plaintext and not (host in ("localhost", "::1") or _LOOPBACK.fullmatch(host)):
        yield (
            place,
            "plain HTTP beyond loopback: use https, or give the reason in settings.tls.plaintext",
            "ใช้ HTTP ที่ไม่เข้ารหัสนอกเครื่องเดียวกัน ให้ใช้ https หรือระบุเหตุผลใน settings.tls.plaintext",
        )


_BELOW_HTTP: Final[tuple[tuple[type[Exception], type[SourceFault], str], ...]] = (
    (aiohttp.ClientSSLError, AgencyMisbehaved, "certificate"),
    (ssl.SSLError, AgencyMisbehaved, "certificate"),
    (aiohttp.ClientConnectorDNSError, AgencyUnavailable, "dns"),
    (aiohttp.ClientConnectorError, AgencyUnavailable, "refused"),
    (aiohttp.ClientPayloadError, AgencyMisbehaved, "cut_off"),
    (aiohttp.ServerDisconnectedError, AgencyUnavailable, "disconnected"),
    (OSError, AgencyUnavailable, "disconnected"),
)
"""The first that fits says what a client's exception means; the narrower stand before the wider."""
