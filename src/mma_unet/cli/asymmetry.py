"""`mma-unet analyze asymmetry`: which layer difference to fuse, and whether the choice is right."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from mma_unet.cli.common import console, need
from mma_unet.cli.study_bar import cost, quiet_lightning, study_bar

if TYPE_CHECKING:
    from mma_unet.training.offsets import Judgement, SearchResult


def asymmetry(
    config: Annotated[
        list[Path], typer.Argument(help="One recipe, by name or file, for each kind of pairs.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV of the scores.")] = Path(
        "results/asymmetry.csv"
    ),
    pictures: Annotated[
        Path | None, typer.Option(help="Folder of one SVG per recipe; beside OUT by default.")
    ] = None,
    runs: Annotated[
        Path, typer.Option(help="Folder of the trainings; a rerun goes on there.")
    ] = Path("runs"),
    seeds: Annotated[int, typer.Option(min=1, help="Train with seeds 0 to N-1.")] = 3,
    data: Annotated[Path | None, typer.Option(help="Folder of the data sets.")] = None,
    accelerator: Annotated[str, typer.Option(help="Lightning's: auto, cpu, gpu.")] = "auto",
) -> None:
    """Choose the pairing by CKA and by learning, and hold both to an exhaustive search.

    For each recipe stage I, stage II with every offset from -2 to +2, and the search by learning
    are trained; trainings that `mma-unet ablate` left in RUNS are used. Beside OUT stands
    OUT_choice.csv with what was chosen. Run the same command again to resume.
    """
    need("lightning", extra="train")
    need("matplotlib", extra="report")
    from mma_unet.analysis.asymmetry import choose_by_cka
    from mma_unet.analysis.asymmetry_plot import draw_search
    from mma_unet.files import probe_target
    from mma_unet.tables import write_table
    from mma_unet.training import load_recipe
    from mma_unet.training.offsets import judge, search_jobs, search_result
    from mma_unet.training.study import Study, run_jobs

    quiet_lightning()
    start = time.monotonic()
    beside = out.with_name(f"{out.stem}_choice.csv")
    probe_target(out)
    overrides = {} if data is None else {"data.root": str(data)}
    studies = [Study(load_recipe(c, overrides), runs, accelerator=accelerator) for c in config]
    rounds = [(study, search_jobs(study, [seed])) for seed in range(seeds) for study in studies]
    done = 0
    with study_bar(sum(job.epochs for _, jobs in rounds for job in jobs)) as report:
        for study, jobs in rounds:
            run_jobs(study, jobs, report, done)
            done += sum(job.epochs for job in jobs)
    results = [search_result(study, range(seeds), choose_by_cka) for study in studies]
    judgements = [row for result in results for row in judge(result)]
    write_table(out, _HEADER, [row for result in results for row in _rows(result)])
    write_table(
        beside,
        ["modalities", "method", "chosen", "best", "regret", "sd", "verdict"],
        [
            [j.name, j.method, " ".join(f"{o:+d}" for o in j.chosen), f"{j.best:+d}",
             f"{j.regret:.4f}", f"{j.sd:.4f}", j.verdict]
            for j in judgements
        ],
    )  # fmt: skip
    folder = pictures if pictures is not None else out.parent
    drawn = [folder / f"asymmetry-{result.name}.svg" for result in results]
    for result, path in zip(results, drawn, strict=True):
        draw_search(result, path)
        console.print(_scores_table(result))
    console.print(_choice_table(judgements))
    cost(start, out, beside, *drawn)


_HEADER = ["modalities", "seed", "offset", "pairing", "VIF", "SSIM", "PSNR", "Qabf", "Qcb",
           "composite", "val_loss", "cka", "learned_weight", "chosen_by", "seconds"]  # fmt: skip


def _rows(result: SearchResult) -> list[list[str]]:
    """One row for each offset and seed, then mean and standard deviation of each offset."""
    import numpy as np

    from mma_unet.analysis.asymmetry import offset_cka
    from mma_unet.models.soft import OFFSETS, offset_pairing
    from mma_unet.training.ablation import METRICS, spread
    from mma_unet.training.offsets import composite

    table, choices = composite(result.outcomes), result.choices()
    rows: list[list[str]] = []
    for column, offset in enumerate(OFFSETS):
        pairing = " ".join(f"{v}-{i}" for v, i in offset_pairing(offset))
        lines: list[list[float]] = []
        for k, outcome in enumerate(result.outcomes[offset]):
            values = [outcome.mean(m) for m in METRICS]
            values += [table[offset][k], outcome.val_loss]
            values += [offset_cka(result.cka[k].evidence["cka"], offset)]
            values += [result.learned[k].evidence["weights"][0][column]]
            lines.append(values)
            chosen = " ".join(m for m, offsets in choices.items() if offsets[k] == offset)
            rows.append(
                [result.name, str(result.seeds[k]), f"{offset:+d}", pairing,
                 *(f"{v:.5f}" for v in values), chosen, f"{outcome.seconds:.0f}"]
            )  # fmt: skip
        columns = list(zip(*lines, strict=True))
        for name, reduce in (("mean", np.mean), ("sd", spread)):
            cells = [f"{float(reduce(c)):.5f}" for c in columns]
            rows.append([result.name, name, f"{offset:+d}", pairing, *cells, "", ""])
    return rows


def _scores_table(result: SearchResult) -> Table:
    import numpy as np

    from mma_unet.training.ablation import METRICS, spread
    from mma_unet.training.offsets import composite

    table = Table("IR - VI", *METRICS, "composite", title=f"{result.name}: mean ± sd over seeds")
    total = composite(result.outcomes)
    for offset, outcomes in result.outcomes.items():
        columns = [[o.mean(m) for o in outcomes] for m in METRICS] + [total[offset]]
        cells = [f"{np.mean(c):.3f} ± {spread(c):.3f}" for c in columns]
        table.add_row(f"{offset:+d}", *cells)
    return table


def _choice_table(judgements: Sequence[Judgement]) -> Table:
    table = Table("Pairs", "Method", "Chosen", "Best", "Regret", "Verdict", title="The choice")
    for j in judgements:
        chosen = " ".join(f"{offset:+d}" for offset in j.chosen)
        regret = f"{j.regret:.2f} ± {j.sd:.2f}"
        table.add_row(j.name, j.method, chosen, f"{j.best:+d}", regret, j.verdict)
    return table
