"""The stages of a run: VI-UNet, IR-UNet, the pairing where it is to be chosen, fusion.

See also: `mma_unet.training.plan`, which puts them in order; `mma_unet.training.tasks`, what each
optimizes.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import lightning as L
from safetensors.torch import save_file

from mma_unet.data import Pair
from mma_unet.errors import InputError
from mma_unet.files import replacing
from mma_unet.models import IRUNet, MMAUNet, VIUNet, load_model, with_unshuffle
from mma_unet.models.tensors import read_tensors
from mma_unet.training.pairing import (
    Chooser,
    PairingChoice,
    PairingTask,
    read_choice,
    soft_model,
    write_choice,
)
from mma_unet.training.recipe import STAGES, Recipe
from mma_unet.training.tasks import FusionTask, ReconstructionTask, Task
from mma_unet.training.trainer import Fitter, is_first

__all__ = [
    "FusionStage",
    "IRStage",
    "LearnedPairing",
    "Networks",
    "RulePairing",
    "Stage",
    "VIStage",
    "start_model",
]

log = logging.getLogger(__name__)


class Networks:
    """What the stages hand on; each is there, and trained, once its stage is done."""

    vi_unet: VIUNet
    ir_unet: IRUNet
    choice: PairingChoice | None = None
    model: MMAUNet


class Stage(ABC):
    """One stage of a run: it loads what it has left, or does its work and saves.

    Args:
        recipe: Of the whole run.
        out: Folder of the whole run.
        networks: From the stages before, and for those that follow.
    """

    name: ClassVar[str]
    leaves: ClassVar[str]

    def __init__(self, recipe: Recipe, out: Path, networks: Networks) -> None:
        self.recipe, self.networks = recipe, networks
        self.folder, self.file = out / self.name, out / self.leaves

    @property
    def finished(self) -> bool:
        """Whether there is something to load."""
        return self.file.is_file()

    @abstractmethod
    def load(self) -> None:
        """Take what the finished stage has left."""

    @abstractmethod
    def fit(self, fitter: Fitter) -> None:
        """Do the work, and save."""


class _Training(Stage):
    """A stage that trains a network and leaves its weights."""

    @abstractmethod
    def build(self) -> Task:
        """Set up the network of this stage, and what trains it."""

    def load(self) -> None:
        """Take the weights."""
        network = self.build().network
        mend = f"delete it, and the stage {self.name!r} is trained again"
        network.load_state_dict(read_tensors(self.file, network, mend), strict=False)

    def fit(self, fitter: Fitter) -> None:
        """Train, from the last checkpoint on if there is one, and save the weights."""
        task = self.build()
        fitter.fit(task, self.folder, self.recipe.settings(self.name))
        if is_first():
            state = {k: v.cpu().contiguous() for k, v in task.network.state_dict().items()}
            with replacing(self.file) as part:
                save_file(state, part)

    def seed(self, stage: str) -> None:
        """Let the initial weights of a stage depend on nothing that ran before it."""
        L.seed_everything(3 * self.recipe.seed + STAGES.index(stage), workers=True, verbose=False)


class VIStage(_Training):
    """Stage I, VI-UNet."""

    name, leaves = "vi", "vi/weights.safetensors"

    def build(self) -> Task:
        """A new VI-UNet."""
        self.seed("vi")
        self.networks.vi_unet = VIUNet(self.recipe.model)
        return ReconstructionTask(self.networks.vi_unet, self.recipe.vi)


class IRStage(_Training):
    """Stage I, IR-UNet, guided by the frozen VI-UNet if the model is guided."""

    name, leaves = "ir", "ir/weights.safetensors"

    def build(self) -> Task:
        """A new IR-UNet and its guide."""
        self.seed("ir")
        self.networks.ir_unet = IRUNet(self.recipe.model)
        guide = self.networks.vi_unet if self.recipe.model.guided else None
        return ReconstructionTask(self.networks.ir_unet, self.recipe.ir, guide)


class LearnedPairing(_Training):
    """The pairing, chosen by soft weights that are trained; kept in `out/pairing.json`."""

    name, leaves = "search", "search/weights.safetensors"

    def build(self) -> PairingTask:
        """A fusion network whose pairing is open."""
        self.seed("fusion")
        levels = self.recipe.pairing == "levels"
        model = soft_model(self.networks.ir_unet, self.networks.vi_unet, per_level=levels)
        self.task = PairingTask(model, self.recipe.settings("search"))
        return self.task

    def load(self) -> None:
        """Take the weights, and read the choice off them."""
        super().load()
        self._choose()

    def fit(self, fitter: Fitter) -> None:
        """Search, and note the choice."""
        super().fit(fitter)
        self._choose()

    def _choose(self) -> None:
        self.networks.choice = self.task.choice()
        _note(self.networks.choice, self.folder.with_name("pairing.json"))


class RulePairing(Stage):
    """The pairing, chosen by a rule that trains nothing; kept in `out/pairing.json`.

    Args:
        recipe: Of the whole run.
        out: Folder of the whole run.
        networks: From the stages before.
        rule: From the stage-I networks and the training pairs to a pairing.
        pairs: The training pairs.
    """

    name, leaves = "search", "pairing.json"

    def __init__(
        self, recipe: Recipe, out: Path, networks: Networks, rule: Chooser, pairs: Sequence[Pair]
    ) -> None:
        super().__init__(recipe, out, networks)
        self.rule, self.pairs = rule, pairs

    def load(self) -> None:
        """Read what was chosen."""
        self.networks.choice = read_choice(self.file, self.recipe.model)

    def fit(self, fitter: Fitter) -> None:  # noqa: ARG002
        """Choose, and note the choice."""
        choice = self.rule(self.networks.ir_unet, self.networks.vi_unet, self.pairs)
        self.networks.choice = choice
        _note(choice, self.file)


class FusionStage(_Training):
    """Stage II: the whole network, on the encoders of stage I or from other weights."""

    name, leaves = "fusion", "fusion/weights.safetensors"

    def build(self) -> Task:
        """A network that starts from stage I, or the one that the recipe starts from."""
        recipe, networks = self.recipe, self.networks
        if recipe.start is not None:
            networks.model = start_model(recipe, recipe.start)
        else:
            self.seed("fusion")
            config = recipe.model
            if networks.choice is not None:
                config = replace(config, pairing=networks.choice.pairing)
            networks.model = MMAUNet.from_stage_one(networks.ir_unet, networks.vi_unet, config)
        return FusionTask(networks.model, recipe.fusion)


def start_model(recipe: Recipe, start: str) -> MMAUNet:
    """The network that a recipe starts from.

    Raises:
        InputError: If there are no such weights, or they are of another network.
    """
    model = load_model(start)
    if recipe.model == replace(model.config, downsampling="unshuffle"):
        model = with_unshuffle(model)
    if model.config != recipe.model:
        raise InputError(f"start {start}: its network is not that of the recipe")
    return model.train()


def _note(choice: PairingChoice, path: Path) -> None:
    log.info("pairing %s, chosen by %s", choice.pairing, choice.method)
    if is_first():
        write_choice(choice, path)
