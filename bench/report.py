"""What was measured, as tables; the goals, met or missed; and the file that the READMEs quote.

`python -m bench.report` writes docs/bench.md, and what the READMEs quote of it, from the result files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench-result"
BENCH, MEMORY = RESULTS / "bench.json", RESULTS / "memory.json"
PAGE = ROOT / "docs" / "bench.md"
READMES = {"en": ROOT / "README.md", "th": ROOT / "README.th.md"}
JUDGED = 32
"""In flight, where a goal does not say otherwise."""
MOST_MEMORY_MB = 150
LONGEST_START = 1.5

Row = dict[str, Any]
Measured: TypeAlias = "Callable[[Result], tuple[str, bool] | None]"
"""The figure, and whether the goal is met; None where that was not measured."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal, as it stands in the table."""

    en: str
    th: str
    wanted: str
    measured: Measured


class Result:
    """One run's result file, and the memory run's where there is one."""

    def __init__(self, bench: dict[str, Any], memory: dict[str, Any] | None = None) -> None:
        self.bench = bench
        self.memory = memory
        self.rows: list[Row] = bench["rows"]

    def row(self, key: str, in_flight: int = JUDGED, delay_ms: int = 0) -> Row | None:
        """A system's row under one load."""
        asked = (key, in_flight, delay_ms)
        return next((r for r in self.rows if (r["key"], r["in_flight"], r["delay_ms"]) == asked), None)

    def ratio(self, key: str, of: str = "per_second") -> float | None:
        """This gateway's figure (SQLite, bearer token) over another's, both judged alike."""
        ours, theirs = self.row("gateway"), self.row(key)
        return ours[of] / theirs[of] if ours and theirs and theirs[of] else None


def goals() -> list[Goal]:
    """What the complete gateway is to reach: bearer tokens, SQLite, 32 in flight, where nothing else is said."""
    return [
        Goal("bare FastAPI + httpx, requests/s", "FastAPI + httpx เปล่า คำขอ/วินาที", "≥ 4.5×", _faster("bare", 4.5)),
        Goal("bare FastAPI + httpx, p99", "FastAPI + httpx เปล่า p99", "≤ 0.5×", _p99("bare", 0.5)),
        Goal("express-gateway, requests/s", "express-gateway คำขอ/วินาที", "≥ 2.5×", _faster("express", 2.5)),
        Goal("fast-gateway, requests/s", "fast-gateway คำขอ/วินาที", "≥ 1.0×", _faster("fast", 1.0)),
        Goal(
            "Envoy (token, RBAC, log), requests/s", "Envoy (โทเคน RBAC บันทึก) คำขอ/วินาที", "≥ 0.4×", _faster("envoy", 0.4)
        ),
        Goal(
            "of what a source of 50 ms allows, 128 in flight, two workers",
            "ของที่แหล่งข้อมูล 50 ms รับได้ คำขอพร้อมกัน 128 สองเวิร์กเกอร์",
            "≥ 90 %",
            _of_the_source("gateway-workers", 128, 50, 0.9),
        ),
        Goal("memory of a worker, then flat", "หน่วยความจำต่อเวิร์กเกอร์ แล้วคงที่", "< 150 MB", _memory),
        Goal("start until ready", "เริ่มจนพร้อม", "< 1.5 s", _start),
    ]


def _faster(key: str, least: float) -> Measured:
    """How many times another's requests/s, and, since that is noisy where others use the machine too, the same by
    CPU time. It is met where both say so.
    """

    def measured(result: Result) -> tuple[str, bool] | None:
        ratio, cpu = result.ratio(key), result.ratio(key, "cpu_us")
        if ratio is None or cpu is None:
            return None
        return f"{ratio:.2f}× (by CPU time {1 / cpu:.2f}×)", min(ratio, 1 / cpu) >= least

    return measured


def _p99(key: str, most: float) -> Measured:
    def measured(result: Result) -> tuple[str, bool] | None:
        ratio = result.ratio(key, "p99_ms")
        return None if ratio is None else (f"{ratio:.2f}×", ratio <= most)

    return measured


def _of_the_source(key: str, in_flight: int, delay_ms: int, least: float) -> Measured:
    def measured(result: Result) -> tuple[str, bool] | None:
        row = result.row(key, in_flight, delay_ms)
        if row is None:
            return None
        share = row["per_second"] / allowed(row)
        return f"{share:.0%}".replace("%", " %"), share >= least

    return measured


