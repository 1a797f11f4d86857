"""The OpenAPI document: what is in the file, what is served, and that the running gateway keeps to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import (
    CoveragePhaseConfig,
    GenerationConfig,
    PhasesConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from gateway.errors import GatewayError, OAuthError
from gateway.http.openapi_file import openapi_yaml
from gateway.model import has_valid_check_digit
from tests.harness import RunningGateway, token_of

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    allow_header_conformance,
    unsupported_method,
    negative_data_rejection,
]
FEW = settings(
    max_examples=8,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load(openapi_yaml())


# -- the document ---------------------------------------------------------------------------------------------


def test_the_file_is_what_the_code_says(repository: Path) -> None:
    """`make openapi` writes it anew."""
    assert (repository / "openapi" / "gateway.v1.yaml").read_text(encoding="utf-8") == openapi_yaml()


def test_every_gateway_serves_the_same(running_gateway: RunningGateway, document: Any) -> None:
    served = httpx.get(f"{running_gateway.url}/openapi.json", trust_env=False).json()
    assert served == document


def classes(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == "gateway.errors":  # not what another test made
            yield from classes(below)


def answers(document: Any) -> Iterator[tuple[str, str, str, Any]]:
    """(path, method, status, response) of every operation."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                yield path, method, status, response


def test_every_error_there_is_stands_in_it_with_its_status_and_both_titles(document: Any) -> None:
    named: dict[str, set[str]] = {}
    for *_, status, response in answers(document):
        problem = response.get("content", {}).get("application/problem+json", {})
        for code in problem.get("examples", {}):
            named.setdefault(code, set()).add(status)
            assert f"`{code}`" in response["description"]
    concrete = {kind for kind in classes(GatewayError) if kind is not OAuthError and "code" in vars(kind)}
    assert set(document["components"]["schemas"]["ProblemBody"]["properties"]["code"]["enum"]) >= set(named)
    for kind in concrete:
        assert named.get(kind.code) == {str(kind.status)}, kind.code
        example = document["components"]["examples"][kind.code]["value"]
        assert (example["title"], example["title_th"], example["status"]) == (kind.title_en, kind.title_th, kind.status)


def test_what_any_route_may_answer_stands_at_every_route(document: Any) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            statuses = operation["responses"].keys()
            assert {"405", "500"} <= statuses, path
            if operation.get("security"):
                assert "401" in statuses, path
            if "application/json" in operation.get("requestBody", {}).get("content", {}):
                assert {"400", "408", "413", "415"} <= statuses, (path, method)


def test_its_references_lead_somewhere_and_nothing_is_fastapis_own(document: Any) -> None:
    text = json.dumps(document)
    for reference in set(re.findall(r'"#/([^"]+)"', text)):
        place = document
        for step in reference.split("/"):
            place = place[step]
    assert "HTTPValidationError" not in text
    assert "422" not in {status for *_, status, _ in answers(document)}


def test_whom_it_names_is_made_up(document: Any) -> None:
    found = set(re.findall(r"(?<![0-9])[0-9]{13}(?![0-9])", json.dumps(document)))
    assert found
    assert all(digits[0] == "9" and has_valid_check_digit(digits) for digits in found)


# -- the running gateway ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def callers(world: Any) -> dict[str, requests.Session]:
    """A session with a token of each scope; keep-alive, since there are many calls."""
    sessions = {}
    for scope, name in (("exchange", "city-a-welfare"), ("admin", "admin"), ("audit", "auditor")):
        sessions[scope] = requests.Session()
        sessions[scope].trust_env = False
        sessions[scope].headers["authorization"] = f"Bearer {token_of(world[0], name, scope)}"
    return sessions


def bounded() -> SchemathesisConfig:
    """No more cases than fit into a test suite."""
    coverage = CoveragePhaseConfig(generation=GenerationConfig(deterministic=True, max_examples=40))
    project = ProjectConfig(phases=PhasesConfig(coverage=coverage))
    return SchemathesisConfig(projects=ProjectsConfig(default=project))


schema = schemathesis.openapi.from_dict(yaml.safe_load(openapi_yaml()), config=bounded())


@schema.parametrize()
@FEW
def test_the_gateway_keeps_to_it(
    case: Any, running_gateway: RunningGateway, callers: dict[str, requests.Session]
) -> None:
    """Each case with a token of each scope: nothing undocumented, no fault of the gateway's, no other shape."""
    for session in callers.values():
        response = case.call(base_url=running_gateway.url, session=session)
        case.validate_response(response, checks=CHECKS)
