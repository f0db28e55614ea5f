"""`mma-unet ablate`: table 4 of the paper, trained and scored on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from mma_unet.cli.common import console, need
from mma_unet.cli.study_bar import cost, quiet_lightning, study_bar

if TYPE_CHECKING:
    from mma_unet.training.ablation import Ordering
    from mma_unet.training.study import Outcome

HEADER = ("experiment", "seed")


def ablate(
    config: Annotated[Path, typer.Option(help="Recipe with the budget of every training.")] = Path(
        "ablation"
    ),
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV of the scores.")] = Path(
        "results/ablation.csv"
    ),
    runs: Annotated[
        Path, typer.Option(help="Folder of the trainings; a rerun goes on there.")
    ] = Path("runs"),
    seeds: Annotated[int, typer.Option(min=1, help="Train with seeds 0 to N-1.")] = 3,
    data: Annotated[Path | None, typer.Option(help="Folder of the data sets.")] = None,
    accelerator: Annotated[str, typer.Option(help="Lightning's: auto, cpu, gpu.")] = "auto",
) -> None:
    """Train E1 to E5 of table 4 under one budget and set them beside the paper.

    Beside OUT stands OUT_orderings.csv: every two experiments, metric by metric, and whether the
    paper's order holds. Run the same command again to resume after an interruption.
    """
    need("lightning", extra="train")
    from mma_unet.files import probe_target
    from mma_unet.tables import write_table
    from mma_unet.training import load_recipe
    from mma_unet.training.ablation import METRICS, ablation_jobs, orderings, run_ablation
    from mma_unet.training.study import Study

    quiet_lightning()
    start = time.monotonic()
    beside = out.with_name(f"{out.stem}_orderings.csv")
    probe_target(out)
    recipe = load_recipe(config, {} if data is None else {"data.root": str(data)})
    study = Study(recipe, runs, accelerator=accelerator)
    wanted = range(seeds)
    with study_bar(sum(job.epochs for job in ablation_jobs(study, wanted))) as report:
        outcomes = run_ablation(study, wanted, report)
    ours = {name: [{m: o.mean(m) for m in METRICS} for o in row] for name, row in outcomes.items()}
    order = orderings(ours)
    write_table(out, [*HEADER, *METRICS, "val_loss", "seconds"], _rows(outcomes))
    write_table(
        beside,
        ["metric", "better_in_paper", "worse_in_paper", "paper", "ours", "sd", "verdict"],
        [
            [
                r.metric,
                r.better,
                r.worse,
                f"{r.paper:.3f}",
                f"{r.ours:.5f}",
                f"{r.sd:.5f}",
                r.verdict,
            ]
            for r in order
        ],
    )
    console.print(_scores_table(ours))
    console.print(_orderings_table(order))
    cost(start, out, beside)


def _rows(outcomes: Mapping[str, Sequence[Outcome]]) -> list[list[str]]:
    """One row for each experiment and seed, then mean, standard deviation and the paper's."""
    import numpy as np

    from mma_unet.training.ablation import METRICS, TABLE_4, spread

    rows: list[list[str]] = []
    for name, row in outcomes.items():
        for seed, o in enumerate(row):
            values = [f"{o.mean(m):.4f}" for m in METRICS]
            rows.append([name, str(seed), *values, f"{o.val_loss:.5f}", f"{o.seconds:.0f}"])
        columns = [[o.mean(m) for o in row] for m in METRICS]
        columns += [[o.val_loss for o in row], [o.seconds for o in row]]
        rows.append([name, "mean", *(f"{np.mean(c):.5f}" for c in columns)])
        rows.append([name, "sd", *(f"{spread(c):.5f}" for c in columns)])
        rows.append([name, "paper", *(str(TABLE_4[name][m]) for m in METRICS), "", ""])
    return rows


def _scores_table(ours: Mapping[str, Sequence[Mapping[str, float]]]) -> Table:
    import numpy as np

    from mma_unet.training.ablation import METRICS, TABLE_4, spread

    table = Table("", *METRICS, title="Ours: mean ± sd over seeds; below, in brackets, the paper's")
    for name, row in ours.items():
        cells = []
        for metric in METRICS:
            values = [scores[metric] for scores in row]
            cells.append(
                f"{np.mean(values):.3f} ± {spread(values):.3f}\n({TABLE_4[name][metric]:.3f})"
            )
        table.add_row(name, *cells)
    return table


def _orderings_table(order: Sequence[Ordering]) -> Table:
    from mma_unet.training.ablation import METRICS

    table = Table("Paper's order", *METRICS, title="Does the paper's order hold?")
    pairs = dict.fromkeys(tuple(sorted((r.better, r.worse))) for r in order)
    for pair in pairs:
        cells = dict.fromkeys(METRICS, "equal in the paper")
        for r in order:
            if tuple(sorted((r.better, r.worse))) == pair:
                cells[r.metric] = f"{r.better} > {r.worse}: {r.verdict}"
        table.add_row(" and ".join(pair), *(cells[m] for m in METRICS))
    return table
