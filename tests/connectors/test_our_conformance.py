"""Our own connectors through the conformance kit, each against its sandbox process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandboxes import AGENCIES, Sandbox, cases

from gateway.conformance import CHECKS, Case, NotApplicable

SERVICES = (
    "dopa.person.v1", "dopa.house.v1", "dopa.name-change.v1", "dopa.marriage.v1", "nhso.coverage.v1",
    "dep.disability.v1", "moe.student.v1", "police.warrant.v1", "dbd.juristic.v1", "dlt.vehicle.v1",
    "dlt.driving-licence.v1", "sso.insured.v1", "dol.land-deed.v1", "lao.old-age-allowance.v1",
)  # fmt: skip


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Sandbox]]:
    started = {name: Sandbox(name, tmp_path_factory.mktemp(name)) for name in AGENCIES}
    try:
        for sandbox in started.values():
            sandbox.wait()
        yield started
    finally:
        printed = {name: sandbox.stop() for name, sandbox in started.items()}
    assert set(printed.values()) == {("", "")}, "a sandbox logs nothing"


@pytest.fixture(scope="module")
def every(held: dict[str, Sandbox]) -> dict[str, Case]:
    return {case.name: case for case in cases(held)}


def test_every_service_has_a_case(every: dict[str, Case], held: dict[str, Sandbox]) -> None:
    offered = {service for sandbox in held.values() for service in sandbox.services()}
    assert set(every) == set(SERVICES) == offered
    assert len(offered) == 14


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("service", SERVICES)
async def test_conformance(service: str, check: str, every: dict[str, Case]) -> None:
    try:
        await CHECKS[check](every[service])
    except NotApplicable as why:
        pytest.skip(str(why))
