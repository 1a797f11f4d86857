"""What the kit is told of a connector, and how it asks through it."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from gateway.catalogue import open_connector
from gateway.errors import GatewayError
from gateway.model.service import Service
from gateway.plugin import Ask, Connector, Record

SECONDS: Final = 20.0
"""The deadline where none is put to the test."""
_AUTHORITY: Final = "conformance-authority.pem"


class NotApplicable(Exception):
    """The check has nothing to hold on to in this case; its text says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """One service's connector and the source it asks.

    `service`: as registered; its endpoint is where the source runs. `secret`: resolves its secret references.
    `right`, `other`: identifiers the source holds; `unknown`: one that it does not. `expected`: fields of
    `right`'s record as they must come. `partial`: (identifier, field, the date as far as it is known), if the
    source holds such a one. `transport`: `http`, `tcp` (another protocol over TCP), or `file`.
    `trusting`: the service with its settings changed to trust the authority behind a secret reference
    `{"file": NAME}`; by default `settings.tls.ca`.
    """

    name: str
    service: Service
    secret: Callable[[str], str] = field(repr=False)
    right: str = field(repr=False)
    other: str = field(repr=False)
    unknown: str = field(repr=False)
    expected: Mapping[str, Any] = field(default_factory=dict, repr=False)
    partial: tuple[str, str, str] | None = field(default=None, repr=False)
    transport: Literal["http", "tcp", "file"] = "http"
    trusting: Callable[[Service, Mapping[str, str]], Service] | None = None

    @property
    def source(self) -> tuple[str, int]:
        """Host and port of the source."""
        parts = urlsplit(self.service.connector["endpoint"])
        if self.transport == "file" or parts.hostname is None or parts.port is None:
            raise NotApplicable("the source has no port to stand in front of")
        return parts.hostname, parts.port

    def at(self, port: int, *, tls: bool = False, host: str = "127.0.0.1") -> Service:
        """The service with its source at `port` of this machine."""
        parts = urlsplit(self.service.connector["endpoint"])
        scheme = ("https" if tls else "http") if self.transport == "http" else parts.scheme
        endpoint = urlunsplit((scheme, f"{host}:{port}", parts.path, "", ""))
        return replace(self.service, connector={**self.service.connector, "endpoint": endpoint})

    def with_authority(self, service: Service, pem: str) -> tuple[Service, Callable[[str], str]]:
        """The service trusting `pem` alone, and the resolver that knows it."""
        reference = {"file": f"{service.agency}/{_AUTHORITY}"}
        if self.trusting is not None:
            service = self.trusting(service, reference)
        else:
            settings = service.connector["settings"]
            settings = {**settings, "tls": {**settings.get("tls", {}), "ca": reference}}
            service = replace(service, connector={**service.connector, "settings": settings})
        wanted = f"file:{reference['file']}"
        return service, lambda name: pem if name == wanted else self.secret(name)

    def ask(self, identifier: str, seconds: float = SECONDS) -> Ask:
        """A question about all fields."""
        return Ask(
            identifier=identifier,
            identifier_kind=self.service.identifier_kind.value,
            service=self.service.id,
            fields=frozenset(self.service.fields),
            exchange_id="ex_conformance",
            consumer="conformance",
            purpose="conformance.check",
            deadline=asyncio.get_running_loop().time() + seconds,
        )

    @asynccontextmanager
    async def opened(
        self,
        service: Service | None = None,
        *,
        secret: Callable[[str], str] | None = None,
        allowed: bool = True,
    ) -> AsyncIterator[Connector]:
        """The connector, closed afterwards."""
        connector = open_connector(
            service or self.service, secret=secret or self.secret, address_allowed=lambda address: allowed
        )
        try:
            yield connector
        finally:
            await connector.close()

    async def failure(self, connector: Connector, identifier: str, seconds: float = SECONDS) -> GatewayError:
        """The error that asking ends in. AssertionError if it ends in a record, or if the error tells too much."""
        try:
            async with asyncio.timeout(seconds + SECONDS):
                await connector.fetch(self.ask(identifier, seconds))
        except GatewayError as error:
            self.discreet(error, connector)
            return error
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__} escaped: a connector raises the contract's errors") from None
        raise AssertionError("a record came where none may")

    def discreet(self, error: BaseException, connector: Connector) -> None:
        """AssertionError if an identifier shows in the error, in what hangs on it, or in the connector's repr."""
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(connector)
        seen: BaseException | None = error
        while seen is not None:
            shown += str(seen)
            seen = seen.__context__
        for identifier in (self.right, self.other, self.unknown):
            assert identifier not in shown, "an error tells whom was asked about"


def same(one: Record, other: Record) -> bool:
    """Whether two records say the same."""
    return dict(one.data) == dict(other.data) and one.echo == other.echo
