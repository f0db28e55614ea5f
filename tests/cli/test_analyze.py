"""`analyze frontier`: what it keeps, what it counts, and what it refuses."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from mma_unet.analysis import frontier as frontier_module
from mma_unet.cli.main import app
from mma_unet.data import read_image, write_image
from mma_unet.errors import InputError
from tests.conftest import make_pairs


@pytest.fixture
def climbs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps of each climb; the climb itself is left out."""
    calls: list[int] = []

    def climb(ir, vi, weights, *, steps=150):  # type: ignore[no-untyped-def]
        calls.append(steps)
        return (ir + vi) / 2

    monkeypatch.setattr(frontier_module, "climb", climb)
    return calls


def _run(ir: Path, vi: Path, out: Path, *more: object) -> Result:
    arguments = ["analyze", "frontier", str(ir), str(vi), "-o", str(out), *map(str, more)]
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "120"})


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_row_counts_for_its_steps_and_sources_only(tmp_path: Path, climbs: list[int]) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b"], (48, 48))
    out = tmp_path / "f.csv"
    first = _run(ir, vi, out, "--steps", 2)
    assert first.exit_code == 0, first.output
    assert "Mean of 2 pairs, 2 steps" in first.stdout
    assert climbs == [2] * 12
    climbs.clear()
    assert _run(ir, vi, out, "--steps", 2).stdout == first.stdout
    assert climbs == []
    _run(ir, vi, out, "--steps", 3)
    assert climbs == [3] * 12
    climbs.clear()
    write_image(ir / "a.png", 255 - read_image(ir / "a.png"))
    _run(ir, vi, out, "--steps", 2)
    assert climbs == [2] * 6
    rows = _rows(out)
    assert [row["steps"] for row in rows] == ["2"] * 12 + ["3"] * 12 + ["2"] * 6
    assert len({row["stamp"] for row in rows}) == 3


def test_the_means_are_those_of_this_run(tmp_path: Path, climbs: list[int]) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b"], (48, 48))
    out = tmp_path / "f.csv"
    _run(ir, vi, out)
    one = _run(ir, vi, out, "--limit", 1)
    assert "Mean of 1 pairs" in one.stdout
    psnr = {row["pair"]: float(row["PSNR"]) for row in _rows(out) if row["objective"] == "joint"}
    assert f"{psnr['a']:.3f}" in one.stdout
    assert f"{np.mean(list(psnr.values())):.3f}" not in one.stdout


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "pair,objective,VIF\na,vif,1\n"])
def test_a_foreign_file_is_refused_and_kept(tmp_path: Path, climbs: list[int], text: str) -> None:
    ir, vi = make_pairs(tmp_path, ["a"], (48, 48))
    out = tmp_path / "f.csv"
    out.write_text(text)
    error = _run(ir, vi, out).exception
    assert isinstance(error, InputError)
    assert "f.csv" in str(error)
    assert out.read_text() == text
    assert climbs == []


def test_a_folder_is_refused_before_the_first_climb(tmp_path: Path, climbs: list[int]) -> None:
    ir, vi = make_pairs(tmp_path, ["a"], (48, 48))
    error = _run(ir, vi, tmp_path).exception
    assert isinstance(error, InputError)
    assert "is a folder" in str(error)
    assert climbs == []


def test_the_help_promises_no_more_than_a_lower_bound() -> None:
    text = CliRunner().invoke(app, ["analyze", "frontier", "--help"]).output
    assert "lower bound" in " ".join(text.split())
