"""An agency's registration: read from its folder, signed by an operator, stored by the gateway, made into services."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson

from gateway.catalogue.kinds import folder_findings
from gateway.catalogue.problems import CatalogueProblems, Finding, Place, Problem, pointer
from gateway.catalogue.rules import registration_findings
from gateway.catalogue.service_schema import fields_of
from gateway.catalogue.yaml_lines import Document, bytes_of, read_yaml
from gateway.errors import MalformedRequest
from gateway.model.identifiers import IdentifierKind
from gateway.model.service import Service

_FILE = "agency.yaml"
_SHOWN = 5
"""Findings that a refusal over the API names."""


@dataclass(frozen=True, slots=True)
class Registration:
    """An agency's folder, read and found in order. `body` is what an operator signs: see `as_json`."""

    agency: str
    title_en: str
    title_th: str
    services: tuple[str, ...]
    body: Mapping[str, Any] = field(repr=False)
    test_identifiers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """service -> whom a probe asks about. Stays in the folder: what is signed and stored names no person."""

    def as_json(self) -> dict[str, Any]:
        """agency.yaml as plain JSON, with each service's schema in place of its name. A copy."""
        return deepcopy(dict(self.body))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the registration's canonical JSON: what an owner approves."""
        return digest_of(self.body)

    def with_endpoint(self, service: str | None, url: str) -> Registration:
        """The same with `url` as the endpoint of one service, or of all. Raises CatalogueProblems."""
        body = self.as_json()
        chosen = [each for each in body["services"] if service in (None, each["id"])]
        if not chosen:
            raise CatalogueProblems([Problem(_FILE, 0, "the agency has no such service", "หน่วยงานไม่มีบริการนี้")])
        for each in chosen:
            each["connector"]["endpoint"] = url
        findings = registration_findings(body)
        if findings:
            raise CatalogueProblems([_problem(_FILE, 0, finding) for finding in findings])
        return replace(self, body=body)


