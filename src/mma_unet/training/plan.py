"""The plan of a run: the recipe checked, then the list of its stages.

See also: `mma_unet.training.run`, which carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mma_unet.data import Pair
from mma_unet.errors import InputError
from mma_unet.metrics.objective import MetricObjective
from mma_unet.models import read_card
from mma_unet.training.pairing import LEARNED, Chooser
from mma_unet.training.pairs_data import open_splits
from mma_unet.training.recipe import AUTO, Recipe
from mma_unet.training.stages import (
    FusionStage,
    IRStage,
    LearnedPairing,
    Networks,
    RulePairing,
    Stage,
    VIStage,
    start_model,
)

__all__ = ["ORDER", "check", "plan"]

ORDER = ("vi", "ir", "search", "fusion")
"""The stages in the order in which they run."""


def check(recipe: Recipe, stages: Sequence[str], choosers: Mapping[str, Chooser]) -> None:
    """Find whatever can be wrong before the first step, and before the folder is claimed.

    Args:
        recipe: What is to be done.
        stages: Which stages are to be run.
        choosers: Ways to choose a pairing besides those that are learned.

    Raises:
        InputError: Data, weights or metrics are missing, or recipe and stages do not agree.
    """
    unknown = ", ".join(sorted(set(stages) - set(ORDER)))
    if unknown:
        raise InputError(f"unknown stage(s) {unknown}; use {', '.join(ORDER)}")
    open_splits(recipe.data.test, recipe.data.root)
    for settings in (recipe.fusion, recipe.settings("search")):
        MetricObjective(settings.metrics)
        if settings.teacher is not None:
            teacher = read_card(settings.teacher).config
            if teacher.in_channels != recipe.model.in_channels:
                raise InputError(f"{settings.teacher}: takes other channels than the student")
    method = _method(recipe)
    if "search" in stages and method == "given":
        raise InputError("stage search: the recipe gives its pairing; set pairing to auto")
    if method not in ("given", *LEARNED, *choosers):
        raise InputError(f"pairing {method}: this way to choose is not at hand here; use learned")
    if recipe.start is not None:
        if "fusion" not in stages:
            raise InputError(f"start {recipe.start}: this recipe has the fusion stage only")
        start_model(recipe, recipe.start)


def plan(
    recipe: Recipe,
    out: Path,
    stages: Sequence[str],
    choosers: Mapping[str, Chooser],
    pairs: Sequence[Pair],
    networks: Networks,
) -> list[Stage]:
    """The stages up to the last one asked for, in order.

    Args:
        recipe: What is to be done; checked.
        out: Run folder.
        stages: Which stages are to be run.
        choosers: As for `check`.
        pairs: The training pairs.
        networks: Where the stages leave their networks.
    """
    fusion = FusionStage(recipe, out, networks)
    if recipe.start is not None:
        return [fusion]
    whole: list[Stage] = [VIStage(recipe, out, networks), IRStage(recipe, out, networks)]
    method = _method(recipe)
    if method in LEARNED:
        whole.append(LearnedPairing(recipe, out, networks))
    elif method != "given":
        whole.append(RulePairing(recipe, out, networks, choosers[method], pairs))
    whole.append(fusion)
    last = max((ORDER.index(name) for name in stages), default=-1)
    return [stage for stage in whole if ORDER.index(stage.name) <= last]


def _method(recipe: Recipe) -> str:
    return AUTO if recipe.pairing == "auto" else recipe.pairing
