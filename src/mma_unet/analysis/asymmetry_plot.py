"""The picture that explains a choice of pairing: CKA, learned weights, and the search itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from mma_unet.analysis.asymmetry import centered
from mma_unet.figures import save_figure
from mma_unet.models.soft import OFFSETS
from mma_unet.training.offsets import SearchResult, composite

__all__ = ["draw_search"]

_SHADES = ("#c51b7d", "#e9a3c9", "#9a9a9a", "#a1d76a", "#4d9221")
"""One per offset, from -2 to +2."""


def draw_search(result: SearchResult, path: Path) -> None:
    """Draw one search as SVG: three panels from left to right.

    CKA between VI and IR levels, mean over the seeds (numbers), and what of it is particular to
    each pair of levels (color, see `centered`); the learned weight of each offset over the epochs,
    mean over the seeds; the composite score of each offset, a dot per seed and a bar for the mean,
    with the choices named.

    Args:
        result: What the search came to.
        path: The SVG file, written atomically.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(11, 3.4), layout="constrained", facecolor="white")
        left, middle, right = figure.subplots(1, 3)
        _matrix(figure, left, result)
        _weights(middle, result)
        _scores(right, result)
        figure.suptitle(result.name, fontsize=11, fontweight="bold")
    save_figure(figure, path)


def _matrix(figure: Any, axes: Any, result: SearchResult) -> None:
    matrix = np.mean([choice.evidence["cka"] for choice in result.cka], axis=0)
    shades = centered(torch.from_numpy(matrix)).numpy()
    most = abs(shades).max()
    image = axes.imshow(shades, origin="upper", cmap="PuOr", vmin=-most, vmax=most)
    levels = range(len(matrix))
    for v in levels:
        for i in levels:
            shade = "white" if abs(shades[v, i]) > 0.6 * most else "black"
            axes.text(i, v, f"{matrix[v, i]:.2f}", ha="center", va="center", color=shade, size=7)
    ridge = np.mean([choice.evidence["ridge"] for choice in result.cka])
    axes.set_xticks(levels, [str(k + 1) for k in levels])
    axes.set_yticks(levels, [str(k + 1) for k in levels])
    axes.set_xlabel("IR level")
    axes.set_ylabel("VI level")
    axes.set_title(f"CKA, ridge at {ridge:+.2f} levels")
    figure.colorbar(image, ax=axes, shrink=0.8, label="less row and column means")


def _weights(axes: Any, result: SearchResult) -> None:
    weights = np.mean(result.weights, axis=0)
    epochs = range(1, len(weights) + 1)
    for column, (offset, shade) in enumerate(zip(OFFSETS, _SHADES, strict=True)):
        axes.plot(epochs, weights[:, column], color=shade, label=f"{offset:+d}", linewidth=2)
    axes.set_ylim(0, 1)
    axes.set_xlabel("epoch of the search")
    axes.set_title("learned weight of each offset")
    axes.legend(title="IR - VI", frameon=False, fontsize=8)


def _scores(axes: Any, result: SearchResult) -> None:
    table = composite(result.outcomes)
    for offset, shade in zip(OFFSETS, _SHADES, strict=True):
        values = table[offset]
        axes.bar(offset, np.mean(values), color=shade, alpha=0.5)
        axes.scatter([offset] * len(values), values, color="black", s=12, zorder=3)
    labels = []
    for offset in OFFSETS:
        names = [
            f"{method}: {chosen.count(offset)}"
            for method, chosen in result.choices().items()
            if offset in chosen
        ]
        labels.append("\n".join([f"{offset:+d}", *names]))
    axes.set_xticks(OFFSETS, labels, fontsize=8)
    axes.set_xlabel("offset; below, how many seeds chose it")
    axes.axhline(0, color="#999999", linewidth=0.8)
    axes.set_ylabel("composite of five metrics")
    axes.set_title("offset search, held-out pairs")
