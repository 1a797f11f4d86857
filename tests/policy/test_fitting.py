"""A set made for another version: what of it does not fit, told at the start, by doctor, and to who proposes it."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from gateway.app import initialise
from gateway.current import Current
from gateway.policy import PolicySet, misfits
from gateway.settings import Settings
from gateway.store import Store
from tests.cli.conftest import run_linkage
from tests.harness import ROOT
from tests.observed import observed


def older(policies: PolicySet) -> PolicySet:
    """A set as it was while the moment of the question was among the facts, beside a consent's own times."""
    schema = policies.schema.replace("      starts: Long,\n", "      starts: Long,\n      now: Long,\n")
    now = "context.consent.starts > context.consent.now"
    text = policies.files["consents.cedar"].replace("context.consent.starts > 0", now)
    assert text != policies.files["consents.cedar"]
    return PolicySet.of(schema, {**policies.files, "consents.cedar": text})


def test_this_versions_own_set_fits_whatever_its_schemas_comments_say(policies: PolicySet) -> None:
    assert misfits(policies) == []
    assert misfits(PolicySet.of("// ours\n" + policies.schema, policies.files)) == []


def test_rules_about_facts_that_nobody_states_any_more_are_named(policies: PolicySet) -> None:
    assert misfits(older(policies)) == ["consent-not-yet-begun"]


def test_a_schema_that_lacks_what_the_registers_say_does_not_fit(policies: PolicySet) -> None:
    schema = policies.schema.replace("  cross_border: Bool,\n", "", 1)
    files = {name: text for name, text in policies.files.items() if "principal.cross_border" not in text}
    assert len(files) < len(policies.files)
    assert misfits(PolicySet.of(schema, files)) == ["schema"]


def written(folder: Path, policies: PolicySet) -> Path:
    """The set with this version's examples, as a folder that somebody keeps."""
    shutil.copytree(ROOT / "policies" / "examples", folder / "examples")
    for name, text in {**policies.files, "schema.cedarschema": policies.schema}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_checking_a_folder_says_so_first_and_in_both_languages(policies: PolicySet, tmp_path: Path) -> None:
    ran = run_linkage("policy", "check", written(tmp_path / "same", policies))
    assert ran.code == 0, ran.err
    ran = run_linkage("policy", "check", written(tmp_path / "older", older(policies)))
    assert ran.code == 1
    lines = ran.err.splitlines()
    (told,) = [line for line in lines if "consent-not-yet-begun" in line]
    assert "เกตเวย์รุ่นอื่น" in told
    assert "another version of the gateway" in told
    assert "examples/" not in ran.err  # that each of them fails tells nobody why
    assert "judgement failed" not in ran.err
    schema = policies.schema.replace("  cross_border: Bool,\n", "", 1)
    files = {name: text for name, text in policies.files.items() if "principal.cross_border" not in text}
    ran = run_linkage("policy", "check", written(tmp_path / "lacking", PolicySet.of(schema, files)), "--json")
    assert ran.code == 1
    (told,) = json.loads(ran.err)["error"]["details"]
    assert told.startswith("schema.cedarschema: สคีมานี้เป็นของเกตเวย์รุ่นอื่น")
    assert "another version of the gateway" in told


def test_a_gateway_says_so_at_its_start_and_doctor_says_how_to_mend_it(
    policies: PolicySet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, old = tmp_path / "policies", older(policies)
    folder.mkdir()
    for name, text in {**old.files, "schema.cedarschema": old.schema}.items():
        (folder / name).write_text(text, encoding="utf-8")
    settings = Settings(state_dir=tmp_path / "state", issuer="http://127.0.0.1:9", sandbox=True)
    initialise(settings, first_admin="admin", policies=folder)

    store = Store(settings.database)
    try:
        with observed() as lines:
            current = Current(store, changed=lambda _: None)
            asyncio.run(current.refresh())
    finally:
        store.close()
    (told,) = lines
    assert (told["event"], told["level"]) == ("policies_of_another_version", "warning")
    assert (told["rules"], told["digest"]) == (["consent-not-yet-begun"], old.digest)

    monkeypatch.setenv("LINKAGE_STATE_DIR", str(settings.state_dir))
    monkeypatch.setenv("LINKAGE_ISSUER", settings.issuer)
    ran = run_linkage("doctor", "--json")
    assert ran.code == 1
    (found,) = [each for each in json.loads(ran.out)["findings"] if each["state"] == "wrong"]
    assert found["check"] == "policies"
    assert found["title"].endswith("does not validate against this version's schema: consent-not-yet-begun")
    assert "linkage policy propose" in found["mend"]
