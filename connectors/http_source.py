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
from connectors.rest_auth import resolved
from gateway.plugin import (
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


class HttpSource:
    """The way to one source. Opens its connections at the first use, on that loop.

    Settings it reads: `tls.ca`, `connections`, `keep_alive_seconds`, `repeatable`.
    """

    def __init__(self, opened: ConnectorSettings) -> None:
        self._opened = opened
        self._repeatable = opened.settings.get("repeatable", True)
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session, opened if it is not. Raises AgencyUnavailable (`secret_missing`), ssl.SSLError."""
        if self._session is None:
            self._session = self._open()
        return self._session

    async def send(
        self, method: str, url: URL, body: bytes | None, headers: Mapping[str, str]
    ) -> aiohttp.ClientResponse:
        """The response's head; its body is still to be read. Redirects are not followed.

        A question lost on a kept connection that the source closed as we wrote to it is sent once more, if
        the settings let it be.
        """
        session = self.session
        try:
            return await session.request(method, url, data=body, headers=headers, allow_redirects=False)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not self._repeatable or isinstance(error, aiohttp.ClientConnectorError):
                raise
        if session is not self._session:  # closed meanwhile: it is we who hung up
            raise AgencyUnavailable("disconnected")
        return await session.request(method, url, data=body, headers=headers, allow_redirects=False)

    async def close(self) -> None:
        """Closes every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        settings = self._opened.settings
        reference = settings.get("tls", {}).get("ca")
        authorities = None if reference is None else resolved(self._opened.secret, reference)
        connector = guarded_connector(
            self._opened.address_allowed,
            connections=settings.get("connections", 128),
            keep_alive=settings.get("keep_alive_seconds", 10.0),
            authorities=authorities,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_NO_TIMEOUT,
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent",),
        )


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
