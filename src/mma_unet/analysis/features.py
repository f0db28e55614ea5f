"""What the encoders see of one pair, as pictures (paper Fig. 3).

A feature map is shown as the mean over its channels. The addition of two maps is the addition of
these means; a map of a deeper level is first brought to the size of the image by bilinear
interpolation ("for ease of representation, we omit the sampling operation"). The gates are part of
an IR map if the encoder is guided: it is what the fusion gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from mma_unet.analysis.encoders import Encoders
from mma_unet.data import Pair, PairedImages
from mma_unet.figures import save_figure

__all__ = ["SUMS", "FeatureMaps", "draw_sheet", "feature_maps"]

Map = npt.NDArray[np.float32]

SUMS: tuple[tuple[int, int], ...] = ((1, 1), (1, 2), (2, 2), (2, 3))
"""The additions of Fig. 3, as (VI level, IR level)."""


@dataclass(frozen=True, eq=False)
class FeatureMaps:
    """Pictures of one pair by label, each `(H, W)` of the images' size.

    Attributes:
        images: `IR`, `VI` and, with a fusion network, `Fused`: in [0, 1], gray.
        levels: `VI1`, `VI2`, `IR1`, `IR2`, `IR3`: channel means, any scale.
        sums: `VI1+IR1`, ...: additions of these.
        fused: `Fused VI1, IR2`, ...: channel means of what the fusion network makes of its pairs;
            empty without one.
    """

    images: dict[str, Map]
    levels: dict[str, Map]
    sums: dict[str, Map]
    fused: dict[str, Map]


def feature_maps(encoders: Encoders, pair: Pair) -> FeatureMaps:
    """Run a pair through the encoders, and through the fusion if there is one.

    Args:
        encoders: Stage I, or finished weights; at least 2 levels of VI and 3 of IR.
        pair: Registered images of any size.

    Raises:
        InputError: What `PairedImages` raises.
    """
    channels = encoders.config.in_channels
    item = PairedImages([pair], channels=1 if channels == 1 else 3)[0]
    ir, vi = item["ir"].expand(channels, -1, -1)[None], item["vi"][None]
    height, width = ir.shape[-2:]
    multiple = encoders.size_multiple
    pad = (0, -width % multiple, 0, -height % multiple)
    ir, vi = (F.pad(x, pad, mode="replicate") for x in (ir, vi))

    def flat(features: Tensor) -> Map:
        one = features.mean(dim=1, keepdim=True)
        if one.shape[-2:] != ir.shape[-2:]:
            one = F.interpolate(one, ir.shape[-2:], mode="bilinear", align_corners=False)
        result: Map = one[0, 0, :height, :width].numpy()
        return result

    with torch.inference_mode():
        ir_features, vi_features = encoders.features(ir, vi)
        images = {"IR": flat(ir), "VI": flat(vi)}
        fused = {}
        if encoders.model is not None:
            maps = encoders.model.fusion(ir_features, vi_features)
            images["Fused"] = flat(encoders.model(ir, vi)).clip(0, 1)
            for (v, i), fused_map in zip(encoders.config.pairing, maps, strict=True):
                fused[f"Fused VI{v}, IR{i}"] = flat(fused_map)
        levels = {f"VI{k}": flat(vi_features[k - 1]) for k in sorted({v for v, _ in SUMS})}
        levels |= {f"IR{k}": flat(ir_features[k - 1]) for k in sorted({i for _, i in SUMS})}
    sums = {f"VI{v}+IR{i}": levels[f"VI{v}"] + levels[f"IR{i}"] for v, i in SUMS}
    return FeatureMaps(images, levels, sums, fused)


def draw_sheet(maps: FeatureMaps, path: Path, title: str = "") -> None:
    """Write the maps as one labelled sheet, in one move.

    Images are gray from 0 to 1; each map is drawn from its 1st to its 99th percentile, so that
    brightness compares within a map only. The percentiles leave out a rim of a sixteenth of the
    shorter side, where the zero padding of the convolutions shows.

    Args:
        maps: What to draw.
        path: `.png`, `.jpg`, `.svg` or `.pdf`.
        title: Heading.
    """
    from matplotlib.figure import Figure

    rows: Sequence[tuple[str, dict[str, Map]]] = [
        ("images", maps.images),
        ("feature maps", maps.levels),
        ("additions", maps.sums),
        *([("fused maps", maps.fused)] if maps.fused else []),
    ]
    across = max(len(row) for _, row in rows)
    height, width = next(iter(maps.images.values())).shape
    cell = 2.6
    figure = Figure(
        figsize=(cell * across + 0.4, (cell * height / width + 0.35) * len(rows) + 0.4),
        layout="constrained",
    )
    grid = figure.subplots(len(rows), across, squeeze=False)
    for axes_row, (name, row) in zip(grid, rows, strict=True):
        axes_row[0].set_ylabel(name, fontsize=10)
        for axes in axes_row:
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        for axes, (label, values) in zip(axes_row, row.items(), strict=False):
            axes.set_title(label, fontsize=10)
            axes.imshow(values, interpolation="nearest", **_scale(values, name))
    if title:
        figure.suptitle(title, fontsize=10)
    save_figure(figure, path)


def _scale(values: Map, name: str) -> dict[str, Any]:
    if name == "images":
        return {"cmap": "gray", "vmin": 0, "vmax": 1}
    rim = min(values.shape) // 16
    low, high = np.percentile(values[rim:-rim, rim:-rim] if rim else values, (1, 99))
    return {"cmap": "viridis", "vmin": low, "vmax": max(high, low + 1e-12)}
