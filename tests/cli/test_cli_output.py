"""What the commands print: Thai that lines up, texts that are shown and never obeyed, CSV without formulas."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.output import Screen, brief, csv_text, json_text, masked, masked_body, visible
from gateway.model.identifiers import check_digit

HOSTILE = "\x1b[31mred\x1b[0m \x9b2J \u202eevil\u2066 \x00\x07 [bold]x[/bold] :smile: \ud800"


def cells(text: str) -> int:
    """How many cells a terminal gives to `text`: none to combining marks, two to what is wide."""
    return sum(
        0
        if unicodedata.category(letter) in ("Mn", "Me", "Cf")
        else 2
        if unicodedata.east_asian_width(letter) in "WF"
        else 1
        for letter in text
    )


ROWS = [
    ("กรมการปกครอง", "ที่ว่าการอำเภอเมืองเชียงใหม่", "active"),
    ("น้ำผึ้ง", "กู้ยืมเพื่อการศึกษา ปู่ ย่า พี่ น้อง", "suspended"),
    ("x", "สิทธิหลักประกันสุขภาพ ผู้สูงอายุ", "active"),
    ("ไม่มีสระ", "", "ที่สุด"),
]


def test_thai_columns_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().table([("รหัส", "id"), ("ชื่อหน่วยงานที่ดูแล", "title"), ("สถานะ", "status")], ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 + len(ROWS)
    for column, heading in enumerate(("id", "title", "status")):
        start = cells(lines[1][: lines[1].index(heading)])
        for line, row in zip(lines[3:], ROWS, strict=True):
            if row[column]:
                assert cells(line[: line.index(row[column])]) == start, line


def test_thai_labels_of_a_record_line_up(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().fields({"title": "A", "status": "B", "x": "C"}, {"title": ("ที่อยู่", "t"), "status": ("สถานะ", "s")})
    lines = capsys.readouterr().out.splitlines()
    assert len({cells(line[: line.rindex(value)]) for line, value in zip(lines, "ABC", strict=True)}) == 1


def test_rows_stay_whole_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().table([("ก", "a"), ("ข", "b")], [("x" * 300, "end")])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[3].startswith("x" * 300)
    assert not any(line.endswith(" ") for line in lines)


def test_nothing_is_cut_short_on_a_narrow_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    Screen().fields({"digest": "ab" * 32})
    Screen().table([("ก", "x"), ("ข", "y")], [("cd" * 32, "ที่" * 30)])
    out = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    letters = "".join(out.split())
    assert letters.count("ab") == letters.count("cd") == 32
    assert letters.count("ที่") == 30
    assert all(cells(line) <= 40 for line in out.splitlines())


def test_foreign_text_is_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.table([("ก", "a")], [(HOSTILE,)])
    screen.fields({HOSTILE: HOSTILE, "nested": [{"a": [HOSTILE]}]})
    screen.line(HOSTILE)
    screen.failure({}, [HOSTILE])
    captured = capsys.readouterr()
    for text in (captured.out, captured.err):
        assert not set(text) & set("\x1b\x9b\x00\x07\u202e\u2066\ud800")
        assert "<U+001B>[31mred" in text
        assert "[bold]x[/bold] :smile:" in text


def test_json_obeys_nothing_either_and_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    body = {"ชื่อ": "\x1b[31m \x7f \x9b \u202e ที่"}
    text = json_text(body)
    assert json.loads(text) == body
    assert not set(text) & set("\x1b\x7f\x9b\u202e")
    assert "ที่" in text


@given(st.text())
def test_visible_leaves_no_control_character(text: str) -> None:
    shown = visible(text)
    assert all(unicodedata.category(letter) != "Cc" or letter == "\n" for letter in shown)


@given(st.text(alphabet="0123456789", min_size=12, max_size=12))
def test_no_citizen_id_is_left_in_an_error(twelve: str) -> None:
    digits = twelve + str(check_digit(twelve))
    written = f"{digits[0]}-{digits[1:5]}-{digits[5:10]}-{digits[10:12]}-{digits[12]}"
    thai = digits.translate(str.maketrans("0123456789", "๐๑๒๓๔๕๖๗๘๙"))
    for form in (digits, written, written.replace("-", " "), thai, f"x{digits}y", f"id={digits}&"):
        text = masked(f"unknown argument '{form}'")
        assert "[…]" in text
        assert not any(str(number) in text for number in range(10))
        assert masked_body({"a": [{"b": form}]}) == {"a": [{"b": masked(form)}]}


def test_what_is_the_gateways_own_is_left_in_an_error() -> None:
    for text in (
        "a123456789012345b" * 4,
        "ex_01234567890123456789abcdef",
        "2026-11-20T04:17:08.123Z",
        "02-123-4567",
    ):
        assert masked(text) == text
    assert masked("1" * 32) == "[…]"


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", " =1", "＝1", "＋1"])
def test_csv_holds_no_formula(start: str) -> None:
    text = csv_text(["a", "b"], [[start, 'ที่, "อยู่"\nใหม่'], [None, ["x", "y"]]])
    assert text.encode().startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert rows[1] == ["'" + start, 'ที่, "อยู่"\nใหม่']
    assert rows[2] == ["", "x, y"]


def test_values_in_brief() -> None:
    assert brief({"th": "กรม", "en": "Department"}) == "กรม (Department)"
    assert brief([{"th": "ก", "en": "a"}, True, None, 3]) == "ก (a), yes, , 3"
    assert brief({"a": 1, "b": None, "c": []}) == "a: 1"
