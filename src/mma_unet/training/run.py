"""Running a recipe: stage I for VI, stage I for IR, stage II; resumable at any point."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import torch
import yaml
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from safetensors.torch import load_file, save_file
from torch import nn

from mma_unet.errors import InputError
from mma_unet.files import replacing
from mma_unet.metrics.objective import MetricObjective
from mma_unet.models import (
    IRUNet,
    MMAUNet,
    VIUNet,
    load_model,
    read_card,
    round_to_half,
    save_model,
    with_unshuffle,
)
from mma_unet.training.callbacks import CurveWriter, SampleGrid
from mma_unet.training.pairing import (
    LEARNED,
    Chooser,
    PairingChoice,
    PairingTask,
    read_choice,
    soft_model,
    write_choice,
)
from mma_unet.training.pairs_data import PairsData, open_splits
from mma_unet.training.recipe import AUTO, STAGES, Recipe, StageSettings
from mma_unet.training.recipe_file import load_recipe
from mma_unet.training.scoring import score_model
from mma_unet.training.tasks import FusionTask, ReconstructionTask
from mma_unet.training.trainer import make_trainer

__all__ = ["train"]

log = logging.getLogger(__name__)

_ERROR = f"{InputError.__module__}.{InputError.__qualname__}"


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
    unknown = set(stages) - {*STAGES, "search"}
    if unknown:
        names = ", ".join(sorted(unknown))
        raise InputError(f"unknown stage(s) {names}; use vi, ir, search, fusion")
    out = Path(out)
    # Whatever can be wrong is found before the first step, and before the folder is claimed.
    if data is None:
        data = PairsData(recipe.data, channels=recipe.model.in_channels, seed=recipe.seed)
    elif (data.settings, data.seed) != (recipe.data, recipe.seed):
        raise ValueError("data is that of another recipe")
    open_splits(recipe.data.test, recipe.data.root)
    MetricObjective(recipe.fusion.metrics)
    if recipe.fusion.teacher is not None:
        teacher = read_card(recipe.fusion.teacher).config
        if teacher.in_channels != recipe.model.in_channels:
            raise InputError(f"{recipe.fusion.teacher}: takes other channels than the student")
    method = AUTO if recipe.pairing == "auto" else recipe.pairing
    if "search" in stages and method == "given":
        raise InputError("stage search: the recipe gives its pairing; set pairing to auto")
    if method not in ("given", *LEARNED, *(choosers or {})):
        raise InputError(f"pairing {method}: this way to choose is not at hand here; use learned")
    start = _start(recipe, stages)
    _claim(out, recipe)
    run = _Run(recipe, out, data, progress, [*callbacks], trainer_options)

    if start is not None:
        run.stage("fusion", start, FusionTask(start, recipe.fusion), True)
        return run.finish(start)
    run.seed("vi")
    vi_unet = VIUNet(recipe.model)
    run.stage("vi", vi_unet, ReconstructionTask(vi_unet, recipe.vi), "vi" in stages)
    if not {"ir", "search", "fusion"} & set(stages):
        return None
    run.seed("ir")
    ir_unet = IRUNet(recipe.model)
    guide = vi_unet if recipe.model.guided else None
    run.stage("ir", ir_unet, ReconstructionTask(ir_unet, recipe.ir, guide), "ir" in stages)
    if not {"search", "fusion"} & set(stages):
        return None
    config = recipe.model
    if method != "given":
        choice = run.choose(method, vi_unet, ir_unet, choosers or {})
        config = replace(config, pairing=choice.pairing)
    if "fusion" not in stages:
        return None
    run.seed("fusion")
    model = MMAUNet.from_stage_one(vi_unet, ir_unet, config)
    run.stage("fusion", model, FusionTask(model, recipe.fusion), True)
    return run.finish(model)


def _start(recipe: Recipe, stages: Sequence[str]) -> MMAUNet | None:
    """The weights that a recipe starts from, if it names any."""
    if recipe.start is None:
        return None
    if "fusion" not in stages:
        raise InputError(f"start {recipe.start}: this recipe has the fusion stage only")
    model = load_model(recipe.start)
    if recipe.model == replace(model.config, downsampling="unshuffle"):
        model = with_unshuffle(model)
    if model.config != recipe.model:
        raise InputError(f"start {recipe.start}: its network is not that of the recipe")
    return model.train()


def _claim(out: Path, recipe: Recipe) -> None:
    """Write the recipe into a new run folder, or check that an old one is a run of it."""
    if not _is_first():
        return
    path = out / "recipe.yaml"
    if path.is_file():
        if load_recipe(path) != recipe:
            raise InputError(
                f"{path}: this folder holds a run of another recipe; choose another --out, or "
                "remove the folder"
            )
        return
    try:
        with replacing(path) as part:
            part.write_text(yaml.safe_dump(recipe.to_dict(), sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{out}: cannot write there; choose another --out") from error


def _is_first() -> bool:
    """Whether this is the process that writes files."""
    return int(getattr(rank_zero_only, "rank", 0)) == 0


class _Run:
    """The state shared by the stages of one run."""

    def __init__(
        self,
        recipe: Recipe,
        out: Path,
        data: PairsData,
        progress: bool,
        callbacks: list[Callback],
        options: dict[str, Any],
    ) -> None:
        self.recipe, self.out, self.data = recipe, out, data
        self.progress, self.callbacks, self.options = progress, callbacks, options
        self.is_main = _is_first()
        self.device = torch.device("cpu")

    def seed(self, stage: str) -> None:
        """Let the initial weights of a stage depend on nothing that ran before it."""
        L.seed_everything(3 * self.recipe.seed + STAGES.index(stage), workers=True, verbose=False)

    def stage(self, name: str, network: nn.Module, task: L.LightningModule, wanted: bool) -> None:
        """Train `network` by `task`, or load it if the stage has been finished before."""
        folder = self.out / name
        done = folder / "weights.safetensors"
        if done.is_file():
            network.load_state_dict(load_file(done))
        elif wanted:
            folder.mkdir(parents=True, exist_ok=True)
            self._fit(task, folder, getattr(self.recipe, name) or self.recipe.fusion)
            if self.is_main:
                state = {k: v.cpu().contiguous() for k, v in network.state_dict().items()}
                with replacing(done) as part:
                    save_file(state, part)
        else:
            raise InputError(f"{self.out}: stage {name!r} has not been trained; run it first")
        network.requires_grad_(True)

    def choose(
        self, method: str, vi_unet: VIUNet, ir_unet: IRUNet, choosers: Mapping[str, Chooser]
    ) -> PairingChoice:
        """Choose the pairing, or read what was chosen before."""
        path = self.out / "pairing.json"
        if path.is_file():
            return read_choice(path)
        if method in LEARNED:
            self.seed("fusion")
            soft = soft_model(vi_unet, ir_unet, per_level=method == "levels")
            task = PairingTask(soft, self.recipe.search or self.recipe.fusion)
            self.stage("search", soft, task, True)
            choice = task.choice()
        else:
            choice = choosers[method](vi_unet, ir_unet, self.data.train_pairs)
        if self.is_main:
            write_choice(choice, path)
        log.info("pairing %s, chosen by %s", choice.pairing, method)
        return choice

    def _fit(self, task: L.LightningModule, folder: Path, settings: StageSettings) -> None:
        start = time.monotonic()
        checkpoint = ModelCheckpoint(
            folder,
            "last",
            save_top_k=1,
            enable_version_counter=False,
            save_on_train_epoch_end=True,  # after validation, whether or not there was one
        )
        callbacks: list[Callback] = [
            CurveWriter(folder / "curve.csv"),
            SampleGrid(folder / "samples"),
            checkpoint,
            *self.callbacks,
        ]
        if self.progress:
            callbacks.append(RichProgressBar())
        trainer = make_trainer(
            self.options,
            max_epochs=settings.epochs,
            check_val_every_n_epoch=min(settings.val_every, settings.epochs),
            precision=self.recipe.precision,
            logger=TensorBoardLogger(folder, name="", version="tensorboard"),
            callbacks=callbacks,
            enable_progress_bar=self.progress,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            log_every_n_steps=1,
            use_distributed_sampler=False,
        )
        last = folder / "last.ckpt"
        try:
            trainer.fit(
                task,
                datamodule=self.data,
                ckpt_path=str(last) if last.is_file() else None,
                weights_only=True,
            )
        except SystemExit as stop:  # how Lightning ends after an interruption
            raise KeyboardInterrupt from stop
        except InputError as error:  # from a loader process it comes wrapped in a traceback
            sentence = str(error).strip().splitlines()[-1].removeprefix(f"{_ERROR}: ")
            raise InputError(sentence) from error
        self.is_main = trainer.is_global_zero
        self.device = trainer.strategy.root_device
        log.info("%s: %d epochs in %.0f s", folder, settings.epochs, time.monotonic() - start)

    def finish(self, model: MMAUNet) -> Path | None:
        """Score the model as it will be stored, and write its weights with their card."""
        target = self.out / f"{self.recipe.name}.safetensors"
        if not self.is_main:
            return None
        if target.is_file():
            return target
        final = copy.deepcopy(model).to(self.device).eval()
        round_to_half(final)
        recipe = self.recipe
        scores = {}
        for split in dict.fromkeys((*recipe.data.val, *recipe.data.test)):
            log.info("scoring on %s", split)
            scores[split] = score_model(final, open_splits((split,), recipe.data.root))
        data = {split: len(open_splits((split,), recipe.data.root)) for split in recipe.data.train}
        return save_model(final, target, recipe=recipe.to_dict(), data=data, scores=scores)
