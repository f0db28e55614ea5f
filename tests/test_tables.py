"""Tables in and out: CSV as rows, mappings and records; Markdown."""

from __future__ import annotations

import csv
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from mma_unet import tables
from mma_unet.errors import InputError


@dataclass(frozen=True)
class Point:
    name: str
    count: int
    value: float


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "table.csv"
    rows = [['a, "b"\nc', 0.1 + 0.2], [os.fsdecode(b"a\xff"), float("nan")]]
    tables.write_table(path, ["name", "value"], rows)
    assert tables.read_table(path) == (
        ["name", "value"], [[rows[0][0], "0.30000000000000004"], [rows[1][0], "nan"]],
    )  # fmt: skip
    assert b"a\xff,nan\n" in path.read_bytes()
    assert b"\r" not in path.read_bytes()
    tables.write_table(path, ["name", "value"], [])
    assert tables.read_table(path) == (["name", "value"], [])


def test_rows_have_the_columns_of_all(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    tables.write_rows(path, [{"a": 1}, {"a": 2.123456, "b": "x,y"}], digits=3)
    assert path.read_text().splitlines() == ["a,b", "1,", '2.12,"x,y"']
    assert tables.read_rows(path) == [{"a": "1", "b": ""}, {"a": "2.12", "b": "x,y"}]


def test_records_keep_their_types(tmp_path: Path) -> None:
    path = tmp_path / "points.csv"
    points = [Point("a", 1, 1 / 3), Point("b,c", -2, float("inf"))]
    tables.write_records(path, Point, points, digits=17)
    assert tables.read_records(path, Point, "") == points
    tables.write_records(path, Point, points[:1], digits=3)
    assert tables.read_records(path, Point, "") == [Point("a", 1, 0.333)]


@pytest.mark.parametrize(
    "text", ["name,count\na,1\n", "name,count,value\na,1.5,2\n", "", "a\n1,2\n"]
)
def test_other_files_are_no_records(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"other\.csv holds no points: move it"):
        tables.read_records(path, Point, "holds no points: move it")


def test_what_is_no_table_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with pytest.raises(InputError, match=r"t\.csv cannot be read as a CSV table"):
        tables.read_rows(path)
    path.write_text("a,b\n1\n")
    with pytest.raises(InputError, match=r"t\.csv is not a CSV table: its rows differ in length"):
        tables.read_table(path)
    with pytest.raises(InputError, match="is a folder"):
        tables.write_rows(tmp_path, [{"a": 1}])


def test_a_failure_while_writing_leaves_the_old_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    tables.write_rows(path, [{"a": 1}])

    def rows():  # type: ignore[no-untyped-def]
        yield [1]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        tables.write_table(path, ["b"], rows())
    assert path.read_text() == "a\n1\n"
    assert list(tmp_path.iterdir()) == [path]


def test_markdown_aligns_text_and_numbers() -> None:
    assert tables.markdown(["a", "b", "c"], [["x", "y", 1.5]], left=2).splitlines() == [
        "| a | b | c |",
        "| --- | --- | ---: |",
        "| x | y | 1.5 |",
    ]
    assert tables.markdown(["a"], []) == "| a |\n| --- |"


def test_what_a_spreadsheet_would_take_for_a_formula(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    marked = {
        "=1+1": "'=1+1", "+x": "'+x", "-a.png": "'-a.png", "@SUM(A1)": "'@SUM(A1)",
        "\t=1": "'\t=1", "\r=1": "'\r=1", "'=1": "''=1", "''-x": "'''-x",
    }  # fmt: skip
    same = ["'quoted'", "'", "", "a=b", "-0.5", "+3", "-inf", "-1e-05", "5"]
    words = [*marked, *same]
    tables.write_table(path, ["=name", "value"], [[word, -1.5] for word in words])
    header, rows = tables.read_table(path)
    assert header == ["=name", "value"]
    assert [row[0] for row in rows] == words
    with path.open(newline="", encoding="utf-8") as file:
        raw = list(csv.reader(file))
    assert raw[0][0] == "'=name"
    assert [row[0] for row in raw[1:]] == [*marked.values(), *same]
    assert {row[1] for row in raw[1:]} == {"-1.5"}


def test_names_in_records_come_back(tmp_path: Path) -> None:
    points = [Point("=a", -1, -0.5), Point("-", 1, float("-inf"))]
    tables.write_records(tmp_path / "p.csv", Point, points, digits=17)
    assert tables.read_records(tmp_path / "p.csv", Point, "") == points


@pytest.mark.parametrize(
    "text", ["a|b", "*x*", "_x_", "[x](y)", "<b>", "`x`", "# x", "a\\", "![x](y)", "\x1b[2J\nx"]
)
def test_what_is_not_markup_is_escaped(text: str) -> None:
    shown = tables.escaped(text)
    assert "\n" not in shown
    assert "\x1b" not in shown
    assert not set("\\`*_[]<>|#") & set(re.sub(r"\\(.)", "", shown))
    line = tables.markdown(["h"], [[shown]]).splitlines()[2]
    assert re.sub(r"\\\|", "", line).count("|") == 2


def test_a_bar_or_a_line_break_does_not_end_a_cell() -> None:
    assert tables.markdown(["a"], [["x|y"], ["u\nv"], ["**b**"]]).splitlines()[2:] == [
        r"| x\|y |", r"| u\nv |", "| **b** |",
    ]  # fmt: skip