def digest_of(registration: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a registration's canonical JSON (keys sorted, no white space)."""
    return hashlib.sha256(orjson.dumps(dict(registration), option=orjson.OPT_SORT_KEYS)).hexdigest()


def read_folder(folder: Path, schemas: Path) -> Registration:
    """The registration in `folder`/agency.yaml, its services' schemas from `schemas`.

    Raises CatalogueProblems with everything that is wrong, each with file and line.
    """
    file = folder / _FILE
    try:
        document = read_yaml(bytes_of(file))
    except OSError:
        raise CatalogueProblems(
            [
                Problem(
                    str(file),
                    0,
                    "the file is missing or cannot be read",
                    "ไม่พบไฟล์หรืออ่านไฟล์ไม่ได้",
                    "an agency's folder holds agency.yaml",
                    "โฟลเดอร์ของหน่วยงานต้องมี agency.yaml",
                )
            ]
        ) from None
    problems = [_problem(str(file), line, finding) for line, finding in document.findings]
    body = document.value
    loaded, wrong = _with_schemas(body, schemas)
    problems.extend(_problem(str(file), document.line(finding.place), finding) for finding in wrong)
    unread = {finding.place[:3] for finding in wrong}
    lines: dict[Path, Document] = {}
    if body is not None:
        problems.extend(
            _located(finding, file, document, loaded, lines)
            for finding in registration_findings(body)
            if finding.place[:3] not in unread
        )
    if not problems:
        for i, service in enumerate(body["services"]):
            for finding in folder_findings(folder, service["connector"]):
                place: Place = ("services", i, "connector", *finding.place)
                problems.append(_problem(str(file), document.line(place), finding))
    if problems:
        raise CatalogueProblems(sorted(problems, key=lambda each: (each.file, each.line)))
    return _registration(body)


def services_of(registration: Mapping[str, Any]) -> tuple[Service, ...]:
    """The services of a registration, checked as strictly as a folder is.

    Raises MalformedRequest that names the places (JSON Pointer) and what is wrong there, never a value.
    """
    findings = [*registration_findings(registration), *_named_people(registration)]
    if findings:
        shown, more = findings[:_SHOWN], len(findings) - _SHOWN
        raise MalformedRequest(
            "; ".join(f"{pointer(each.place) or '/'}: {each.en}" for each in shown)
            + (f"; and {more} more" if more > 0 else ""),
            "; ".join(f"{pointer(each.place) or '/'}: {each.th}" for each in shown)
            + (f"; และอีก {more} รายการ" if more > 0 else ""),
        )
    digest = digest_of(registration)
    return tuple(_service(registration, each, digest) for each in registration["services"])


def _named_people(registration: Any) -> list[Finding]:
    """A registration is stored, and no identifier is: a test person stays in the agency's folder."""
    services = registration.get("services") if isinstance(registration, dict) else None
    return [
        Finding(
            ("services", place, "test_identifier"),
            "belongs in the agency's folder, not in a registration",
            "ต้องอยู่ในโฟลเดอร์ของหน่วยงาน ไม่อยู่ในการลงทะเบียน",
        )
        for place, service in enumerate(services if isinstance(services, list) else ())
        if isinstance(service, dict) and "test_identifier" in service
    ]


def _service(registration: Mapping[str, Any], body: Mapping[str, Any], digest: str) -> Service:
    connector = body["connector"]
    return Service(
        id=body["id"],
        agency=registration["id"],
        title_en=body["title"]["en"],
        title_th=body["title"]["th"],
        identifier_kind=IdentifierKind(body["identifier"]),
        level=int(body["level"]),
        category=body["category"],
        officer_required=body["officer_required"],
        deadline=float(body["deadline_seconds"]),
        echo=body["echo"] != "none",
        schema=body["schema"],
        fields=fields_of(body["schema"]),
        metadata={
            **body["metadata"],
            "freshness": body["freshness"],
            "contacts": registration["contacts"],
        },
        connector={
            "kind": connector["kind"],
            "endpoint": connector["endpoint"],
            "settings": connector["settings"],
            "mapping": {**connector.get("mapping", {}), "echo": body["echo"]},
        },
        hours=body.get("hours"),
        digest=digest,
        concurrency=body.get("concurrency"),
    )


def _registration(body: Mapping[str, Any]) -> Registration:
    people = {each["id"]: each.pop("test_identifier") for each in body["services"] if "test_identifier" in each}
    return Registration(
        agency=body["id"],
        title_en=body["title"]["en"],
        title_th=body["title"]["th"],
        services=tuple(each["id"] for each in body["services"]),
        body=body,
        test_identifiers=people,
    )


def _with_schemas(body: Any, schemas: Path) -> tuple[dict[int, Path], list[Finding]]:
    """Puts each service's schema in the place of its file's name; the files by service, and what went wrong."""
    loaded: dict[int, Path] = {}
    wrong: list[Finding] = []
    services = body.get("services") if isinstance(body, dict) else None
    for i, service in enumerate(services if isinstance(services, list) else ()):
        if not isinstance(service, dict) or "schema" not in service:
            continue
        place: Place = ("services", i, "schema")
        name = service["schema"]
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".json"):
            wrong.append(
                Finding(
                    place,
                    "it must be the name of a file in the folder of schemas, <service>.json",
                    "ต้องเป็นชื่อไฟล์ในโฟลเดอร์ schemas เช่น <service>.json",
                )
            )
            continue
        try:
            service["schema"] = orjson.loads(bytes_of(schemas / name))
            loaded[i] = schemas / name
        except OSError:
            wrong.append(Finding(place, "there is no such file in the folder of schemas", "ไม่พบไฟล์นี้ในโฟลเดอร์ schemas"))
        except orjson.JSONDecodeError:
            wrong.append(Finding(place, "the file is not JSON, or too large", "ไฟล์ไม่ใช่ JSON หรือมีขนาดใหญ่เกินไป"))
    return loaded, wrong


def _located(
    finding: Finding, file: Path, document: Document, loaded: Mapping[int, Path], lines: dict[Path, Document]
) -> Problem:
    """The finding at its line of agency.yaml, or of the schema's file where it lies inside that.

    `lines`: the schemas' files read for their lines so far (JSON is YAML enough for that).
    """
    place = (*finding.place, finding.key) if finding.key else finding.place
    if len(place) > 3 and place[0] == "services" and place[2] == "schema" and place[1] in loaded:
        schema = loaded[int(place[1])]
        if schema not in lines:
            lines[schema] = read_yaml(bytes_of(schema))
        return _problem(str(schema), lines[schema].line(place[3:]), finding)
    return _problem(str(file), document.line(place), finding)


def _problem(file: str, line: int, finding: Finding) -> Problem:
    named = f" `{finding.key}`" if finding.key else ""
    return Problem(file, line, finding.en + named, finding.th + named, finding.mend_en, finding.mend_th)
