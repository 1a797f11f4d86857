"""An agency's folder as a registration: read and checked by the catalogue, its endpoints set to where the source is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gateway.catalogue import CatalogueProblems, Problem, Registration, read_folder
from gateway.cli.failures import Refused


def read_registration(
    folder: Path,
    endpoint: str | None = None,
    endpoints: Mapping[str, str] | None = None,
    schemas: Path | None = None,
) -> Registration:
    """The registration in a folder, or Refused with everything that is wrong, each with file and line.

    `endpoint`: of all services; `endpoints`: of single ones. `schemas`: the folder of the services' schemas, by
    default `schemas` beside the folder that holds this one.
    """
    home = folder.resolve()
    try:
        registration = read_folder(folder, schemas or home.parent.parent / "schemas")
        if endpoint is not None:
            registration = registration.with_endpoint(None, endpoint)
        for service, url in (endpoints or {}).items():
            registration = registration.with_endpoint(service, url)
    except CatalogueProblems as error:
        faults = [_line(problem) for problem in error.problems]
        raise Refused(f"โฟลเดอร์ {folder} ยังลงทะเบียนไม่ได้", f"{folder} cannot be registered as it is", faults) from None
    return registration


def _line(problem: Problem) -> str:
    where = f"{problem.file}:{problem.line}" if problem.line else problem.file
    mend = " / ".join(text for text in (problem.mend_th, problem.mend_en) if text)
    return f"{where}: {problem.th} / {problem.en}" + (f" → {mend}" if mend else "")
