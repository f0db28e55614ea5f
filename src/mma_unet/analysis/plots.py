"""Heatmaps of CKA in the paper's layout (Fig. 1 and 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from mma_unet.analysis.cka_report import last_shallow
from mma_unet.analysis.layers import Layer
from mma_unet.analysis.stacks import Stack

__all__ = ["Panel", "figures", "heatmaps"]

_FOR_EYES = {"paper": "layers as the paper counts them", "operations": "layers as operations"}


@dataclass(frozen=True, eq=False)
class Panel:
    """One heatmap.

    Attributes:
        title: Heading.
        matrix: `(rows, columns)` CKA.
        rows: What the rows are, from the bottom.
        columns: What the columns are, from the left.
        names: What the y and the x axis count.
        marks: Last shallow layer of the rows and of the columns, to be drawn as dashed lines.
    """

    title: str
    matrix: npt.NDArray[np.float64]
    rows: Sequence[Layer]
    columns: Sequence[Layer]
    names: tuple[str, str]
    marks: tuple[float | None, float | None] = (None, None)


def figures(stacks: Mapping[str, Stack], indexing: str) -> dict[str, Any]:
    """The paper's figures, as far as the trainings allow.

    Args:
        stacks: From `mma_unet.analysis.stacks.stack`.
        indexing: `"paper"` or `"operations"`.

    Returns:
        Figures by file stem: `figure1` (IR, VI, IR by VI) for each kind of IR encoder, and
        `figure4` (IR with and without guidance) if both are there.
    """
    plans = {
        f"figure1-{kind}": [f"ir_{kind}", "vi", f"cross_{kind}"]
        for kind in ("guided", "plain")
        if f"ir_{kind}" in stacks
    }
    if {"ir_guided", "ir_plain"} <= stacks.keys():
        plans["figure4"] = ["ir_guided", "ir_plain"]
    return {
        f"{name}-{indexing}": heatmaps(
            [_panel(key, stacks[key], indexing) for key in keys],
            f"{_FOR_EYES[indexing]}; L1 to L5: levels of the U-Net; dashed: last shallow layer",
        )
        for name, keys in plans.items()
    }


def _panel(key: str, stack: Stack, indexing: str) -> Panel:
    kind, _, guidance = key.partition("_")
    ir = f"{guidance} IR-UNet"
    names = {"ir": (ir, ir), "vi": ("VI-UNet", "VI-UNet"), "cross": (ir, "VI-UNet")}[kind]
    title = names[0] if kind != "cross" else f"{ir} and VI-UNet"
    count = len(stack.values)
    title += f", mean of {count}" if count > 1 else ""
    matrix = stack.mean(indexing)
    cut = None
    if kind != "cross":
        cut = float(np.mean([last_shallow(values)[0] for values in stack.indexed(indexing)]))
    rows, columns = stack.labels(indexing)
    return Panel(title[0].upper() + title[1:], matrix, rows, columns, names, (cut, cut))


def heatmaps(panels: Sequence[Panel], caption: str = "") -> Any:
    """Draw heatmaps side by side, each from 0 to its largest value rounded up to a tenth.

    So within a network the scale ends at 1, and across networks it shows what there is. Values
    below 0, which are estimates of a similarity near 0, are drawn as 0. Thin lines bound the U-Net
    levels; a dashed line stands after the layer of `Panel.marks`.

    Args:
        panels: From left to right.
        caption: A line below.

    Returns:
        A matplotlib `Figure`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * len(panels), 4.6), layout="constrained")
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for number, (axes, panel) in enumerate(zip(all_axes, panels, strict=True)):
        height, width = panel.matrix.shape
        top = min(max(np.ceil(panel.matrix.max() * 10) / 10, 0.1), 1.0)
        image = axes.imshow(
            panel.matrix,
            origin="lower",
            vmin=0,
            vmax=top,
            cmap="magma",
            interpolation="nearest",
            extent=(0.5, width + 0.5, 0.5, height + 0.5),
        )
        letter = f"({'abcdefgh'[number]}) " if len(panels) > 1 else ""
        axes.set_title(letter + panel.title, fontsize=10.5)
        _ruler(axes, panel.rows, panel.columns)
        axes.set_ylabel(f"layer of {panel.names[0]}")
        axes.set_xlabel(f"layer of {panel.names[1]}")
        for mark, draw in zip(panel.marks, (axes.axhline, axes.axvline), strict=True):
            if mark is not None:
                draw(mark + 0.5, color="#56B4E9", linewidth=1.4, linestyle=(0, (4, 2)))
        below = "min" if panel.matrix.min() < -0.005 else "neither"
        bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02, extend=below)
        bar.set_label("CKA")
    if caption:
        figure.supxlabel(caption, fontsize=8.5, color="0.35")
    return figure


def _ruler(axes: Any, rows: Sequence[Layer], columns: Sequence[Layer]) -> None:
    """Lines between levels, ticks at their last layers, and their numbers along the far sides."""
    for layers, axis, line in (
        (rows, axes.yaxis, axes.axhline),
        (columns, axes.xaxis, axes.axvline),
    ):
        ends = np.cumsum(
            [len(list(group)) for _, group in groupby(layer.level for layer in layers)]
        )
        for end in ends[:-1]:
            line(end + 0.5, color="white", linewidth=0.5, alpha=0.7)
        axis.set_ticks([1, *ends])
    far = axes.secondary_xaxis("top"), axes.secondary_yaxis("right")
    for side, layers in zip(far, (columns, rows), strict=True):
        middles = [
            float(np.mean([place for place, _ in group])) + 1
            for _, group in groupby(enumerate(layers), key=lambda item: item[1].level)
        ]
        axis = side.xaxis if layers is columns and side is far[0] else side.yaxis
        axis.set_ticks(middles, [f"L{k + 1}" for k in range(len(middles))])
        side.tick_params(length=0, labelsize=7.5, labelcolor="0.35", pad=1)
        side.spines[:].set_visible(False)
