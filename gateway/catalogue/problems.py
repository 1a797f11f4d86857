"""What is wrong with an agency's files or registration: every problem, where it is, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass, replace

Place = tuple[str | int, ...]
"""The way from the document's root to a node: keys and list positions."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong at one place of a document, in English and Thai. Never quotes what the document holds.

    `key`: a key at `place` that no form knows. It is its author's own word, so it is told to those who read
    the file, and not over the API.
    """

    place: Place
    en: str
    th: str
    mend_en: str = ""
    mend_th: str = ""
    key: str = ""

    def under(self, place: Place) -> Finding:
        """The same finding, seen from a document that holds this one at `place`."""
        return replace(self, place=(*place, *self.place))


@dataclass(frozen=True, slots=True)
class Problem:
    """A finding in a file. `line` counts from 1; 0 where the file as a whole is meant."""

    file: str
    line: int
    en: str
    th: str
    mend_en: str = ""
    mend_th: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.en}" + (f" ({self.mend_en})" if self.mend_en else "")


class CatalogueProblems(Exception):
    """An agency's folder cannot be registered as it is. `problems`: all that was found."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def pointer(place: Place) -> str:
    """A place as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in place)
