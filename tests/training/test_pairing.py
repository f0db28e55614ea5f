"""Choosing the pairing between the stages."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

pytest.importorskip("lightning")

from mma_unet.data import Pair
from mma_unet.errors import InputError
from mma_unet.models import IRUNet, MMAUNetConfig, VIUNet, load_model
from mma_unet.models.soft import OFFSETS, offset_pairing
from mma_unet.training import Recipe, load_recipe, train
from mma_unet.training.pairing import PairingChoice, PairingTask, read_choice, soft_model
from mma_unet.training.recipe import DataSettings, StageSettings
from tests.conftest import make_pairs
from tests.training.test_train import OPTIONS


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    root = tmp_path_factory.mktemp("data")
    make_pairs(root / "set", [f"{i}" for i in range(6)], (48, 64))
    data = DataSettings(
        root=str(root), train=("set[:4]",), val=("set[4:]",), crop=32, val_crop=32, batch_size=2,
        repeat=2,
    )  # fmt: skip
    stage = StageSettings(epochs=3, lr=1e-3, val_every=3)
    return Recipe(
        "toy", MMAUNetConfig(width=2), data, vi=stage, ir=stage, fusion=stage,
        pairing="auto", precision="32-true",
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "run"
    train(recipe, out, **OPTIONS)
    return out


def test_auto_learns_a_pairing_and_trains_the_network_with_it(finished: Path) -> None:
    choice = read_choice(finished / "pairing.json", MMAUNetConfig())
    assert choice.pairing in [offset_pairing(offset) for offset in OFFSETS]
    assert load_model(finished / "toy.safetensors").config.pairing == choice.pairing
    with (finished / "search" / "curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    weights = [[float(row[f"train_offset_{o:+d}"]) for o in OFFSETS] for row in rows]
    assert weights[0] == pytest.approx([0.2] * 5)  # the first third is the warm-up
    assert weights[-1] != pytest.approx([0.2] * 5, abs=1e-3)
    assert [len(row) for row in weights] == [5, 5, 5]
    assert rows[0]["step"] == "4"  # 4 pairs, repeated twice, in batches of 2


def test_levels_may_choose_on_their_own(recipe: Recipe, finished: Path, tmp_path: Path) -> None:
    weights = train(replace(recipe, pairing="levels"), tmp_path / "run", **OPTIONS)
    choice = read_choice(tmp_path / "run" / "pairing.json", MMAUNetConfig())
    assert choice.method == "levels"
    assert [max(pair) for pair in choice.pairing] == [2, 3, 4, 5]
    assert [len(row) for row in choice.evidence["weights"]] == [5] * 4
    assert weights is not None  # its config sorts the pairs by VI level, the choice by fused level
    assert load_model(weights).config.pairing == tuple(sorted(choice.pairing))


def test_a_finished_search_is_not_run_again(recipe: Recipe, finished: Path) -> None:
    stamp = (finished / "search" / "weights.safetensors").stat().st_mtime_ns
    (finished / "pairing.json").unlink()
    train(recipe, finished, stages=["search"], **OPTIONS)
    assert (finished / "search" / "weights.safetensors").stat().st_mtime_ns == stamp
    assert (finished / "pairing.json").is_file()


def test_the_better_candidate_wins() -> None:
    """One candidate gives what the target needs, the others nothing: its weight rises."""
    config = MMAUNetConfig(width=2, depth=2, pairing=offset_pairing(0, 2))
    task = PairingTask(soft_model(IRUNet(config), VIUNet(config)), StageSettings(epochs=1))
    soft, target = task.soft, torch.rand(2, 4, 8, 8)
    soft.candidates[0] = torch.nn.ModuleList(
        Fixed(target if offset == -1 else torch.zeros_like(target)) for offset, _ in soft.places[0]
    )
    maps = [torch.rand(2, c, 8, 8) for c in config.channels]
    optimizer = torch.optim.Adam([soft.logits], lr=0.1)
    for _ in range(40):
        optimizer.zero_grad()
        (soft(maps, maps)[0] - target).square().mean().backward()
        optimizer.step()
    choice = task.choice()
    assert choice.pairing == offset_pairing(-1, 2)
    assert choice.evidence["weights"][0][task.soft.offsets.index(-1)] > 0.9


class Fixed(torch.nn.Module):
    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(self, vi: torch.Tensor, ir: torch.Tensor) -> torch.Tensor:
        return self.value


def test_choosers_can_be_passed_in_and_are_named_when_missing(
    recipe: Recipe, finished: Path, tmp_path: Path
) -> None:
    def chooser(vi: VIUNet, ir: IRUNet, pairs: Sequence[Pair]) -> PairingChoice:
        assert len(pairs) == 8
        return PairingChoice("cka", offset_pairing(2), {"ridge": 2.0})

    by_cka = replace(recipe, pairing="cka")
    with pytest.raises(InputError, match="pairing cka: this way to choose is not at hand"):
        train(by_cka, tmp_path / "run", **OPTIONS)
    assert not (tmp_path / "run").exists()
    weights = train(by_cka, tmp_path / "run", choosers={"cka": chooser}, **OPTIONS)
    assert weights is not None
    assert load_model(weights).config.pairing == offset_pairing(2)
    assert read_choice(tmp_path / "run" / "pairing.json", MMAUNetConfig()).evidence == {
        "ridge": 2.0
    }


def test_bad_settings_are_one_sentence(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "toy.yaml"
    for text, message in (
        ("pairing: best", "pairing must be one of given, auto, learned, levels, cka"),
        ("pairing: auto\nstart: tiny", "a recipe with start has its pairing"),
        ("fusion: {epochs: 2, settle: 3}", r"settle must be in 0\.\.2"),
        ("data: {repeat: 0}", "repeat must be at least 1"),
    ):
        path.write_text(f"model: tiny\n{text}\n")
        with pytest.raises(InputError, match=message):
            load_recipe(path)
    with pytest.raises(InputError, match="the recipe gives its pairing"):
        train(replace(recipe, pairing="given"), tmp_path / "run", stages=["search"], **OPTIONS)


def test_norm_settles_in_the_last_epochs(recipe: Recipe, finished: Path, tmp_path: Path) -> None:
    """With every epoch settled, the decoder's batch-norm statistics stay as they were."""
    fusion = replace(recipe.fusion, settle=3)
    weights = train(replace(recipe, fusion=fusion, pairing="given"), tmp_path / "run", **OPTIONS)
    assert weights is not None
    means = {k: v for k, v in load_model(weights).state_dict().items() if "running_mean" in k}
    settled = [v for k, v in means.items() if k.startswith("decoder")]
    assert settled
    assert all(not v.any() for v in settled)
    usual = load_model(finished / "toy.safetensors").state_dict()
    assert any(v.any() for k, v in usual.items() if k.startswith("decoder") and "mean" in k)
