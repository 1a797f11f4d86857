"""A `rest` answer in several pages, put together before it is mapped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yarl import URL

from connectors.pointers import Rule, pointer
from gateway.plugin import AgencyMisbehaved


@dataclass(frozen=True, slots=True)
class Pages:
    """How a source pages. `most` pages are read; a source that has more is at fault, as nothing may be left out."""

    at: str
    first: int
    items: Rule
    total: Rule
    same: Rule
    most: int

    def url(self, url: URL, number: int) -> URL:
        """`url` asking for page `number`."""
        text = str(url)
        return URL(f"{text}{'&' if '?' in text else '?'}{self.at}={number}", encoded=True)

    def further(self, answer: Any) -> range:
        """The pages after the first. Raises AgencyMisbehaved (`pages`)."""
        total = self.total(answer)
        if isinstance(total, str) and total.isascii() and total.isdigit():
            total = int(total[:9])
        if not isinstance(total, int) or isinstance(total, bool) or not 0 <= total <= self.most:
            raise AgencyMisbehaved("pages")
        self._rows(answer)
        return range(self.first + 1, self.first + total)

    def add(self, answer: Any, page: Any) -> None:
        """The rows of `page` put behind those of `answer`."""
        self._rows(answer).extend(self._rows(page))

    def whole(self, answer: Any) -> None:
        """Raises AgencyMisbehaved (`mixed_rows`) where the rows are not all about one person."""
        if len({str(self.same(row)) for row in self._rows(answer)}) > 1:
            raise AgencyMisbehaved("mixed_rows")

    def _rows(self, answer: Any) -> list[Any]:
        rows = self.items(answer)
        if not isinstance(rows, list):
            raise AgencyMisbehaved("pages")
        return rows


def compile_pages(settings: Mapping[str, Any] | None) -> Pages | None:
    """The settings' `pages`, made ready."""
    if settings is None:
        return None
    return Pages(
        settings["at"],
        settings.get("first", 1),
        pointer(settings["items"]),
        pointer(settings["total"]),
        pointer(settings["same"]),
        settings.get("most", 10),
    )
