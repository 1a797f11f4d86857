"""The locked dependencies: every one with its hash, from no particular index; the image's are among all of them."""

from __future__ import annotations

import re
from pathlib import Path

LOCKS = ("requirements.lock", "requirements.serve.lock")
TOOLS = "requirements.tools.lock"


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", lock.read_text(), re.MULTILINE))


def test_every_pin_has_hashes_and_no_lock_names_an_index(repository: Path) -> None:
    for name in (*LOCKS, TOOLS):
        text = (repository / name).read_text()
        entries = re.split(r"\n(?=[a-z0-9])", text.split("\n", 2)[2])
        assert len(entries) > 40
        assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
        assert not re.search(r"://|--(extra-)?index-url|--find-links|--trusted-host", text)


def test_what_the_image_installs_is_what_was_tested(repository: Path) -> None:
    everything, served = (pins(repository / name) for name in LOCKS)
    assert served.items() <= everything.items()
    assert "pytest" in everything
    assert "pytest" not in served
