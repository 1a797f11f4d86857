"""The data dictionary: what every schema says of every field, and the page that shows it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gateway.catalogue import describe, read_folder, services_of
from gateway.catalogue.service_schema import PDPA as PDPA_CATEGORIES
from gateway.cli.dictionary_page import LEVELS, PDPA, dictionary_page
from gateway.model import Service

ROOT = Path(__file__).resolve().parents[2]
SERVICES = [
    service
    for file in sorted((ROOT / "connectors").glob("*/agency.yaml"))
    for service in services_of(read_folder(file.parent, ROOT / "schemas").as_json())
]
TGIX = {
    "title": "cd:PersonNameTitleTextTH",
    "first_name": "cd:PersonFirstNameTH",
    "middle_name": "cd:PersonMiddleNameTH",
    "last_name": "cd:PersonLastNameTH",
    "full_name": "cd:PersonNameTH",
    "person_name": "cd:PersonNameTH",
    "date_of_birth": "cd:PersonBirthDate",
    "house_no": "cd:AddressNo",
    "village_no": "cd:Moo",
    "alley": "cd:Soi",
    "road": "cd:Road",
    "subdistrict": "cd:CitySubDivision",
    "district": "cd:City",
}
"""A field of this name, told as one text or code, is this term of the person and address standards."""
CHANGES = "dopa.name-change.v1"
"""Its first_name and last_name are changes of one, not names."""


def parts(field: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    inner = field.get("items", field)
    return [each for name, part in inner.get("properties", {}).items() for each in ((name, part), *parts(part))]


def test_there_are_fourteen_of_ten_agencies() -> None:
    assert len(SERVICES) == 14
    assert len({service.agency for service in SERVICES}) == 10
    assert PDPA.keys() == set(PDPA_CATEGORIES)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.id)
def test_every_field_is_described_in_full(service: Service) -> None:
    for name, field in service.schema["properties"].items():
        assert field["title"].strip(), name
        assert re.search("[ก-๛]", field["x-title-th"]), name
        assert field["type"], name
        assert field["examples"], name
        assert field["x-level"] in LEVELS, name
        assert field["x-pdpa"] in PDPA, name
        if name in TGIX and service.id != CHANGES:
            assert field.get("x-tgix") == TGIX[name], name
        for part, described in parts(field):
            assert described["title"].strip(), part
            assert re.search("[ก-๛]", described["x-title-th"]), part
            assert described["type"], part


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.said: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.id)
def test_the_page_shows_all_of_it(service: Service) -> None:
    page = dictionary_page(describe(service), dict(service.schema))
    reader = _Text()
    reader.feed(page)
    said = " ".join(reader.said)
    assert reader.open == []
    for field in service.fields.values():
        assert {field.name, field.title_en, field.title_th, *((field.tgix,) if field.tgix else ())} <= set(reader.said)
        for given in field.given:
            assert f"given.{given.name}" in reader.said
    for _, part in (each for field in service.schema["properties"].values() for each in parts(field)):
        assert part["x-title-th"] in said
    assert service.metadata["objective"]["th"] in said
    assert service.metadata["objective"]["en"] in said
    assert service.metadata["contacts"]["dpo"]["email"] in said


def test_whatever_an_agency_writes_stays_text() -> None:
    service = SERVICES[0]
    entry, schema = describe(service), dict(service.schema)
    name = next(iter(service.fields))
    field = {**schema["properties"][name], "title": "<script>alert(1)</script>", "description": "' onload='x"}
    hostile = {**schema, "properties": {**schema["properties"], name: field}}
    page = dictionary_page({**entry, "title": "</p><b>"}, hostile)
    assert "<script>" not in page
    assert "</p><b>" not in page
    assert "onload='x" not in page
