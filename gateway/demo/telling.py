"""What the demonstration says: Thai and English side by side, requests and answers as they are."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from textwrap import indent
from typing import Any, Final

import orjson
from rich.box import ROUNDED, SIMPLE_HEAD
from rich.console import Console
from rich.highlighter import JSONHighlighter
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

_WIDTH: Final = 112


class Telling:
    """Prints. A pipe gets the same text, without colours, in a fixed width.

    `as_json`: standard output gets the result only, as JSON; the telling goes to standard error.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json
        self._console = _console(sys.stderr if as_json else sys.stdout)

    def result(self, body: Any) -> None:
        """How it went, for a program."""
        if self._as_json:
            print(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode(), flush=True)

    def opening(self, thai: str, english: str) -> None:
        """The first thing said."""
        self._console.print(Panel(_side_by_side(thai, english), box=ROUNDED, width=self._width()))

    def stage(self, thai: str, english: str) -> None:
        """That something begins which takes a moment."""
        self._console.print(Text.assemble(("» ", "bold cyan"), thai, (" / ", "dim"), english), soft_wrap=True)

    def command(self, who: str, line: str) -> None:
        """A command that someone gives."""
        self._console.print(Text.assemble(("    ", ""), (f"{who:<14}", "yellow"), ("$ ", "dim"), line), soft_wrap=True)

    def heading(self, number: int, title: Mapping[str, str]) -> None:
        """A step of the walk-through begins."""
        self._console.print()
        line = Text.assemble((f"{number}. {title['th']}", "bold"), (" / ", "dim"), (title["en"], "bold"))
        self._console.print(Rule(line, align="left", style="cyan"), width=self._width())

    def both(self, texts: Mapping[str, str]) -> None:
        """A paragraph in both languages."""
        self._console.print(_side_by_side(texts["th"], texts["en"]), width=self._width())

    def request(self, who: str, line: str, body: Any) -> None:
        """What is sent, and by whom."""
        self._exchange(Text.assemble(("→ ", "bold green"), (line, "bold"), (f"   {who}", "yellow")), body)

    def answer(self, status: int, body: Any) -> None:
        """What came back."""
        style = "bold green" if status < 400 else "bold red"
        self._exchange(Text.assemble(("← ", style), (f"HTTP {status}", style)), body)

    def outcome(self, faults: Sequence[str], thai: str, english: str) -> None:
        """Whether a step turned out as it should; `faults` says how it did not."""
        if not faults:
            self._console.print(Text.assemble(("✓ ", "bold green"), thai, (" / ", "dim"), english), soft_wrap=True)
            return
        for fault in faults:
            self._console.print(Text.assemble(("✗ ", "bold red"), fault), soft_wrap=True)

    def table(self, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str]]) -> None:
        """Rows under headings in both languages."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for thai, english in columns:
            table.add_column(Text(f"{thai}\n{english}"), overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        self._console.print(Padding(table, (0, 0, 0, 2)), width=self._width())

    def json(self, body: Any) -> None:
        """A JSON value."""
        text = Text(indent(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode(), "  "))
        JSONHighlighter().highlight(text)
        self._console.print(text, soft_wrap=True)

    def plain(self, text: str = "") -> None:
        """A line to be copied: nothing in it is broken or coloured."""
        self._console.print(Text(text), soft_wrap=True)

    def _exchange(self, head: Text, body: Any) -> None:
        self._console.print(head, soft_wrap=True)
        self.json(body)

    def _width(self) -> int:
        return min(self._console.width, _WIDTH)


def failure(thai: str, english: str) -> None:
    """Why it cannot go on, on standard error."""
    console = _console(sys.stderr)
    console.print(Text(thai), soft_wrap=True)
    console.print(Text(english), soft_wrap=True)


def _console(file: Any) -> Console:
    console = Console(file=file, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH
    return console


def _side_by_side(thai: str, english: str) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0), expand=True)
    grid.add_column(ratio=1)
    grid.add_column(ratio=1)
    grid.add_row(Text(thai), Text(english))
    return grid
