"""Fusing an image of any size in tiles, with the result of the untiled network.

All of MMA-UNet is local but two things: the gates (averages of the VI features over the whole
image) and the channel attention (averages and maxima of each pair's sum). So the image is gone
through up to three times: once for the gates, once for the attention under these gates, and once
to fuse with both given. Each pass splits the image into cores that touch but do not overlap,
aligned to the network's multiple so that pooling falls as in the whole image. A core is computed
with a halo around it as wide as the receptive field and cropped out; where the image ends, the
tile ends, so that zero padding is where the untiled network has it. Every core is then exact up to
rounding and there is nothing to blend.

With `statistics="reduced"` the gates and the attention come from one pass over a small copy of the
image instead; docs/large-images.md has the cost and the error of both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from mma_unet.inference.grid import Window, halo, plan_tiles
from mma_unet.models import MMAUNet
from mma_unet.models.blocks import ChannelAttention
from mma_unet.models.fusion import PairFusion

__all__ = ["STATISTICS", "Load", "Weights", "channel_weights", "fuse_tile", "fuse_tiles"]

STATISTICS = ("exact", "reduced")
_REDUCED_PIXELS = 2**20


Load = Callable[[Window], tuple[Tensor, Tensor]]
"""Reads a window of the padded image: what the network takes, `(1, in_channels, h, w)` each."""

Weights = tuple[list[Tensor], list[Tensor]]
"""Averages of the VI features per level, by which the IR features are gated, and attention per
pair, `(1, C, 1, 1)` each; empty where there is none."""


def channel_weights(
    model: MMAUNet,
    size: tuple[int, int],
    load: Load,
    max_pixels: int,
    step: Callable[[int, int], None] = lambda *_: None,
) -> Weights:
    """What is global in the network, of the whole image, in up to two passes over its tiles.

    Args:
        model: The network.
        size: Height and width of the padded image.
        load: Reads a window of it.
        max_pixels: As in `plan_tiles`.
        step: Called with the tiles done and all tiles of these passes.
    """
    config = model.config
    tiles = plan_tiles(size, halo(config, decoder=False), config.size_multiple, max_pixels)
    found = (pair.attention for pair in _pairs(model))
    attentions = [attention for attention in found if isinstance(attention, ChannelAttention)]
    total = len(tiles) * (config.guided + bool(attentions))
    area = size[0] * size[1]
    averages: list[Tensor] = []
    done = 0
    if config.guided:
        sums: list[Tensor] = []
        for tile in tiles:
            features = model.vi_encoder(load(tile.outer)[1])
            _add(sums, [tile.core.crop(x, tile.outer, level) for level, x in enumerate(features)])
            dtype = features[0].dtype
            step(done := done + 1, total)
        averages = [(s / (area >> 2 * k)).to(dtype)[:, :, None, None] for k, s in enumerate(sums)]
    if not attentions:
        return averages, []
    levels = [level - 1 for level in config.fused_levels]
    sums = []
    peaks: list[Tensor] = []
    for tile in tiles:
        added = _added(model, *load(tile.outer), averages)
        cores = [tile.core.crop(x, tile.outer, k) for x, k in zip(added, levels, strict=True)]
        _add(sums, cores)
        tops = [x.amax(dim=(2, 3)) for x in cores]
        peaks = [torch.maximum(a, b) for a, b in zip(peaks, tops, strict=True)] if peaks else tops
        step(done := done + 1, total)
    means = [
        (s / (area >> 2 * k)).to(peak.dtype) for s, peak, k in zip(sums, peaks, levels, strict=True)
    ]
    return averages, [
        attention.from_pooled(mean, peak)
        for attention, mean, peak in zip(attentions, means, peaks, strict=True)
    ]


def _pairs(model: MMAUNet) -> list[PairFusion]:
    return [pair for pair in model.fusion.pairs if isinstance(pair, PairFusion)]


def _added(model: MMAUNet, ir: Tensor, vi: Tensor, averages: Sequence[Tensor]) -> list[Tensor]:
    """The sums of all pairs before attention. Nothing here looks beyond the receptive field."""
    ir_features, vi_features = model.ir_encoder(ir, averages), model.vi_encoder(vi)
    return [
        pair.add(ir_features[i - 1], vi_features[v - 1])
        for pair, (v, i) in zip(_pairs(model), model.config.pairing, strict=True)
    ]


def fuse_tile(model: MMAUNet, ir: Tensor, vi: Tensor, weights: Weights) -> Tensor:
    """Fuse one tile by the `channel_weights` of the whole image: like `model(ir, vi)`, but local.

    Args:
        model: The network.
        ir: `(1, in_channels, h, w)`, height and width multiples of `config.size_multiple`.
        vi: The same shape.
        weights: Of the image that the tile is part of.
    """
    averages, attention = weights
    fused = _added(model, ir, vi, averages)
    if attention:
        fused = [x * weight for x, weight in zip(fused, attention, strict=True)]
    image: Tensor = model.head(model.decoder(fused), ir, vi)
    return image


def _add(sums: list[Tensor], maps: Sequence[Tensor]) -> None:
    """Add the sums of the maps over height and width, in double precision."""
    parts = [x.sum(dim=(2, 3), dtype=torch.float64) for x in maps]
    sums[:] = [a + b for a, b in zip(sums, parts, strict=True)] if sums else parts


def _reduced_weights(model: MMAUNet, size: tuple[int, int], load: Load, max_pixels: int) -> Weights:
    """Gates and attention of an area-averaged copy that one forward pass can hold."""
    multiple = model.config.size_multiple
    limit = max(min(max_pixels, _REDUCED_PIXELS), multiple**2)
    factor = 1
    while (size[0] / factor) * (size[1] / factor) > limit:
        factor += 1
    strip = max(max_pixels // size[1] // factor, 1) * factor
    rows: list[tuple[Tensor, Tensor]] = []
    for top in range(0, size[0], strip):
        pair = load(Window(top, min(top + strip, size[0]), 0, size[1]))
        ir, vi = (F.avg_pool2d(x, factor, ceil_mode=True) for x in pair)
        rows.append((ir, vi))
    ir, vi = (torch.cat(parts, dim=2) for parts in zip(*rows, strict=True))
    pad = (0, -ir.shape[3] % multiple, 0, -ir.shape[2] % multiple)
    ir, vi = (F.pad(x, pad, mode="replicate") for x in (ir, vi))
    small = (ir.shape[2], ir.shape[3])
    whole = Window(0, small[0], 0, small[1])
    return channel_weights(
        model, small, lambda window: (window.crop(ir, whole), window.crop(vi, whole)), max_pixels
    )


def fuse_tiles(
    model: MMAUNet,
    size: tuple[int, int],
    load: Load,
    *,
    max_pixels: int,
    statistics: str = "exact",
    step: Callable[[int, int], None] = lambda *_: None,
) -> Iterator[tuple[Window, Tensor]]:
    """Fuse an image tile by tile.

    Args:
        model: The network, in evaluation mode.
        size: Height and width of the padded image: multiples of `config.size_multiple`.
        load: Reads a window of it.
        max_pixels: The most pixels of a tile with its halo, from `tile_pixels`.
        statistics: `"exact"`, or `"reduced"` to take the channel weights from a small copy.
        step: Called with the tiles done and the tiles in all; for progress.

    Yields:
        Cores that cover the padded image, and the fused image `(1, in_channels, h, w)` of each,
        not clipped.
    """
    config = model.config
    tiles = plan_tiles(size, halo(config), config.size_multiple, max_pixels)
    before = 0

    def step_before(done: int, total: int) -> None:
        nonlocal before
        before = total
        step(done, total + len(tiles))

    if statistics == "reduced":
        weights = _reduced_weights(model, size, load, max_pixels)
    else:
        weights = channel_weights(model, size, load, max_pixels, step_before)
    for index, tile in enumerate(tiles, 1):
        fused = fuse_tile(model, *load(tile.outer), weights)
        yield tile.core, tile.core.crop(fused, tile.outer)
        step(before + index, before + len(tiles))
