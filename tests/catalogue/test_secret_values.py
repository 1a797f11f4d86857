"""Secrets by reference: from the environment or one folder, and from nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.catalogue import SecretMissing, machine_secrets
from gateway.catalogue.kinds import secret_names


def test_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DOPA__KEY", " one\n")
    (tmp_path / "dopa").mkdir()
    (tmp_path / "dopa/key.txt").write_text("two\n")
    secret = machine_secrets(tmp_path)
    assert secret("env:SOURCE_DOPA__KEY") == "one"
    assert secret("file:dopa/key.txt") == "two"
    (tmp_path / "dopa/key.txt").write_text("three")
    assert secret("file:dopa/key.txt") == "three", "read at each use, so that a new one counts at once"


@pytest.mark.parametrize(
    "reference",
    [
        "env:SOURCE_DOPA__NONE",
        "env:SOURCE_DOPA__EMPTY",
        "env:HOME",
        "env:LINKAGE_DATABASE_URL",
        "file:dopa/none",
        "file:../outside",
        "file:dopa/../../outside",
        "file:/etc/hostname",
        "file:dopa/latin",
        "plain",
        "",
        "vault:x",
    ],
)
def test_references_that_lead_nowhere(reference: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DOPA__EMPTY", " ")
    folder = tmp_path / "secrets"
    (folder / "dopa").mkdir(parents=True)
    (tmp_path / "outside").write_text("not for you")
    (folder / "dopa/latin").write_bytes(b"\xff\xfe")
    with pytest.raises(SecretMissing):
        machine_secrets(folder)(reference)
    with pytest.raises(SecretMissing):
        machine_secrets()("file:dopa/key.txt")


@pytest.mark.parametrize(
    ("agency", "variable", "file", "good"),
    [
        ("dopa", "SOURCE_DOPA__API_KEY", "dopa/key", True),
        ("sso-east", "SOURCE_SSO_EAST__KEY", "sso-east/key", True),
        ("sso", "SOURCE_SSO_EAST__KEY", "sso-east/key", False),
        ("dopa", "SOURCE_DOPA_KEY", "dopa/a/b", False),
        ("dopa", "SOURCE_NHSO__KEY", "nhso/key", False),
    ],
)
def test_a_secrets_name_holds_its_agencys(agency: str, variable: str, file: str, good: bool) -> None:
    variables, files = secret_names(agency)
    assert (variables.fullmatch(variable) is not None) is good
    assert (files.fullmatch(file) is not None) is good
