"""Whether this machine has what approved connectors need: the package of a `python` connector, as it was approved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from gateway.catalogue.kinds import machine_findings
from gateway.catalogue.problems import pointer
from gateway.errors import MalformedRequest
from gateway.model.service import Service
from gateway.observe import logger


def lacking(services: Iterable[Service]) -> Iterator[tuple[str, str, str]]:
    """(service, English, Thai) of whatever does not hold here; none of a package's code is run."""
    for service in services:
        for finding in machine_findings(service.connector):
            place = pointer(("connector", *finding.place))
            yield service.id, f"{place}: {finding.en}", f"{place}: {finding.th}"


def require_openable(services: Iterable[Service]) -> None:
    """Raises MalformedRequest with the first thing that is lacking."""
    for service, en, th in lacking(services):
        raise MalformedRequest(f"{service}: {en}", f"{service}: {th}")


def told_of_changes() -> Callable[[Iterable[Service]], None]:
    """What tells the operators, once, of each approved version that cannot be opened here as it was approved."""
    looked_at: set[tuple[str, str]] = set()

    def look(services: Iterable[Service]) -> None:
        new = [service for service in services if (service.id, service.digest) not in looked_at]
        looked_at.update((service.id, service.digest) for service in new)
        for service, why, _ in lacking(new):
            logger.warning("connector_not_as_approved", service=service, why=why)

    return look
