"""The connector kind `rest`: one HTTP question, one JSON answer. Its settings: `rest.schema.json`.

    1. build the request: the identifier goes only where the settings say, and into no log
    2. send it over a kept connection, to an allowed address, within the deadline
    3. read the status by the settings' rules, then by HTTP's
    4. read at most 1 MiB of JSON, strictly
    5. read the answer by the settings' rules: not found, unavailable, failed
    6. map the granted fields

Faults it tells (`SourceFault.fault`): late; dns, refused, address_not_allowed, certificate, disconnected,
secret_missing, secret_unusable, token, unavailable; redirect, status, credentials, source_error, not_http,
cut_off, too_large, content_type, charset, encoding, not_json, duplicate_key, no_echo, unmapped.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import orjson

from connectors.egress import guarded_connector, refused_address
from connectors.json_answer import BadAnswer, bounded, parse, unpacked
from connectors.mapping import MAPPING_SCHEMA, compile_mapping
from connectors.outcomes import Failure, compile_outcomes
from connectors.rest_auth import proof_of, resolved
from connectors.rest_request import RequestForm, compile_request
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

__all__ = ["MAPPING_SCHEMA", "SETTINGS_SCHEMA", "RestConnector", "check", "open_connector"]

SETTINGS_SCHEMA: Final[dict[str, Any]] = orjson.loads((Path(__file__).parent / "rest.schema.json").read_bytes())

_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
"""The deadline is kept by one timer around everything, not by aiohttp's own."""


def open_connector(settings: ConnectorSettings) -> RestConnector:
    """The kind's entry point. `settings.settings` and `.mapping` have passed their schemas."""
    return RestConnector(settings)


def check(endpoint: str, settings: Mapping[str, Any], mapping: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What the schema cannot say: yields (JSON Pointer, what is wrong in English, in Thai)."""
    plaintext = "plaintext" in settings.get("tls", {})
    yield from _address_faults("/endpoint", endpoint, plaintext=plaintext)
    if "token_endpoint" in settings.get("auth", {}):
        yield from _address_faults(
            "/settings/auth/token_endpoint", settings["auth"]["token_endpoint"], plaintext=plaintext
        )
    try:
        compile_request(endpoint, settings)
    except ValueError:
        yield (
            "/settings/identifier/at",
            "the identifier cannot be put at this place of the body",
            "ไม่สามารถใส่เลขประจำตัวไว้ในตำแหน่งนี้ของ body ได้",
        )


def _address_faults(place: str, url: str, *, plaintext: bool) -> Iterator[tuple[str, str, str]]:
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


_LOOPBACK: Final = re.compile(r"127(\.[0-9]{1,3}){3}", re.ASCII)


class RestConnector:
    """One service's way to its source over HTTP. Opens its connections on the first `fetch`, on that loop."""

    def __init__(self, opened: ConnectorSettings) -> None:
        settings = opened.settings
        self._request: RequestForm = compile_request(opened.endpoint, settings)
        self._mapper = compile_mapping(opened.mapping)
        self._outcomes = compile_outcomes(settings)
        self._proof = proof_of(settings.get("auth"), opened.secret)
        self._charset = settings.get("charset", "utf-8")
        self._also_json = frozenset(settings.get("content_types", ()))
        self._repeatable = settings.get("repeatable", True)
        self._opened = opened
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        return f"<RestConnector {self._opened.service}>"

    async def fetch(self, ask: Ask) -> Record:
        """The record of `ask.identifier`, its granted fields only. Raises what `gateway.plugin` names."""
        failure: Failure
        try:
            async with asyncio.timeout_at(ask.deadline):
                return await self._fetch(ask)
        except (CitizenNotFound, SourceFault) as known:
            failure = known
        except BadAnswer as bad:
            failure = AgencyMisbehaved(bad.fault)
        except TimeoutError:
            failure = AgencyTimeout("late")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _failure(error)
        # Raised out here, so that no HTTP client's exception (which holds the URL) hangs on it as context.
        raise failure.with_traceback(None)

    async def close(self) -> None:
        """Closes every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _fetch(self, ask: Ask) -> Record:
        session = self._session or self._open_session()
        proof = self._proof
        header = None if proof is None else proof.header() or await proof.renewed(session)
        response = await self._sent(session, ask, header)
        if response.status == 401 and proof is not None and header is not None and proof.refused(header):
            response.close()
            response = await self._sent(session, ask, await proof.renewed(session))
        async with response:
            return await self._read(response, ask)

    async def _sent(
        self, session: aiohttp.ClientSession, ask: Ask, header: tuple[str, str] | None
    ) -> aiohttp.ClientResponse:
        method = self._request.method
        url, body, headers = self._request.build(ask.identifier)
        if header is not None:
            headers[header[0]] = header[1]
        try:
            return await session.request(method, url, data=body, headers=headers, allow_redirects=False)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            # The source closed a kept connection as we wrote to it, and answered nothing.
            if not self._repeatable or isinstance(error, aiohttp.ClientConnectorError):
                raise
        return await session.request(method, url, data=body, headers=headers, allow_redirects=False)

    async def _read(self, response: aiohttp.ClientResponse, ask: Ask) -> Record:
        status, headers = response.status, response.headers
        retry_after = headers.get("Retry-After", "")
        failure = self._outcomes.of_status(status, retry_after)
        if failure is not None:
            raise failure
        try:
            raw = unpacked(await bounded(response), headers.get("Content-Encoding", ""))
            answer = parse(raw, headers.get("Content-Type", ""), charset=self._charset, also=self._also_json)
        except BadAnswer:
            if status in self._outcomes.ok:
                raise
            answer = None
        failure = self._outcomes.of_body(status, answer, retry_after)
        if failure is not None:
            raise failure
        return self._mapper.record(answer, ask.fields)

    def _open_session(self) -> aiohttp.ClientSession:
        settings = self._opened.settings
        reference = settings.get("tls", {}).get("ca")
        authorities = None if reference is None else resolved(self._opened.secret, reference)
        connector = guarded_connector(
            self._opened.address_allowed,
            connections=settings.get("connections", 128),
            keep_alive=settings.get("keep_alive_seconds", 10.0),
            authorities=authorities,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=_NO_TIMEOUT,
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("User-Agent",),
        )
        return self._session


def _failure(error: Exception) -> Failure:
    """What went wrong below HTTP, in our words."""
    if refused_address(error):
        return AgencyUnavailable("address_not_allowed")
    for kind, failure, fault in _BELOW_HTTP:
        if isinstance(error, kind):
            return failure(fault)
    return AgencyMisbehaved("not_http")


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
