"""`mma-unet ablate`: table 4 of the paper, trained and scored on this machine."""

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


def ablate(
    config: Annotated[Path, typer.Option(help="Recipe with the budget of every training.")] = Path(
        "ablation"
    ),
    out: Annotated[Path, out_option("CSV of the scores.")] = Path("results/ablation.csv"),
    runs: Runs = Path("runs"),
    seeds: Seeds = 3,
    data: DataRoot = None,
    accelerator: Accelerator = "auto",
) -> None:
    """Train E1 to E5 of table 4 under one budget and set them beside the paper.

    Beside OUT stands OUT_orderings.csv: every two experiments, metric by metric, and whether the
    paper's order holds. Run the same command again to resume after an interruption.
    """
    need("lightning", extra="train")
    from mma_unet.files import probe_target
    from mma_unet.tables import write_table
    from mma_unet.training import ablation, load_recipe
    from mma_unet.training.study import Study

    start = time.monotonic()
    beside = out.with_name(f"{out.stem}_orderings.csv")
    probe_target(out)
    recipe = load_recipe(config, {} if data is None else {"data.root": str(data)})
    study = Study(recipe, runs, accelerator=accelerator)
    epochs = sum(job.epochs for job in ablation.ablation_jobs(study, range(seeds)))
    with progress_bar() as step:
        outcomes = ablation.run_ablation(
            study, range(seeds), lambda label, done: step(label, done, epochs)
        )
    ours = {
        name: [{m: o.mean(m) for m in ablation.METRICS} for o in row]
        for name, row in outcomes.items()
    }
    order = ablation.orderings(ours)
    write_table(out, *ablation.ablation_rows(outcomes))
    write_table(beside, *ablation.ordering_rows(order))
    title = "Ours: mean ± sd over seeds; below, in brackets, the paper's"
    show(*ablation.ablation_table(ours), title)
    show(*ablation.ordering_table(order), "Does the paper's order hold?")
    say(f"{out}, {beside}", cost(start))
