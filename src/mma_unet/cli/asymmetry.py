"""`mma-unet analyze asymmetry`: which layer difference to fuse, and whether the choice is right."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from mma_unet.cli.common import (
    Accelerator,
    DataRoot,
    Runs,
    Seeds,
    cost,
    need,
    out_option,
    say,
    show,
)
from mma_unet.cli.progress import progress_bar


def asymmetry(
    config: Annotated[
        list[Path], typer.Argument(help="One recipe, by name or file, for each kind of pairs.")
    ],
    out: Annotated[Path, out_option("CSV of the scores.")] = Path("results/asymmetry.csv"),
    pictures: Annotated[
        Path | None, typer.Option(help="Folder of one SVG per recipe; beside OUT by default.")
    ] = None,
    runs: Runs = Path("runs"),
    seeds: Seeds = 3,
    data: DataRoot = None,
    accelerator: Accelerator = "auto",
) -> None:
    """Choose the pairing by CKA and by learning, and hold both to an exhaustive search.

    For each recipe stage I, stage II with every offset from -2 to +2, and the search by learning
    are trained; trainings that `mma-unet ablate` left in RUNS are used. Beside OUT stands
    OUT_choice.csv with what was chosen. Run the same command again to resume.
    """
    need("lightning", extra="train")
    need("matplotlib", extra="report")
    from mma_unet.analysis.asymmetry import choose_by_cka, offset_cka
    from mma_unet.analysis.asymmetry_plot import draw_search
    from mma_unet.files import probe_target
    from mma_unet.tables import write_table
    from mma_unet.training import load_recipe, offsets
    from mma_unet.training.study import Study, run_jobs

    start = time.monotonic()
    beside = out.with_name(f"{out.stem}_choice.csv")
    probe_target(out)
    overrides = {} if data is None else {"data.root": str(data)}
    studies = [Study(load_recipe(c, overrides), runs, accelerator=accelerator) for c in config]
    rounds = [
        (study, offsets.search_jobs(study, [seed])) for seed in range(seeds) for study in studies
    ]
    epochs, before = sum(job.epochs for _, jobs in rounds for job in jobs), 0
    with progress_bar() as step:
        for study, jobs in rounds:
            run_jobs(study, jobs, lambda label, done: step(label, done, epochs), before)
            before += sum(job.epochs for job in jobs)
    results = [offsets.search_result(study, range(seeds), choose_by_cka) for study in studies]
    judgements = [row for result in results for row in offsets.judge(result)]
    write_table(out, *offsets.search_rows(results, offset_cka))
    write_table(beside, *offsets.choice_rows(judgements))
    folder = pictures if pictures is not None else out.parent
    drawn = [folder / f"asymmetry-{result.name}.svg" for result in results]
    for result, path in zip(results, drawn, strict=True):
        draw_search(result, path)
        show(*offsets.search_table(result), f"{result.name}: mean ± sd over seeds")
    show(*offsets.choice_table(judgements), "The choice")
    say(", ".join(map(str, (out, beside, *drawn))), cost(start))
