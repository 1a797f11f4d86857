"""A stranger's package behind a service, in a real gateway: approved it answers, changed it does not, anew it does."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.population import story
from connectors.python import package_digest
from gateway.catalogue import digest_of
from gateway.client import Answer, Problem
from tests.acceptance.trail import ask, on_record
from tests.connectors.strangers import install, tamper
from tests.harness import COVER, ROOT, RunningGateway, running
from tests.stranger.cases import registration

QUESTION = {"service": COVER, "citizen_id": story("elder"), "purpose": "health.coverage-check"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = install(tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("build") / "source", name="gateway_cover")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, site: Path) -> Iterator[Any]:
    path = os.pathsep.join((str(site), str(ROOT)))
    with running(tmp_path_factory.mktemp("stranger"), PYTHONPATH=path) as held:
        yield held


def as_it_is_now() -> str:
    from importlib.metadata import entry_points

    (entry,) = entry_points(group="linkage.connectors", name="sommut-cover")
    return package_digest(entry)


def register(gateway: RunningGateway, body: dict[str, Any]) -> None:
    with gateway.as_("nhso-owner-1") as owner:
        owner.act("connector.register", {"registration": body})


def approve(gateway: RunningGateway, body: dict[str, Any]) -> None:
    with gateway.as_("nhso-owner-2") as owner:
        owner.act("connector.approve", {"agency": "nhso", "digest": digest_of(body)})


def test_a_package_is_pinned_by_two_people_and_stops_when_it_changes(pair: Any, site: Path) -> None:
    gateway, agencies = pair
    wrong = registration(agencies["nhso"].url, "sha256:" + "0" * 64)
    with pytest.raises(Problem) as refused:
        register(gateway, wrong)
    assert (refused.value.status, refused.value.code) == (400, "malformed_request")
    assert as_it_is_now() in refused.value.detail

    first = registration(agencies["nhso"].url, as_it_is_now())
    register(gateway, first)
    approve(gateway, first)
    assert isinstance(ask(gateway, **QUESTION), Answer)

    second = registration(agencies["nhso"].url, "")
    second["services"][0]["deadline_seconds"] = 4
    second["services"][0]["connector"]["settings"]["digest"] = as_it_is_now()
    register(gateway, second)
    tamper(site, "gateway_cover")
    with pytest.raises(Problem) as refused:  # what was read is not what is there any more
        approve(gateway, second)
    assert refused.value.code == "malformed_request"
    assert isinstance(ask(gateway, **QUESTION), Answer), "what runs is still what was approved"

    gateway.stop()
    gateway.start()
    problem = ask(gateway, **QUESTION)
    assert isinstance(problem, Problem)
    assert (problem.status, problem.code) == (503, "agency_unavailable")
    assert "digest" not in str(problem.as_json())
    _, failed = on_record(gateway, problem.exchange_id, "failed")
    assert failed["content"]["fault"] == "agency_unavailable:connector_changed"

    lines = (gateway.output / f"stderr.{gateway.starts}").read_text()
    assert "connector_not_as_approved" in lines
    assert as_it_is_now() in lines, "the operators are told what is there"

    third = registration(agencies["nhso"].url, as_it_is_now())
    register(gateway, third)
    approve(gateway, third)
    assert isinstance(ask(gateway, **QUESTION), Answer), "approved anew, without a restart"
