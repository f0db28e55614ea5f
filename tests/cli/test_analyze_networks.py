"""`analyze cka` and `analyze features`: what they leave, what they keep, what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from click.testing import Result
from safetensors.torch import save_file
from typer.testing import CliRunner

from mma_unet.analysis import plots, similarity
from mma_unet.cli.main import app
from mma_unet.errors import InputError
from mma_unet.models import IRUNet, VIUNet, preset
from mma_unet.training import Recipe
from tests.conftest import make_pairs


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["analyze", *map(str, arguments)], env={"COLUMNS": "160"})


def _stage_one(folder: Path, *, guided: bool, seed: int) -> Path:
    """A run folder with untrained networks."""
    config = replace(preset("tiny"), width=4, guided=guided)
    torch.manual_seed(seed)
    for stage, network in (("vi", VIUNet(config)), ("ir", IRUNet(config))):
        (folder / stage).mkdir(parents=True)
        save_file(network.state_dict(), folder / stage / "weights.safetensors")
    recipe = Recipe("t", config).to_dict()
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    kinds = [(True, 0), (True, 1), (False, 0)]
    return [_stage_one(tmp_path / f"{g}{s}", guided=g, seed=s) for g, s in kinds]


def _cka(runs: list[Path], data: tuple[Path, Path], out: Path, *more: object) -> Result:
    chosen = [x for run, kind in zip(runs, ("guided", "guided", "plain"), strict=False)
              for x in (f"--{kind}", run)]  # fmt: skip
    return _run("cka", *chosen, "--ir", data[0], "--vi", data[1], "-o", out, "--size", 32,
                "--batch-size", 4, *more)  # fmt: skip


def test_cka_writes_figures_matrices_and_verdict(
    tmp_path: Path, runs: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make_pairs(tmp_path, list("abcdefgh"), (48, 48))
    out = tmp_path / "out"
    first = _cka(runs, data, out)
    assert first.exit_code == 0, first.output
    assert "3 trainings, 8 pairs" in first.stdout
    assert "peak memory" in first.stdout
    stems = [f"{name}-{indexing}" for indexing in ("paper", "operations")
             for name in ("figure1-guided", "figure1-plain", "figure4")]  # fmt: skip
    for stem in stems:
        assert (out / f"{stem}.png").stat().st_size > 1000
        assert "<svg" in (out / f"{stem}.svg").read_text()
    with np.load(out / "matrices.npz") as file:
        assert file["cross_guided_each"].shape == (2, 39, 34)
        assert file["ir_guided_paper_mean"].shape == (51, 51)
        np.testing.assert_allclose(file["vi_paper_mean"].diagonal(), 1)
        assert file["vi_each"].shape == (2, 34, 34)  # plain 0 has the VI-UNet of guided 0
        assert file["ir_guided_rows"][6] == "1.gate"
        assert np.nanmin(file["ir_guided_operations_spread"]) >= 0
    verdict = json.loads((out / "verdict.json").read_text())
    keys = {finding["key"] for finding in verdict["findings"]}
    assert {"distinct_vi", "lag_guided", "lag_plain", "guidance_distinct"} <= keys
    assert verdict["pairs"] == list("abcdefgh")
    assert not list(out.rglob("*.part"))

    def fail(*args: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(similarity, "encode_with_grams", fail)
    monkeypatch.setattr(plots, "figures", lambda *_: {})
    again = _cka(runs, data, out)
    assert again.exit_code == 0, again.output
    assert json.loads((out / "verdict.json").read_text()) == verdict


def test_cka_of_weights_alone(tmp_path: Path, weights: Path) -> None:
    ir, vi = make_pairs(tmp_path, list("abcdef"), (48, 48))
    result = _run("cka", "--guided", weights, "--ir", ir, "--vi", vi, "-o", tmp_path / "out",
                  "--size", 32, "--pairs", 5)  # fmt: skip
    assert result.exit_code == 0, result.output
    verdict = json.loads((tmp_path / "out" / "verdict.json").read_text())
    assert len(verdict["pairs"]) == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing to analyze"),
        (["--plain", "WEIGHTS"], "asks for --guided"),
        (["--guided", "FOLDER"], "recipe.yaml"),
        (["--guided", "WEIGHTS", "--size", 40], "multiple of 16"),
        (["--guided", "WEIGHTS", "--batch-size", 4, "--pairs", 4, "-o", "FILE"], "cannot write"),
    ],
)
def test_cka_refuses(tmp_path: Path, weights: Path, options: list[object], message: str) -> None:
    ir, vi = make_pairs(tmp_path, list("abcd"), (48, 48))
    (tmp_path / "file").touch()
    places = {"WEIGHTS": weights, "FOLDER": tmp_path, "FILE": tmp_path / "file"}
    chosen = [places.get(str(option), option) for option in options]
    if "-o" not in options:
        chosen += ["-o", tmp_path / "out"]
    error = _run("cka", "--ir", ir, "--vi", vi, *chosen).exception
    assert isinstance(error, InputError)
    assert message in str(error)


def test_features(tmp_path: Path, weights: Path, runs: list[Path]) -> None:
    ir, vi = make_pairs(tmp_path, ["a"], (48, 48))
    pair = ir / "a.png", vi / "a.png"
    for model in (weights, runs[0]):
        out = tmp_path / "new" / f"{model.name}.png"
        result = _run("features", *pair, "-o", out, "--model", model)
        assert result.exit_code == 0, result.output
        assert out.is_file()
        assert "Took" in result.stdout


@pytest.mark.parametrize(
    ("out", "message"), [("a.gif", "end its name"), ("ir/a.png", "source image")]
)
def test_features_refuses(tmp_path: Path, weights: Path, out: str, message: str) -> None:
    ir, vi = make_pairs(tmp_path, ["a"], (48, 48))
    before = (ir / "a.png").read_bytes()
    error = _run("features", ir / "a.png", vi / "a.png", "-o", tmp_path / out, "-m", weights)
    assert isinstance(error.exception, InputError)
    assert message in str(error.exception)
    assert (ir / "a.png").read_bytes() == before
    folders = _run("features", ir, vi, "-o", tmp_path / "s.png", "-m", weights).exception
    assert "give the two files" in str(folders)
