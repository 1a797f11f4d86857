"""The process's own log: what asyncio tells of an exception that nobody took is a line of ours, without its words."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors import population
from gateway.observe import logger

ELDER = population.story("elder")
PROVOKING = """
import asyncio, gc, sys
import uvloop
from gateway import observe

configured, loops = sys.argv[1:]
if configured == "yes":
    observe.configure()
elder = sys.stdin.read()


class SourceFailed(Exception):
    pass


async def fails(person):
    raise SourceFailed(f"the source said: {person} is unknown")


def called_back(person):
    raise SourceFailed(f"no row for {person}")


async def main():
    loop = asyncio.get_running_loop()
    asyncio.create_task(fails(elder), name=f"question about {elder}")
    loop.create_future().set_exception(SourceFailed(elder))
    loop.call_soon(called_back, elder)
    await asyncio.sleep(0.05)
    gc.collect()
    loop.call_exception_handler({"message": f"Unclosed connection about {elder}", "source": elder})


runs = asyncio.run if loops == "asyncio" else uvloop.run
runs(main())
"""


def told(configured: str, loop: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", PROVOKING, configured, loop],
        input=ELDER,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout == ""
    return run.stderr


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_what_asyncio_tells_of_an_exception_loses_its_words(loop: str) -> None:
    bare = told("no", loop)
    for words in (
        "Task exception was never retrieved",
        "Future exception was never retrieved",
        "Exception in callback",
    ):
        assert words in bare, words
    assert bare.count(ELDER) >= 6  # in the exceptions' texts, a task's name, a callback's argument, a message

    text = told("yes", loop)
    assert ELDER not in text
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    assert [line.pop("kind", None) for line in lines] == ["SourceFailed"] * 3 + [None]
    for line in lines:
        assert (line.pop("event"), line.pop("level"), line.pop("library")) == ("library", "error", "asyncio")
        assert line.keys() == {"at", "timestamp"}
        assert re.fullmatch(r"[a-z_.<>]+:[0-9]+", line["at"])  # uvloop has no frames: the nearest of Python's own


def test_a_full_disk_that_takes_no_line_ends_nothing() -> None:
    program = (
        "from gateway.observe import logger; logger.warning('checkpoint_not_signed', kind='x'); "
        "import os; os.write(1, b'goes on'); os._exit(0)"
    )
    with Path("/dev/full").open("wb") as full:
        ran = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=full, check=False)
    assert ran.stdout == b"goes on"


def test_what_is_no_json_is_told_by_its_kind_and_not_by_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    logger.warning("x", at=ValueError(ELDER))
    line = capsys.readouterr().err
    assert json.loads(line)["at"] == "ValueError"
    assert ELDER not in line
