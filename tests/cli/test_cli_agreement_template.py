"""One template for many consumers: named or listed, all looked at before any is proposed, gone on with after a stop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.cli import agreement_template
from gateway.client import Gateway, Problem, Unreachable
from tests.cli.desk import PERSON, Desk, agreement, title
from tests.cli.government import governed
from tests.http.wire import made_up

SOMEONE = made_up(27_182_818)
TAMBONS = tuple(f"tambon-{number}" for number in range(1, 6))
FROM = ("agreement", "from-template")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, linkage: Any) -> Iterator[Desk]:
    with governed(tmp_path_factory.mktemp("template"), linkage) as held:
        for name in TAMBONS:
            assert held("admin", "agency", "add", name, "--title-th", "ตำบล", "--title-en", "Tambon").code == 0
        yield held


def template(desk: Desk, prefix: str, **change: Any) -> Path:
    """A file of the form, for agreements whose ids begin so."""
    form = {**agreement(PERSON, ["life_status"]), "title": title("ข้อตกลงของ {consumer}", "Of {consumer}"), **change}
    del form["consumer"]
    return desk.write(f"{prefix}.yaml", {**form, "id": prefix + "-{consumer}"})


def listed(desk: Desk, text: str) -> Path:
    file = desk.folder / "towns.txt"
    file.write_text(text, encoding="utf-8")
    return file


def standing(desk: Desk, prefix: str) -> dict[str, int]:
    """The versions that wait, of the agreements whose ids begin so."""
    records = desk("admin", "agreement", "list", "--json").json
    found = records if isinstance(records, list) else records["records"]
    return {one["id"]: one["pending"]["version"] for one in found if one["id"].startswith(f"{prefix}-")}


def test_named_one_by_one(desk: Desk) -> None:
    file = template(desk, "named")
    consumers = ["--consumer", "tambon-1", "--consumer", "tambon-2"]
    ran = desk("admin", *FROM, file, *consumers)
    assert ran.code == 0, ran.err
    for name in ("tambon-1", "tambon-2"):
        record = desk("admin", "agreement", "show", f"named-{name}", "--json").json
        assert (record["consumer"]["agency"], record["status"]) == (name, "proposed")
        assert record["title"]["en"] == f"Of {name}"
        assert record["onward_sharing"] is False
    whole = desk.write("whole.yaml", agreement(PERSON, ["life_status"]))
    assert desk("admin", *FROM, whole, *consumers).code == 2
    ran = desk("admin", *FROM, template(desk, "wrong", terms=[]), *consumers)
    assert (ran.code, ran.err.count("wrong.yaml:")) == (2, 1)
    assert desk("admin", *FROM, file, "--consumer", "nowhere").code == 1
    assert desk("admin", *FROM, file).code == 2


def test_listed_in_a_file_or_on_standard_input(desk: Desk) -> None:
    file = template(desk, "listed")
    towns = listed(desk, "\ufeff# เทศบาลตำบล\r\n\r\ntambon-1\r\n  tambon-2  # ที่สอง\r\n#tambon-3\r\n")
    ran = desk("admin", *FROM, file, "--consumers", towns, "--consumer", "tambon-5", "--json")
    assert ran.code == 0, ran.err
    assert [one["id"] for one in ran.json["proposed"]] == [f"listed-tambon-{n}" for n in (5, 1, 2)]
    assert all(one["version"] == 1 and one["index"] > 0 for one in ran.json["proposed"])
    ran = desk("admin", *FROM, file, "--consumers", "-", stdin="tambon-3\ntambon-4")
    assert ran.code == 0, ran.err
    assert "2 proposed, 0 there already, 0 not proposed" in ran.out
    assert standing(desk, "listed") == {f"listed-{name}": 1 for name in TAMBONS}


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("tambon-1\n\nTambon 2\n", 2, ["towns.txt:3: ไม่ใช่รหัสหน่วยงาน / not an agency's id"]),
        (f"{SOMEONE}\ntambon-1\n", 2, ["towns.txt:1: ไม่ใช่รหัสหน่วยงาน / not an agency's id"]),
        ("tambon-1\n# x\ntambon-1 # again\n", 2, ["towns.txt:3: ซ้ำกับ ", "towns.txt:1 / the same as "]),
        (
            "tambon-1\nnowhere\ntambon-2\nelsewhere\n",
            1,
            ["towns.txt:2: ไม่มีหน่วยงาน nowhere ในทะเบียน / no agency nowhere", "towns.txt:4: ไม่มีหน่วยงาน elsewhere"],
        ),
        ("x!\n" * 150, 2, ["towns.txt:100: ", "และอีก 50 รายการ / and 50 more"]),
        (f"tambon-1\n{'a' * 60}\n", 2, ["checked.yaml:", "towns.txt:2)"]),
        ("# none\n", 2, ["--consumers FILE"]),
    ],
)
def test_nothing_is_proposed_where_one_line_is_wrong(desk: Desk, text: str, code: int, told: list[str]) -> None:
    file = template(desk, "checked")
    for given, stdin in ((listed(desk, text), ""), ("-", text)):
        ran = desk("admin", *FROM, file, "--consumers", given, stdin=stdin)
        assert ran.code == code
        for words in told:
            assert words.replace("towns.txt", "towns.txt" if stdin == "" else "stdin") in ran.err, ran.err
        assert SOMEONE not in ran.err + ran.out
    assert standing(desk, "checked") == {}


def test_a_file_that_cannot_be_read_is_told(desk: Desk) -> None:
    file = template(desk, "unread")
    assert desk("admin", *FROM, file, "--consumers", desk.folder / "none.txt").code == 2
    (desk.folder / "bytes.txt").write_bytes(b"tambon-1\n\xff\xfe\n")
    assert desk("admin", *FROM, file, "--consumers", desk.folder / "bytes.txt").code == 2


def test_a_stop_in_the_middle_is_told_and_gone_on_with(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    file, towns = template(desk, "stopped"), listed(desk, "\n".join(TAMBONS))
    act, calls = Gateway.act, []

    def lost(self: Gateway, name: str, body: Any) -> Any:
        """The third is done, and its answer does not arrive."""
        done = act(self, name, body)
        calls.append(body["id"])
        if len(calls) == 3:
            raise Unreachable("the connection broke")
        return done

    with monkeypatch.context() as patched:
        patched.setattr(Gateway, "act", lost)
        ran = desk("admin", *FROM, file, "--consumers", towns)
    assert ran.code == 1
    assert [f"agreement.propose stopped-{name}" in ran.out for name in TAMBONS] == [True, True, False, False, False]
    assert "2 proposed, 0 there already, 3 not proposed" in ran.out
    assert f"it stopped at {towns}:3" in ran.out
    assert "สั่งคำสั่งเดิมอีกครั้ง" in ran.out
    assert "the connection broke" in ran.err

    ran = desk("admin", *FROM, file, "--consumers", towns, "--json")
    assert ran.code == 0, ran.err
    assert [one["id"] for one in ran.json["proposed"]] == ["stopped-tambon-4", "stopped-tambon-5"]
    assert ran.json["unchanged"] == [f"stopped-{name}" for name in TAMBONS[:3]]
    assert ran.json["not_proposed"] == []
    assert standing(desk, "stopped") == {f"stopped-{name}": 1 for name in TAMBONS}

    # In force it stays as it is; with other terms it is a new version; refused or revoked it is neither.
    assert desk("owner-2", "agreement", "approve", "stopped-tambon-1", "--yes").code == 0
    assert desk("owner-2", "agreement", "refuse", "stopped-tambon-2", "--ground", "x", "--yes").code == 0
    one, two, three = (("--consumer", name) for name in TAMBONS[:3])
    ran = desk("admin", *FROM, file, *one, *two, *three, "--json")
    assert [[each["id"] for each in ran.json["proposed"]], ran.json["unchanged"]] == [
        ["stopped-tambon-2"],
        ["stopped-tambon-1", "stopped-tambon-3"],
    ]
    wider = template(desk, "stopped", retention={"days": 30, "destruction": "shredded"})
    ran = desk("admin", *FROM, wider, *one, "--json")
    assert [each["version"] for each in ran.json["proposed"]] == [2]
    assert desk("owner-2", "agreement", "revoke", "stopped-tambon-1", "--reason", "over").code == 0
    ran = desk("admin", *FROM, file, *two, *one)
    assert (ran.code, "--consumer 2: " in ran.err, "was revoked" in ran.err) == (1, True, True)


def test_a_gateway_that_is_asked_too_often_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    act, refusals, waited = Gateway.act, [7, 600], []

    def busy(self: Gateway, name: str, body: Any) -> Any:
        if refusals:
            raise Problem(429, "too_many_requests", retry_after=refusals.pop(0))
        return act(self, name, body)

    monkeypatch.setattr(Gateway, "act", busy)
    monkeypatch.setattr(agreement_template, "time", SimpleNamespace(sleep=waited.append))
    ran = desk("admin", *FROM, template(desk, "busy"), "--consumer", "tambon-1")
    assert (ran.code, waited) == (0, [7, 60]), ran.err
