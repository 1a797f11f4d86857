"""A service: one dataset that a source offers about one person, as registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.model.identifiers import IdentifierKind


@dataclass(frozen=True, slots=True)
class GivenValue:
    """A value that the asker gives for a field to be compared with. `form`: `name` or `citizen_id`."""

    name: str
    title_en: str
    title_th: str
    form: str


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One field of a service's schema: its titles and how it is classified.

    `level`: 1 to 5, the data classification of มสพร. 8-2565 (open … top secret). `pdpa`: `none`, `general`
    or a section 26 category (`health`, `disability`, …). `tgix`: the TGIX semantic term where one is known.
    `given`: what a yes-or-no answer is compared with; empty for a field that is simply told.
    """

    name: str
    title_en: str
    title_th: str
    level: int
    pdpa: str
    tgix: str = ""
    given: tuple[GivenValue, ...] = ()

    @property
    def sensitive(self) -> bool:
        """Whether PDPA section 26 covers the field."""
        return self.pdpa not in ("none", "general")


@dataclass(frozen=True, slots=True)
class Outage:
    """A time, announced by the source, in which it does not serve: from, and up to but not including, `ends`."""

    starts: datetime
    ends: datetime
    title_en: str
    title_th: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service as registered: everything the pipeline needs to know of it.

    `level`: classification of the whole, 1 to 3 here. `deadline`: seconds the source has to answer.
    `echo`: whether the source's answer names the identifier, so that another person's answer is caught.
    `connector`: {"kind", "endpoint", "settings", "mapping"}; `digest`: SHA-256 (hex) of the registration.
    `concurrency`: questions that the source takes at once, where it says. `outages`: those announced, by their start.
    """

    id: str
    agency: str
    title_en: str
    title_th: str
    identifier_kind: IdentifierKind
    level: int
    category: str
    officer_required: bool
    deadline: float
    echo: bool
    schema: Mapping[str, Any] = field(repr=False)
    fields: Mapping[str, FieldInfo] = field(repr=False)
    metadata: Mapping[str, Any] = field(repr=False)
    connector: Mapping[str, Any] = field(repr=False)
    hours: Mapping[str, Any] | None = None
    digest: str = ""
    concurrency: int | None = None
    outages: tuple[Outage, ...] = ()
