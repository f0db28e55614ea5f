"""`mma-unet evaluate`: the scores of one folder of fused images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mma_unet.cli.common import (
    Ir,
    PairPattern,
    Recursive,
    ShowProgress,
    Suite,
    Vi,
    Workers,
    errors,
    out_option,
    place_argument,
    show,
    warn,
)
from mma_unet.cli.progress import progress_bar


def evaluate(
    ir: Ir,
    vi: Vi,
    fused: Annotated[Path, place_argument("Folder of the fused images.", "FUSED")],
    suite: Suite = "paper",
    recursive: Recursive = False,
    pair: PairPattern = None,
    csv: Annotated[
        Path | None, out_option("Write the scores of each image here, as CSV.", "--csv")
    ] = None,
    json_: Annotated[
        Path | None, typer.Option("--json", help="Write means, medians and all scores here.")
    ] = None,
    workers: Workers = None,
    progress: ShowProgress = True,
) -> None:
    """Score fused images against their sources; color counts by its BT.601 luminance."""
    from mma_unet.benchmark import evaluate_folder
    from mma_unet.benchmark.wording import score_table
    from mma_unet.files import probe_target, write_text

    for target in (csv, json_):
        if target is not None:
            probe_target(target)
    with progress_bar(shown=progress) as step:
        scores = evaluate_folder(
            ir, vi, fused, suite=suite, workers=workers, recursive=recursive, pattern=pair,
            progress=lambda _, done, total: step("Scoring", done, total),
        )  # fmt: skip
    if len(scores):
        title = f"{fused.name or fused}: {len(scores)} image{'s' * (len(scores) != 1)}"
        show(*score_table(scores), title)
    for note in scores.notes:
        warn(note)
    if csv is not None:
        scores.to_csv(csv)
    if json_ is not None:
        values = {"suite": suite, **scores.to_dict()}
        write_text(json_, json.dumps(values, indent=2, allow_nan=False) + "\n")
    if scores.problems:
        count = len(scores.problems)
        errors.print(f"[bold red]{count} file{'s' * (count != 1)} could not be scored:[/bold red]")
        for problem in scores.problems:
            warn(f"  {problem}", style="")
        raise typer.Exit(1)
