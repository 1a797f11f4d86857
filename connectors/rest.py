"""The connector kind `rest`: one HTTP question, one JSON or XML answer. Its settings: `rest.schema.json`.

    1. build the request: the identifier goes only where the settings say, and into no log
    2. send it over a kept connection, to an allowed address, within the deadline
    3. read the status by the settings' rules, then by HTTP's
    4. read at most 1 MiB of JSON or XML, strictly; where the source pages, all of its pages
    5. read the answer by the settings' rules: not found, unavailable, failed
    6. map the granted fields

Faults it tells (`SourceFault.fault`): late; dns, refused, address_not_allowed, certificate, disconnected,
secret_missing, secret_unusable, token, unavailable; redirect, status, credentials, source_error, not_http,
cut_off, too_large, content_type, charset, encoding, not_json, duplicate_key, not_xml, doctype, attachment, mixed,
pages, mixed_rows, no_echo, unmapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from connectors.http_source import HttpSource, address_faults, in_contract, introduced
from connectors.json_answer import BadAnswer, bounded, parse, unpacked
from connectors.mapping import MAPPING_SCHEMA, compile_mapping
from connectors.outcomes import compile_outcomes
from connectors.rest_auth import Header, proof_of
from connectors.rest_pages import compile_pages
from connectors.rest_request import RequestForm, compile_request
from gateway.plugin import (
    Ask,
    ConnectorSettings,
    Record,
)

__all__ = ["MAPPING_SCHEMA", "SETTINGS_SCHEMA", "RestConnector", "check", "open_connector"]

SETTINGS_SCHEMA: Final[dict[str, Any]] = orjson.loads((Path(__file__).parent / "rest.schema.json").read_bytes())


def open_connector(settings: ConnectorSettings) -> RestConnector:
    """The kind's entry point. `settings.settings` and `.mapping` have passed their schemas."""
    return RestConnector(settings)


def check(endpoint: str, settings: Mapping[str, Any], mapping: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What the schema cannot say: yields (JSON Pointer, what is wrong in English, in Thai)."""
    plaintext = "plaintext" in settings.get("tls", {})
    yield from address_faults("/endpoint", endpoint, plaintext=plaintext)
    if "token_endpoint" in settings.get("auth", {}):
        yield from address_faults(
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


class RestConnector:
    """One service's way to its source over HTTP. Opens its connections on the first `fetch`, on that loop."""

    def __init__(self, opened: ConnectorSettings) -> None:
        settings = opened.settings
        self._request: RequestForm = compile_request(opened.endpoint, settings)
        self._mapper = compile_mapping(opened.mapping)
        self._outcomes = compile_outcomes(settings)
        self._proof = proof_of(settings.get("auth"), opened.secret)
        self._charset = settings.get("charset", "utf-8")
        self._also = frozenset(settings.get("content_types", ()))
        self._parse = _xml() if settings.get("format") == "xml" else parse
        self._pages = compile_pages(settings.get("pages"))
        self._service = opened.service
        self._source = HttpSource(opened)

    def __repr__(self) -> str:
        return f"<RestConnector {self._service}>"

    async def fetch(self, ask: Ask) -> Record:
        """The record of `ask.identifier`, its granted fields only. Raises what `gateway.plugin` names."""
        return await in_contract(ask, self._fetch)

    async def close(self) -> None:
        """Closes every connection."""
        await self._source.close()

    async def _fetch(self, ask: Ask) -> Record:
        pages = self._pages
        answer = await self._asked(ask, None if pages is None else pages.first)
        if pages is not None:
            for number in pages.further(answer):
                pages.add(answer, await self._asked(ask, number))
            pages.whole(answer)
        return self._mapper.record(answer, ask.fields, ask.given)

    async def _asked(self, ask: Ask, page: int | None) -> Any:
        """The answer's values, or what it means where it is none."""
        proof = self._proof
        header: Header = ()
        if proof is not None:
            header = proof.header() or await proof.renewed(self._source.session)
        response = await self._sent(ask, page, header)
        if response.status == 401 and proof is not None and proof.refused(header):
            response.close()
            response = await self._sent(ask, page, await proof.renewed(self._source.session))
        async with response:
            return await self._read(response)

    async def _sent(self, ask: Ask, page: int | None, header: Header) -> aiohttp.ClientResponse:
        url, body, headers = self._request.build(ask.identifier)
        headers.update(header)
        introduced(headers, ask)
        if self._pages is not None and page is not None:
            url = self._pages.url(url, page)
        return await self._source.send(self._request.method, url, body, headers)

    async def _read(self, response: aiohttp.ClientResponse) -> Any:
        status, headers = response.status, response.headers
        retry_after = headers.get("Retry-After", "")
        failure = self._outcomes.of_status(status, retry_after)
        if failure is not None:
            raise failure
        try:
            raw = unpacked(await bounded(response), headers.get("Content-Encoding", ""))
            answer = self._parsed(raw, headers.get("Content-Type", ""))
        except BadAnswer:
            if status in self._outcomes.ok:
                raise
            answer = None
        failure = self._outcomes.of_body(status, answer, retry_after)
        if failure is not None:
            raise failure
        return answer

    def _parsed(self, raw: bytes, content_type: str) -> Any:
        return self._parse(raw, content_type, charset=self._charset, also=self._also)


def _xml() -> Callable[..., Any]:
    """What reads XML as `parse` reads JSON. lxml, 4 MB, is loaded where a source answers in it."""
    from connectors.xml_answer import parse_xml, values_of

    return lambda raw, content_type, **more: values_of(parse_xml(raw, content_type, **more))
