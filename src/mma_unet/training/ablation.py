"""The ablations of table 4, trained under one budget and set beside the paper's scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np

from mma_unet.models import ABLATIONS
from mma_unet.training.study import Job, Outcome, Report, Study, run_jobs

__all__ = [
    "METRICS",
    "TABLE_4",
    "Ordering",
    "Table",
    "ablation_jobs",
    "ablation_rows",
    "ablation_table",
    "ordering_rows",
    "ordering_table",
    "orderings",
    "run_ablation",
    "spread",
]

METRICS = ("VIF", "SSIM", "PSNR", "Qabf", "Qcb")
"""The paper's five, higher is better in each."""

TABLE_4: dict[str, dict[str, float]] = {
    name: dict(zip(METRICS, row, strict=True))
    for name, row in {
        "E1": (0.430, 0.764, 16.335, 0.626, 0.529),
        "E2": (0.415, 0.758, 16.279, 0.638, 0.520),
        "E3": (0.419, 0.755, 16.313, 0.617, 0.517),
        "E4": (0.342, 0.742, 16.062, 0.498, 0.504),
        "E5": (0.344, 0.757, 16.247, 0.449, 0.498),
    }.items()
}
"""The paper's table 4, on 300 pairs of M3FD."""

Scores = Mapping[str, float]
Table = tuple[list[str], list[list[str]]]
"""Header and rows of text."""


@dataclass(frozen=True)
class Ordering:
    """Whether two experiments stand in the paper's order, in one metric.

    Attributes:
        metric: Its label.
        better: The experiment that is better in the paper.
        worse: The other one.
        paper: Difference in the paper, positive.
        ours: Mean of our differences over the seeds, paired by seed.
        sd: Their sample standard deviation.
        verdict: `"holds"`, `"does not hold"`, or `"within spread"` where `|ours| <= sd`, so that
            the seeds do not tell.
    """

    metric: str
    better: str
    worse: str
    paper: float
    ours: float
    sd: float
    verdict: str


def ablation_jobs(study: Study, seeds: Sequence[int]) -> list[Job]:
    """Stage I with and without guidance, then E1 to E5, seed by seed."""
    recipe, jobs = study.recipe, []
    first, second = recipe.vi.epochs + recipe.ir.epochs, recipe.fusion.epochs
    for seed in seeds:
        for guided in (True, False):
            label = f"{recipe.name}: stage I {'guided' if guided else 'plain'}, seed {seed}"
            epochs = first if guided else recipe.ir.epochs
            jobs.append(Job(label, epochs, partial(study.stage_one, seed, guided)))
        for name in ABLATIONS:
            label = f"{recipe.name}: {name}, seed {seed}"
            jobs.append(Job(label, second, partial(_experiment, study, name, seed)))
    return jobs


def run_ablation(
    study: Study, seeds: Sequence[int], report: Report = lambda *_: None
) -> dict[str, list[Outcome]]:
    """Train and score E1 to E5; what is finished is not run again.

    Args:
        study: A recipe at any width, and where to run it.
        seeds: At least one.
        report: Told of the progress.

    Returns:
        For each experiment one outcome per seed, in their order.
    """
    run_jobs(study, ablation_jobs(study, seeds), report)
    return {name: [_experiment(study, name, seed) for seed in seeds] for name in ABLATIONS}


def _experiment(study: Study, name: str, seed: int) -> Outcome:
    config = ABLATIONS[name]
    return study.fusion(seed, config.guided, config.pairing)


def spread(values: Sequence[float]) -> float:
    """Sample standard deviation; NaN of a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def orderings(
    ours: Mapping[str, Sequence[Scores]], paper: Mapping[str, Scores] = TABLE_4
) -> list[Ordering]:
    """Compare the order of every two experiments, metric by metric.

    Args:
        ours: For each experiment the scores of each seed; seeds in the same order throughout.
        paper: The paper's scores.

    Returns:
        One row for each metric and pair of experiments that differ in the paper.

    Example:
        >>> ours = {"E1": [{"VIF": 0.5}, {"VIF": 0.6}], "E4": [{"VIF": 0.4}, {"VIF": 0.51}]}
        >>> orderings(ours, {"E1": {"VIF": 0.43}, "E4": {"VIF": 0.342}})[0].verdict
        'holds'
    """
    rows: list[Ordering] = []
    for metric in next(iter(paper.values())):
        for a, b in combinations(paper, 2):
            gap = paper[a][metric] - paper[b][metric]
            if not gap:
                continue
            better, worse = (a, b) if gap > 0 else (b, a)
            pairs = zip(ours[better], ours[worse], strict=True)
            differences = [x[metric] - y[metric] for x, y in pairs]
            mean, sd = float(np.mean(differences)), spread(differences)
            verdict = "holds" if mean > 0 else "does not hold"
            if not abs(mean) > sd:
                verdict = "within spread"
            rows.append(Ordering(metric, better, worse, abs(gap), mean, sd, verdict))
    return rows


def ablation_rows(outcomes: Mapping[str, Sequence[Outcome]]) -> Table:
    """For CSV: one row per experiment and seed, then mean, standard deviation and the paper's."""
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
    return ["experiment", "seed", *METRICS, "val_loss", "seconds"], rows


def ablation_table(ours: Mapping[str, Sequence[Scores]]) -> Table:
    """For people: mean and spread of each experiment, the paper's below in brackets."""
    rows = []
    for name, row in ours.items():
        columns = [(TABLE_4[name][m], [scores[m] for scores in row]) for m in METRICS]
        cells = [f"{np.mean(c):.3f} ± {spread(c):.3f}\n({paper:.3f})" for paper, c in columns]
        rows.append([name, *cells])
    return ["", *METRICS], rows


def ordering_rows(order: Sequence[Ordering]) -> Table:
    """For CSV: every two experiments, metric by metric."""
    header = ["metric", "better_in_paper", "worse_in_paper", "paper", "ours", "sd", "verdict"]
    rows = [
        [r.metric, r.better, r.worse, f"{r.paper:.3f}", f"{r.ours:.5f}", f"{r.sd:.5f}", r.verdict]
        for r in order
    ]
    return header, rows


def ordering_table(order: Sequence[Ordering]) -> Table:
    """For people: a row for every two experiments, with the verdict of each metric."""
    cells: dict[str, dict[str, str]] = {}
    for r in order:
        row = cells.setdefault(" and ".join(sorted((r.better, r.worse))), {})
        row[r.metric] = f"{r.better} > {r.worse}: {r.verdict}"
    rows = [
        [pair, *(row.get(m, "equal in the paper") for m in METRICS)] for pair, row in cells.items()
    ]
    return ["Paper's order", *METRICS], rows