def allowed(row: Row) -> float:
    """Requests a second that so many in flight can have of a source that takes so long."""
    return float(row["in_flight"]) / (float(row["delay_ms"]) / 1e3)


def _memory(result: Result) -> tuple[str, bool] | None:
    if result.memory is not None:
        points = result.memory["points"]
        last, fifth = points[-1], points[len(points) // 5]
        grown = last["mb"] - fifth["mb"]
        flat = grown <= 0.05 * last["mb"]
        text = f"{last['mb']:.0f} MB after {last['exchanges']:,} exchanges, {grown:+.0f} MB in the last four fifths"
        return text, last["mb"] < MOST_MEMORY_MB and flat
    held = result.bench["memory"].get("gateway")
    if not held:
        return None
    return f"{max(held['mb']):.0f} MB after {held['requests']:,} exchanges", max(held["mb"]) < MOST_MEMORY_MB


def _start(result: Result) -> tuple[str, bool] | None:
    start = result.bench.get("start")
    if not start:
        return None
    return f"{start['seconds']:.2f} s ({start['cpu_seconds']:.2f} s of CPU time)", start["seconds"] < LONGEST_START


# -- tables -----------------------------------------------------------------------------------------------------


def goals_table(result: Result, language: str = "en") -> str:
    """The goals, what was measured, met or missed."""
    met, missed, not_measured = {
        "en": ("met", "missed", "not measured"),
        "th": ("ถึงเป้า", "ไม่ถึงเป้า", "ไม่ได้วัด"),
    }[language]
    head = {
        "en": "| against | goal | measured | |",
        "th": "| เทียบกับ | เป้าหมาย | วัดได้ | |",
    }[language]
    lines = [head, "|---|---|---|---|"]
    for goal in goals():
        found = goal.measured(result)
        text, verdict = (not_measured, "") if found is None else (found[0], met if found[1] else missed)
        if language == "th":
            text = _in_thai(text)
        lines.append(f"| {goal.en if language == 'en' else goal.th} | {goal.wanted} | {text} | {verdict} |")
    return "\n".join(lines)


_THAI = (
    ("by CPU time", "ตามเวลา CPU"),
    ("s of CPU time", "s เวลา CPU"),
    ("after ", "หลัง "),
    (" exchanges", " รายการ"),
    ("in the last four fifths", "ในสี่ส่วนห้าหลัง"),
)


def _in_thai(text: str) -> str:
    """The few words beside a goal's figures."""
    for english, thai in _THAI:
        text = text.replace(english, thai)
    return text


def beside_table(result: Result) -> str:
    """This gateway against peers that are set up otherwise than their documentation has it; no goal."""
    lines = ["| against, without a goal | measured |", "|---|---|"]
    for key in ("fast-key", "fast-cache", "envoy-cache"):
        row, found = result.row(key), _faster(key, 0)(result)
        if row is not None and found is not None:
            lines.append(f"| {row['name']} | {found[0]} |")
    return "\n".join(lines) if len(lines) > 2 else ""


def figures_table(result: Result) -> str:
    """Every system with a source that answers at once."""
    head = "| system | in flight | requests/s | p50 ms | p99 ms | p99.9 ms | CPU µs a request | memory MB | errors |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|---|", *_figures(result)])


def _figures(result: Result) -> Iterator[str]:
    for row in result.rows:
        if row["delay_ms"]:
            continue
        beside = f" + {row['beside_us']:,.0f} PostgreSQL" if row["beside_us"] is not None else ""
        held = result.bench["memory"].get(row["key"], {}).get("mb", [])
        yield (
            f"| {row['name']} | {row['in_flight']} | {row['per_second']:,.0f} | {row['p50_ms']:.2f} | "
            f"{row['p99_ms']:.2f} | {row['p999_ms']:.2f} | {row['cpu_us']:,.0f}{beside} | "
            f"{' + '.join(f'{each:.0f}' for each in held)} | {_wrong(row)} |"
        )


def _wrong(row: Row) -> str:
    """What came instead of a 200, and how often."""
    return ", ".join(f"{count:,} × {what}" for what, count in sorted(row["wrong"].items())) or "0"


