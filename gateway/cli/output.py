"""What the commands print: tables that line up in Thai, JSON, and CSV that a spreadsheet opens safely.

Every text that came from elsewhere is shown as it is, but never obeyed: control and direction characters are made
visible, and rich's markup is off. rich is loaded when something is printed for a person: a gateway that serves prints
nothing.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING, Any

import orjson
import yaml

from gateway.printed import HARMFUL, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_LONG_NUMBER = re.compile(r"(?P<ours>[0-9a-f]{32,}|\b[a-z]{1,8}_[0-9a-z]{26}\b)|\d(?:[\s._/-]{0,2}\d){11,}")
"""Twelve digits or more, however they are grouped, in any script: a citizen ID, or a mistyped one. `ours`: digests
and ids of the gateway's own, in which digits may meet by chance."""

_FORMULA = tuple("=+-@\t\r＝＋－＠")
"""What makes a spreadsheet take a cell for a formula (the full-width forms too)."""


def masked(text: str) -> str:
    """`text` with every long number left out: for errors, which never name an identifier."""
    return _LONG_NUMBER.sub(lambda found: found[0] if _is_ours(found["ours"]) else "[…]", text)


def _is_ours(text: str | None) -> bool:
    return text is not None and not text.isdigit()


def masked_body(value: Any) -> Any:
    """A JSON value with `masked` applied to each text in it."""
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {name: masked_body(item) for name, item in value.items()}
    return [masked_body(item) for item in value] if isinstance(value, list) else value


def json_text(body: Any) -> str:
    """`body` as indented JSON, with what a terminal would obey written as \\u escapes."""
    text = orjson.dumps(body, option=orjson.OPT_INDENT_2).decode()
    return HARMFUL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """All of `csv_lines` in one text."""
    return "".join(csv_lines(columns, rows))


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """CSV (RFC 4180) with a byte order mark, so that a Thai spreadsheet reads it as UTF-8, and without formulas.

    A line at a time, as the rows come.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    file.write("\ufeff")
    writer.writerow(columns)
    for row in rows:
        yield _taken(file)
        writer.writerow([_safe_cell(cell) for cell in row])
    yield _taken(file)


def _taken(file: io.StringIO) -> str:
    text = file.getvalue()
    file.seek(0)
    file.truncate()
    return text


def _safe_cell(cell: Any) -> str:
    text = brief(cell)
    return "'" + text if text.startswith(_FORMULA) or text.lstrip().startswith(_FORMULA) else text


def brief(value: Any) -> str:
    """A JSON value in one line: a title in Thai and English, a list with commas, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if _is_title(value):
        return f"{value['th']} ({value['en']})"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {brief(item)}" for name, item in value.items() if item not in (None, [], {}))
    if isinstance(value, list):
        return ", ".join(brief(item) for item in value)
    return str(value)


class Screen:
    """Where one command prints. `as_json`: it prints JSON only, on standard output; errors too, on standard error."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json

    def show(self, body: Any, render: Callable[[], None]) -> None:
        """Prints `body` where JSON is wanted, else lets `render` print it for a person."""
        if self.as_json:
            self.raw(json_text(body) + "\n")
        else:
            render()

    def say(self, thai: str, english: str) -> None:
        """One thing said in both languages; nothing where JSON is wanted."""
        if not self.as_json:
            self.line(f"{thai} / {english}")

    def line(self, text: str) -> None:
        """A line for a person."""
        _print_line(sys.stdout, text)

    def table(self, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> None:
        """Rows under two-line headings (Thai, English)."""
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for thai, english in columns:
            table.add_column(Text(f"{thai}\n{english}"), overflow="fold")
        for row in rows:
            table.add_row(*(Text(visible(brief(cell))) for cell in row))
        _print(table)

    def fields(self, body: Mapping[str, Any], titles: Mapping[str, tuple[str, str]] | None = None) -> None:
        """One record, a line for each of its fields; lists of objects are indented below."""
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        grid.add_column()
        grid.add_column(overflow="fold")
        for name, value in body.items():
            thai = (titles or {}).get(name, ("", ""))[0]
            label = f"{name} ({thai})" if thai else name
            grid.add_row(Text(visible(label)), Text(visible(_lines(value))))
        _print(grid)

    def raw(self, text: str) -> None:
        """Exactly this text, in UTF-8."""
        _write(sys.stdout, text)

    def failure(self, body: Mapping[str, Any], lines: Sequence[str]) -> None:
        """An error, on standard error, without any long number."""
        if self.as_json:
            _write(sys.stderr, json_text({"error": masked_body(dict(body))}) + "\n")
        else:
            for line in lines:
                _print_line(sys.stderr, masked(line))


def _lines(value: Any) -> str:
    """A value in one line where it is flat, else indented as YAML."""
    items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if any(isinstance(item, (dict, list)) for item in items) and not all(_is_title(item) for item in items):
        return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=10_000).rstrip("\n")
    return brief(value)


def _is_title(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"th", "en"}


def _print_line(file: IO[str], text: str) -> None:
    from rich.text import Text

    _console(file).print(Text(visible(text)), soft_wrap=True)


def _console(file: IO[str]) -> Console:
    from rich.console import Console

    console = Console(file=file, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        # A pipe or a file has no width: rows stay whole, for grep and for reading later.
        console.width = 4000
    return console


def _print(table: Table) -> None:
    console = _console(sys.stdout)
    with console.capture() as captured:
        console.print(table)
    # The padding behind each line's last cell is no one's.
    _write(sys.stdout, "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _write(file: IO[str], text: str) -> None:
    # Through the bytes below where there are some: the locale's encoding may not know Thai.
    buffer = getattr(file, "buffer", None)
    if buffer is None:
        file.write(text)
    else:
        file.flush()
        buffer.write(text.encode())
    file.flush()
