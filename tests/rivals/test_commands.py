"""`mma-unet rivals`, and `--method` of `fuse` and `compare`."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from mma_unet.benchmark.methods import parse_methods
from mma_unet.cli.main import app
from mma_unet.data import read_image
from mma_unet.errors import InputError
from mma_unet.rivals import RIVALS, Rival
from tests.conftest import make_pairs


@pytest.fixture
def tardal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    torch.save(RIVALS["tardal"].network().state_dict(), tmp_path / "t.pt")
    return tmp_path / "t.pt"


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def refusal(*words: object) -> str:
    result = run(*words)
    assert isinstance(result.exception, InputError), result.output
    return str(result.exception)


def test_the_list_names_every_method(tardal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mma_unet.rivals.RIVALS", {n: RIVALS[n] for n in ("tardal", "gff")})
    output = run("rivals").output
    assert "tardal" in output
    assert "0.30 M" in output
    assert "GPL-3.0" in output
    assert "needs none" in output


def test_a_card_says_where_the_weights_are(tardal: Path) -> None:
    output = run("rivals", "get", "tardal").output
    assert "VIF-Benchmark" in output
    assert RIVALS["tardal"].digests[0] in output


def test_a_file_of_weights_is_checked_and_kept(
    tardal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run("rivals", "get", "tardal", "--weights", tardal)
    assert "fits TarDAL, but is not the official file" in result.output
    assert Rival("tardal").weights is not None
    found = hashlib.sha256(tardal.read_bytes()).hexdigest()
    monkeypatch.setitem(RIVALS, "tardal", replace(RIVALS["tardal"], digests=(found,)))
    assert "the official weights of TarDAL" in run(
        "rivals", "get", "tardal", "--weights", tardal
    ).output.replace("\n", " ")
    says = refusal("rivals", "get", "mfeif", "--weights", tardal)
    assert "holds weights of TarDAL, not of MFEIF" in says
    assert "leave" in refusal("rivals", "get", "gff", "--weights", tardal)


def test_fuse_runs_a_method_on_folders(tardal: Path, tmp_path: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b"])
    result = run("fuse", ir, vi, "-o", tmp_path / "out", "--method", "tardal", "--weights", tardal)
    assert result.exit_code == 0, result.output
    wanted = Rival("tardal", weights=tardal)(ir / "b.png", vi / "b.png")
    assert np.array_equal(read_image(tmp_path / "out" / "b.png"), np.asarray(wanted))


def test_fuse_refuses_what_does_not_go_together(tardal: Path, tmp_path: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a"])
    words = ("fuse", ir, vi, "-o", tmp_path / "out")
    for option, value in (
        ("--model", "tiny"), ("--style", "0.5"), ("--runtime", "torch"), ("--color", "rgb"),
        ("--precision", "fp32"), ("--statistics", "exact"), ("--engine", "ray"),
    ):  # fmt: skip
        says = refusal(*words, "--method", "gff", option, value)
        assert says == f"{option} is for our own networks: leave it out with --method"
    assert "--weights needs --method" in refusal(*words, "--weights", tardal)
    assert "mfeif needs its weights" in refusal(*words, "--method", "mfeif")


def test_compare_runs_methods_and_keeps_what_they_made(tardal: Path, tmp_path: Path) -> None:
    ir, vi = make_pairs(tmp_path, ["a", "b"], size=(48, 64))
    words = (
        "compare", ir, vi, "-o", tmp_path / "report", "--suite", "en,sd", "--resamples", "100",
        "--workers", "1", "--method", f"tardal={tardal}", "--method", "gff",
    )  # fmt: skip
    result = run(*words)
    assert result.exit_code == 0, result.output
    made = tmp_path / "report" / "fused"
    wanted = Rival("tardal", weights=tardal, gray=True)(ir / "a.png", vi / "a.png")
    assert np.array_equal(read_image(made / "tardal" / "a.png"), np.asarray(wanted))
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*.png")}
    assert len(before) == 4
    (made / "gff" / "a.png").unlink()
    other = RIVALS["tardal"].network().state_dict()
    torch.save({key: value + 1 for key, value in other.items()}, tardal)
    assert run(*words).exit_code == 0
    again = {path.relative_to(made).as_posix(): path.stat().st_mtime_ns != before[path]
             for path in made.rglob("*.png")}  # fmt: skip
    assert again == {"gff/a.png": True, "gff/b.png": False, "tardal/a.png": True,
                     "tardal/b.png": True}  # fmt: skip
    report = (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    assert f"TarDAL, weights {tardal}" in report or "tardal" in report


def test_methods_are_named_once_and_not_as_baselines() -> None:
    with pytest.raises(InputError, match=r"--method gff: gff is named twice; name it once"):
        parse_methods(["gff", "gff"])
    with pytest.raises(InputError, match=r"--method numpy:maximum: maximum is the name of a base"):
        parse_methods(["numpy:maximum"])
