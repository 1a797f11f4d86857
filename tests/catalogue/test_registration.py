"""A registration as the gateway gets it: as strict as a folder, and its errors quote nothing."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalogue import (
    CatalogueProblems,
    check_kind,
    describe,
    digest_of,
    open_connector,
    read_folder,
    services_of,
)
from gateway.errors import MalformedRequest
from gateway.model.identifiers import IdentifierKind

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def registration() -> dict[str, Any]:
    return read_folder(ROOT / "connectors/dopa", ROOT / "schemas").as_json()


def refused(registration: Any) -> str:
    with pytest.raises(MalformedRequest) as caught:
        services_of(registration)
    assert caught.value.detail_th
    return caught.value.detail_en


def test_it_is_plain_json_and_comes_back(registration: dict[str, Any]) -> None:
    again = orjson.loads(orjson.dumps(registration))
    assert again == registration
    services = services_of(again)
    assert [service.id for service in services] == [
        "dopa.person.v1",
        "dopa.house.v1",
        "dopa.name-change.v1",
        "dopa.marriage.v1",
    ]
    for service in services:
        check_kind(service)


def test_what_a_service_says(registration: dict[str, Any]) -> None:
    person, house, *_ = services_of(registration)
    assert person.agency == "dopa"
    assert person.identifier_kind is IdentifierKind.CITIZEN
    assert (person.level, person.category, person.officer_required, person.deadline) == (2, "personal", False, 5.0)
    assert person.echo
    assert not house.echo
    assert {"date_of_birth", "nationality", "life_status"} <= person.fields.keys()
    assert "local_authority" in house.fields
    assert person.fields["date_of_birth"].tgix == "cd:PersonBirthDate"
    assert person.fields["date_of_birth"].title_th == "วันเกิด"
    (cover,) = services_of(read_folder(ROOT / "connectors/nhso", ROOT / "schemas").as_json())
    assert cover.fields["sub_scheme"].sensitive
    assert not cover.fields["main_scheme"].sensitive


def test_the_digest_is_of_the_whole_registration(registration: dict[str, Any]) -> None:
    folder = read_folder(ROOT / "connectors/dopa", ROOT / "schemas")
    shuffled = dict(reversed(registration.items()))
    assert {service.digest for service in services_of(shuffled)} == {folder.digest} == {digest_of(registration)}
    for change in (
        lambda body: body["services"][0]["connector"].update(endpoint="https://elsewhere.example"),
        lambda body: body["services"][1]["schema"].update(description="other"),
        lambda body: body["contacts"]["dpo"].update(email="other@dopa.example"),
    ):
        changed = copy.deepcopy(registration)
        change(changed)
        assert digest_of(changed) != folder.digest


def test_endpoints_are_set_at_registration() -> None:
    folder = read_folder(ROOT / "connectors/dopa", ROOT / "schemas")
    before = folder.digest
    both = folder.with_endpoint(None, "http://127.0.0.1:9")
    one = folder.with_endpoint("dopa.house.v1", "http://127.0.0.1:9")
    assert folder.digest == before
    ends = [[each["connector"]["endpoint"] for each in made.as_json()["services"]] for made in (both, one)]
    elsewhere = "https://register.dopa.example"
    assert ends == [["http://127.0.0.1:9"] * 4, [elsewhere, "http://127.0.0.1:9", elsewhere, elsewhere]]
    for service, url in (
        ("dopa.cars.v1", "https://x.example"),
        (None, "http://beyond.example"),
        (None, "file:///etc/passwd"),
        (None, ""),
    ):
        with pytest.raises(CatalogueProblems):
            folder.with_endpoint(service, url)


def test_a_registration_names_no_person(registration: dict[str, Any]) -> None:
    """What is signed is stored, and no citizen ID is ever stored: whom a probe asks about stays in the folder."""
    read = read_folder(ROOT / "connectors/dopa", ROOT / "schemas")
    person, *others = {*read.test_identifiers.values()}
    assert not any(each in str(read.as_json()) for each in (person, *others))
    registration["services"][0]["test_identifier"] = person
    with pytest.raises(MalformedRequest) as refused:
        services_of(registration)
    assert "/services/0/test_identifier" in refused.value.detail_en
    assert person not in refused.value.detail_en + refused.value.detail_th


def test_as_json_is_a_copy() -> None:
    folder = read_folder(ROOT / "connectors/dopa", ROOT / "schemas")
    folder.as_json()["services"].clear()
    assert len(folder.as_json()["services"]) == 4


SECRET = "9111111111114"


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("id",), SECRET, "/id: "),
        (("services", 0, "level"), SECRET, "/services/0/level: "),
        (("services", 0, SECRET), 1, "/services/0: unknown key"),
        (("services", 0, "connector", "settings", "auth", "key"), {"value": SECRET}, "/services/0/connector/settings"),
        (("services", 0, "connector", "kind"), "k" + SECRET, "/services/0/connector/kind: no such kind"),
        (
            ("services", 0, "connector", "settings", "headers"),
            {"X-Key": SECRET},
            "/services/0/connector/settings/headers",
        ),
        (("services", 1, "schema", "properties", "road", "x-level"), SECRET, "/services/1/schema/properties/road: "),
        (("services", 1, "schema"), SECRET, "/services/1/schema: "),
        (("services", 1, "metadata", "title"), SECRET, "/services/1/metadata/title: "),
        (("services", 0, "connector", "mapping", "fields", "gender", "type"), SECRET, "/gender/type: "),
        (("title", "en"), f"a\x00{SECRET}", "/title/en: it holds a control character"),
        (("services", 0, "metadata", "notes", "th"), f"\u202e{SECRET}", "/services/0/metadata/notes/th: it holds"),
        (("services", 1, "schema", "properties", "road", "title"), f"\x1b[2J{SECRET}", "/road/title: it holds"),
        (
            ("services", 0, "connector", "endpoint"),
            f"http://{SECRET}.example",
            "/services/0/connector/endpoint: plain HTTP",
        ),
    ],
)
def test_a_refusal_names_the_place_and_no_value(
    registration: dict[str, Any], place: tuple[str | int, ...], value: Any, told: str
) -> None:
    node: Any = registration
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = value
    detail = refused(registration)
    assert told in detail
    assert SECRET not in detail


def test_many_mistakes_are_told_in_brief(registration: dict[str, Any]) -> None:
    for service in registration["services"]:
        for key in ("title", "category", "level", "echo", "metadata"):
            del service[key]
    assert "and 15 more" in refused(registration)


@pytest.mark.parametrize("body", [None, [], "x", 1, {}, {"services": []}, {"id": "dopa", "services": [None, 1, {}]}])
def test_what_is_no_registration(body: Any) -> None:
    refused(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_node_replaced_by_anything_is_refused_or_right(data: st.DataObject) -> None:
    """Whatever one node becomes, a registration is either made into services or refused as malformed."""
    body = read_folder(ROOT / "connectors/nhso", ROOT / "schemas").as_json()
    node: Any = body
    while True:
        keys = list(node) if isinstance(node, dict) else range(len(node))
        key = data.draw(st.sampled_from(list(keys)))
        inner = node[key]
        if isinstance(inner, (dict, list)) and inner and data.draw(st.booleans()):
            node = inner
            continue
        if isinstance(node, dict) and data.draw(st.booleans()):
            del node[key]
        else:
            node[key] = data.draw(JSON)
        break
    try:
        services = services_of(body)
    except MalformedRequest:
        return
    for service in services:
        check_kind(service)
        describe(service)
        open_connector(service, secret=lambda reference: "x", address_allowed=lambda address: False)


def test_a_public_entry_keeps_the_connector_to_itself(registration: dict[str, Any]) -> None:
    person, house, *_ = services_of(registration)
    entry = describe(person)
    shown = orjson.dumps(entry).decode()
    assert "register.dopa.example" not in shown
    assert "personalID" not in shown
    assert "SOURCE_DOPA" not in shown
    assert "9111111111114" not in shown
    assert entry["id"] == "dopa.person.v1"
    assert entry["echo"] == "checked"
    assert describe(house)["echo"] == "none"
    assert entry["level"] == "02"
    assert entry["identifier"] == "citizen_id"
    assert entry["hours"] is None
    assert len(entry["metadata"]) == 14
    assert [field["name"] for field in entry["fields"]] == list(person.fields)
    by_name = {field["name"]: field for field in entry["fields"]}
    assert by_name["date_of_birth"] == {
        "name": "date_of_birth",
        "type": "string",
        "title": "Date of birth",
        "title_th": "วันเกิด",
        "level": "02",
        "pdpa": "general",
        "sensitive": False,
        "tgix": "cd:PersonBirthDate",
    }
