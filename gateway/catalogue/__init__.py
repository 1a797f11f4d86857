"""The catalogue: which services there are, what each says of itself, and how its connector is opened.

    read_folder(folder, schemas) -> Registration     an agency's files, or CatalogueProblems
    services_of(registration) -> tuple[Service, …]   a registration received, or MalformedRequest
    check_kind(service)                              its connector's settings, or MalformedRequest
    require_openable(services)                       what their connectors need here, or MalformedRequest
    open_connector(service, secret=…, address_allowed=…) -> Connector
    describe(service) -> dict                        its public entry
    package(entry) -> dict                           the same as the government data catalogue takes it (CKAN)
    require_open(service, moment)                    its hours and announced outages, or OutsideServiceHours
    digest_of(registration) -> str                   what is approved
    differences(old, new) -> list[Change]            what a new registration changes, and for whom it breaks
    machine_secrets(folder) -> resolver              where secret references lead

No agency is named here: a new one is a folder of files.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.catalogue.ckan import package
from gateway.catalogue.differences import Change, differences
from gateway.catalogue.entry import describe
from gateway.catalogue.hours import require_open, with_hours
from gateway.catalogue.kinds import connector_findings, kind
from gateway.catalogue.openable import lacking, require_openable, told_of_changes
from gateway.catalogue.problems import CatalogueProblems, Finding, Problem, pointer
from gateway.catalogue.registration import Registration, digest_of, read_folder, services_of
from gateway.catalogue.secret_values import SecretMissing, machine_secrets
from gateway.errors import MalformedRequest
from gateway.model.service import Service
from gateway.plugin import Connector, ConnectorSettings

__all__ = [
    "CatalogueProblems",
    "Change",
    "Finding",
    "Problem",
    "Registration",
    "SecretMissing",
    "check_kind",
    "describe",
    "differences",
    "digest_of",
    "lacking",
    "machine_secrets",
    "open_connector",
    "package",
    "read_folder",
    "require_open",
    "require_openable",
    "services_of",
    "told_of_changes",
    "with_hours",
]


def check_kind(service: Service) -> None:
    """Raises MalformedRequest where the service's connector is of no installed kind or its settings do not fit."""
    given = {name: [value.name for value in info.given] for name, info in service.fields.items()}
    for finding in connector_findings(service.agency, service.connector, given):
        place = pointer(("connector", *finding.place))
        raise MalformedRequest(f"{place}: {finding.en}", f"{place}: {finding.th}")


def open_connector(
    service: Service, *, secret: Callable[[str], str], address_allowed: Callable[[str], bool]
) -> Connector:
    """A connector to the service's source. Connects to nothing yet; close it when done.

    `secret(reference)`: the value of `env:NAME` or `file:PATH`. `address_allowed(ip)`: whether the gateway may
    connect there. KeyError if the kind is not installed.
    """
    connector = service.connector
    return kind(connector["kind"]).open(
        ConnectorSettings(
            service=service.id,
            endpoint=connector["endpoint"],
            settings=connector["settings"],
            mapping=connector["mapping"],
            secret=secret,
            address_allowed=address_allowed,
        )
    )
