"""What the conformance kit is told of the stranger's connector: COVER_SOURCE is where its source runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from connectors.population import story
from connectors.python import package_digest
from gateway.catalogue import read_folder, services_of
from gateway.conformance import Case
from gateway.model.service import Service

ROOT = Path(__file__).resolve().parents[2]
KEY = {"env": "SOURCE_NHSO__API_KEY"}


def registration(url: str, digest: str) -> dict[str, Any]:
    """The agency's registration with the stranger's package for its connector."""
    body = read_folder(ROOT / "connectors" / "nhso", ROOT / "schemas").as_json()
    settings = {"connector": "sommut-cover", "digest": digest, "settings": {"key": KEY}}
    body["services"][0]["connector"] = {"kind": "python", "endpoint": url, "settings": settings}
    return body


def trusting(service: Service, reference: Mapping[str, str]) -> Service:
    """The package's own settings name the authority."""
    settings = service.connector["settings"]
    own = {**settings["settings"], "tls": {"ca": reference}}
    return replace(service, connector={**service.connector, "settings": {**settings, "settings": own}})


def cases() -> list[Case]:
    """One service, one case."""
    (entry,) = entry_points(group="linkage.connectors", name="sommut-cover")
    (service,) = services_of(registration(os.environ["COVER_SOURCE"], package_digest(entry)))
    return [
        Case(
            name="sommut-cover",
            service=service,
            secret=lambda reference: os.environ[reference.removeprefix("env:")],
            right=story("elder"),
            other=story("elsewhere"),
            unknown=story("unknown"),
            trusting=trusting,
        )
    ]
