"""Running a recipe: the plan, stage by stage, resumable at any point.

See also: `mma_unet.training.plan`, the stages and their order.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch.callbacks import Callback

from mma_unet.data import Pair
from mma_unet.errors import InputError
from mma_unet.files import write_text
from mma_unet.models import MMAUNet, load_model, round_to_half, save_model
from mma_unet.training.pairing import Chooser
from mma_unet.training.pairs_data import PairsData, open_splits
from mma_unet.training.plan import check, plan
from mma_unet.training.recipe import STAGES, Recipe
from mma_unet.training.recipe_file import load_recipe
from mma_unet.training.scoring import score_model
from mma_unet.training.stages import Networks
from mma_unet.training.trainer import Fitter, is_first

__all__ = ["train"]

log = logging.getLogger(__name__)


def train(
    recipe: Recipe,
    out: str | Path,
    *,
    stages: Sequence[str] = STAGES,
    progress: bool = True,
    data: PairsData | None = None,
    choosers: Mapping[str, Chooser] | None = None,
    callbacks: Sequence[Callback] = (),
    **trainer_options: Any,
) -> Path | None:
    """Train by `recipe` into the folder `out`; run it again to resume after an interruption.

    Each stage leaves `curve.csv`, TensorBoard logs, samples, a checkpoint of the last epoch and,
    when finished, `weights.safetensors` in `out/STAGE`. A finished stage is not run again. The
    last stage writes `out/NAME.safetensors`, the weights with their card. If the recipe wants the
    pairing chosen, that happens before fusion and is kept in `out/pairing.json`.

    Args:
        recipe: What to do.
        out: Run folder.
        stages: Which of `"vi"`, `"ir"`, `"fusion"` to run; they need the earlier ones finished.
            `"search"` chooses the pairing and stops there.
        progress: Show a progress bar.
        data: The loaders of the recipe, if they are at hand from a run with the same data and
            seed: what they have read is not read again.
        choosers: Ways to choose a pairing besides `"learned"`; `mma_unet.analysis` has `"cka"`.
        callbacks: More Lightning callbacks.
        **trainer_options: Passed to `lightning.Trainer`: `devices`, `num_nodes`, `accelerator`,
            `strategy`, ...

    Returns:
        The weights file, if the fusion stage was run (in the first process only).

    Raises:
        InputError: If `out` holds a run of another recipe, an earlier stage is missing, or the
            data is.
    """
    out, choosers = Path(out), choosers or {}
    if data is None:
        data = PairsData(recipe.data, channels=recipe.model.in_channels, seed=recipe.seed)
    elif (data.settings, data.seed) != (recipe.data, recipe.seed):
        raise ValueError("data is that of another recipe")
    check(recipe, stages, choosers)
    _claim(out, recipe)
    fitter = Fitter(
        data,
        progress=progress,
        callbacks=callbacks,
        options={**trainer_options, "precision": recipe.precision},
    )
    networks = Networks()
    for stage in plan(recipe, out, stages, choosers, data.train_pairs, networks):
        if stage.finished:
            stage.load()
        elif stage.name in (*stages, "search"):
            stage.fit(fitter)
        else:
            raise InputError(f"{out}: stage {stage.name!r} has not been trained; run it first")
    if "fusion" not in stages or not is_first():
        return None
    target = out / f"{recipe.name}.safetensors"
    if target.is_file():
        load_model(target)  # refuses a damaged one
    else:
        _finish(recipe, networks.model, target, fitter.device)
    return target


def _claim(out: Path, recipe: Recipe) -> None:
    """Write the recipe into a new run folder, or check that an old one is a run of it."""
    if not is_first():
        return
    path = out / "recipe.yaml"
    if path.is_file():
        if load_recipe(path) != recipe:
            raise InputError(
                f"{path}: this folder holds a run of another recipe; choose another --out, or "
                "remove the folder"
            )
        return
    write_text(path, yaml.safe_dump(recipe.to_dict(), sort_keys=False))


def _finish(recipe: Recipe, model: MMAUNet, target: Path, device: torch.device) -> None:
    """Score the model as it will be stored, and write its weights with their card."""
    final = copy.deepcopy(model).to(device).eval()
    round_to_half(final)

    def pairs(split: str) -> list[Pair]:
        return open_splits((split,), recipe.data.root)

    scores = {}
    for split in dict.fromkeys((*recipe.data.val, *recipe.data.test)):
        log.info("scoring on %s", split)
        scores[split] = score_model(final, pairs(split))
    data = {split: len(pairs(split)) for split in recipe.data.train}
    save_model(final, target, recipe=recipe.to_dict(), data=data, scores=scores)
