"""The networks of the paper in a few lines of NumPy, written from its text and not from our code.

Images and maps are `(C, H, W)` in double precision; `w` holds the tensors of one network by name.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from mma_unet.models import MMAUNetConfig

Map = npt.NDArray[np.float64]
Tensors = dict[str, Map]


def formula_weights(shapes: dict[str, tuple[int, ...]]) -> Tensors:
    """Tensors that follow from their place alone: waves, scaled so that no map dies or explodes."""
    found = {}
    for number, (name, shape) in enumerate(shapes.items()):
        wave = np.sin(1.7 * np.arange(np.prod(shape, dtype=int)) ** 1.1 + number).reshape(shape)
        if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
            found[name] = 1 + 0.4 * wave
        elif len(shape) > 1:
            found[name] = wave * 1.6 / np.sqrt(np.prod(shape[1:]))
        else:
            found[name] = 0.2 * wave
    return found


def conv(x: Map, w: Tensors, name: str) -> Map:
    kernel = w[f"{name}.weight"]
    pad = kernel.shape[-1] // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(padded, kernel.shape[2:], axis=(1, 2))
    out = np.einsum("chwij,ocij->ohw", windows, kernel)
    return out + column(w.get(f"{name}.bias", np.zeros(len(out))))


def column(x: Map) -> Map:
    return x[:, None, None]


def batch_norm(x: Map, w: Tensors, name: str) -> Map:
    centered = x - column(w[f"{name}.running_mean"])
    scaled = centered / np.sqrt(column(w[f"{name}.running_var"]) + 1e-5)
    return scaled * column(w[f"{name}.weight"]) + column(w[f"{name}.bias"])


def double_conv(x: Map, w: Tensors, name: str) -> Map:
    for first in (0, 3):
        x = batch_norm(conv(x, w, f"{name}.{first}"), w, f"{name}.{first + 1}").clip(0)
    return x


def blocks(x: Map) -> Map:
    """Each 2x2 block apart: `(C, 2, 2, H/2, W/2)`."""
    channels, height, width = x.shape
    return x.reshape(channels, height // 2, 2, width // 2, 2).transpose(0, 2, 4, 1, 3)


def pixel_shuffle(x: Map) -> Map:
    channels, height, width = x.shape
    apart = x.reshape(channels // 4, 2, 2, height, width).transpose(0, 3, 1, 4, 2)
    return apart.reshape(channels // 4, 2 * height, 2 * width)


def mlp(x: Map, w: Tensors, name: str) -> Map:
    hidden = (w[f"{name}.squeeze.weight"] @ x + w[f"{name}.squeeze.bias"]).clip(0)
    return w[f"{name}.excite.weight"] @ hidden + w[f"{name}.excite.bias"]


def sigmoid(x: Map) -> Map:
    return 1 / (1 + np.exp(-x))


def encode(x: Map, w: Tensors, name: str, depth: int, guide: list[Map] | None = None) -> list[Map]:
    """Section 3.1: double convolution, gate, max pooling, level by level."""
    levels = []
    for level in range(depth):
        x = double_conv(blocks(x).max(axis=(1, 2)) if level else x, w, f"{name}.levels.{level}")
        if guide is not None:
            x = x * column(sigmoid(mlp(guide[level].mean(axis=(1, 2)), w, f"{name}.gates.{level}")))
        levels.append(x)
    return levels


def stage_one(image: Map, w: Tensors, depth: int, guide: list[Map] | None = None) -> Map:
    """The original U-Net: skips first, then the map that came up by transposed convolution."""
    *skips, x = encode(image, w, "encoder", depth, guide)
    for step, skip in enumerate(skips[::-1]):
        kernel = w[f"decoder.ups.{step}.weight"]
        channels, height, width = kernel.shape[1], 2 * x.shape[1], 2 * x.shape[2]
        up = np.einsum("chw,copq->ohpwq", x, kernel).reshape(channels, height, width)
        up = up + column(w[f"decoder.ups.{step}.bias"])
        x = double_conv(np.concatenate([skip, up]), w, f"decoder.blocks.{step}")
    return conv(x, w, "decoder.to_image")


def descend(x: Map, w: Tensors, name: str, octaves: int, downsampling: str) -> Map:
    for octave in range(octaves):
        apart = blocks(x)
        if downsampling == "average":
            x = apart.mean(axis=(1, 2))
        else:
            x = apart.reshape(-1, *apart.shape[3:])
        x = conv(x, w, f"{name}.{2 * octave + 1}")
    return x


def attend(x: Map, w: Tensors, name: str) -> Map:
    scores = mlp(x.mean(axis=(1, 2)), w, name) + mlp(x.max(axis=(1, 2)), w, name)
    return x * column(sigmoid(scores))


def fuse(ir: Map, vi: Map, w: Tensors, config: MMAUNetConfig) -> Map:
    """The whole of section 3.2 on one pair of single-channel images."""
    vi_levels = encode(vi, w, "vi_encoder", config.vi_depth)
    guide = vi_levels if config.guided else None
    ir_levels = encode(ir, w, "ir_encoder", config.ir_depth, guide)
    fused = {}
    for place, (v, i) in enumerate(config.pairing):
        name, how = f"fusion.pairs.{place}", config.downsampling
        down_vi = descend(vi_levels[v - 1], w, f"{name}.vi_down", max(i - v, 0), how)
        down_ir = descend(ir_levels[i - 1], w, f"{name}.ir_down", max(v - i, 0), how)
        fused[max(v, i)] = attend(down_vi + down_ir, w, f"{name}.attention")
    deepest = max(fused)
    x = fused[deepest]
    for step, level in enumerate(range(deepest - 1, 0, -1)):
        x = pixel_shuffle(conv(x, w, f"decoder.ups.{step}.0"))
        if level in fused:
            x = double_conv(np.concatenate([fused[level], x]), w, f"decoder.blocks.{step}")
    maps = conv(x, w, "decoder.to_image")
    return maps if config.head == "image" else blend_bands(maps, ir, vi, config.depth - 1)


def blend_bands(maps: Map, ir: Map, vi: Map, bands: int) -> Map:
    """A blend per band of a Laplacian pyramid; weights from fine to coarse, then a map to add."""
    *weights, rest = (x[None] for x in maps)
    out = np.zeros_like(ir)
    for image, of_image in ((ir, weights[::2]), (vi, weights[1::2])):
        pyramid = [image]
        for _ in range(bands):
            pyramid.append(blocks(pyramid[-1]).mean(axis=(1, 2)))
        for band, level in enumerate(pyramid):
            weight = of_image[band]
            for _ in range(band):
                weight = blocks(weight).mean(axis=(1, 2))
            layer = weight * (level - (double(pyramid[band + 1]) if band < bands else 0))
            for _ in range(band):
                layer = double(layer)
            out = out + layer
    return out + rest


def double(x: Map) -> Map:
    """Bilinear interpolation to twice the size."""
    for axis in (1, 2):
        before, after = (
            x.take(np.arange(x.shape[axis]) + step, axis=axis, mode="clip") for step in (-1, 1)
        )
        pair = np.stack([0.75 * x + 0.25 * before, 0.75 * x + 0.25 * after], axis=axis + 1)
        shape = list(x.shape)
        shape[axis] *= 2
        x = pair.reshape(shape)
    return x
