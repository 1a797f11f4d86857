"""A policy set is its text: digest, round trip, and refusal of whatever does not validate."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedRequest
from gateway.policy import PolicySet
from gateway.policy.cedartext import MAX_DEPTH, too_much


def test_the_digest_is_over_the_sorted_json(policies: PolicySet) -> None:
    text = json.dumps(policies.as_json(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert policies.digest == hashlib.sha256(text.encode()).hexdigest()


def test_the_digest_depends_on_the_text_and_not_on_the_order(policies: PolicySet) -> None:
    doc = policies.as_json()
    turned = {"files": dict(reversed(doc["files"].items())), "schema": doc["schema"]}
    assert PolicySet.from_json(turned).digest == policies.digest
    assert PolicySet.from_json(turned).policies == policies.policies
    for name in doc["files"]:
        other = {**doc, "files": {**doc["files"], name: doc["files"][name] + "\n"}}
        assert PolicySet.from_json(other).digest != policies.digest
    assert PolicySet.from_json({**doc, "schema": doc["schema"] + "\n"}).digest != policies.digest


def test_it_goes_through_json_and_back(policies: PolicySet) -> None:
    again = PolicySet.from_json(json.loads(json.dumps(policies.as_json())))
    assert again == policies
    assert again.as_json() == policies.as_json()


def test_it_cannot_be_changed(policies: PolicySet) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        policies.digest = "0"  # type: ignore[misc]
    with pytest.raises(TypeError):
        policies.files["permit.cedar"] = ""  # type: ignore[index]
    policies.as_json()["files"].clear()
    assert policies.files


def test_every_policy_carries_its_law_and_both_languages(policies: PolicySet) -> None:
    for info in policies.policies:
        assert info.section
        assert info.title_en.isascii()
        assert not info.title_th.isascii()
        if info.effect == "forbid":
            assert info.code
            assert info.remedy_en.isascii()
            assert not info.remedy_th.isascii()


ANNOTATED = """@id("{id}") @section("s") @title_en("t") @title_th("ก") @code("a_code") @remedy_en("r") @remedy_th("ก")
forbid (principal, action, resource) when {{ {when} }};"""


def changed(policies: PolicySet, **files: str) -> dict[str, Any]:
    doc = policies.as_json()
    doc["files"].update({f"{name}.cedar": text for name, text in files.items()})
    return doc


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("forbid (principal, action, resource", "unmatched brackets"),
        ("forbid (principal, action) ;", "not Cedar"),
        (ANNOTATED.format(id="x-type", when="context.today == true"), "does not validate"),
        (ANNOTATED.format(id="x-sum", when='context.today + "1" == 2'), "does not validate"),
        (ANNOTATED.format(id="x-unknown", when="context.weather == 1"), "does not validate"),
        (ANNOTATED.format(id="x-unguarded", when='context.officer == "active"'), "does not validate"),
        (ANNOTATED.format(id="no-agreement", when="true"), "is used in"),
        (ANNOTATED.format(id="X Y", when="true"), "no @id"),
        (ANNOTATED.format(id="judgement", when="true"), "no @id"),
        ("forbid (principal, action, resource);", "no @id"),
        (ANNOTATED.format(id="x-slot", when="true").replace("(principal,", "(principal == ?principal,"), "templates"),
        (ANNOTATED.format(id="x-code", when="true").replace('@code("a_code")', '@code("C d")'), "@code"),
        (ANNOTATED.format(id="x-less", when="true").replace('@remedy_en("r")', ""), "@remedy_en is missing"),
        (ANNOTATED.format(id="x-fields", when="true").replace("forbid", '@fields("all") forbid'), "@fields is none"),
        (ANNOTATED.format(id="x-note", when="true").replace("forbid", '@note("n") forbid'), "@note is not known"),
        (ANNOTATED.format(id="x-thai", when="true").replace('@title_th("ก")', '@title_th("t")'), "not in Thai"),
    ],
)
def test_a_set_that_does_not_validate_is_refused(policies: PolicySet, text: str, because: str) -> None:
    with pytest.raises(MalformedRequest) as refused:
        PolicySet.from_json(changed(policies, extra=text))
    assert "extra.cedar" in refused.value.detail_en
    assert because in refused.value.detail_en
    assert "extra.cedar" in refused.value.detail_th


def test_the_refused_texts_would_pass_were_they_right(policies: PolicySet) -> None:
    right = ANNOTATED.format(id="x-right", when="context.today == 20261120")
    more = PolicySet.from_json(changed(policies, extra=right))
    assert "x-right" in {info.id for info in more.policies}


@pytest.mark.parametrize(
    "doc",
    [
        {},
        {"schema": "", "files": []},
        {"schema": 1, "files": {}},
        {"schema": "", "files": {"a.cedar": 1}},
        {"schema": "", "files": {}, "more": 1},
        {"schema": "entity A;", "files": {}},
        {"schema": "entity A;\ud800", "files": {}},
        {"schema": "entity A;", "files": {"a.cedar": "// \ud800"}},
        {"schema": "entity A;", "files": {"a.cedar": "\0"}},
        [],
        None,
    ],
)
def test_what_is_no_set_is_refused(doc: Any) -> None:
    with pytest.raises(MalformedRequest):
        PolicySet.from_json(doc)


@pytest.mark.parametrize("name", ["../evil.cedar", "a.txt", "A.cedar", ".cedar", "schema.cedarschema"])
def test_a_file_name_is_a_plain_one(policies: PolicySet, name: str) -> None:
    doc = policies.as_json()
    doc["files"][name] = ""
    with pytest.raises(MalformedRequest):
        PolicySet.from_json(doc)


def test_a_set_without_any_permit_is_refused(policies: PolicySet) -> None:
    doc = policies.as_json()
    del doc["files"]["permit.cedar"]
    with pytest.raises(MalformedRequest, match="no policy permits"):
        PolicySet.from_json(doc)


@pytest.mark.parametrize(
    "when",
    [
        "(" * 50_000 + "true" + ")" * 50_000,
        "[" * 3_000 + "]" * 3_000 + " == 1",
        "true" + " && true" * 10_000,
        "context" + ".a" * 30_000,
        "if true then " * 5_000 + "true" + " else false" * 5_000,
    ],
)
def test_text_that_would_bring_the_parser_down_is_refused_before_it(policies: PolicySet, when: str) -> None:
    with pytest.raises(MalformedRequest, match="too long, too deeply nested"):
        PolicySet.from_json(changed(policies, extra=ANNOTATED.format(id="x-deep", when=when)))


def test_a_schema_that_would_bring_the_parser_down_is_refused_before_it(policies: PolicySet) -> None:
    deep = "entity E { a: " + "Set<" * 20_000 + "Long" + ">" * 20_000 + " };"
    with pytest.raises(MalformedRequest, match="too long or too deeply nested"):
        PolicySet.from_json({**policies.as_json(), "schema": deep})


def test_what_is_just_within_the_bounds_parses(policies: PolicySet) -> None:
    """So the bounds lie where the parser still stands."""
    deep = "(" * (MAX_DEPTH - 2) + "true" + ")" * (MAX_DEPTH - 2)
    PolicySet.from_json(changed(policies, extra=ANNOTATED.format(id="x-deep", when=deep)))
    long = "true" + " && true" * 25
    PolicySet.from_json(changed(policies, extra=ANNOTATED.format(id="x-long", when=long)))


def test_a_chain_that_parses_but_cannot_be_loaded_is_refused(policies: PolicySet) -> None:
    long = "true" + " && true" * 450
    with pytest.raises(MalformedRequest, match="to be loaded"):
        PolicySet.from_json(changed(policies, extra=ANNOTATED.format(id="x-long", when=long)))


@given(st.text(alphabet='([{<>}])"/\\;a\n', max_size=200))
def test_brackets_in_texts_and_comments_do_not_count(noise: str) -> None:
    quoted = json.dumps(noise)
    assert not too_much(f"permit (principal, action, resource) when {{ {quoted} == {quoted} }};")
    comment = noise.replace("\n", " ")
    assert not too_much(f"// {comment}\npermit (principal, action, resource);")


@pytest.mark.parametrize("text", ["(", ")", "([)]", "}{", '"', '"\\"', "when { ( };"])
def test_brackets_and_quotes_match(text: str) -> None:
    assert too_much(text)


def test_a_folder_without_schema_or_of_other_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="schema"):
        PolicySet.from_folder(tmp_path)
    (tmp_path / "schema.cedarschema").write_bytes(b"\xff\xfe")
    with pytest.raises(MalformedRequest, match="UTF-8"):
        PolicySet.from_folder(tmp_path)
