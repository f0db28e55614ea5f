"""`mma-unet ablate` and `mma-unet analyze asymmetry` on toy pairs, end to end."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

pytest.importorskip("lightning")
pytest.importorskip("matplotlib")

from mma_unet.cli import train
from mma_unet.cli.main import app
from mma_unet.errors import InputError
from mma_unet.training.plan import ORDER
from mma_unet.training.recipe import PAIRINGS
from tests.conftest import make_pairs


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe of one epoch, and its data."""
    root = tmp_path_factory.mktemp("toy")
    make_pairs(root / "set", [f"{k}" for k in range(8)], (96, 96))
    stage = {"epochs": 1, "lr": 1e-3}
    recipe = {
        "name": "toy",
        "model": {"preset": "tiny", "width": 2},
        "data": {
            "root": str(root), "train": ["set[:5]"], "val": ["set[5:6]"], "test": ["set[6:]"],
            "crop": 32, "val_crop": 32, "batch_size": 2,
        },
        "vi": stage, "ir": stage, "fusion": stage, "precision": "32-true",
    }  # fmt: skip
    (root / "toy.yaml").write_text(yaml.safe_dump(recipe))
    return root


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def stamps(runs: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in runs.rglob("*.safetensors")}


@pytest.mark.slow
def test_both_studies_share_their_trainings_and_resume(toy: Path, tmp_path: Path) -> None:
    runs, out = tmp_path / "runs", tmp_path / "ablation.csv"
    ablate = ["ablate", "--config", toy / "toy.yaml", "-o", out, "--runs", runs,
              "--seeds", 2, "--accelerator", "cpu"]  # fmt: skip
    text = run(*ablate)
    assert "peak memory" in text
    table = rows(out)
    assert [row["seed"] for row in table] == ["0", "1", "mean", "sd", "paper"] * 5
    assert table[4]["PSNR"] == "16.335"
    mean = (float(table[0]["PSNR"]) + float(table[1]["PSNR"])) / 2
    assert float(table[2]["PSNR"]) == pytest.approx(mean, abs=1e-4)
    order = rows(tmp_path / "ablation_orderings.csv")
    assert len(order) == 50
    assert {row["verdict"] for row in order} <= {"holds", "does not hold", "within spread"}

    folders = {path.name for path in (runs / "toy" / "seed0").iterdir()}
    assert len(folders) == 7  # two stage I, five stage II
    both = [
        runs / "toy" / "seed0" / name / "vi/weights.safetensors" for name in ("guided", "plain")
    ]
    assert both[0].samefile(both[1])
    assert not (both[1].parent / "curve.csv").exists()  # one VI-UNet, trained once

    before = stamps(runs)
    first = out.read_bytes()
    run(*ablate)
    assert stamps(runs) == before
    assert out.read_bytes() == first

    search = tmp_path / "asymmetry.csv"
    run("analyze", "asymmetry", toy / "toy.yaml", "-o", search, "--runs", runs, "--seeds", 2,
        "--accelerator", "cpu", "--pictures", tmp_path / "pictures")  # fmt: skip
    after = stamps(runs)
    assert {path: after[path] for path in before} == before  # +1, +2 and -1 are E1, E4 and E5
    table = rows(search)
    assert [row["seed"] for row in table] == ["0", "1", "mean", "sd"] * 5
    chosen = " ".join(row["chosen_by"] for row in table if row["seed"] == "0")
    assert sorted(chosen.split()) == ["cka", "learned"]
    choice = rows(tmp_path / "asymmetry_choice.csv")
    assert [row["method"] for row in choice] == ["cka", "learned", "always +0", "always +1"]
    assert "<svg" in (tmp_path / "pictures" / "asymmetry-toy.svg").read_text()


def test_train_takes_the_pairing_from_the_command_line(toy: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = ["train", "--config", toy / "toy.yaml", "--out", out, "--accelerator", "cpu",
                 "--no-progress", "--pairing", "cka"]  # fmt: skip
    assert "Weights" in run(*arguments)
    assert '"cka"' in (out / "pairing.json").read_text()
    arguments[-1] = "widest"
    error = CliRunner().invoke(app, list(map(str, arguments))).exception
    assert isinstance(error, InputError)
    assert all(name in str(error) for name in PAIRINGS)


def test_every_stage_can_be_asked_for() -> None:
    assert list(train.StageName) == list(ORDER)
    assert list(train.PairingName) == list(PAIRINGS)


def test_train_names_the_recipes_that_ship() -> None:
    text = run("train", "--help")
    assert "Recipe by name (small, tiny, paper" in text


def test_a_shipped_recipe_trains_on_rendered_streets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an empty folder: pairs by `data render`, the recipe by its name."""
    monkeypatch.chdir(tmp_path)
    assert "5 pairs" in run("data", "render", "-n", 5, "--height", 64, "--width", 96)
    changes = {
        "data.train": "[scene]", "data.val": "['scene[:1]']", "data.test": "[]",
        "data.crop": 48, "data.val_crop": 48, "data.batch_size": 4, "model.width": 2,
        "fusion.settle": 0, "vi.epochs": 2, "ir.epochs": 1, "fusion.epochs": 1,
    }  # fmt: skip
    sets = [text for key, value in changes.items() for text in ("--set", f"{key}={value}")]
    text = run("train", "--config", "tiny-metric", "--accelerator", "cpu", *sets)
    assert "Epoch: 2 of 2" in text
    assert "runs/tiny-metric/tiny-metric.safetensors" in text
    assert len(rows(tmp_path / "runs/tiny-metric/fusion/curve.csv")) == 1
