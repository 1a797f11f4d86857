"""What the demonstration registers and shows, read from `demo/`: story.yaml, onboarding.yaml, agreements/."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from connectors.population import population, story_people
from connectors.population_files import pupil
from gateway.demo.ground import CannotStart

Json = dict[str, Any]

HOME: Final = Path(__file__).resolve().parent.parent.parent
"""The checkout: connectors, schemas and policies lie beside the program."""


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who gives commands: the operator's id, and the name to register where a colleague enrols them."""

    id: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """A sandbox agency: who registers its connector, who is enrolled and approves it, the secrets it wants."""

    agency: str
    secrets: tuple[str, ...]
    registers: str
    approves: Person


@dataclass(frozen=True, slots=True)
class Signing:
    """An agreement: its form, who proposes it and who approves it."""

    form: Json
    file: Path
    proposes: str
    approves: str


@dataclass(frozen=True, slots=True)
class Step:
    """One question of the walk-through.

    `question`: its body. `expect`: {"status", "code"?, "reasons"?, "fields"?, "data"?}, the data by the fields named.
    `consent`: `given` or `withdrawn`, before it is asked.
    """

    title: Mapping[str, str]
    before: Mapping[str, str]
    after: Mapping[str, str] | None
    client: str
    question: Json = field(repr=False)
    expect: Json
    without: str | None
    consent: str | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """The consent that a step stands on: who takes it, its form and its notice (files), and whose it is."""

    client: str
    form: Path
    notice: Path
    citizen_id: str = field(repr=False)
    guardian: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Story:
    """All of it. `onboarding`: the file that the administrator applies, and what it holds.

    `p256`: who uses a P-256 key (ES256); everyone else's is Ed25519.
    """

    administrator: Person
    second_administrator: str
    auditor: str
    p256: tuple[str, ...]
    sources: tuple[Source, ...]
    agreements: tuple[Signing, ...]
    consent: Consent
    steps: tuple[Step, ...]
    following: Step
    onboarding_file: Path
    onboarding: Json

    def key_holders(self) -> list[str]:
        """Everyone who makes a key: operators and clients, but not the first administrator."""
        names = [entry["id"] for section in ("operators", "clients") for entry in self.onboarding[section]]
        return [*names, *(source.approves.id for source in self.sources)]


def read_story() -> Story:
    """The story in the checkout. Raises CannotStart where this program was installed without it."""
    folder = HOME / "demo"
    try:
        body = _yaml(folder / "story.yaml")
        return Story(
            administrator=Person(**body["administrator"]),
            second_administrator=body["second_administrator"],
            auditor=body["auditor"],
            p256=tuple(body["p256"]),
            sources=tuple(_source(entry) for entry in body["sources"]),
            agreements=tuple(_signing(entry, folder / "agreements") for entry in body["agreements"]),
            consent=_consent(body["consent"], folder / "consents"),
            steps=tuple(_step(entry) for entry in body["steps"]),
            following=_following(body["next"]),
            onboarding_file=folder / "onboarding.yaml",
            onboarding=_yaml(folder / "onboarding.yaml"),
        )
    except FileNotFoundError as error:
        raise CannotStart(
            f"ไม่พบ {error.filename} การสาธิตต้องเรียกจากซอร์สโค้ดของโครงการ",
            f"{error.filename} is missing: the demonstration runs from the project's checkout",
        ) from None


def _yaml(path: Path) -> Json:
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    return dict(body)


def _source(entry: Json) -> Source:
    return Source(entry["agency"], tuple(entry["secrets"]), entry["registers"], Person(**entry["approves"]))


def _signing(entry: Json, folder: Path) -> Signing:
    file = folder / f"{entry['id']}.yaml"
    return Signing(_yaml(file), file, entry["proposes"], entry["approves"])


def _step(entry: Json) -> Step:
    return Step(
        title=entry["title"],
        before=entry["before"],
        after=entry.get("after"),
        client=entry["client"],
        question=question_of(entry["ask"]),
        expect=entry["expect"],
        without=entry.get("without"),
        consent=entry.get("consent"),
    )


def _consent(entry: Json, folder: Path) -> Consent:
    citizen = people()[entry["person"]]
    return Consent(
        entry["client"], folder / entry["form"], folder / entry["notice"], citizen, population()[citizen].mother
    )


def people() -> dict[str, str]:
    """Key -> citizen ID of everyone in the story."""
    return {**{person.key: person.citizen_id for person in story_people()}, "pupil": pupil().citizen_id}


def _following(entry: Json) -> Step:
    ask = {name: value for name, value in entry.items() if name != "client"}
    return Step({}, {}, None, entry["client"], question_of(ask), {"status": 200}, None)


def question_of(ask: Json) -> Json:
    """The body of a question: the story's person replaced by a citizen ID, its last digit wrong where `mistyped`.

    What is `given` stands as `<person>.<attribute>` and is replaced by what the register has there.
    """
    identifiers = people()
    identifier = identifiers[ask["person"]]
    if ask.get("mistyped"):
        identifier = identifier[:-1] + str((int(identifier[-1]) + 1) % 10)
    rest = {name: value for name, value in ask.items() if name not in ("service", "person", "mistyped")}
    if "given" in rest:
        parts = {name: place.split(".") for name, place in rest["given"].items()}
        rest["given"] = {name: getattr(population()[identifiers[key]], of) for name, (key, of) in parts.items()}
    return {"service": ask["service"], "citizen_id": identifier, **rest}
