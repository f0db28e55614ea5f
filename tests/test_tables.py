"""Tables in and out: CSV as rows, mappings and records; Markdown."""

from __future__ import annotations

import os
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
