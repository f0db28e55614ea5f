"""`mma-unet train`: a recipe in, weights out."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from mma_unet.cli.common import (
    Accelerator,
    DataRoot,
    ShowProgress,
    errors,
    need,
    out_option,
    say,
)
from mma_unet.cli.progress import progress_bar
from mma_unet.configs import config_names
from mma_unet.errors import InputError

StageName = StrEnum("StageName", ["vi", "ir", "search", "fusion"])
PairingName = StrEnum("PairingName", ["given", "auto", "learned", "levels", "cka"])


def train(
    config: Annotated[
        str,
        typer.Option(
            help="Recipe by name (small, tiny, paper, ...; a wrong name lists them), or a file.",
            autocompletion=lambda: config_names(),
            show_default=False,
        ),
    ],
    out: Annotated[Path | None, out_option("Run folder; default runs/NAME.")] = None,
    stage: Annotated[
        list[StageName] | None, typer.Option(help="Run this one only; may be given again.")
    ] = None,
    pairing: Annotated[PairingName | None, typer.Option(help="Which levels to fuse.")] = None,
    data: DataRoot = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Override a value of the recipe: KEY.KEY=VALUE."),
    ] = None,
    accelerator: Accelerator = "auto",
    devices: Annotated[str, typer.Option(help="Lightning's: how many, or auto.")] = "1",
    num_nodes: Annotated[int, typer.Option(help="Lightning's: number of machines.")] = 1,
    strategy: Annotated[str, typer.Option(help="Lightning's: auto, ddp, ...")] = "auto",
    progress: ShowProgress = True,
) -> None:
    """Train by a recipe; run the same command again to resume after an interruption."""
    need("lightning", extra="train")
    from mma_unet.analysis.asymmetry import choose_by_cka
    from mma_unet.training import STAGES, load_recipe
    from mma_unet.training import train as run
    from mma_unet.training.callbacks import EpochReport
    from mma_unet.training.recipe_file import parse_yaml

    overrides: dict[str, Any] = {}
    for item in set_ or []:
        key, sep, value = item.partition("=")
        if not sep:
            raise InputError(f"--set {item}: write KEY.KEY=VALUE, e.g. --set fusion.epochs=5")
        overrides[key] = parse_yaml(value, f"--set {item}")
    if data is not None:
        overrides["data.root"] = str(data)
    if devices != "auto" and not devices.isdecimal():
        raise InputError(f"--devices {devices}: give a number or auto")
    if pairing is not None:
        overrides["pairing"] = pairing.value
    recipe = load_recipe(config, overrides)
    bar = progress and errors.is_terminal  # Lightning's, of batches; elsewhere lines of epochs
    with progress_bar(shown=progress and not bar) as step:
        weights = run(
            recipe,
            out if out is not None else Path("runs") / recipe.name,
            stages=[name.value for name in stage] if stage else STAGES,
            progress=bar,
            choosers={"cka": choose_by_cka},
            callbacks=[EpochReport(lambda done, total: step("Epoch", done, total))],
            accelerator=accelerator,
            devices=devices if devices == "auto" else int(devices),
            num_nodes=num_nodes,
            strategy=strategy,
        )
    if weights is not None:
        say(f"Weights: {weights}")
