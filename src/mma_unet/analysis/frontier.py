"""What directly optimized pixels reach: one image optimized against the metrics, pair by pair.

For a pair of source images the fused image itself is the unknown; Adam climbs a weighted sum of
differentiable metrics, starting from a Laplacian pyramid fusion. Nothing is learned and nothing
generalises.
The climb may end in a local maximum or be stopped early, so the result is a lower bound of the
highest score that is possible on that pair: at least so much can be had, perhaps more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from pathlib import Path
from statistics import fmean

import torch
from torch import Tensor

from mma_unet.data import Pair, PairedImages
from mma_unet.data.datasets import gray_image
from mma_unet.errors import InputError
from mma_unet.metrics import score
from mma_unet.metrics.objective import MetricObjective
from mma_unet.pyramid import pyramid_fusion
from mma_unet.tables import read_table, write_table

__all__ = [
    "JOINT",
    "OBJECTIVES",
    "Optimum",
    "climb",
    "frontier",
    "mean_scores",
    "read_optima",
    "write_optima",
]

JOINT: dict[str, float] = {"vif": 1.0, "ssim": 1.0, "psnr": 0.05, "qabf": 1.0, "qcb": 1.0}
"""One dB of PSNR weighs as much as 0.05 of a metric in [0, 1]."""

OBJECTIVES: dict[str, dict[str, float]] = {
    **{name: {name: 1.0} for name in JOINT},
    "joint": JOINT,
}
"""Each of the paper's five metrics alone, and all of them together."""


_KEY = ["pair", "objective", "steps", "stamp"]
"""What scores in a file are the outcome of; its first columns."""

Rows = dict[tuple[str, ...], list[float]]


@dataclass(frozen=True)
class Optimum:
    """The scores of one optimized image.

    Attributes:
        pair: Name of the pair.
        objective: Key of the objective that was climbed.
        scores: The paper's five metrics of the 8-bit image.
    """

    pair: str
    objective: str
    scores: dict[str, float]


def climb(
    ir: Tensor, vi: Tensor, weights: Mapping[str, float], *, steps: int = 150, lr: float = 0.02
) -> Tensor:
    """Optimize the pixels of the fused image of one pair.

    Args:
        ir: `(1, 1, H, W)` in [0, 1].
        vi: The same shape.
        weights: Weight by metric name.
        steps: Steps of Adam.
        lr: Its first learning rate, annealed to zero by a cosine.

    Returns:
        The fused image, `(1, 1, H, W)` in [0, 1].

    Raises:
        InputError: If a metric is unknown or not differentiable.
    """
    objective = MetricObjective(weights)
    fused = pyramid_fusion(ir, vi).requires_grad_()
    optimizer = torch.optim.Adam([fused], lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        objective(fused, ir, vi)["loss"].backward()
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            fused.clamp_(0, 1)
    return fused.detach()


def frontier(
    pairs: Sequence[Pair],
    objectives: Mapping[str, Mapping[str, float]] | None = None,
    *,
    done: frozenset[tuple[str, str]] = frozenset(),
    steps: int = 150,
) -> Iterator[Optimum]:
    """Climb every objective on every pair.

    Args:
        pairs: Pairs of files.
        objectives: Weights by metric, by name of the objective; `OBJECTIVES` by default.
        done: `(pair, objective)` that are known already and are left out.
        steps: Steps of each climb.

    Yields:
        The optimum of each pair and objective, as it is found.
    """
    for item in PairedImages(pairs, channels=1):
        ir, vi = item["ir"][None], item["vi"][None]
        for name, weights in (objectives or OBJECTIVES).items():
            if (item["name"], name) in done:
                continue
            fused = climb(ir, vi, weights, steps=steps)
            images = [gray_image(image) for image in (fused, ir, vi)]
            yield Optimum(item["name"], name, score(images[0], images[1], images[2]))


def read_optima(path: Path, labels: Sequence[str]) -> Rows:
    """The scores of an earlier run, of whatever pairs and steps; nothing where there is no file.

    Args:
        path: What `write_optima` wrote.
        labels: Labels of the scores.

    Raises:
        InputError: The file is something else.
    """
    if not path.exists():
        return {}
    header, rows = read_table(path)
    width = len(_KEY)
    try:
        if header != [*_KEY, *labels]:
            raise ValueError("its columns are others")
        return {tuple(row[:width]): [float(cell) for cell in row[width:]] for row in rows}
    except ValueError as error:
        raise InputError(
            f"{path} was not written by this command ({error}): choose another file for -o."
        ) from None


def write_optima(path: Path, labels: Sequence[str], rows: Rows) -> None:
    """Write scores by pair, objective, steps and stamp, as CSV."""
    table = [[*key, *(f"{value:.6f}" for value in row)] for key, row in rows.items()]
    write_table(path, [*_KEY, *labels], table)


def mean_scores(rows: Mapping[tuple[str, str], Sequence[float]]) -> dict[str, list[float]]:
    """Means of each objective over the pairs it is defined for; NaN where it is for none.

    Args:
        rows: Scores of each `(pair, objective)`.
    """
    grouped: dict[str, list[Sequence[float]]] = {}
    for (_, objective), row in rows.items():
        grouped.setdefault(objective, []).append(row)
    return {
        name: [fmean(known) if (known := [v for v in column if not isnan(v)]) else nan
               for column in zip(*group, strict=True)]
        for name, group in grouped.items()
    }  # fmt: skip
