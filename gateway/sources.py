"""Asking a source: its connector, under a deadline, a bulkhead and a breaker.

The bulkhead keeps a slow service, and a slow agency with all its services, from taking every place; the breaker
leaves a source alone for a while that has failed many times in a row, and then lets one question try whether it is
back: the others are told at once until that one has come home. Whatever a connector raises beyond the contract is
the source's fault.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import GatewayError, Overloaded
from gateway.model import Service
from gateway.observe import logger
from gateway.plugin import (
    AgencyMisbehaved,
    AgencyTimeout,
    AgencyUnavailable,
    Ask,
    CitizenNotFound,
    Connector,
    OutsideServiceHours,
    Record,
    SourceFault,
)
from gateway.source_health import Fared, allowing

_FAULT = re.compile(r"[A-Za-z_]{1,56}[0-9]{0,5}[A-Za-z_]{0,3}", re.ASCII)
"""A fault's short code; too few digits in a row for anyone's number."""
_GRACE = 0.25
"""Seconds after the deadline that a connector has to say itself that it is late."""


@dataclass(slots=True)
class _Agency:
    under_way: int = 0


@dataclass(slots=True)
class _Source:
    connector: Connector
    agency: _Agency
    most: int
    fared: Fared
    under_way: int = 0
    failures: int = 0
    left_alone: bool = False
    """The breaker is open: only a trial goes through, and none before `until`."""
    until: float = 0.0
    trial: bool = False


class Sources:
    """The open connectors, one for each version of a service, opened at first use."""

    def __init__(
        self,
        open_connector: Callable[[Service], Connector],
        *,
        max_per_source: int,
        max_per_agency: int,
        breaker_failures: int,
        breaker_seconds: float,
    ) -> None:
        self._open = open_connector
        self._max = max_per_source
        self._max_agency = max_per_agency
        self._failures = breaker_failures
        self._seconds = breaker_seconds
        self._sources: dict[tuple[str, str], _Source] = {}
        self._agencies: dict[str, _Agency] = {}
        self._fared: dict[str, Fared] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def fetch(self, service: Service, ask: Ask) -> Record:
        """The source's record. Raises CitizenNotFound, SourceFault (its four kinds) or Overloaded."""
        loop = asyncio.get_running_loop()
        source = self._source(service)
        agency = source.agency
        trial = source.left_alone
        if trial and (source.trial or source.until > loop.time()):
            raise AgencyUnavailable("breaker_open", retry_after=max(1, round(source.until - loop.time())))
        if source.under_way >= source.most or agency.under_way >= self._max_agency:
            raise Overloaded("too many questions wait on this source", "มีคำขอรอหน่วยงานนี้มากเกินไป", retry_after=1)
        source.trial = trial
        source.under_way += 1
        agency.under_way += 1
        failure: GatewayError
        begun = loop.time()
        try:
            async with asyncio.timeout_at(ask.deadline + _GRACE):
                record = await source.connector.fetch(ask)
            if not (isinstance(record, Record) and isinstance(record.data, Mapping)):
                raise AgencyMisbehaved("connector_answer")
            source.failures, source.left_alone = 0, False
            source.fared.answered(loop.time() - begun)
            return record
        except TimeoutError:
            failure = AgencyTimeout("deadline")
        except KeyboardInterrupt:
            raise
        except asyncio.CancelledError as cancelled:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            failure = _in_our_words(cancelled)  # the connector's own: nobody cancelled the exchange
        except BaseException as error:  # a connector's SystemExit, or a panic in native code, ends no gateway
            failure = _in_our_words(error)
        finally:
            source.under_way -= 1
            agency.under_way -= 1
            if trial:
                source.trial = False
        self._note(source, failure, begun, loop.time(), trial=trial)
        # Raised out here, so that what the connector raised does not hang on it as context.
        raise failure

    def keep(self, services: Iterable[Service]) -> None:
        """Closes the connectors of versions no longer offered, once nothing is under way on them."""
        wanted = {(service.id, service.digest) for service in services}
        for version in [held for held in self._sources if held not in wanted]:
            task = asyncio.ensure_future(self._retire(self._sources.pop(version)))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def states(self) -> dict[str, tuple[bool, int]]:
        """Service -> (whether it is left alone, how many questions wait on it), of those asked so far."""
        return {service: (source.left_alone, source.under_way) for (service, _), source in self._sources.items()}

    def health(self, service: Service) -> dict[str, Any]:
        """How the service's source has fared here. `breaker`: closed, open, half_open (the next question tries it)."""
        source, fared = self._sources.get((service.id, service.digest)), self._fared.get(service.id, Fared())
        breaker, under_way = "closed", 0
        if source is not None:
            under_way = source.under_way
            if source.left_alone:
                waits = source.until > asyncio.get_running_loop().time()
                breaker = "open" if waits and not source.trial else "half_open"
        return {"breaker": breaker, "under_way": under_way, **fared.as_json(service.agency)}

    def watched(self, service: Service, allowed: Callable[[str], bool]) -> Callable[[str], bool]:
        """`allowed`, of which the operators are told what was refused and what to set; whoever asks is told neither.

        In the process's log once a minute and address, so that a flood of questions is none of lines; and in `health`.
        """
        account = self._account(service)

        def watch(address: str) -> bool:
            if allowed(address):
                return True
            if account.refused(address, time.monotonic()):
                how = allowing(service.agency, address)
                logger.warning(
                    "address_not_allowed", agency=service.agency, service=service.id, address=address, allow=how
                )
            return False

        return watch

    async def close(self) -> None:
        """Closes every connector."""
        self.keep(())
        if self._closing:
            await asyncio.gather(*self._closing, return_exceptions=True)

    def _source(self, service: Service) -> _Source:
        source = self._sources.get((service.id, service.digest))
        if source is None:
            try:
                opened = self._open(service)
            except SourceFault as fault:  # a kind that knows why it may not be opened
                raise self._unopened(service, _code(fault.fault)) from None
            except Exception as error:
                raise self._unopened(service, f"connector_{type(error).__name__}"[:64]) from None
            agency = self._agencies.setdefault(service.agency, _Agency())
            fared = self._account(service)
            source = _Source(opened, agency, min(service.concurrency or self._max, self._max), fared)
            self._sources[service.id, service.digest] = source
        return source

    def _unopened(self, service: Service, fault: str) -> AgencyUnavailable:
        self._account(service).failed(fault)
        return AgencyUnavailable(fault)

    def _account(self, service: Service) -> Fared:
        return self._fared.setdefault(service.id, Fared())

    def _note(self, source: _Source, failure: GatewayError, begun: float, at: float, *, trial: bool) -> None:
        """What a failure says of the source: out of reach, or there and answering, well or badly."""
        if isinstance(failure, AgencyUnavailable | AgencyTimeout):
            source.failures += 1
            source.fared.failed(failure.fault or failure.code)
            if trial or source.failures >= self._failures:
                source.left_alone, source.until, source.failures = True, at + self._seconds, 0
        elif isinstance(failure, AgencyMisbehaved):
            source.fared.failed(failure.fault or failure.code)
            if trial:
                source.left_alone = False
        elif isinstance(failure, CitizenNotFound | OutsideServiceHours):
            source.failures, source.left_alone = 0, False
            source.fared.answered(at - begun)

    async def _retire(self, source: _Source) -> None:
        for _ in range(600):
            if source.under_way == 0:
                break
            await asyncio.sleep(0.1)
        with contextlib.suppress(Exception):
            await source.connector.close()


def _in_our_words(error: BaseException) -> GatewayError:
    """What a connector raised, made anew: its kind and a short code pass, none of its own words do."""
    if isinstance(error, CitizenNotFound):
        return CitizenNotFound()
    for kind in (AgencyMisbehaved, AgencyUnavailable, OutsideServiceHours, AgencyTimeout):
        if isinstance(error, kind):
            wait = error.retry_after
            return kind(_code(error.fault), retry_after=wait if type(wait) is int and 0 < wait < 86400 else None)
    return AgencyMisbehaved(_code(f"connector_{type(error).__name__}"))


def _code(fault: object) -> str:
    return fault if isinstance(fault, str) and _FAULT.fullmatch(fault) else "unnamed" if fault else ""
