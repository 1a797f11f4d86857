"""The kind `python`: a stranger's package runs if its files are those that were approved, and not otherwise."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import pytest
from local_sources import KEYS, Process
from strangers import install, tamper

from connectors import python
from connectors.python import check_folder, check_machine, open_connector, package_digest
from gateway.catalogue import kinds, require_openable, services_of, told_of_changes
from gateway.errors import MalformedRequest
from gateway.plugin import AgencyUnavailable, ConnectorSettings
from tests.cli.conftest import run_linkage
from tests.observed import observed
from tests.stranger.cases import KEY, registration

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("build") / "source")


@pytest.fixture
def site(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the installed package, on the path, in a process that has not loaded it yet."""
    folder = tmp_path / "site"
    shutil.copytree(built, folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(python, "_loaded", {})
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == "sommut_cover"]:
        del sys.modules[name]


def entry() -> EntryPoint:
    (found,) = entry_points(group=kinds.GROUP, name="sommut-cover")
    return found


def settings(**more: Any) -> dict[str, Any]:
    return {"connector": "sommut-cover", "digest": package_digest(entry()), "settings": {"key": KEY}, **more}


def opened(told: dict[str, Any]) -> Any:
    return open_connector(
        ConnectorSettings("nhso.coverage.v1", "http://127.0.0.1:9", told, {}, lambda name: "x", lambda address: True)
    )


def refused(told: dict[str, Any]) -> str:
    with pytest.raises(AgencyUnavailable) as caught:
        opened(told)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert "secret words" not in str(seen)
        seen = seen.__cause__
    return caught.value.fault


def test_what_was_approved_runs(site: Path, tmp_path: Path) -> None:
    told = settings()
    assert list(check_machine(told)) == []
    assert list(check_folder(tmp_path, told)) == []
    assert type(opened(told)).__module__ == "sommut_cover"


def test_one_byte_more_does_not(site: Path) -> None:
    told = settings()
    tamper(site)
    assert refused(told) == "connector_changed"
    assert "sommut_cover" not in sys.modules, "what is not approved is not even imported"
    ((place, en, th),) = check_machine(told)
    assert place == "/settings/digest"
    assert package_digest(entry()) in en
    assert package_digest(entry()) in th
    assert type(opened(settings())).__module__ == "sommut_cover", "approved anew, it runs"


@pytest.mark.parametrize("change", ["added", "gone", "renamed", "entry"])
def test_every_file_counts_and_where_the_entry_point_leads(site: Path, change: str) -> None:
    (site / "sommut_cover" / "codes.json").write_text("{}")
    told, package = settings(), site / "sommut_cover"
    if change == "added":
        (package / "more.py").write_text("")
    elif change == "gone":
        (package / "codes.json").unlink()
    elif change == "renamed":
        (package / "codes.json").rename(package / "codes2.json")
    else:
        (file,) = site.glob("*.dist-info/entry_points.txt")
        file.write_text(file.read_text().replace(":open_connector", ":CoverConnector"))
    assert refused(told) == "connector_changed"


def test_a_process_that_runs_the_old_files_does_not_pass_them_for_the_new(site: Path) -> None:
    opened(settings())
    tamper(site)
    assert refused(settings()) == "connector_restart"
    ((_, en, _),) = check_folder(site, settings())
    assert "start it anew" in en


def test_compiled_copies_are_no_change(site: Path) -> None:
    told = settings()
    cache = site / "sommut_cover" / "__pycache__"
    cache.mkdir()
    (cache / "x.pyc").write_bytes(b"x")
    assert list(check_machine(told)) == []


def test_a_package_that_is_not_there_or_there_twice(site: Path, tmp_path: Path) -> None:
    told = settings()
    assert refused({**told, "connector": "no-such"}) == "connector_missing"
    assert [place for place, _, _ in check_machine({**told, "connector": "no-such"})] == ["/settings/connector"]
    assert refused({**told, "connector": "rest"}) == "connector_missing", "the gateway's own kinds are no packages"
    other = site / "other-1.0.dist-info"
    shutil.copytree(next(site.glob("*.dist-info")), other)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (other / "entry_points.txt").write_text(f"[{kinds.GROUP}]\nsommut-cover = sommut_cover:CoverConnector\n")
    assert refused(told) == "connector_ambiguous"
    shutil.rmtree(other)
    shutil.rmtree(site / "sommut_cover")
    assert refused(told) == "connector_missing"


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("raise RuntimeError('secret words')", "connector_broken"),
        ("import no_such_module", "connector_broken"),
        ("open_connector = 1\nSETTINGS_SCHEMA = {}", "connector_broken"),
        ("def open_connector(s): pass", "connector_broken"),
        ("SETTINGS_SCHEMA = {}\ndef open_connector(s): raise ValueError('secret words')", "connector_broken"),
        ("SETTINGS_SCHEMA = {'required': ['x']}\ndef open_connector(s): pass", "connector_settings"),
    ],
)
def test_a_package_that_does_not_work(site: Path, code: str, fault: str) -> None:
    (site / "sommut_cover" / "__init__.py").write_text(code)
    assert refused(settings()) == fault


