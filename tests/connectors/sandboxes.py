"""Every agency's sandbox as a process of its own, and the conformance cases of every service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from connectors.population import Person, population, story
from connectors.population_companies import companies, story_company
from connectors.population_files import files_of, marriages, pupil
from gateway.catalogue import read_folder, services_of
from gateway.conformance import Case
from gateway.model.service import Service

ROOT = Path(__file__).resolve().parents[2]
AGENCIES = ("dopa", "nhso", "dep", "moe", "police", "dbd", "dlt", "sso", "dol", "lao")
DATABASES = ("dol", "lao")
_KEYED, _NAMED = AGENCIES[:6], AGENCIES[6:]
SECRETS = {
    **{f"SOURCE_{name.upper()}__API_KEY": f"made-up-{name}" for name in _KEYED},
    **{f"SOURCE_{name.upper()}__USERNAME": f"made_up_{name}" for name in _NAMED},
    **{f"SOURCE_{name.upper()}__PASSWORD": f"made up & <{name}>" for name in _NAMED},
}


class Sandbox:
    """One agency's sandbox process; `url` is what it says, or its port on loopback."""

    def __init__(self, agency: str, state: Path, *more: str) -> None:
        self.agency, self.state = agency, state
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"connectors.{agency}.sandbox", "--port", "0", "--state", str(state), *more],
            cwd=ROOT,
            env={**os.environ, **SECRETS},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr and self.process.stderr.read()
        self.ready: dict[str, Any] = json.loads(line)
        self.url = str(self.ready.get("url") or f"http://127.0.0.1:{self.ready['port']}")

    def secret(self, reference: str) -> str:
        name = reference.removeprefix("env:")
        if name.endswith("__DATABASE_FOLDER"):
            return str(self.state)
        return SECRETS[name]

    def fault(self, fault: str, **more: Any) -> None:
        httpx.put(f"{self.url}/_sandbox/fault", json={"fault": fault, **more}, trust_env=False).raise_for_status()

    def services(self) -> dict[str, Service]:
        registration = read_folder(ROOT / "connectors" / self.agency, ROOT / "schemas").with_endpoint(None, self.url)
        return {service.id: service for service in services_of(registration.as_json())}

    def stop(self) -> tuple[str, str]:
        self.process.terminate()
        return self.process.communicate(timeout=15)


def some(wanted: Any, *, but: str = "") -> Person:
    """The first person of the population of whom `wanted` is true."""
    return next(one for one in population().values() if one.citizen_id != but and wanted(one))


def case(sandbox: Sandbox, service: str, first: Person, wanted: Any, unknown: str = "", **more: Any) -> Case:
    """A case about `first` and another person of whom `wanted` is true; unknown: whom no source knows."""
    return Case(
        name=service,
        service=sandbox.services()[service],
        secret=sandbox.secret,
        right=first.citizen_id,
        other=some(wanted, but=first.citizen_id).citizen_id,
        unknown=unknown or story("unknown"),
        transport="file" if sandbox.agency in DATABASES else "http",
        **more,
    )


def cases(held: dict[str, Sandbox]) -> list[Case]:
    """The conformance case of each of our services."""
    people = population()
    elder, foreigner = (people[story(key)] for key in ("elder", "foreigner"))
    licensed = some(lambda one: files_of(one).licence)
    unknown_birthday = some(lambda one: one.born.month == 0)
    renamed = some(lambda one: files_of(one).first_name)
    disabled_when = some(lambda one: files_of(one).disability)
    owner = some(lambda one: len(files_of(one).deeds) == 2)
    wanted = some(lambda one: files_of(one).warrants)
    company, other_company = list(companies())[:2]
    schooling = files_of(pupil()).schooling
    insured = files_of(foreigner).insured
    assert schooling
    assert insured
    return [
        case(
            held["dopa"], "dopa.person.v1", elder, lambda one: True,
            expected={"date_of_birth": "1957-03", "first_name": elder.first_name},
            partial=(unknown_birthday.citizen_id, "date_of_birth", str(unknown_birthday.born)),
        ),
        case(held["dopa"], "dopa.house.v1", elder, lambda one: one.house != elder.house),
        case(held["dopa"], "dopa.name-change.v1", renamed, lambda one: files_of(one).last_name),
        case(
            held["dopa"], "dopa.marriage.v1", elder, lambda one: one.citizen_id not in marriages(),
            expected={"marriage_count": 1},
        ),
        case(held["nhso"], "nhso.coverage.v1", elder, lambda one: one.cover is not None),
        case(
            held["dep"], "dep.disability.v1", disabled_when, lambda one: files_of(one).disability,
            expected={"date_of_birth": str(disabled_when.born)}, unknown=story("dead"),
        ),
        case(
            held["moe"], "moe.student.v1", pupil(), lambda one: files_of(one).schooling,
            expected={"gpax": float(schooling.terms[0][2]), "grade": schooling.grade_name},
        ),
        case(
            held["police"], "police.warrant.v1", wanted, lambda one: not files_of(one).warrants,
            expected={"warrant_count": len(files_of(wanted).warrants)},
        ),
        Case(
            name="dbd.juristic.v1",
            service=held["dbd"].services()["dbd.juristic.v1"],
            secret=held["dbd"].secret,
            right=company,
            other=other_company,
            unknown=story("elder"),
            expected={"name_th": companies()[company].name_th, "capital": companies()[story_company()].capital},
        ),
        case(held["dlt"], "dlt.vehicle.v1", foreigner, lambda one: files_of(one).vehicle, unknown=story("dead")),
        case(held["dlt"], "dlt.driving-licence.v1", licensed, lambda one: files_of(one).licence),
        case(
            held["sso"], "sso.insured.v1", foreigner, lambda one: files_of(one).insured,
            expected={"employer_account": insured.employer},
        ),
        case(held["dol"], "dol.land-deed.v1", owner, lambda one: files_of(one).deeds, unknown=story("minor")),
        case(
            held["lao"], "lao.old-age-allowance.v1", elder, lambda one: files_of(one).allowance, unknown=story("dead"),
            expected={"monthly_amount": 600}, partial=(elder.citizen_id, "drawn_since", "2017-10"),
        ),
    ]  # fmt: skip
