"""Health cover, fetched by code: what a mapping of agency.yaml cannot say is said here in Python."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from yarl import URL

from connectors.http_source import HttpSource, in_contract, introduced
from connectors.json_answer import bounded, parse, unpacked
from connectors.mapping import compile_mapping
from connectors.outcomes import of_http
from gateway.plugin import AgencyMisbehaved, Ask, CitizenNotFound, ConnectorSettings, Record

SETTINGS_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["key"],
    "properties": {"key": {"type": "object"}, "tls": {"type": "object"}},
}
FIELDS = {
    "main_scheme": {"type": "coded", "code": "/MAININSCL", "label": "/MAININSCL_NAME", "required": True},
    "sub_scheme": {"type": "coded", "code": "/SUBINSCL", "label": "/SUBINSCL_NAME"},
    "primary_hospital": {"type": "coded", "code": "/HSUB", "label": "/HSUB_NAME", "length": 5},
    "main_hospital": {"type": "coded", "code": "/HMAIN", "label": "/HMAIN_NAME", "length": 5},
    "outpatient_hospital": {"type": "digits", "path": "/HMAIN_OP", "length": 5, "pad": True},
    "start_date": {"type": "date", "path": "/STARTDATE", "calendar": "buddhist", "form": "yyyymmdd"},
    "expiry_date": {"type": "date", "path": "/EXPDATE", "calendar": "buddhist", "form": "yyyymmdd"},
    "card_id": {"type": "text", "path": "/CARDID"},
    "purchase_province": {"type": "digits", "path": "/PURCHASEPROVINCE", "length": 4, "pad": True},
}


class CoverConnector:
    """One source, over kept connections to allowed addresses."""

    def __init__(self, opened: ConnectorSettings) -> None:
        ((where, name),) = opened.settings["key"].items()
        self._key = lambda: opened.secret(f"{where}:{name}")
        self._url = opened.endpoint.rstrip("/")
        self._source = HttpSource(opened)
        self._mapper = compile_mapping({"missing": ["-", "NoExp"], "fields": FIELDS, "echo": "/PERSON_ID"})

    async def fetch(self, ask: Ask) -> Record:
        return await in_contract(ask, self._fetch)

    async def close(self) -> None:
        await self._source.close()

    async def _fetch(self, ask: Ask) -> Record:
        headers = {"X-Client-Key": self._key(), "Accept": "application/json", "Accept-Encoding": "identity"}
        introduced(headers, ask)
        url = URL(f"{self._url}/coverage?PERSON_ID={quote(ask.identifier)}", encoded=True)
        async with await self._source.send("GET", url, None, headers) as response:
            if response.status != 200:
                raise of_http(response.status, response.headers.get("Retry-After", ""))
            raw = unpacked(await bounded(response), response.headers.get("Content-Encoding", ""))
            answer: Any = parse(raw, response.headers.get("Content-Type", ""))
        status = answer.get("WS_STATUS") if isinstance(answer, dict) else None
        if status == "NHSO-000002":
            raise CitizenNotFound
        if status != "NHSO-000001":
            raise AgencyMisbehaved("source_error")
        return self._mapper.record(answer, ask.fields)


def open_connector(settings: ConnectorSettings) -> CoverConnector:
    """The entry point."""
    return CoverConnector(settings)
