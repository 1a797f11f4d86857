"""Licences are read as SPDX means them, and an audit that could not be made is no good news."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from supply import audit, licences

ALLOWED = {"MIT", "Apache-2.0", "BSD License", "ISC License (ISCL)"}


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("MIT", True),
        ("ISC License (ISCL)", True),
        ("BSD License; MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR MIT)", False),
        ("(GPL-2.0-only OR MIT) AND Apache-2.0", True),
        ("GPL-2.0-only OR MIT AND AGPL-3.0-only", False),
        ("BSD License; GPL", False),
        ("LGPL-3.0-only", False),
        ("UNKNOWN", False),
        ("", False),
        ("(MIT", False),
        ("MIT OR", True),
        ("MIT AND", False),
        ("MIT) OR (", False),
    ],
)
def test_an_expression_is_read_as_it_is_meant(text: str, good: bool) -> None:
    assert licences.is_allowed(text, ALLOWED) is good


def run(monkeypatch: pytest.MonkeyPatch, packages: list[dict[str, str]]) -> int:
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(packages)))
    return licences.main()


def test_what_may_not_be_there_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    excused = yaml.safe_load(licences.LIST.read_text())["despite"]
    packages = [{"Name": f"p{n}", "Version": "1", "License": "MIT"} for n in range(30)]
    packages += [{"Name": name, "Version": "1", "License": "LGPL-3.0-only"} for name in excused]
    assert run(monkeypatch, packages) == 0
    assert run(monkeypatch, [*packages, {"Name": "viral", "Version": "1", "License": "AGPL-3.0-only"}]) == 1
    assert "viral" in capsys.readouterr().err
    assert run(monkeypatch, packages[:-1]) == 1  # an excuse for what is no longer there
    assert run(monkeypatch, []) == 1


def program(folder: Path, prints: str) -> str:
    file = folder / "pip-audit"
    file.write_text(f"#!{sys.executable}\nprint({prints!r})\n")
    file.chmod(0o755)
    return str(file)


def test_an_audit_tells_good_news_bad_news_and_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ended(body: Any) -> int:
        text = body if isinstance(body, str) else json.dumps({"dependencies": body})
        return audit.main(program(tmp_path, text), ["requirements.lock"])

    sound = {"name": "sound", "version": "1", "vulns": []}
    assert ended([sound]) == 0
    assert ended([sound, {"name": "bad", "version": "1", "vulns": [{"id": "X-1", "fix_versions": []}]}]) == audit.KNOWN
    assert "X-1" in capsys.readouterr().out
    for nothing in ("", "Traceback", "{}", [sound, {"name": "odd", "skip_reason": "not found"}]):
        assert ended(nothing) == audit.NOT_ASKED
        assert "NOT CHECKED" in capsys.readouterr().err