def test_its_own_settings_are_checked_at_the_desk_and_its_words_are_its_own(site: Path, tmp_path: Path) -> None:
    found = list(check_folder(tmp_path, settings(settings={"key": "plain", "more": 1})))
    assert {place for place, _, _ in found} == {"/settings/settings", "/settings/settings/key"}
    assert all("plain" not in en for _, en, _ in found)


def test_a_strangers_entry_point_is_no_kind_of_its_own_and_shadows_none(site: Path) -> None:
    (file,) = site.glob("*.dist-info/entry_points.txt")
    file.write_text(
        f"[{kinds.GROUP}]\nsommut-cover = sommut_cover:open_connector\nrest = sommut_cover:open_connector\n"
    )
    kinds.installed.cache_clear()
    try:
        found = kinds.installed()
        assert set(found) == {"python", "rest", "soap", "sql"}
        assert found["rest"].value == "connectors.rest:open_connector"
    finally:
        kinds.installed.cache_clear()


def test_a_registration_stands_whatever_becomes_of_the_package(site: Path) -> None:
    """The gateway reads its registers at every start: a package that is gone closes its service, and no other."""
    body = registration("http://127.0.0.1:9", package_digest(entry()))
    tamper(site)
    (service,) = services_of(body)
    with pytest.raises(MalformedRequest) as caught:
        require_openable([service])
    assert "nhso.coverage.v1: /connector/settings/digest" in caught.value.detail_en
    look = told_of_changes()
    with observed() as lines:
        look([service])
        look([service])
    ((told),) = lines
    assert (told["event"], told["service"]) == ("connector_not_as_approved", "nhso.coverage.v1")
    assert package_digest(entry()) in told["why"]
    assert "ค่าแฮช" in caught.value.detail_th


PINNED = """    connector:
      kind: python
      endpoint: https://cover.nhso.example
      settings:
        connector: sommut-cover
        digest: {digest}
        settings: {{key: {{env: SOURCE_NHSO__API_KEY}}{more}}}
"""


def test_linkage_connector_check_says_which_line_and_which_digest(site: Path, tmp_path: Path) -> None:
    folder = tmp_path / "connectors" / "nhso"
    folder.mkdir(parents=True)
    before, _, _ = (ROOT / "connectors/nhso/agency.yaml").read_text().partition("    connector:\n")

    def checked(digest: str, more: str = "") -> Any:
        (folder / "agency.yaml").write_text(before + PINNED.format(digest=digest, more=more))
        return run_linkage("connector", "check", folder, "--schemas", ROOT / "schemas")

    line = before.count("\n") + 6
    found = checked("sha256:" + "0" * 64)
    assert found.code == 1
    assert f"agency.yaml:{line}" in found.err
    assert package_digest(entry()) in found.err
    assert checked(package_digest(entry())).code == 0
    found = checked(package_digest(entry()), ", more: 1")
    assert (found.code, f"agency.yaml:{line + 1}" in found.err) == (1, True)
    assert checked("sha256:short").code == 1


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process("nhso", tmp_path_factory.mktemp("nhso-of-stranger"))
    yield process
    process.stop()


def test_the_one_documented_command_runs_a_strangers_package_through_the_kit(built: Path, source: Process) -> None:
    command = "-p gateway.conformance.command --pyargs gateway.conformance --cases tests.stranger.cases:cases"
    environment = {**os.environ, **KEYS, "COVER_SOURCE": source.url, "PYTHONPATH": f"{built}{os.pathsep}{ROOT}"}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *command.split(), "-rs", "-p", "no:cacheprovider"],
        check=False, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert "failed" not in ran.stdout
    assert "1 skipped" in ran.stdout, ran.stdout[-500:]
    assert "no date that is known in part" in ran.stdout, "the one check its source leaves no room for"
