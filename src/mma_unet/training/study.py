"""Many trainings of one recipe that share what they can: seeds, stage I, loaded images.

Layout of the run folder: `RUNS/NAME/seed0/guided` and `plain` hold stage I, with and without VI
guidance; `guided_1-2_2-3_3-4_4-5` and the like hold the stage II of one pairing; `learned` the
search for a pairing. A training is named by what it is, so that two studies that need the same one
train it once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from mma_unet.errors import InputError
from mma_unet.files import replacing
from mma_unet.models import IRUNet, MMAUNetConfig, VIUNet, read_card
from mma_unet.training import Recipe, train
from mma_unet.training.callbacks import EpochReport, read_curve
from mma_unet.training.pairing import Chooser, PairingChoice, read_choice
from mma_unet.training.pairs_data import PairsData, open_splits

__all__ = ["Job", "Outcome", "Pairing", "Study", "run_jobs"]

Pairing = tuple[tuple[int, int], ...]

_DEPTH = 5
"""Levels of the paper's network, by which the experiments are named."""

Report = Callable[[str, int], None]
"""Told what is being trained and how many epochs of the whole study are done."""


@dataclass(frozen=True)
class Outcome:
    """What one stage II came to.

    Attributes:
        scores: Mean metrics by split of `data.test`, as in the card of the weights.
        val_loss: Fusion loss on the validation crops, from the last epoch that was validated.
        seconds: Time spent in its epochs, stage I not counted.
    """

    scores: dict[str, dict[str, float]]
    val_loss: float
    seconds: float

    def mean(self, metric: str) -> float:
        """Mean of a metric over all test pairs."""
        pairs = sum(row["pairs"] for row in self.scores.values())
        return sum(row["pairs"] * row[metric] for row in self.scores.values()) / pairs


@dataclass(frozen=True)
class Job:
    """One training of a study: its name, its epochs, and what runs it."""

    label: str
    epochs: int
    run: Callable[[], object]


class Study:
    """The trainings of one recipe over seeds.

    Args:
        recipe: The budget and the data; seed, guidance and pairing are varied.
        runs: Folder for the run folders.
        **options: Passed to `mma_unet.training.train`, e.g. `accelerator="cpu"`.

    Raises:
        InputError: If the recipe starts from weights, scores nothing, or has not five levels.
    """

    def __init__(self, recipe: Recipe, runs: str | Path, **options: Any) -> None:
        if recipe.start is not None:
            raise InputError(
                f"recipe {recipe.name}: a study trains stage I itself; leave out start"
            )
        if not recipe.data.test:
            raise InputError(
                f"recipe {recipe.name}: nothing to score on; name a split in data.test"
            )
        if recipe.model.depth != _DEPTH:
            raise InputError(f"recipe {recipe.name}: a study needs a model of {_DEPTH} levels")
        self.recipe, self.folder, self.options = recipe, Path(runs) / recipe.name, options
        self.tick: Callable[[], None] = lambda: None
        self._data: PairsData | None = None

    def stage_one_folder(self, seed: int, guided: bool) -> Path:
        """Run folder of stage I."""
        return self.folder / f"seed{seed}" / ("guided" if guided else "plain")

    def stage_one(self, seed: int, guided: bool) -> Path:
        """Train VI-UNet and IR-UNet; the VI-UNet of a seed is the same with and without guidance.

        Returns:
            The run folder.
        """
        out = self.stage_one_folder(seed, guided)
        twin = self.stage_one_folder(seed, not guided)
        _share(twin, out, ("vi",))
        self._train(self._recipe(seed, guided), out, ("vi", "ir"))
        return out

    def stage_one_networks(self, seed: int, guided: bool) -> tuple[IRUNet, VIUNet]:
        """The trained networks of stage I, in evaluation mode."""
        folder, config = self.stage_one_folder(seed, guided), self._recipe(seed, guided).model
        vi_unet, ir_unet = VIUNet(config), IRUNet(config)
        vi_unet.load_state_dict(load_file(folder / "vi" / "weights.safetensors"))
        ir_unet.load_state_dict(load_file(folder / "ir" / "weights.safetensors"))
        return ir_unet.eval(), vi_unet.eval()

    def fusion(self, seed: int, guided: bool, pairing: Pairing) -> Outcome:
        """Train stage II of one pairing on a trained stage I, and score it."""
        first = self.stage_one_folder(seed, guided)
        name = "_".join((first.name, *(f"{vi}-{ir}" for vi, ir in sorted(pairing))))
        recipe = self._recipe(seed, guided)
        recipe = replace(recipe, model=replace(recipe.model, pairing=pairing))
        out = first.parent / name
        _share(first, out, ("vi", "ir"))
        weights = self._train(recipe, out, ("fusion",))
        if weights is None:
            raise RuntimeError(f"{out}: only the first process has the weights")
        card = read_card(weights)
        curve = read_curve(out / "fusion" / "curve.csv")
        scores = {split: dict(card.scores[split]) for split in recipe.data.test}
        seconds = sum(float(row["seconds"]) for row in curve)
        val_loss = [float(row["val_loss"]) for row in curve if "val_loss" in row][-1]
        return Outcome(scores, val_loss, seconds)

    def search(self, seed: int) -> PairingChoice:
        """Learn the pairing on a trained, guided stage I."""
        first = self.stage_one_folder(seed, True)
        out = first.parent / "learned"
        _share(first, out, ("vi", "ir"))
        self._train(replace(self._recipe(seed, True), pairing="learned"), out, ("search",))
        return read_choice(out / "pairing.json", self.recipe.model)

    def choose(self, seed: int, chooser: Chooser) -> PairingChoice:
        """Choose the pairing from a trained, guided stage I and the training pairs."""
        networks = self.stage_one_networks(seed, True)
        return chooser(*networks, open_splits(self.recipe.data.train, self.recipe.data.root))

    def _recipe(self, seed: int, guided: bool) -> Recipe:
        model: MMAUNetConfig = replace(self.recipe.model, guided=guided)
        return replace(self.recipe, seed=seed, model=model, pairing="given")

    def _train(self, recipe: Recipe, out: Path, stages: Sequence[str]) -> Path | None:
        if self._data is None or self._data.seed != recipe.seed:
            self._data = PairsData(recipe.data, channels=recipe.model.in_channels, seed=recipe.seed)
        return train(
            recipe,
            out,
            stages=stages,
            progress=False,
            data=self._data,
            callbacks=[EpochReport(lambda *_: self.tick())],
            **self.options,
        )


def run_jobs(study: Study, jobs: Sequence[Job], report: Report, before: int = 0) -> None:
    """Run trainings in order.

    Args:
        study: Whose trainings they are.
        jobs: What to run.
        report: Told of every epoch.
        before: Epochs of other studies that are done already.
    """
    done = before
    for job in jobs:
        start, ticks = done, 0

        def tick(label: str = job.label, start: int = start) -> None:
            nonlocal ticks
            ticks += 1
            report(label, start + ticks)

        study.tick = tick
        report(job.label, done)
        job.run()
        done += job.epochs
        report(job.label, done)


def _share(source: Path, target: Path, stages: Sequence[str]) -> None:
    """Let a run use the finished stages of another: by a link, or by a copy where that fails."""
    for stage in stages:
        old, new = (folder / stage / "weights.safetensors" for folder in (source, target))
        if not old.is_file() or new.is_file():
            continue
        with replacing(new) as part:
            part.unlink()  # a link needs a name that is free
            try:
                os.link(old, part)
            except OSError:
                shutil.copyfile(old, part)
