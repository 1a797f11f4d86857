"""The connector kind `soap`: one SOAP question (1.1 or 1.2, document/literal). Its settings: `soap.schema.json`.

    1. build the envelope, with a WS-Security UsernameToken where the settings say
    2. send it over a kept connection, to an allowed address, within the deadline
    3. read at most 1 MiB of XML: no document type, no entities, no attachments
    4. a fault, or the answer, by the settings' rules: not found, unavailable, outside hours, failed
    5. map the granted fields from the response element

The WSDL is a file of the agency's folder, held against the settings by `linkage connector check`; it is never
fetched, and the address in it is not used.

Faults it tells beside those of `connectors.rest`: fault, not_soap, response, not_xml, doctype, attachment, mixed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
from yarl import URL

from connectors.http_source import HttpSource, address_faults, in_contract, introduced
from connectors.json_answer import BadAnswer, bounded, unpacked
from connectors.mapping import MAPPING_SCHEMA, compile_mapping
from connectors.outcomes import compile_outcomes, of_http
from connectors.soap_envelope import FAULT, TYPES, compile_envelope, opened
from connectors.wsdl import wsdl_faults
from connectors.xml_answer import parse_xml
from gateway.plugin import (
    AgencyMisbehaved,
    Ask,
    ConnectorSettings,
    Record,
)

__all__ = ["MAPPING_SCHEMA", "SETTINGS_SCHEMA", "SoapConnector", "check", "check_folder", "open_connector"]

SETTINGS_SCHEMA: Final[dict[str, Any]] = orjson.loads((Path(__file__).parent / "soap.schema.json").read_bytes())

_NOT_LET_IN: Final = frozenset(
    {
        "FailedAuthentication",
        "FailedCheck",
        "InvalidSecurity",
        "InvalidSecurityToken",
        "SecurityTokenUnavailable",
        "UnsupportedSecurityToken",
        "MessageExpired",
    }
)
"""WS-Security's own fault codes: our credentials are what the source refuses."""


def open_connector(settings: ConnectorSettings) -> SoapConnector:
    """The kind's entry point. `settings.settings` and `.mapping` have passed their schemas."""
    return SoapConnector(settings)


def check(endpoint: str, settings: Mapping[str, Any], mapping: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What the schema cannot say: yields (JSON Pointer, what is wrong in English, in Thai)."""
    yield from address_faults("/endpoint", endpoint, plaintext="plaintext" in settings.get("tls", {}))
    if sum("value" not in parameter for parameter in settings["request"]["parameters"]) != 1:
        yield (
            "/settings/request/parameters",
            "exactly one parameter is without `value`: the identifier goes there",
            "ต้องมีพารามิเตอร์ที่ไม่มี `value` เพียงหนึ่งรายการ สำหรับใส่เลขประจำตัว",
        )
        return
    try:
        compile_envelope(settings, str)
    except ValueError:
        yield (
            "/settings/request/parameters",
            "two parameters want the same place, or one lies inside another's value",
            "พารามิเตอร์ซ้ำตำแหน่งกัน หรืออยู่ภายในค่าของพารามิเตอร์อื่น",
        )


def check_folder(folder: Path, settings: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """What the settings and the agency's WSDL do not agree on: yields (JSON Pointer, English, Thai)."""
    try:
        wsdl = folder / settings["wsdl"]
        if not wsdl.is_file():  # nor a pipe or a device, which may never end
            raise FileNotFoundError(str(wsdl))
        document = wsdl.read_bytes()
    except OSError:
        yield (
            "/settings/wsdl",
            "there is no such file in the agency's folder",
            "ไม่พบไฟล์นี้ในโฟลเดอร์ของหน่วยงาน",
        )
        return
    yield from wsdl_faults(document, settings)


class SoapConnector:
    """One service's way to its source over SOAP. Opens its connections on the first `fetch`, on that loop."""

    def __init__(self, opened: ConnectorSettings) -> None:
        settings = opened.settings
        self._version: str = settings["version"]
        self._envelope = compile_envelope(settings, opened.secret)
        self._response: Mapping[str, str] = settings["response"]
        self._url = URL(opened.endpoint.rstrip("/") + settings.get("path", ""), encoded=True)
        self._mapper = compile_mapping(opened.mapping)
        self._outcomes = compile_outcomes(settings)
        self._charset = settings.get("charset", "utf-8")
        self._service = opened.service
        self._source = HttpSource(opened)

    def __repr__(self) -> str:
        return f"<SoapConnector {self._service}>"

    async def fetch(self, ask: Ask) -> Record:
        """The record of `ask.identifier`, its granted fields only. Raises what `gateway.plugin` names."""
        return await in_contract(ask, self._fetch)

    async def close(self) -> None:
        """Closes every connection."""
        await self._source.close()

    async def _fetch(self, ask: Ask) -> Record:
        headers = dict(self._envelope.headers)
        introduced(headers, ask)
        response = await self._source.send("POST", self._url, self._envelope.build(ask.identifier), headers)
        async with response:
            return self._mapper.record(await self._answer(response), ask.fields, ask.given)

    async def _answer(self, response: aiohttp.ClientResponse) -> Any:
        """The response element's values; raises what the answer means where it is none."""
        status, headers = response.status, response.headers
        retry_after = headers.get("Retry-After", "")
        if status not in (200, 400, 500):  # SOAP 1.1 section 6.2, SOAP 1.2 part 2 section 7.4.2
            raise of_http(status, retry_after)
        try:
            raw = unpacked(await bounded(response), headers.get("Content-Encoding", ""))
            kinds = frozenset({TYPES[self._version]})
            root = parse_xml(raw, headers.get("Content-Type", ""), charset=self._charset, only=kinds)
            answer = opened(root, self._version, self._response)
        except BadAnswer:
            if status == 200:
                raise
            raise of_http(status, retry_after) from None
        failure = self._outcomes.of_body(200, answer, retry_after)
        if failure is not None:
            raise failure
        if FAULT in answer:
            fault = answer[FAULT]
            raise AgencyMisbehaved("credentials" if {fault["code"], fault["subcode"]} & _NOT_LET_IN else "fault")
        if status != 200:
            raise of_http(status, retry_after)
        return answer
