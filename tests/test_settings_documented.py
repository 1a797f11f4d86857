"""docs/settings.md names every setting with its default, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.settings import Settings

ROW = re.compile(r"^\| `(LINKAGE_[A-Z_]+)` \| (?:`([^`]*)`)? ?\| (\S[^|]*) \| (\S[^|]*) \|$", re.MULTILINE)


@pytest.fixture
def sections(repository: Path) -> tuple[str, str]:
    """The part on the gateway, and the part on the commands."""
    text = (repository / "docs" / "settings.md").read_text(encoding="utf-8")
    _, gateway, commands = re.split(r"^## .*$", text, flags=re.MULTILINE)
    return gateway, commands


def test_every_setting_is_documented_with_its_default(sections: tuple[str, str]) -> None:
    documented = {name: default for name, default, *_ in ROW.findall(sections[0])}
    settings = {f"LINKAGE_{name.upper()}": field for name, field in Settings.model_fields.items()}
    assert documented.keys() == settings.keys()
    for name, field in settings.items():
        default = field.get_default(call_default_factory=True)
        shown = "" if default in (None, "", []) else str(default).lower() if isinstance(default, bool) else str(default)
        assert documented[name] == shown, name


def test_every_variable_of_the_commands_is_documented(repository: Path, sections: tuple[str, str]) -> None:
    documented = {name for name, *_ in ROW.findall(sections[1])}
    read = {
        name
        for file in (repository / "gateway" / "cli").glob("*.py")
        for name in re.findall(r'(?:envvar=|environ\.get\()"(LINKAGE_[A-Z_]+)"', file.read_text(encoding="utf-8"))
    }
    assert documented == read


def test_the_readmes_lead_there(repository: Path) -> None:
    for name in ("README.md", "README.th.md"):
        assert "docs/settings.md" in (repository / name).read_text(encoding="utf-8")
