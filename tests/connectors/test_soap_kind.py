"""The kind `soap` beyond what the conformance kit asks: who is let in, faults, and settings held against a WSDL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sandboxes import ROOT, Sandbox, case, some

from connectors.population import population, story
from connectors.population_files import files_of
from gateway.catalogue import CatalogueProblems, read_folder
from gateway.conformance import Case
from gateway.errors import AgencyMisbehaved, AgencyUnavailable, GatewayError


@pytest.fixture(scope="module")
def dlt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = Sandbox("dlt", tmp_path_factory.mktemp("dlt"))
    sandbox.wait()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def vehicle(dlt: Sandbox) -> Case:
    owner = population()[story("foreigner")]
    return case(dlt, "dlt.vehicle.v1", owner, lambda one: files_of(one).vehicle, unknown=story("dead"))


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("error_500", AgencyMisbehaved, "status"),
        ("unavailable", AgencyUnavailable, "unavailable"),
        ("fault", AgencyMisbehaved, "fault"),
        ("mtom", AgencyMisbehaved, "attachment"),
        ("entities", AgencyMisbehaved, "doctype"),
        ("not_xml", AgencyMisbehaved, "not_xml"),
        ("half", AgencyMisbehaved, "cut_off"),
    ],
)
async def test_faults(dlt: Sandbox, vehicle: Case, fault: str, kind: type[GatewayError], code: str) -> None:
    dlt.fault(fault, times=1)
    async with vehicle.opened() as connector:
        error = await vehicle.failure(connector, vehicle.right)
        assert (type(error), getattr(error, "fault", "")) == (kind, code)
        record = await connector.fetch(vehicle.ask(vehicle.right))
    held = files_of(some(lambda one: one.citizen_id == vehicle.right)).vehicle
    assert held is not None
    assert (record.data["body_number"], record.data["tax_expiry"]) == (held.body, str(held.expires))


async def test_a_wrong_password_is_told_as_ours(vehicle: Case) -> None:
    async with vehicle.opened(secret=lambda name: "not it") as connector:
        error = await vehicle.failure(connector, vehicle.right)
    assert (type(error), getattr(error, "fault", "")) == (AgencyMisbehaved, "credentials")


def wsdl_problems(folder: Path, change: Any) -> list[str]:
    """What `check` finds in a copy of the agency's folder after `change(settings of dlt.vehicle.v1)`."""
    shutil.copytree(ROOT / "connectors" / "dlt", folder / "dlt", dirs_exist_ok=True)
    file = folder / "dlt" / "agency.yaml"
    body = yaml.safe_load(file.read_text())
    change(body["services"][0]["connector"]["settings"])
    file.write_text(yaml.safe_dump(body, allow_unicode=True, sort_keys=False))
    try:
        read_folder(folder / "dlt", ROOT / "schemas")
    except CatalogueProblems as error:
        return [problem.en for problem in error.problems if problem.line]
    return []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"operation": "getVehicle"}, ["the WSDL has no such operation"]),
        ({"action": "urn:other"}, ["the WSDL names another SOAPAction"]),
        ({"version": "1.2"}, ["the WSDL has no binding of this SOAP version"]),
        ({"wsdl": "none.wsdl"}, ["there is no such file in the agency's folder"]),
        ({"wsdl": "agency.xml"}, ["there is no such file in the agency's folder"]),
        ({"response": {"element": "x", "namespace": "urn:made-up:dlt:linkage"}}, ["the WSDL names another element"]),
        (
            {"response": {"element": "getVehicleInfoResponse", "namespace": "urn:x"}},
            ["the WSDL names another namespace"],
        ),
    ],
)
def test_settings_are_held_against_the_wsdl(tmp_path: Path, changes: dict[str, Any], found: list[str]) -> None:
    assert wsdl_problems(tmp_path, lambda settings: settings.update(changes)) == found


def test_parameters_are_held_against_the_wsdl(tmp_path: Path) -> None:
    def parameters(*given: dict[str, str]) -> Any:
        return lambda settings: settings["request"].update(parameters=list(given))

    right = {"at": "/getVehicleInfoInput/docNo"}
    assert wsdl_problems(tmp_path, parameters(right)) == []
    assert wsdl_problems(tmp_path, parameters({"at": "/getVehicleInfoInput/docNum"})) == [
        "the WSDL has no such element"
    ]
    assert wsdl_problems(tmp_path, parameters({"at": "/docNo"})) == ["the WSDL has no such element"]
    assert wsdl_problems(tmp_path, parameters({**right, "value": "1"}))
    assert wsdl_problems(tmp_path, parameters(right, right))
    assert wsdl_problems(tmp_path, lambda settings: settings["request"].update(qualified=False)) == [
        "the WSDL's elementFormDefault says otherwise"
    ]