def slow_table(result: Result) -> str:
    """Those measured with sources that take their time."""
    head = "| system | source takes | in flight | requests/s | of what it allows | p50 ms | p99 ms | CPU µs | errors |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|"]
    lines += [
        f"| {row['name']} | {row['delay_ms']} ms | {row['in_flight']} | {row['per_second']:,.0f} | "
        f"{100 * row['per_second'] / allowed(row):.0f} % | {row['p50_ms']:.0f} | {row['p99_ms']:.0f} | "
        f"{row['cpu_us']:,.0f} | {_wrong(row)} |"
        for row in result.rows
        if row["delay_ms"]
    ]
    return "\n".join(lines) if len(lines) > 2 else ""


def memory_table(result: Result) -> str:
    """What a worker held as exchanges went on, where that was measured; ten lines of it."""
    if result.memory is None:
        return ""
    points = result.memory["points"]
    some = points[:: max(1, len(points) // 10)]
    lines = ["| exchanges | memory MB |", "|---|---|"]
    lines += [f"| {point['exchanges']:,} | {point['mb']:.0f} |" for point in [*some, points[-1]]]
    return f"`make bench-memory`, {result.memory['when']}: SQLite, bearer tokens, 32 in flight.\n\n" + "\n".join(lines)


def told(result: Result) -> str:
    """All of it, as the command prints it."""
    notes = "\n".join(f"- {note}" for note in result.bench["notes"])
    parts = [figures_table(result), slow_table(result), goals_table(result), beside_table(result), notes]
    return "\n\n".join(part for part in parts if part)


# -- the page and what is quoted of it --------------------------------------------------------------------------


def page(result: Result) -> str:
    """docs/bench.md."""
    bench = result.bench
    versions = "\n".join(f"- {name}: {version}" for name, version in bench["versions"].items())
    notes = "\n".join(f"- {note}" for note in bench["notes"])
    return f"""# How fast it is

Written by `make bench ARGS=--publish`; do not edit. {bench["when"]}, {bench["machine"]}.

Everything is measured side by side in one run: {bench["rounds"]} interleaved rounds of {bench["seconds"]} seconds
each, of which the median counts (slow sources: a round fewer, two seconds at least). The system under test has one
core; source, load and PostgreSQL's own processes have the other, unless a row says two workers. Ratios are what to
read; the figures are this machine's. A goal of requests/s is met where the ratio of CPU time a request says so too.

The complete gateway does the whole job for each request: token, strict reading, agreement and policies, two durable
log entries, minimised and validated answer, signature, receipt. The others check the same token, pass the question
on over connections that they keep, and write a line into a file; the bare proxy does not even that.

## Goals

The complete gateway with bearer tokens on SQLite, {JUDGED} in flight, where nothing else is said.

{_block("goals", goals_table(result))}

{beside_table(result)}

ในภาษาไทย:

{_block("goals-th", goals_table(result, "th"))}

## A source that answers at once

{figures_table(result)}

## Sources that take their time

{slow_table(result) or "Not measured."}

## Memory as exchanges go on

{memory_table(result) or "Not measured."}

## What to know of it

{notes}

## Versions

{versions}
"""


def _block(name: str, content: str) -> str:
    return f"<!-- begin: {name} -->\n{content}\n<!-- end: {name} -->"


def block(text: str, name: str) -> str:
    """What stands between a file's markers of this name."""
    return re.search(_marked(name), text, re.DOTALL)[1]  # type: ignore[index]


def _marked(name: str) -> str:
    return rf"<!-- begin: {name} -->\n(.*?)\n?<!-- end: {name} -->"


def publish() -> None:
    """Writes docs/bench.md, and the READMEs' quotations of it."""
    memory = json.loads(MEMORY.read_text()) if MEMORY.exists() else None
    result = Result(json.loads(BENCH.read_text()), memory)
    PAGE.write_text(page(result), encoding="utf-8")
    for language, readme in READMES.items():
        quoted = _block("bench", goals_table(result, language))
        text = readme.read_text(encoding="utf-8")
        readme.write_text(re.sub(_marked("bench"), partial(_instead, quoted), text, flags=re.DOTALL), encoding="utf-8")


def _instead(quoted: str, _: re.Match[str]) -> str:
    return quoted


if __name__ == "__main__":
    publish()
