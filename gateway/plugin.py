"""All that a connector sees of the gateway: one question in, one record out, and what it may raise.

A connector is a class with `fetch` and `close`, opened by a *kind* (an entry point in the group
`linkage.connectors`: a callable `(ConnectorSettings) -> Connector`). It is given the identifier and the
granted fields; it answers with the record in the service's own field names, or raises one of

    CitizenNotFound       the source says, in good order, that it holds no such record
    AgencyUnavailable     the source cannot be reached, or says it is not serving
    OutsideServiceHours   the source does not serve at this hour
    AgencyTimeout         the source did not answer before `Ask.deadline`
    AgencyMisbehaved      anything else that the source did wrong; `fault` is a short code of ours

Whatever else escapes from `fetch` is treated as the source's fault (502) and its text is dropped: a
connector's words never reach a client or a log line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from gateway.errors import (
    AgencyMisbehaved,
    AgencyTimeout,
    AgencyUnavailable,
    CitizenNotFound,
    OutsideServiceHours,
    SourceFault,
)

INTRODUCTION: Final = "Linkage-Exchange"
"""The HTTP header in which a source is told which exchange a question belongs to, so that it can keep its own count."""

__all__ = [
    "INTRODUCTION",
    "AgencyMisbehaved",
    "AgencyTimeout",
    "AgencyUnavailable",
    "Ask",
    "CitizenNotFound",
    "Connector",
    "ConnectorSettings",
    "OutsideServiceHours",
    "Record",
    "SourceFault",
]


@dataclass(frozen=True, slots=True)
class Ask:
    """What the gateway asks a connector for. The identifier never shows in its repr.

    `deadline` is on `asyncio.get_running_loop().time()`'s clock, in seconds. `fields` are the granted
    ones: a connector may fetch more if its source knows no better; the gateway drops what is not granted.
    `given`: name -> the asker's value to compare with, for the granted fields that answer yes or no. It is compared,
    or handed to a source that compares; never kept, logged or answered.

    `introduce()` is what the connector passes to the source with its question, under the name of INTRODUCTION: a
    JWS by the gateway (key at its /.well-known/jwks.json) that says which exchange this is, when, of which service,
    for whom and for what; never about whom. Empty where no gateway asks.
    """

    identifier: str = field(repr=False)
    identifier_kind: str
    service: str
    fields: frozenset[str]
    exchange_id: str
    consumer: str
    purpose: str
    deadline: float
    given: Mapping[str, str] = field(default_factory=dict, repr=False)
    introduce: Callable[[], str] = field(default=str, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Record:
    """What a source answered, in the service's field names; values never show in its repr.

    `data`: field -> JSON value. `echo`: the identifier as the source's answer names it (normalised to 13
    digits), or None where the service declares `echo: none`; the gateway refuses another person's answer.
    `as_of`: the date `YYYY[-MM[-DD]]` or RFC 3339 time of which the source says its record is true, if any.
    """

    data: Mapping[str, Any] = field(repr=False)
    echo: str | None = field(default=None, repr=False)
    as_of: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectorSettings:
    """What a kind opens a connector with.

    `service`: the service's id. `endpoint`: the source's base URL (or database URL). `settings`: the
    kind's own settings, already checked against its JSON Schema. `mapping`: the declarative mapping.
    `secret(name)`: resolves a secret reference of agency.yaml to its value at the moment of use (never
    stored, never logged). `address_allowed(ip)`: whether the gateway may connect to that address (SSRF).
    """

    service: str
    endpoint: str
    settings: Mapping[str, Any]
    mapping: Mapping[str, Any]
    secret: Callable[[str], str] = field(repr=False)
    address_allowed: Callable[[str], bool]


class Connector(Protocol):
    """One service's way to its source. Used by many exchanges at once, on one event loop."""

    async def fetch(self, ask: Ask) -> Record:
        """The record of `ask.identifier`; raises only what the module's docstring names."""
        ...

    async def close(self) -> None:
        """Lets go of every connection. Called once; no `fetch` follows."""
        ...
